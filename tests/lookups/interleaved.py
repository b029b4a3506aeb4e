"""Holds a conversation whose parts are under way at once, and answers them in any order."""

from __future__ import annotations

from collections.abc import Callable, Generator
from random import Random
from typing import Any, TypeVar

from airflow_provider_ghl.api.calls import Answer, Call
from airflow_provider_ghl.api.conversation import Steps, Together, Wait

__all__ = ["InTurn", "converse_interleaved"]

T = TypeVar("T")
_Part = Generator[Call, Answer, Any]


class InTurn(Random):
    """Begins as many as may be under way, and answers each in its turn."""

    def random(self) -> float:
        return 0.0

    def randrange(self, *args: Any) -> int:
        return 0


def converse_interleaved(
    steps: Steps[T], send: Callable[[Call], Answer], sleep: Callable[[float], None], random: Random, most: int = 8
) -> T:
    """As ``converse`` does, with up to so many parts under way."""
    try:
        step = next(steps)
        while True:
            try:
                sent_in: Any = None
                if isinstance(step, Wait):
                    sleep(step.seconds)
                elif isinstance(step, Together):
                    sent_in = _hold(step, send, random, most)
                else:
                    sent_in = send(step)
            except Exception as error:  # noqa: BLE001 - the conversation says what an error means
                step = steps.throw(error)
            else:
                step = steps.send(sent_in)
    except StopIteration as end:
        result: T = end.value
        return result


def _hold(together: Together, send: Callable[[Call], Answer], random: Random, most: int) -> list[Any]:
    waiting = list(enumerate(together.conversations))
    under_way: list[tuple[int, _Part, Call]] = []
    results: dict[int, Any] = {}
    errors: list[Exception] = []
    while under_way or (waiting and not errors):
        if waiting and not errors and len(under_way) < most and (not under_way or random.random() < 0.5):
            at, part = waiting.pop(0)
            move: Callable[[], Call] = part.__next__
        else:
            at, part, call = under_way.pop(random.randrange(len(under_way)))
            move = _answering(part, call, send)
        try:
            asked = move()
        except StopIteration as end:
            results[at] = end.value
        except Exception as error:  # noqa: BLE001 - thrown into the main one
            errors.append(error)
        else:
            assert isinstance(asked, Call)
            under_way.append((at, part, asked))
    if errors:
        raise errors[0]
    return [results[at] for at in range(len(results))]


def _answering(part: _Part, call: Call, send: Callable[[Call], Answer]) -> Callable[[], Call]:
    def move() -> Call:
        try:
            answer = send(call)
        except Exception as error:  # noqa: BLE001 - the part says what an error means
            return part.throw(error)
        return part.send(answer)

    return move
