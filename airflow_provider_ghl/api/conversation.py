"""Conversations: generators that yield the requests that they need and are sent the answers, or have the errors thrown in.

Whoever drives one does the sending and the waiting, and may keep many of them under way.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from airflow_provider_ghl.api.calls import Answer, Call

__all__ = ["Steps", "Together", "Wait", "converse"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Wait:
    """Seconds to wait before the conversation goes on. ``None`` is sent in."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Together:
    """Conversations that do not depend on each other. Each yields only :class:`Call`; any number may be under way at once.

    The list of their results is sent in, in the order of the conversations. Where one ends with an error, no other is begun.
    Those under way are held to their ends, and then the error is thrown in.
    """

    conversations: Sequence[Generator[Call, Answer, Any]]


#: A conversation that comes to a ``T``. An :class:`Answer` is sent in for each :class:`Call`.
Steps = Generator[Call | Wait | Together, Any, T]


def converse(steps: Steps[T], send: Callable[[Call], Answer], sleep: Callable[[float], None]) -> T:
    """Hold a conversation to its end, one request after the other.

    :param send: sends a request, and raises a :class:`GHLError` where it fails.
    :param sleep: waits for so many seconds.
    """
    try:
        step = next(steps)
        while True:
            try:
                sent_in = _take(step, send, sleep)
            except Exception as error:  # noqa: BLE001 - the conversation says what an error means
                step = steps.throw(error)
            else:
                step = steps.send(sent_in)
    except StopIteration as end:
        result: T = end.value
        return result


def _take(step: Call | Wait | Together, send: Callable[[Call], Answer], sleep: Callable[[float], None]) -> Any:
    if isinstance(step, Call):
        return send(step)
    if isinstance(step, Wait):
        sleep(step.seconds)
        return None
    return [converse(conversation, send, sleep) for conversation in step.conversations]
