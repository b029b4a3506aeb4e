"""The names of a result's fields."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ResultFields"]


@dataclass(frozen=True, slots=True)
class ResultFields:
    """How a kind of row is told in results.

    :param noun: what a row is, in a word.
    :param target: the field of HighLevel's id of what the row is about.
    :param values: the fields of the row's values, in their order.
    :param made: the field of HighLevel's id of what the row became.
    """

    noun: str
    target: str
    values: tuple[str, ...]
    made: str

    @property
    def all(self) -> tuple[str, ...]:
        """Every field, in the order of the results file."""
        return (
            *("row", "row_key", "location_id", self.target, *self.values, "outcome", "evidence"),
            *(self.made, "status_code", "reason", "requests", "try_number", "trace_id"),
        )
