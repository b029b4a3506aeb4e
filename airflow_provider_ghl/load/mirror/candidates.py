"""What may be deleted in one location, since the table does not name it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from airflow_provider_ghl.load.columns import Objects
from airflow_provider_ghl.load.kind import RowHandler, StoredRow
from airflow_provider_ghl.load.ledger.ledger import Ledger
from airflow_provider_ghl.load.ledger.pairs import ascending, is_among, keys_from_words, words_from_keys
from airflow_provider_ghl.load.ledger.relations import OwnedRelation
from airflow_provider_ghl.load.plan.scope import ClosedScope, MirroredLocation

__all__ = ["Candidate", "Candidates", "ReadRelations", "Terms", "as_column", "find_owned"]

#: Pairs whose records are read from the ledger at once.
_AT_ONCE = 20_000


@dataclass(frozen=True, slots=True)
class Candidate:
    """Something that may be deleted.

    :param values: in HighLevel's order.
    :param pair: its key in the ledger.
    :param is_read: whether its id was read to be this lately.
    :param maker: the load that made it, or ``None`` where nobody knows.
    """

    values: tuple[str, ...]
    pair: bytes
    made_id: str | None
    is_read: bool
    maker: int | None


@dataclass(slots=True)
class Candidates:
    """What a location's table does not name, and is owned by parents in the table.

    :param in_scope: how much these parents own, also of what the table names.
    :param count: how much of it is to be deleted; ``first`` has it, up to a number.
    :param kept: how much is not, for a reason.
    :param keepers: other loads whose tables name some of that.
    """

    in_scope: int = 0
    count: int = 0
    first: list[Candidate] = field(default_factory=list)
    kept: int = 0
    keepers: set[int] = field(default_factory=set)

    def take(self, candidates: list[Candidate], at_most: int | None) -> None:
        """Add what is to be deleted."""
        self.count += len(candidates)
        room = len(candidates) if at_most is None else max(0, at_most - len(self.first))
        self.first += candidates[:room]


@dataclass(frozen=True, slots=True)
class Terms:
    """On what terms something may be deleted.

    :param parent: the column of the parents; ``None``: the target is the parent of all.
    :param series: the series of the load that asks, and ``rank`` its place in it; ``None`` where it is not noted.
    :param since: ids that HighLevel confirmed before then are to be read again (unix seconds).
    :param most: how many candidates to keep; ``None``: all.
    """

    parent: int | None
    series: str
    rank: int | None
    since: float
    most: int | None


def find_owned(location: MirroredLocation, scope: ClosedScope, ledger: Ledger, terms: Terms) -> Candidates:
    """What loads of the ledger made, and the table does not name.

    :raises LedgerError: the ledger cannot be read.
    """
    high, low = ledger.relations.owned(location.number)
    is_named = is_among(high, ascending(location.named))
    found = Candidates(in_scope=int(is_named.sum()))
    rest_high, rest_low = high[~is_named], low[~is_named]
    for start in range(0, len(rest_high), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        rows = ledger.relations.owned_rows(location.number, rest_high[part], rest_low[part])
        candidates = [
            Candidate(row.values, row.pair, row.relation_id, _is_since(row, terms.since), row.load)
            for row in rows
            if row.load is not None  # another load may have learned meanwhile that it is somebody else's
        ]
        _sift(location, scope, candidates, ledger, terms, found)
    return found


class ReadRelations:
    """What the parents of one location were read to have, as far as the table does not name it."""

    def __init__(self, location: MirroredLocation, ledger: Ledger, terms: Terms) -> None:
        self._location = location
        self._ledger = ledger
        self._terms = terms
        self._named = ascending(location.named)
        self._count_named = 0
        self._unnamed: list[tuple[StoredRow, bytes]] = []

    def add(self, parent: str, stored: Sequence[StoredRow]) -> None:
        """Add what HighLevel lists for a parent. Where both sides are of one object, that is what it has on either side."""
        column = self._terms.parent
        position = 0 if column is None else _stored_position(self._location.handler, column)
        theirs = [row for row in stored if row.values[position] == parent]
        if not theirs:
            return
        high, low = self._ledger.identity([as_column(column) for column in zip(*(row.values for row in theirs), strict=True)])
        is_named = is_among(high, self._named)
        self._count_named += int(is_named.sum())
        places = np.flatnonzero(~is_named)
        pairs = keys_from_words(high[places], low[places])
        self._unnamed += [(theirs[at], pair) for at, pair in zip(places.tolist(), pairs, strict=True)]

    def sift(self, scope: ClosedScope) -> Candidates:
        """What of it may be deleted, once all parents are read.

        :raises LedgerError: the ledger cannot be read.
        """
        found = Candidates(in_scope=self._count_named)
        for start in range(0, len(self._unnamed), _AT_ONCE):
            some = self._unnamed[start : start + _AT_ONCE]
            words = words_from_keys(b"".join(pair for _, pair in some))
            rows = self._ledger.relations.owned_rows(self._location.number, *words)
            makers = {row.values: row.load for row in rows}
            candidates = [Candidate(row.values, pair, row.id, True, makers.get(row.values)) for row, pair in some]
            _sift(self._location, scope, candidates, self._ledger, self._terms, found)
        return found


def as_column(values: Sequence[str]) -> Objects:
    """Texts as a column."""
    return np.array([*values, None], dtype=object)[:-1]


def _sift(
    location: MirroredLocation,
    scope: ClosedScope,
    candidates: list[Candidate],
    ledger: Ledger,
    terms: Terms,
    found: Candidates,
) -> None:
    """Add candidates, if their parents stand in the table. Those that must stay are counted as kept."""
    if not candidates:
        return
    position = 0 if terms.parent is None else _stored_position(location.handler, terms.parent)
    parents = as_column([one.values[position] for one in candidates])
    words, _ = words_from_keys(b"".join(one.pair for one in candidates))
    makers = np.array([-1 if one.maker is None else one.maker for one in candidates], dtype=np.int64)
    by_others = ledger.tables.by_others(terms.series, terms.rank, location.number, words, makers)
    is_held = scope.holds(parents)
    stays = scope.keeps(parents) | (by_others >= 0)
    found.in_scope += int(is_held.sum())
    found.kept += int((is_held & stays).sum())
    found.keepers.update(by_others[is_held & (by_others >= 0)].tolist())
    found.take([candidates[at] for at in np.flatnonzero(is_held & ~stays).tolist()], terms.most)


def _is_since(row: OwnedRelation, since: float) -> bool:
    return row.confirmed is not None and row.confirmed >= since


def _stored_position(handler: RowHandler, column: int) -> int:
    """Where HighLevel's order has a column of the source."""
    return handler.as_stored((0, 1)).index(column)
