"""Conversations: generators that yield the requests that they need and are sent the answers, or have the errors thrown in.

Whoever drives one does the sending and the waiting, and may keep many of them under way.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, TypeVar

from airflow_provider_ghl.api.calls import Answer, Call
from airflow_provider_ghl.exceptions import GHLError

__all__ = ["Steps", "Wait", "converse"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Wait:
    """Seconds to wait before the conversation goes on. Anything may be sent in."""

    seconds: float


#: A conversation that comes to a ``T``. An :class:`Answer` is sent in for each :class:`Call`.
Steps = Generator[Call | Wait, Any, T]


def converse(steps: Steps[T], send: Callable[[Call], Answer], sleep: Callable[[float], None]) -> T:
    """Hold a conversation to its end, one request after the other.

    :param send: sends a request, and raises a :class:`GHLError` where it fails.
    :param sleep: waits for so many seconds.
    """
    try:
        step = next(steps)
        while True:
            if isinstance(step, Wait):
                sleep(step.seconds)
                step = steps.send(None)
                continue
            try:
                answer = send(step)
            except GHLError as error:
                step = steps.throw(error)
            else:
                step = steps.send(answer)
    except StopIteration as end:
        result: T = end.value
        return result
