"""Addresses: of this page's own routes, of Airflow's pages, and of HighLevel's. All are below Airflow's base path."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote, urlencode

from fastapi import Request

from airflow_provider_ghl.load.ledger.views import LoadView

__all__ = ["Links"]


class Links:
    """The addresses that one request's answer may hold.

    :param root: where this app is mounted, such as ``/airflow/ghl``.
    :param airflow: where Airflow is, such as ``/airflow``; empty for the host's root.
    :param kept: parameters that every link to a route of this page carries on.
    """

    def __init__(self, root: str, airflow: str, kept: Mapping[str, str | None]) -> None:
        self._root = root
        self._airflow = airflow
        self._kept = kept

    @classmethod
    def of(cls, request: Request, ledger: str | None = None) -> Links:
        """Those for a request that looks at a ledger."""
        airflow = request.scope.get("app_root_path", "").rstrip("/")
        return cls(request.scope.get("root_path", "").rstrip("/"), airflow, {"ledger": ledger})

    def loads(self, **query: object) -> str:
        """The list of loads."""
        return self._own("loads", query)

    def load(self, number: int, **query: object) -> str:
        """One load."""
        return self._own(f"loads/{number}", query)

    def csv(self, number: int, **query: object) -> str:
        """The rows of one load, as a file."""
        return self._own(f"loads/{number}.csv", query)

    def locations(self, **query: object) -> str:
        """The locations."""
        return self._own("locations", query)

    def ledger(self, **query: object) -> str:
        """The ledger."""
        return self._own("ledger", query)

    def static(self, name: str, version: str) -> str:
        """A file of the page itself."""
        return f"{self._root}/static/{name}?v={version}"

    def dag(self, load: LoadView) -> str:
        """The DAG, in Airflow."""
        return f"{self._airflow}/dags/{quote(load.dag_id, safe='')}"

    def run(self, load: LoadView) -> str:
        """The DAG run, in Airflow."""
        return f"{self.dag(load)}/runs/{quote(load.run_id, safe='')}"

    def task(self, load: LoadView) -> str:
        """The task instance, in Airflow."""
        mapped = f"/mapped/{load.map_index}" if load.map_index >= 0 else ""
        return f"{self.run(load)}/tasks/{quote(load.task_id, safe='')}{mapped}"

    def _own(self, path: str, query: Mapping[str, object]) -> str:
        given = {name: value for name, value in {**self._kept, **query}.items() if value not in (None, "")}
        return f"{self._root}/{path}{'?' if given else ''}{urlencode(given)}"
