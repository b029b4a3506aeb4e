"""The steps of a location that deletes: one conversation for each thing that is to be deleted."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from airflow_provider_ghl.load.columns import Chunk
from airflow_provider_ghl.load.kind import Conversation, ReadResult, Result
from airflow_provider_ghl.load.plan.scope import MirroredLocation
from airflow_provider_ghl.load.results.removals import RemovalOutcome, RemovalResult
from airflow_provider_ghl.load.send.in_flight import Send, Step
from airflow_provider_ghl.load.send.location import Location

__all__ = ["FixedLocations", "Removal", "RemovalSteps"]

#: How many removals are prepared at once.
_PREPARED = 100


@dataclass(frozen=True, slots=True)
class Removal:
    """Something that is to be deleted, or to be read for that.

    :param number: counts all removals of a load from 0.
    :param values: what it links or holds, such as ids of records.
    :param conversation: begins the requests that delete or read it.
    :param subject: what the caller knows it by.
    """

    number: int
    values: tuple[str, ...]
    conversation: Callable[[], Conversation]
    subject: Any


class RemovalSteps:
    """Deletes the given things: a :class:`~airflow_provider_ghl.load.send.location.StepSource` without rows.

    :param note: called with each removal and its result, once.
    :param prepare: called with some removals before the first of them is sent; where it returns ``False``, nothing more is.
    """

    #: It has no rows: see :class:`~airflow_provider_ghl.load.send.location.StepSource`, here and below.
    needs_rows = False
    has_target = True
    has_sent_all = False
    price = 0
    looked_up = 0
    lookup_requests = 0
    mirrored: MirroredLocation | None = None

    def __init__(
        self,
        removals: Sequence[Removal],
        note: Callable[[Removal, RemovalResult | ReadResult], None],
        prepare: Callable[[Sequence[Removal]], bool],
    ) -> None:
        self._left = deque(removals)
        self._prepare = prepare
        self._prepared = 0
        self._under_way: dict[int, Removal] = {}
        self._note = note
        self.warnings: list[str] = []

    def __iter__(self) -> Iterator[Step]:
        return self

    def __next__(self) -> Step:
        if not self._left:
            raise StopIteration
        if not self._prepared:
            some = list(islice(self._left, _PREPARED))
            if not self._prepare(some):
                raise StopIteration
            self._prepared = len(some)
        self._prepared -= 1
        removal = self._left.popleft()
        self._under_way[removal.number] = removal
        return Send(removal.number, removal.values, removal.conversation())

    def feed(self, chunk: Chunk) -> None:
        """There are no rows."""
        raise RuntimeError("a location that deletes has no rows")

    def take_result(self, send: Send, result: Result) -> None:
        """Note the result of a removal."""
        if isinstance(result, RemovalResult | ReadResult):
            self._note(self._under_way.pop(send.row), result)

    def skip_rest(self, reason: str) -> None:
        """Mark all that have no request in flight as not attempted."""
        while self._left:
            self._note(self._left.popleft(), RemovalResult(RemovalOutcome.NOT_ATTEMPTED, reason=reason))


class FixedLocations:
    """Locations that are all known from the start: a :class:`~airflow_provider_ghl.load.send.dispatch.Source`."""

    wants_more = False

    def __init__(self, locations: Sequence[Location]) -> None:
        self.locations = locations

    def read_on(self) -> Sequence[Location]:
        """There is nothing to read."""
        return []
