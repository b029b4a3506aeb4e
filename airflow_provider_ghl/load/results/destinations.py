"""Where every row's result goes: any number of places, none of which loses what another one gets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Protocol, Self

import pandas as pd

from airflow_provider_ghl.exceptions import ResultsError

__all__ = ["Destinations", "ResultsSink"]


class ResultsSink(Protocol):
    """One place for every row's result. All of them are published there together, or none."""

    @property
    def title(self) -> str:
        """The place in a message, such as ``the results file``."""

    @property
    def summary_field(self) -> str:
        """The field of the load's summary that names the place."""

    @property
    def where(self) -> str:
        """The place as the summary names it."""

    @property
    def is_published(self) -> bool:
        """Whether the results are there."""

    def append(self, frame: pd.DataFrame) -> None:
        """Add results, in input order."""

    def commit(self) -> None:
        """Publish what was added. Where it raises ``ResultsError``, that says why and holds no value of a row."""

    def discard(self) -> None:
        """Give up what is not published. May be called at any time, and more than once."""


class Destinations:
    """The destinations of one load. As a context manager, it discards at the end of the block what is not published.

    One that fails gets no more, and its error waits for the load's end: so a full disk loses neither the results of requests in
    flight nor those of another destination.
    """

    def __init__(self, sinks: Sequence[ResultsSink] = ()) -> None:
        self._sinks = sinks
        self._errors: dict[int, Exception] = {}

    def append(self, make_frame: Callable[[], pd.DataFrame]) -> None:
        """Add results to all of them.

        :param make_frame: makes the frame; not called where nobody wants it.
        """
        if len(self._errors) == len(self._sinks):
            return
        frame = make_frame()
        self._each(lambda sink: sink.append(frame))

    def publish(self) -> ResultsError | None:
        """Publish to each of them. Returns an error that names those where that fails, and where adding had failed."""
        self._each(lambda sink: sink.commit())
        if not self._errors:
            return None
        failed = [f"{self._sinks[at].title} could not be written ({_why(error)})" for at, error in sorted(self._errors.items())]
        failure = ResultsError("; ".join(failed))
        failure.__cause__ = next((error for error in self._errors.values() if not isinstance(error, ResultsError)), None)
        return failure

    def summary(self) -> dict[str, str | None]:
        """Fields for the load's summary: where results were published, ``None`` where that failed."""
        return {sink.summary_field: sink.where if sink.is_published else None for sink in self._sinks}

    def discard(self) -> None:
        """Give up what is not published. May be called at any time, and more than once."""
        for sink in self._sinks:
            with suppress(Exception):  # the others are to be discarded too, and nothing is lost
                sink.discard()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None) -> None:
        self.discard()

    def _each(self, action: Callable[[ResultsSink], None]) -> None:
        for at, sink in enumerate(self._sinks):
            if at in self._errors:
                continue
            try:
                action(sink)
            except Exception as error:  # noqa: BLE001 - whatever a format, a disk, a storage or a database may raise
                self._errors[at] = error


def _why(error: Exception) -> str:
    # The texts of others may hold values.
    return str(error) if isinstance(error, ResultsError) else type(error).__name__
