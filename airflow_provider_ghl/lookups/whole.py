"""All records of an object that were paged, by their keys: kept, so that later keys need no request."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from airflow_provider_ghl.lookups.hits import Hits
from airflow_provider_ghl.lookups.key_field import Entry

if TYPE_CHECKING:
    import numpy as np

__all__ = ["MOST_KEPT", "Whole"]

#: Entries that are kept: as many records as that, where each has one key.
MOST_KEPT = 2_000_000
_DIGEST = 16
#: Bytes of a record's id.
_LONGEST_ID = 255


class Whole:
    """Which records have which keys.

    It holds no key: digests of 16 bytes, whose secret is made for each object. With the id, an entry takes about 45 bytes, and
    no Python object.

    :param most: entries that are kept.
    """

    def __init__(self, most: int = MOST_KEPT) -> None:
        self._most = most
        self._digest = blake2b(digest_size=_DIGEST, key=os.urandom(_DIGEST))
        self._digests = bytearray()
        self._ids = bytearray()
        self._lengths = bytearray()
        self._are_own = bytearray()
        self._table: _Table | None = None
        #: It was more than is kept. Then nothing is.
        self.is_too_large = False

    def add(self, entries: Iterable[Entry]) -> None:
        """Keep these as well."""
        if self.is_too_large:
            return
        for normal, record_id, is_own in entries:
            encoded = _bytes_of(record_id)
            if len(encoded) > _LONGEST_ID or len(self._lengths) >= self._most:
                self._drop()
                return
            self._digests += self._digest_of(normal)
            self._ids += encoded
            self._lengths.append(len(encoded))
            self._are_own.append(is_own)

    def close(self) -> None:
        """Sort it. Nothing is added from then on."""
        import numpy as np

        words = np.frombuffer(self._digests, dtype=np.uint64).reshape(-1, 2)
        order = words[:, 0].argsort(kind="stable").astype(np.uint32)
        lengths = np.frombuffer(self._lengths, dtype=np.uint8)
        begins = np.cumsum(lengths, dtype=np.uint32) - lengths
        self._table = _Table(words[order, 0], words[order, 1], begins[order], lengths[order], np.array(self._are_own)[order])
        self._digests = self._lengths = self._are_own = bytearray()

    def find(self, normals: Sequence[str], hits: Hits) -> None:
        """Note in ``hits`` which records have these keys."""
        import numpy as np

        table = self._table
        if table is None:
            raise RuntimeError("what was paged is not sorted yet")
        wanted = np.frombuffer(b"".join(map(self._digest_of, normals)), dtype=np.uint64).reshape(-1, 2)
        first, last = (table.high.searchsorted(wanted[:, 0], side) for side in ("left", "right"))
        for at in np.flatnonzero(first < last).tolist():
            for place in range(first[at], last[at]):
                if table.low[place] == wanted[at, 1]:
                    begin = int(table.begins[place])
                    record_id = self._ids[begin : begin + int(table.lengths[place])].decode("utf-8", "surrogatepass")
                    hits.note((normals[at], record_id, bool(table.are_own[place])))

    def _digest_of(self, normal: str) -> bytes:
        digest = self._digest.copy()
        digest.update(_bytes_of(normal))
        return digest.digest()

    def _drop(self) -> None:
        self.is_too_large = True
        self._digests = self._ids = self._lengths = self._are_own = bytearray()


@dataclass(frozen=True, slots=True, repr=False)
class _Table:
    """Entries, sorted by the first half of their digests."""

    high: np.ndarray[Any, np.dtype[np.uint64]]
    low: np.ndarray[Any, np.dtype[np.uint64]]
    begins: np.ndarray[Any, np.dtype[np.uint32]]
    lengths: np.ndarray[Any, np.dtype[np.uint8]]
    are_own: np.ndarray[Any, np.dtype[np.uint8]]


def _bytes_of(text: str) -> bytes:
    # HighLevel's JSON may hold half a character.
    return text.encode("utf-8", "surrogatepass")
