"""Ids that were seen before, however many, with 8 bytes each."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Seen"]

#: Ids that are kept as Python's numbers, which take ten times as much: so many, or an eighth of the others.
_FEW = 1 << 14
_SHARE = 8


class Seen:
    """Hashes of ids. Two ids of one hash are taken for one: among millions, as good as never."""

    def __init__(self) -> None:
        self._recent: set[int] = set()
        #: The others, sorted.
        self._older: np.ndarray[Any, np.dtype[np.int64]] | None = None

    def __len__(self) -> int:
        return len(self._recent) + self._count_older()

    def add(self, ids: Iterable[str]) -> None:
        """Add those that were not seen."""
        new = set(map(hash, ids)) - self._recent
        if new and self._older is not None:
            import numpy as np

            numbers = np.fromiter(new, dtype=np.int64, count=len(new))
            at = self._older.searchsorted(numbers)
            new = set(numbers[self._older.take(at, mode="clip") != numbers].tolist())
        self._recent |= new
        if len(self._recent) > max(_FEW, self._count_older() // _SHARE):
            self._merge()

    def _count_older(self) -> int:
        return 0 if self._older is None else len(self._older)

    def _merge(self) -> None:
        import numpy as np

        recent = np.fromiter(self._recent, dtype=np.int64, count=len(self._recent))
        older = recent if self._older is None else np.concatenate((self._older, recent))
        older.sort()
        self._older = older
        self._recent = set()
