"""Look-ups as steps of one location: before its rows are planned, and once more for rows that come late."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from typing import TypeVar

from airflow_provider_ghl.api.calls import Answer, Call
from airflow_provider_ghl.api.clock import Clock
from airflow_provider_ghl.exceptions import APIError, GHLError
from airflow_provider_ghl.load.columns import Chunk
from airflow_provider_ghl.load.keys.stage import KeyStage
from airflow_provider_ghl.load.kind import GoneRecord, PartResult
from airflow_provider_ghl.load.plan.planner import Planner
from airflow_provider_ghl.load.reasons import mentions, without_keys
from airflow_provider_ghl.load.results.outcomes import RowResult
from airflow_provider_ghl.load.send.in_flight import Send, Step
from airflow_provider_ghl.load.send.late import LateRows
from airflow_provider_ghl.load.send.lookups import Lookups

__all__ = ["KeySteps"]

T = TypeVar("T")


class KeySteps:
    """Finds the records of the keys of one location's rows.

    :param has_second_looks: whether keys without a record are looked for once more. A plan does without: it would have to wait.
    """

    def __init__(self, stage: KeyStage, clock: Clock, *, has_second_looks: bool) -> None:
        self._stage = stage
        self._clock = clock
        self._has_second_looks = has_second_looks
        self._lookups = Lookups(clock.monotonic)
        self._late = LateRows()
        #: When all records can be found that were there when the location began (clock seconds). Later ones are not waited for.
        self._indexed_at = clock.monotonic() + stage.index_lag
        #: The rows under way whose record the ledger named. It may be gone.
        self._may_be_gone: set[int] = set()

    @property
    def looked_up(self) -> int:
        """How many keys HighLevel was asked for."""
        return self._stage.looked_up

    @property
    def requests(self) -> int:
        """How many requests that took."""
        return self._lookups.requests

    @property
    def has_late(self) -> bool:
        """Whether rows wait for another look, or may come to that."""
        return bool(self._late or self._may_be_gone)

    def take_part(self, send: Send, result: PartResult) -> None:
        """Take the result of a step that belongs to a look-up."""
        self._lookups.take_result(send, result)

    def resolve(self, chunk: Chunk, planner: Planner, expected: float, *, is_last_look: bool) -> Iterator[Step]:
        """Find the records of the rows in ``todo``. Rows without a record are decided, or come late.

        :param is_last_look: these rows come late.
        :raises GHLError: the look-up is misconfigured, or HighLevel does not answer it.
        """
        is_last_look = is_last_look or not self._has_second_looks or self._clock.monotonic() >= self._indexed_at
        steps = self._stage.resolve(chunk, expected, is_last_look=is_last_look)
        unnamed = yield from self._lookups.hold(steps)
        chunk.problems = unnamed.invalid
        planner.decide_problems(chunk)
        planner.decide_unresolved(chunk, unnamed.unresolved)
        self._late.add_missing(chunk, unnamed.missing)

    def take_gone(self) -> list[Chunk]:
        """The rows whose record turned out to be gone since the last call."""
        return self._late.take_gone()

    def take_missing(self, *, is_last: bool) -> list[Chunk]:
        """The rows whose keys had no record, once the index has caught up.

        :param is_last: whether no other rows can be read before these are decided.
        """
        is_due = is_last and self._clock.monotonic() >= self._indexed_at
        return self._late.take_missing() if is_due else []

    def look_again(self, chunks: list[Chunk]) -> Generator[Step, None, None]:
        """Look once more for the keys of these rows that had no record.

        :raises GHLError: HighLevel does not answer.
        """
        yield from self._lookups.hold(self._stage.resolve_again(chunks))

    def take_all(self) -> list[Chunk]:
        """All rows that wait for another look."""
        self._may_be_gone.clear()
        return list(self._late.take_all())

    def seconds_to_next_look(self, *, is_last: bool) -> float | None:
        """Seconds until rows that wait can be looked at; ``None`` where only an answer brings one."""
        if is_last and self._late.has_missing:
            return max(0.0, self._indexed_at - self._clock.monotonic())
        return None

    def watch(
        self, chunk: Chunk, offset: int, conversation: Generator[Call, Answer, RowResult]
    ) -> Generator[Call, Answer, RowResult | GoneRecord]:
        """A row's conversation, with :class:`GoneRecord` where HighLevel lacks a record that the ledger named.

        No refusal repeats one of the row's keys, whatever HighLevel says.
        """
        if self._stage.is_remembered(chunk, offset):
            self._may_be_gone.add(chunk.start + offset)
        return self._watched(chunk, offset, conversation)

    def hide(
        self, chunk: Chunk, offsets: Sequence[int], conversation: Generator[Call, Answer, T]
    ) -> Generator[Call, Answer, T]:
        """A conversation about these rows. The messages of its errors lose the rows' keys before anything looks at them."""
        try:
            call = next(conversation)
            while True:
                try:
                    answer = yield call
                except APIError as error:
                    error.message = without_keys(error.message, self._stage.keys(chunk, offsets))
                    error.args = (error.message, *error.args[1:])
                    call = conversation.throw(error)
                except GHLError as error:
                    call = conversation.throw(error)
                else:
                    call = conversation.send(answer)
        except StopIteration as end:
            result: T = end.value
            return result

    def put_off(self, chunk: Chunk, offset: int) -> bool:
        """Before a row is sent: whether its record is known to be gone. Then it comes late."""
        if not self._stage.names_gone(chunk, offset):
            return False
        self._may_be_gone.discard(chunk.start + offset)
        self._late.add_gone(chunk, offset)
        return True

    def take_gone_record(self, gone: GoneRecord) -> None:
        """Take a row whose record is gone."""
        self._late.add_gone(gone.chunk, gone.offset)

    def note_settled(self, row: int) -> None:
        """Note that a row has its result."""
        self._may_be_gone.discard(row)

    def _watched(
        self, chunk: Chunk, offset: int, conversation: Generator[Call, Answer, RowResult]
    ) -> Generator[Call, Answer, RowResult | GoneRecord]:
        values = chunk.row(offset)
        result = yield from self.hide(chunk, [offset], conversation)
        reason = result.reason or ""
        if result.is_missing:
            named = [value for value in values if mentions(reason, value)]
            if self._stage.note_gone(chunk, offset, named):
                self._may_be_gone.discard(chunk.start + offset)
                return GoneRecord(chunk, offset, reason)
        return result
