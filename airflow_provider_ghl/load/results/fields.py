"""The names of a result's fields."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ResultFields"]


@dataclass(frozen=True, slots=True)
class ResultFields:
    """The names of the fields that depend on the kind of row.

    :param noun: a word for one row, such as ``pair``.
    :param target: the field with HighLevel's id of the row's target, such as the association.
    :param values: the fields with the row's values, in their order.
    :param made: the field with HighLevel's id of what was made from the row, such as the relation.
    :param keys: for each value, the field of the results file with the key that it was found by; ``None`` for no field. Other
        results never have keys.
    """

    noun: str
    target: str
    values: tuple[str, ...]
    made: str
    keys: tuple[str | None, ...] = ()

    @property
    def all(self) -> tuple[str, ...]:
        """Every field, in the order of the results file."""
        return (
            *("row", "row_key", "location_id", self.target, *self.values, "outcome", "evidence"),
            *(self.made, "status_code", "reason", "requests", "try_number", "trace_id"),
            *(name for name in self.keys if name is not None),
        )
