"""An agency in the sandbox, behind Airflow connections."""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_ghl.sandbox import Sandbox

if TYPE_CHECKING:
    from airflow_provider_ghl.hooks.ghl import GHLHook

__all__ = ["Agency", "agency_in", "forget_variables", "hook_of", "kept", "variables"]


@dataclass
class Agency:
    """Three locations: the app is installed in two of them."""

    sandbox: Sandbox
    app: Any
    company_id: str
    installed: list[str]
    without_app: str
    refresh_token: str

    def connection(self, **extra: Any) -> str:
        """As the form saves it; by default with the agency's refresh token."""
        said = {
            "client_id": self.app.client_id,
            "client_secret": self.app.client_secret,
            "refresh_token": self.refresh_token,
            "company_id": self.company_id,
            "location_id": None,
            **extra,
        }
        password = said.pop("password", None)
        return json.dumps({"conn_type": "ghl", "host": self.sandbox.url, "password": password, "extra": said})

    def issue(self, **whose: Any) -> dict[str, Any]:
        """Tokens, by default the agency's."""
        return self.sandbox.issue(self.app, **(whose or {"company_id": self.company_id}))

    def count(self, route: str) -> int:
        """How many requests came for an endpoint."""
        return self.sandbox.stats()["by_route"].get(route, 0)


def agency_in(sandbox: Sandbox) -> Agency:
    """Make one."""
    app, company_id = sandbox.add_app(), sandbox.add_company()
    there = [sandbox.state.add_location(company_id=company_id) for _ in range(3)]
    for location_id in there[:2]:
        sandbox.install(app, location_id)
    refresh_token = sandbox.issue(app, company_id=company_id)["refresh_token"]
    return Agency(sandbox, app, company_id, there[:2], there[2], refresh_token)


def variables() -> dict[str, str]:
    """Airflow's Variables, which have no key in the tests and so are as they were written."""
    with closing(sqlite3.connect(_database())) as opened:
        return dict(opened.execute("SELECT key, val FROM variable").fetchall())


def forget_variables() -> None:
    """Delete them."""
    with closing(sqlite3.connect(_database())) as opened, opened:
        opened.execute("DELETE FROM variable")


def kept(conn_id: str = "ghl_agency") -> dict[str, Any]:
    """The pair in Airflow's Variable."""
    found: dict[str, Any] = json.loads(variables()[f"ghl_oauth_token__{conn_id}"])["pair"]
    return found


def hook_of(agency: Agency, location: int = 0) -> GHLHook:
    """A hook for one of its locations."""
    from airflow_provider_ghl.hooks.ghl import GHLHook

    return GHLHook("ghl_agency", location_id=agency.installed[location])


def _database() -> Path:
    return Path(os.environ["AIRFLOW_HOME"]) / "airflow.db"
