"""Where a load can be looked at in Airflow's own UI: the addresses of its page."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from airflow.sdk.configuration import conf

__all__ = ["in_browser", "load_page", "see", "task_page"]

_PREFIX = "/ghl"


def load_page(number: int) -> str:
    """The path of the page of a load.

    :param number: its number in the ledger.
    """
    return f"{_PREFIX}/loads/{number}"


def task_page(ti: Any, task_id: str) -> str:
    """The path of the page of a task instance's load, which needs no number: it is there from the first moment.

    :param ti: the task instance, or its key.
    """
    named = {"dag_id": getattr(ti, "dag_id", ""), "run_id": getattr(ti, "run_id", ""), "task_id": task_id}
    map_index = getattr(ti, "map_index", None)
    if isinstance(map_index, int) and map_index >= 0:
        named["map_index"] = map_index
    return f"{_PREFIX}/task?{urlencode(named)}"


def in_browser(path: str) -> str:
    """A page's address for Airflow's UI. Where ``[api] base_url`` is not set, the UI is at the root of its host."""
    return f"{_base_url()}{path}"


def see(path: str | None) -> str:
    """A line for logs and messages that names the page; empty where its address is not known.

    A worker knows it only if ``[api] base_url`` is set there.
    """
    base = _base_url()
    return f"See {base}{path}" if base and path is not None else ""


def _base_url() -> str:
    """``[api] base_url`` without a slash at its end; empty where it is no whole address."""
    url = str(conf.get("api", "base_url", fallback=None) or "").rstrip("/")
    return url if url.startswith(("https://", "http://")) else ""
