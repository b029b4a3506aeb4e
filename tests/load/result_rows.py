"""Results of rows, as loads write them."""

from __future__ import annotations

from typing import Any

__all__ = ["refused", "result"]

_EMPTY = (
    *("row_key", "location_id", "association_id", "first_record_id", "second_record_id", "evidence", "relation_id"),
    *("status_code", "reason", "trace_id"),
)


def result(row: int, outcome: str = "created", **fields: Any) -> dict[str, Any]:
    """The result of a row, with all its fields."""
    return {"row": row, **dict.fromkeys(_EMPTY), "outcome": outcome, "requests": 1, "try_number": 1} | fields


def refused(row: int, text: str = "Contact {} not found", **fields: Any) -> dict[str, Any]:
    """One that HighLevel refused, for a reason that names the row's first record."""
    record_id = f"contact{row:013}"
    named = {"first_record_id": record_id, "second_record_id": f"other{row:015}", "row_key": f"policy {row}"}
    return result(row, "rejected", status_code=400, reason=text.format(record_id), **named, **fields)
