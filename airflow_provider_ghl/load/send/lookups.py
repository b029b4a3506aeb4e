"""Holds the conversations of look-ups: their requests become steps of a location, as many at once as the limits allow."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Any, TypeVar

from airflow_provider_ghl.api.calls import Answer, Call
from airflow_provider_ghl.api.clock import LONGEST_WAIT
from airflow_provider_ghl.api.conversation import Steps, Together, Wait
from airflow_provider_ghl.exceptions import GHLError
from airflow_provider_ghl.load.kind import PartResult
from airflow_provider_ghl.load.send.in_flight import Send, Step, WaitUntil

__all__ = ["Lookups"]

T = TypeVar("T")
_Part = Generator[Call, Answer, Any]


class Lookups:
    """Holds one conversation after the other, for one location.

    :param monotonic: the clock.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._number = -1
        self._results: dict[int, PartResult] = {}
        #: How many requests were sent.
        self.requests = 0

    def take_result(self, send: Send, result: PartResult) -> None:
        """Take the result of a step."""
        self.requests += result.requests
        self._results[send.row] = result

    def hold(self, steps: Steps[T]) -> Generator[Step, None, T]:
        """Hold a conversation to its end.

        :raises GHLError: it ended with this error. Other errors than these are hidden: their texts may hold keys.
        """
        try:
            step = next(steps)
            while True:
                try:
                    sent_in = yield from self._take(step)
                except Exception as error:  # noqa: BLE001 - the conversation says what an error means
                    step = steps.throw(error)
                else:
                    step = steps.send(sent_in)
        except StopIteration as end:
            result: T = end.value
            return result
        except GHLError:
            raise
        except Exception as error:  # noqa: BLE001
            raise GHLError(f"a look-up ended in an unforeseen {type(error).__name__}") from None

    def _take(self, step: Call | Wait | Together) -> Generator[Step, None, Any]:
        if isinstance(step, Wait):
            until = self._monotonic() + step.seconds
            while self._monotonic() < until:
                yield WaitUntil(until)
            return None
        if isinstance(step, Call):
            (answer,) = yield from self._take_parts([_ask(step)])
            return answer
        return (yield from self._take_parts(step.conversations))

    def _take_parts(self, parts: Sequence[_Part]) -> Generator[Step, None, list[Any]]:
        """Hold conversations side by side. After an error no other one is begun."""
        numbers: list[int] = []
        for part in parts:
            if self._error(numbers) is not None:
                break
            self._number -= 1
            numbers.append(self._number)
            yield from self._begin(self._number, part)
        while not all(number in self._results for number in numbers):
            yield WaitUntil(self._monotonic() + LONGEST_WAIT)
        error = self._error(numbers)
        results = [self._results.pop(number).value for number in numbers]
        if error is not None:
            raise error
        return results

    def _begin(self, number: int, part: _Part) -> Generator[Step]:
        try:
            first = next(part)
        except StopIteration as end:
            self._results[number] = PartResult(end.value)
        except Exception as error:  # noqa: BLE001 - the whole conversation says what it means
            self._results[number] = PartResult(error=error)
        else:
            yield Send(number, (), _finish(first, part))

    def _error(self, numbers: Sequence[int]) -> Exception | None:
        """The first error of these parts so far."""
        found = (self._results[number].error for number in numbers if number in self._results)
        return next((error for error in found if error is not None), None)


def _ask(call: Call) -> _Part:
    return (yield call)


def _finish(call: Call, part: _Part) -> Generator[Call, Answer, PartResult]:
    """Hold a part that has begun with this request to its end."""
    try:
        while True:
            try:
                answer = yield call
            except GHLError as error:
                call = part.throw(error)
            else:
                call = part.send(answer)
    except StopIteration as end:
        return PartResult(end.value)
    except Exception as error:  # noqa: BLE001 - the whole conversation says what it means
        return PartResult(error=error)
