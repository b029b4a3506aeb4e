"""One location's rows, chunk by chunk: planned, read where that is cheaper, sent."""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from airflow_provider_ghl.api.clock import LONGEST_WAIT, Clock
from airflow_provider_ghl.exceptions import LedgerError
from airflow_provider_ghl.load.plan.difference import Chunk, Diff, Memory
from airflow_provider_ghl.load.plan.known import Known
from airflow_provider_ghl.load.results.report import Report
from airflow_provider_ghl.load.send.claim import Claiming
from airflow_provider_ghl.load.send.in_flight import Result, ToSend
from airflow_provider_ghl.load.send.journal import Bookkeeper
from airflow_provider_ghl.load.send.location import IDLE
from airflow_provider_ghl.load.send.page import Page
from airflow_provider_ghl.load.spec import LoadSpec
from airflow_provider_ghl.relations.association import Resolution, Target, resolve
from airflow_provider_ghl.relations.cardinality import Cardinality
from airflow_provider_ghl.relations.read_back import Reader, requests_for
from airflow_provider_ghl.relations.reading import Reading

__all__ = ["Common", "Work"]


#: Known pairs of one of several locations that are loaded in any case: there may be hundreds of these.
_FEW_KNOWN = 100_000


@dataclass(slots=True, kw_only=True)
class Common:
    """What the work of all locations shares.

    ``book``: ``None`` where nothing is to be sent. ``recall``: what is believed of the ledger about a target. ``may_read_on``:
    whether more rows may come soon, ``is_read``: whether none will come any more. ``expected``: about how many rows will come,
    where that is known. ``announce``: called for each chunk that was planned, before its first request.
    """

    spec: LoadSpec
    report: Report
    clock: Clock
    book: Bookkeeper | None
    recall: Callable[[Target], Memory]
    may_read_on: Callable[[], bool]
    is_read: Callable[[], bool]
    expected: Callable[[], int]
    announce: Callable[[Chunk], None]
    #: The ledger's failure. From then on nothing is known of any row, and nothing more is sent.
    failure: LedgerError | None = None

    def tell(self, results: list[dict[str, Any]]) -> None:
        """Have the ledger keep results of rows that no request was sent for."""
        if self.book is not None:
            self.book.tell(results)

    def fail(self, error: LedgerError) -> None:
        """Take in the ledger's failure."""
        self.failure = self.failure or error


class Work:
    """The rows of one location; a :class:`~airflow_provider_ghl.load.send.location.Rows`. Ends where the ledger fails.

    :param place: the location's position among the report's identities.
    """

    def __init__(self, common: Common, location_id: str, place: int) -> None:
        self._common = common
        self._location_id = location_id
        self._place = place
        self._is_one_of_several = bool(common.spec.columns.location)
        self._is_resolved = False
        self._known = self._known_by(Diff(None))
        self._page: Page | None = None
        self._reader: Reader | None = None
        self._claiming: Claiming | None = None
        self._queue: deque[Chunk] = deque()
        self._chunk: Chunk | None = None
        self._left: str | None = None
        self._steps = self._all()
        #: Whether it asked for more of the source.
        self.is_hungry = True
        #: Requests that its rows would take, where nothing is sent.
        self.price = 0

    @property
    def warnings(self) -> list[str]:
        """What a user should know of it."""
        return self._reader.warnings if self._reader is not None else []

    def __iter__(self) -> Iterator[ToSend | float]:
        return self

    def __next__(self) -> ToSend | float:
        try:
            return next(self._steps)
        except LedgerError as error:
            self._common.fail(error)
            raise StopIteration from error

    def feed(self, chunk: Chunk) -> None:
        """See :class:`~airflow_provider_ghl.load.send.location.Rows`."""
        self.is_hungry = False
        if self._left is None:
            self._queue.append(chunk)
        else:
            self._known.plan(chunk)
            self._leave_chunk(chunk, self._left)

    def take(self, sent: ToSend, result: Result) -> None:
        """See :class:`~airflow_provider_ghl.load.send.location.Rows`."""
        if isinstance(result, Resolution):
            self._begin(result)
        elif isinstance(result, Reading):
            if self._reader is not None:
                self._reader.take(sent, result)
        else:
            told = self._common.report.decide(sent.row, result)
            if self._page is not None:
                self._page.settle(sent, result, told)

    def leave(self, reason: str) -> None:
        """See :class:`~airflow_provider_ghl.load.send.location.Rows`."""
        if self._left is not None:
            return
        self._left = reason
        if self._claiming is not None:
            self._claiming.leave(reason)
        if self._chunk is not None:
            self._leave_chunk(self._chunk, reason)
        while self._queue:
            self.feed(self._queue.popleft())

    def _leave_chunk(self, chunk: Chunk, reason: str) -> None:
        self._common.report.decide_not_attempted(chunk.start, chunk.todo, reason)
        chunk.todo = chunk.todo[:0]

    def _all(self) -> Iterator[ToSend | float]:
        spec = self._common.spec
        asked = resolve(self._location_id, association_id=spec.association_id, association_key=spec.association_key)
        yield ToSend(-1, "", "", asked)
        while not self._is_resolved:
            yield LONGEST_WAIT
        while True:
            if self._queue:
                yield from self._relate(self._queue.popleft())
                self._chunk = None  # it holds the texts of all locations' rows that were read with these
                yield 0.0
            elif self._claiming is not None and self._claiming.has_held and not self._may_get_more():
                yield from self._claiming.send_held()
            elif self._common.is_read():
                return
            else:
                self.is_hungry = True
                yield IDLE

    def _may_get_more(self) -> bool:
        """Whether it is worth to wait for more of the source: of several locations nobody knows whose rows come next."""
        return not self._is_one_of_several and self._common.may_read_on()

    def _begin(self, resolution: Resolution) -> None:
        """The association is known, and with it what was learned of it before."""
        if (target := resolution.target) is None:
            return
        common, report = self._common, self._common.report
        report.identities[self._place] = dataclasses.replace(
            report.identities[self._place], association_id=target.association_id
        )
        try:
            memory = common.recall(target)
        except LedgerError as error:
            common.fail(error)
            return
        diff = Diff(memory, always=_FEW_KNOWN) if self._is_one_of_several else Diff(memory, common.expected())
        self._known = self._known_by(diff)
        if common.book is not None:
            self._page = page = common.book.open(memory)
            self._reader = Reader(target, page, self._known, report, common.book, common.spec.diff_against)
            self._claiming = Claiming(target, page, report, common.spec.batch_size, common.clock, common.tell)
        self._is_resolved = True

    def _known_by(self, diff: Diff) -> Known:
        common, spec = self._common, self._common.spec
        cardinality = Cardinality(spec.max_per_first, spec.max_per_second)
        return Known(diff, cardinality, spec.columns, common.report, common.tell, common.fail)

    def _relate(self, chunk: Chunk) -> Iterator[ToSend | float]:
        self._chunk = chunk
        self._known.plan(chunk)
        self._common.announce(chunk)
        if self._common.failure is not None:
            raise self._common.failure
        if self._reader is None or self._claiming is None:
            self._known.refuse_surplus(chunk)
            self.price += requests_for(chunk, self._common.spec.diff_against)
            self._leave_chunk(chunk, "planned only")
            return
        yield from self._reader.read(chunk)
        self._known.refuse_surplus(chunk)
        yield from self._claiming.send(chunk)
