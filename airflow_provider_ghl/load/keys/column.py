"""The keys of one look-up in one location: what the ledger knows, then what HighLevel says."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas

from airflow_provider_ghl.api.conversation import Steps
from airflow_provider_ghl.load.columns import Flags, Numbers, Objects
from airflow_provider_ghl.load.keys.remembered import RememberedKeys
from airflow_provider_ghl.load.kind import FoundKey, KeyFinder
from airflow_provider_ghl.load.ledger.identity import Identity
from airflow_provider_ghl.load.ledger.notes import KeyNotes
from airflow_provider_ghl.load.ledger.pairs import keys_from_words

__all__ = ["KeyColumn", "Named"]

#: Keys that HighLevel is asked for together: a stop loses no more than so many. 50 searches keep even slow answers in flight.
_TOGETHER = 5_000
#: Keys without a record whose answer is kept for later rows.
_MOST_KEPT = 50_000
#: To find which keys are the same takes as long as to hash them. It is not worth it where more keys than these are distinct: a
#: number and a share.
_MANY, _MOST = 1_000, 0.75


@dataclass(frozen=True, slots=True)
class _Gone:
    """A key names a record that HighLevel does not have, even when it is asked again: a :class:`FoundKey`."""

    reason: str
    record_id: None = None
    is_invalid: bool = False
    is_missing: bool = False


@dataclass(frozen=True, slots=True)
class Named:
    """The records that some keys name.

    :param record_ids: by position; ``""`` where a key names none.
    :param is_remembered: whether the ledger named it, by position.
    :param others: why not, by position.
    """

    record_ids: Objects
    is_remembered: Flags
    others: dict[int, FoundKey]


class KeyColumn:
    """The keys of one look-up in one location. The columns that hold such keys share it.

    :param identity: hashes keys with the ledger's secret.
    :param remembered: what the ledger knows.
    :param notes: where to note for the ledger what HighLevel says; ``None`` where nothing is to be written.
    """

    def __init__(
        self,
        finder: KeyFinder,
        identity: Identity,
        remembered: RememberedKeys,
        notes: Callable[[], KeyNotes] | None,
    ) -> None:
        self._finder = finder
        self._identity = identity
        self._remembered = remembered
        self._notes = notes
        self._answers: dict[str, FoundKey] = {}
        self._has_begun = False
        #: Whether rows share keys.
        self._repeats = True
        #: Records that a key named and that HighLevel does not have.
        self.gone: set[str] = set()
        #: How many keys HighLevel was asked for.
        self.looked_up = 0

    @property
    def index_lag(self) -> float:
        """Seconds after which a new record can be found."""
        return self._finder.index_lag

    def resolve(self, keys: Objects, expected: float) -> Steps[Named]:
        """Find the records of rows' keys. Only keys that are not known take requests.

        :param expected: about how many times as many rows will come in all.
        """
        codes, distinct = self._distinct(keys)
        ids = self._remembered.record_ids(*self._identity([distinct]), expected)
        unknown: list[str] = list(dict.fromkeys(distinct[ids == ""].tolist()))
        answers = {key: one for key in unknown if (one := self._answers.get(key)) and one.record_id not in self.gone}
        if asked := [key for key in unknown if key not in answers]:
            answers |= yield from self._ask(asked, expected)
        return self._named(codes, distinct, ids, answers)

    def resolve_again(self, keys: Sequence[str]) -> Steps[None]:
        """Look once more for keys that no record had. What comes of it, :meth:`resolve` tells."""
        missing = [key for key in dict.fromkeys(keys) if (known := self._answers.get(key)) is not None and known.is_missing]
        for begin in range(0, len(missing), _TOGETHER):
            answers = self._keep((yield from self._finder.find_again(missing[begin : begin + _TOGETHER])))
            self._answers.update(answers)  # the ledger may not tell yet

    def note_gone(self, record_id: str) -> None:
        """HighLevel does not have this record. Forget which keys name it, and name it no more."""
        self.gone.add(record_id)
        self._remembered.forget(record_id)
        if self._notes is not None:
            self._notes().gone.add(record_id)

    def _distinct(self, keys: Objects) -> tuple[Numbers, Objects]:
        """For each row a code, and the key of each code: each key once, unless nearly every row so far had its own."""
        if not self._repeats:
            return np.arange(len(keys)), keys
        codes, distinct = pandas.factorize(keys)
        self._repeats = len(distinct) < max(_MANY, _MOST * len(keys))
        return codes, distinct

    def _ask(self, keys: Sequence[str], expected: float) -> Steps[dict[str, FoundKey]]:
        """Ask HighLevel for keys, some at a time: what was found before a stop is noted, and need not be asked for again."""
        if not self._has_begun:
            yield from self._finder.begin()
            self._has_begun = True
        answers: dict[str, FoundKey] = {}
        for begin in range(0, len(keys), _TOGETHER):
            some = keys[begin : begin + _TOGETHER]
            left = len(keys) * expected - begin
            found = self._keep((yield from self._finder.find(some, left / len(some))))
            self.looked_up += sum(not one.is_invalid for one in found.values())
            answers |= found
        return answers

    def _keep(self, found_keys: Mapping[str, FoundKey]) -> dict[str, FoundKey]:
        """Keep answers for later rows: those with a record in the ledger, and the others here. Returns what they come to."""
        answers = {key: self._without_gone(one) for key, one in found_keys.items()}
        found = {key: one.record_id for key, one in answers.items() if one.record_id is not None and one.record_id.isascii()}
        if len(self._answers) > _MOST_KEPT:
            # Rows wait for the second look at what is missing, if there is one.
            is_needed = self._notes is not None
            self._answers = {key: one for key, one in self._answers.items() if is_needed and one.is_missing}
        self._answers.update({key: one for key, one in answers.items() if key not in found})
        if found:
            self._note(np.array([*found, None], dtype=object)[:-1], list(found.values()))
        return answers

    def _note(self, keys: Objects, record_ids: Sequence[str]) -> None:
        words = self._identity([keys])
        if self._notes is None:
            self._remembered.add(*words, record_ids)
        else:
            self._notes().found.extend(zip(keys_from_words(*words), record_ids, strict=True))

    def _without_gone(self, answer: FoundKey) -> FoundKey:
        if answer.record_id not in self.gone:
            return answer
        return _Gone(f"HighLevel finds {answer.record_id} for it, and has no such record")

    def _named(self, codes: Numbers, distinct: Objects, ids: Objects, answers: Mapping[str, FoundKey]) -> Named:
        others: dict[int, FoundKey] = {}
        is_remembered: Flags = ids != ""
        for code in np.flatnonzero(~is_remembered).tolist():
            answer = self._without_gone(answers[distinct[code]])
            if answer.record_id is None:
                others[code] = answer
            else:
                ids[code] = answer.record_id
        rows = np.flatnonzero(np.isin(codes, list(others))).tolist() if others else []
        return Named(ids[codes], is_remembered[codes], {row: others[int(codes[row])] for row in rows})
