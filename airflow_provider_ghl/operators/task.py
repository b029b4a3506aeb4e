"""What a load reads from its task instance, and what it stores there for the next try."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_ghl.load.ledger.ledger import Ledger

__all__ = ["load_id", "note_ledger", "series", "try_number"]

_LEDGER_ID = "ghl_ledger_id"


def load_id(ti: Any, task_id: str) -> str:
    """The id of the load. It is the same for all tries and deferrals of a task instance."""
    parts = (getattr(ti, "dag_id", ""), getattr(ti, "run_id", ""), task_id, getattr(ti, "map_index", -1))
    return "/".join(map(str, parts))


def series(ti: Any, task_id: str) -> str:
    """What the loads of one task have in common, run after run: they load the same table."""
    return "/".join(map(str, (getattr(ti, "dag_id", ""), task_id, getattr(ti, "map_index", -1))))


def try_number(ti: Any) -> int:
    """The number of the task's try; 1 where there is no task instance."""
    number = getattr(ti, "try_number", None)
    return number if isinstance(number, int) else 1


def note_ledger(context: Context, ledger: Ledger) -> list[str]:
    """Store the ledger's id in the task's state. Returns a warning where an earlier attempt used another ledger."""
    state = context.get("task_state_store")
    if state is None:
        return []
    before = state.get(_LEDGER_ID)
    if before == ledger.id:
        return []
    state.set(_LEDGER_ID, ledger.id)
    if before is None:
        return []
    return [
        f"An earlier attempt of this task wrote another ledger than {ledger.where}. What it did is not known here and is "
        "asked of HighLevel again: set ledger_conn_id, so that all workers share one."
    ]
