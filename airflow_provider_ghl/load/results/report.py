"""Counts each row's outcome, writes the results in input order, and keeps some of them for XCom."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from airflow_provider_ghl.load.columns import Codes, Numbers, Objects
from airflow_provider_ghl.load.ledger.notes import Knowledge
from airflow_provider_ghl.load.reasons import MOST_REASONS, OTHERS, general_reason
from airflow_provider_ghl.load.results.attention import FIRST_ROWS, Reason, keep_first
from airflow_provider_ghl.load.results.destinations import Destinations
from airflow_provider_ghl.load.results.fields import ResultFields
from airflow_provider_ghl.load.results.outcomes import FAILURES, OUTCOMES, Evidence, Outcome, RowResult
from airflow_provider_ghl.load.results.removals import Deletion
from airflow_provider_ghl.load.results.row_results import LocationResults, OpenBatch, RowWriter

__all__ = ["Report"]

_PENDING = len(OUTCOMES)
_CODE = {outcome: code for code, outcome in enumerate(OUTCOMES)}
#: By outcome: which results are kept first where there is no room for all. Failures come first, then rows not attempted.
_RANK = np.array([*(0 if one in FAILURES else 1 if one is Outcome.NOT_ATTEMPTED else 2 for one in OUTCOMES), 2])
_RANKS = (0, 1, 2)


class Report:
    """Collects each row's outcome once, in any order.

    :param fields: the names of the results' fields.
    :param keep: how many results :meth:`kept` returns at most; those that need attention come first.
    :param destinations: get every row's result, in input order; ``None`` for none.
    :param try_number: the task's try, a field of each result.
    :param fails_unresolved: whether ``unresolved`` rows count as failed.
    """

    def __init__(
        self,
        fields: ResultFields,
        keep: int,
        destinations: Destinations | None = None,
        *,
        try_number: int = 1,
        fails_unresolved: bool = True,
    ) -> None:
        #: The results of each location, by its number.
        self.locations: list[LocationResults] = []
        #: The names of the results' fields.
        self.fields = fields
        self._writer = RowWriter(fields, try_number, self.locations)
        self._keep = keep
        self._failures = FAILURES if fails_unresolved else FAILURES - {Outcome.UNRESOLVED}
        self._destinations = destinations or Destinations()
        self._codes = bytearray()
        self._earlier = array("q")  # for each repeated row, the row that it repeats
        self._open: deque[OpenBatch] = deque()
        self._kept: dict[int, list[dict[str, Any]]] = {rank: [] for rank in _RANKS}
        self._deletions: list[dict[str, Any]] = []
        self._left_out = False
        self._reasons: dict[tuple[Outcome, str], Reason] = {}
        self._evidence: Counter[tuple[Outcome, Evidence]] = Counter()
        #: How many rows have an outcome.
        self.done = 0

    def open_location(self, location_id: str | None, target_id: str | None) -> LocationResults:
        """Add a location. Batches that begin later may have rows of it.

        :param location_id: ``None`` for the rows without a location.
        :param target_id: HighLevel's id of its target, where that is known.
        """
        location = LocationResults(len(self.locations), location_id, target_id)
        self.locations.append(location)
        return location

    @property
    def rows(self) -> int:
        """How many rows were read."""
        return len(self._codes)

    @property
    def waiting(self) -> int:
        """How many rows are in memory, because they or a row before them have no outcome yet."""
        return self.rows - self._open[0].start if self._open else 0

    def begin(
        self,
        start: int,
        values: Sequence[Objects],
        row_keys: Sequence[Any] | None,
        locations: Numbers,
        keys: Sequence[Objects | None] = (),
    ) -> None:
        """Add the next batch. None of its rows has an outcome yet.

        :param start: the number of its first row.
        :param values: the rows' values, column by column. Those of a column with keys are filled in by the time a row has its
            outcome.
        :param row_keys: the source's keys of the rows, if it has any.
        :param locations: for each row, the number of its location.
        :param keys: the keys in the columns that hold keys.
        :raises RuntimeError: the batch does not begin where the last one ended: a bug.
        """
        if start != self.rows:
            raise RuntimeError(f"a batch begins with row {start}, and {self.rows} rows were read before it")
        self._codes.extend(bytes([_PENDING]) * len(locations))
        kept = keys if any(self.fields.keys) else ()
        self._open.append(OpenBatch(start, self.fields.noun, values, row_keys, len(locations), locations, kept))
        self._flush()

    def decide(self, row: int, result: RowResult) -> dict[str, Any]:
        """Set a row's outcome. Returns the result with all its fields, as in the XCom.

        :raises RuntimeError: the row has an outcome already: a bug.
        """
        batch = self._batch_with(row)
        if self._codes[row] != _PENDING:
            raise RuntimeError(f"row {row} has an outcome already")
        self._codes[row] = _CODE[result.outcome]
        batch.details[row - batch.start] = result
        if result.evidence is not None:
            self._evidence[result.outcome, result.evidence] += 1
        fields = self._writer.as_dict(batch, row - batch.start, result.outcome)
        if result.outcome in FAILURES:
            self._count_reason(batch, row, result, fields)
        self._count_done(batch, 1)
        return fields

    def decide_invalid(self, start: int, problems: Mapping[int, str]) -> list[dict[str, Any]]:
        """Mark rows of the batch at ``start`` as invalid. Errors as in :meth:`decide`.

        :param problems: the reasons, by offset.
        :returns: the results of these rows.
        """
        return self._decide_refused(start, problems, Outcome.INVALID)

    def decide_unresolved(self, start: int, problems: Mapping[int, str]) -> list[dict[str, Any]]:
        """Mark rows whose keys name no record, or several. Otherwise as :meth:`decide_invalid`."""
        return self._decide_refused(start, problems, Outcome.UNRESOLVED)

    def _decide_refused(self, start: int, problems: Mapping[int, str], outcome: Outcome) -> list[dict[str, Any]]:
        batch = self._settle(start, np.fromiter(problems, np.int64, len(problems)), outcome)
        results = []
        for offset, reason in problems.items():
            result = batch.details[offset] = RowResult(outcome, reason=reason)
            results.append(self._writer.as_dict(batch, offset, outcome))
            self._count_reason(batch, start + offset, result, results[-1])
        self._count_done(batch, len(problems))
        return results

    def decide_known(self, start: int, offsets: Numbers, knowledge: Codes, made_ids: Mapping[int, str]) -> list[dict[str, Any]]:
        """Mark rows that exist according to the ledger. Errors as in :meth:`decide`.

        :param knowledge: for each of the offsets: ``OURS`` where an earlier attempt of this load made the row.
        :param made_ids: HighLevel's ids by offset, as far as they are known.
        :returns: the results of the ``OURS`` rows only.
        """
        if not len(offsets):
            return []
        batch, is_ours = self._batch_with(start), knowledge == Knowledge.OURS
        self._evidence[Outcome.CREATED, Evidence.LEDGER] += int(is_ours.sum())
        self._evidence[Outcome.ALREADY_EXISTS, Evidence.LEDGER] += int((~is_ours).sum())
        self._settle(start, offsets[is_ours], Outcome.CREATED)
        self._settle(start, offsets[~is_ours], Outcome.ALREADY_EXISTS)
        if batch.by_ledger is None:
            batch.by_ledger = np.zeros(batch.size, dtype=np.bool_)
        batch.by_ledger[offsets] = True
        batch.made_ids.update(made_ids)
        results = [self._writer.as_dict(batch, offset, Outcome.CREATED) for offset in offsets[is_ours].tolist()]
        self._count_done(batch, len(offsets))
        return results

    def decide_repeats(self, start: int, offsets: Numbers, earlier: Numbers) -> None:
        """Mark rows that repeat an earlier row. Errors as in :meth:`decide`.

        :param earlier: for each of the offsets, the number of the earlier row.
        """
        batch = self._settle(start, offsets, Outcome.REPEATED)
        self._earlier.frombytes(earlier.astype(np.int64).tobytes())
        batch.repeats.update(zip(offsets.tolist(), earlier.tolist(), strict=True))
        self._count_done(batch, len(offsets))

    def decide_not_attempted(self, start: int, offsets: Numbers, reason: str) -> None:
        """Mark rows as not attempted; all must be of one location. Errors as in :meth:`decide`."""
        if not len(offsets):
            return
        batch = self._settle(start, offsets, Outcome.NOT_ATTEMPTED)
        batch.others[int(batch.locations[offsets[0]])] = RowResult(Outcome.NOT_ATTEMPTED, reason=reason)
        self._count_done(batch, len(offsets))

    def add_deletions(self, deletions: Sequence[Deletion]) -> None:
        """Add what was deleted. It comes after all rows: in all destinations, and in what :meth:`kept` returns."""
        results = [self._writer.of_deletion(one) for one in deletions]
        self._deletions += results[: self._keep]
        self._left_out = self._left_out or len(results) > self._keep
        if results:
            self._destinations.append(lambda: pd.DataFrame(results, columns=list(self.fields.all), dtype=object))

    @property
    def codes(self) -> Codes:
        """The outcome of each row, as a position in ``OUTCOMES``."""
        return np.frombuffer(bytes(self._codes), dtype=np.uint8)

    @property
    def has_rows_without_location(self) -> bool:
        """Whether rows name no location, where rows name theirs."""
        return any(location.location_id is None and location.counts for location in self.locations)

    def counts(self) -> dict[str, int]:
        """How many rows have each outcome.

        :raises RuntimeError: a row has no outcome: a bug.
        """
        numbers = np.bincount(np.frombuffer(self._codes, dtype=np.uint8), minlength=_PENDING + 1)
        counts = {str(outcome): int(numbers[code]) for outcome, code in _CODE.items()}
        if int(numbers[_PENDING]) or sum(counts.values()) != self.rows:
            raise RuntimeError(f"{int(numbers[_PENDING])} of {self.rows} rows have no outcome")
        return counts

    def evidence(self) -> dict[str, dict[str, int]]:
        """How many rows of an outcome stand on which evidence."""
        found: dict[str, dict[str, int]] = {}
        for (outcome, evidence), count in sorted(self._evidence.items()):
            if count:
                found.setdefault(str(outcome), {})[str(evidence)] = count
        return found

    def failures(self) -> int:
        """How many rows failed, repeats of failed rows included."""
        is_failure = np.array([*(outcome in self._failures for outcome in OUTCOMES), False])
        codes = np.frombuffer(self._codes, dtype=np.uint8)
        of_repeats = codes[np.frombuffer(self._earlier, dtype=np.int64)]
        return int(is_failure[codes].sum() + is_failure[of_repeats].sum())

    def reasons(self) -> list[Reason]:
        """The reasons for failures, the most frequent first."""
        return [reason for reason in self._sorted_reasons() if reason.outcome in self._failures]

    def skipped(self) -> list[Reason]:
        """The reasons of rows that were refused and do not count as failed, the most frequent first."""
        return [reason for reason in self._sorted_reasons() if reason.outcome not in self._failures]

    def _sorted_reasons(self) -> list[Reason]:
        return sorted(self._reasons.values(), key=lambda reason: -reason.rows)

    def kept(self) -> tuple[list[dict[str, Any]], bool]:
        """The results for XCom, and whether any were left out. Failures come first, then the others, both in input order."""
        failed = self._kept[0][: self._keep]
        room = self._keep - len(failed)
        # What was deleted comes last, and has room before rows that are well.
        unsent = self._kept[1][:room]
        deletions = self._deletions[: room - len(unsent)]
        others = unsent + self._kept[2][: room - len(unsent) - len(deletions)]
        rows = failed + sorted(others, key=lambda result: int(result["row"]))
        is_cut = self._left_out or len(rows) < self.rows or len(deletions) < len(self._deletions)
        return rows + deletions, is_cut

    def _batch_with(self, row: int) -> OpenBatch:
        at = bisect_right(self._open, row, key=lambda batch: batch.start) - 1
        if at < 0:
            raise RuntimeError(f"row {row} has an outcome already" if 0 <= row < self.rows else f"row {row} was never read")
        batch = self._open[at]
        if row >= batch.start + batch.size:
            raise RuntimeError(f"row {row} was never read")
        return batch

    def _settle(self, start: int, offsets: Numbers, outcome: Outcome) -> OpenBatch:
        if not len(offsets):
            return OpenBatch(start, self.fields.noun, (), None, 0, _NO_ROWS)
        batch = self._batch_with(start)
        codes = np.frombuffer(self._codes, dtype=np.uint8)[batch.start : batch.start + batch.size]
        if start != batch.start or (codes[offsets] != _PENDING).any():
            raise RuntimeError(f"a row of the batch at {start} has an outcome already")
        codes[offsets] = _CODE[outcome]
        return batch

    def _count_done(self, batch: OpenBatch, rows: int) -> None:
        batch.pending -= rows
        self.done += rows
        if not batch.pending:
            self._flush()

    def _count_reason(self, batch: OpenBatch, row: int, result: RowResult, fields: dict[str, Any]) -> None:
        offset, text = row - batch.start, result.reason or ""
        reason = general_reason(result.outcome, text, *batch.row(offset))
        key = (result.outcome, f"{result.status_code}: {reason}" if result.status_code else reason)
        if key not in self._reasons and len(self._reasons) >= MOST_REASONS:
            key = (result.outcome, OTHERS)
        found = self._reasons.setdefault(key, Reason(*key))
        found.rows += 1
        if len(found.first) < FIRST_ROWS or row < found.first[-1]["row"]:
            keep_first(found.first, [fields])

    def _flush(self) -> None:
        while self._open and not self._open[0].pending:
            batch = self._open.popleft()
            codes = np.frombuffer(self._codes[batch.start : batch.start + batch.size], dtype=np.uint8)
            self._keep_some(batch, codes)
            self._count_by_location(batch, codes)
            if batch.size:
                self._destinations.append(partial(self._writer.as_frame, batch, codes))

    def _count_by_location(self, batch: OpenBatch, codes: Codes) -> None:
        together = np.bincount(batch.locations * _PENDING + codes, minlength=len(self.locations) * _PENDING)
        numbers = together.reshape(-1, _PENDING)
        for number in np.flatnonzero(numbers.any(axis=1)).tolist():
            counts = self.locations[number].counts
            for code in np.flatnonzero(numbers[number]).tolist():
                outcome = str(OUTCOMES[code])
                counts[outcome] = counts.get(outcome, 0) + int(numbers[number][code])

    def _keep_some(self, batch: OpenBatch, codes: Codes) -> None:
        room = self._keep
        for rank in _RANKS:
            room -= len(self._kept[rank])
            if room <= 0:
                return
            offsets = np.flatnonzero(_RANK[codes] == rank)[:room].tolist()
            self._kept[rank].extend(self._writer.as_dict(batch, at, OUTCOMES[codes[at]]) for at in offsets)
            room -= len(offsets)


_NO_ROWS: Numbers = np.empty(0, dtype=np.int64)
