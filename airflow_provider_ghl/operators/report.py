"""The text in which a callback tells people how a load went."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from airflow_provider_ghl.operators.errors import GHLFailed, GHLRetryable
from airflow_provider_ghl.operators.page_address import see

if TYPE_CHECKING:
    from airflow.sdk import Context

__all__ = ["load_report"]

#: Where Jinja begins an expression, a statement or a comment.
_TEMPLATE = re.compile(r"\{(?=[{%#])")


def load_report(context: Context) -> str:
    """How a load went, in a few lines: the task, why it is red, a count for each outcome, and where to look.

    For the callbacks of a task (``on_failure_callback``, ``on_retry_callback``, ``on_success_callback``) that runs a load; of
    other operators of this package it tells a failure. It has no people's data: keys, names and addresses are in none of our
    messages, and of another's exception it has the class alone. A notifier may take it for a template, since it never is one.
    """
    ti: Any = context["ti"]
    task: Any = context.get("task") or getattr(ti, "task", None)
    verdict = getattr(task, "verdict", None)
    error = context.get("exception")
    lines = [_headline(ti, has_failed=error is not None)]
    if error is not None:
        lines.append(_explained(error))
    elif verdict is not None:
        lines.append(verdict.message)
    if verdict is not None and verdict.load_number is not None and (line := see(task.page(ti))) not in lines[-1]:
        lines.append(line)
    return _TEMPLATE.sub("{ ", "\n".join(lines))


def _headline(ti: Any, *, has_failed: bool) -> str:
    map_index = getattr(ti, "map_index", None)
    name = f"{ti.dag_id}.{ti.task_id}{f'[{map_index}]' if isinstance(map_index, int) and map_index >= 0 else ''}"
    return f"{name} {'failed' if has_failed else 'ended'} (run {ti.run_id}, try {ti.try_number})"


def _explained(error: Any) -> str:
    # Any other exception may quote what it was working on.
    return str(error) if isinstance(error, GHLFailed | GHLRetryable) else f"It was ended by {type(error).__name__}."
