"""What became of each key: a record's id, or why not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Resolution", "Resolutions"]


@dataclass(frozen=True, slots=True)
class Resolution:
    """The verdict on one key: ``record_id``, or ``reason``. Neither quotes the key.

    ``candidates`` are the ids of the records that have the key, where there are several. ``is_invalid`` says that the key was
    refused before any request. ``is_missing`` says that no record has it, and that one may turn up once the index of
    HighLevel's search has caught up: a second look settles it.
    """

    record_id: str | None = None
    reason: str | None = None
    candidates: tuple[str, ...] = ()
    is_invalid: bool = False
    is_missing: bool = False


class Resolutions(Mapping[Any, Resolution]):
    """The verdict on each key, by the key as it was given, and by position in :attr:`in_order`.

    Its ``repr`` shows no key.
    """

    def __init__(self, keys: Sequence[Any], in_order: Sequence[Resolution]) -> None:
        #: One for each given key, in their order; keys that were given twice have two.
        self.in_order: tuple[Resolution, ...] = tuple(in_order)
        # 1, 1.0 and True are one key of a dict, and not one key here.
        self._by_key = {(type(key), key): each for key, each in zip(keys, in_order, strict=True) if _is_hashable(key)}

    def __getitem__(self, key: Any) -> Resolution:
        try:
            return self._by_key[type(key), key]
        except (KeyError, TypeError):
            raise KeyError("no such key was given") from None  # the message of a dict would quote it

    def __iter__(self) -> Iterator[Any]:
        return (key for _, key in self._by_key)

    def __len__(self) -> int:
        return len(self._by_key)

    def __repr__(self) -> str:
        found = sum(each.record_id is not None for each in self.in_order)
        invalid = sum(each.is_invalid for each in self.in_order)
        return f"<Resolutions: {found} found, {len(self.in_order) - found - invalid} unresolved, {invalid} invalid>"

    @property
    def record_ids(self) -> dict[Any, str]:
        """Key → record id, of those that have one."""
        return {key: each.record_id for key, each in self.items() if each.record_id is not None}

    @property
    def reasons(self) -> dict[Any, str]:
        """Key → why not, of the others."""
        return {key: each.reason for key, each in self.items() if each.reason is not None}


def _is_hashable(key: Any) -> bool:
    """A tuple that holds a list says that it is, and is not."""
    try:
        hash(key)
    except TypeError:
        return False
    return True
