"""An agency in the sandbox, as tests make one."""

from __future__ import annotations

from typing import Any

from sandbox_client import HttpClient

from airflow_provider_ghl.sandbox import Application, Sandbox

__all__ = ["Agency", "status_and_message"]


class Agency:
    """An agency with an app in some of its locations."""

    def __init__(self, sandbox: Sandbox, locations: int = 3, **options: Any):
        self.sandbox = sandbox
        self.app: Application = sandbox.add_app(**options)
        self.id = sandbox.add_company()
        self.locations = [sandbox.state.add_location(company_id=self.id) for _ in range(locations)]
        for location_id in self.locations[:-1]:
            sandbox.install(self.app, location_id)
        self.token: str = sandbox.issue(self.app, company_id=self.id)["access_token"]

    def talk(self, token: str = "", version: str = "2021-07-28") -> HttpClient:
        return HttpClient(self.sandbox, token=token or self.token, version=version)

    def list(self, version: str = "2021-07-28", **changes: Any) -> Any:
        path = "/oauth/installed-locations" if version == "v3" else "/oauth/installedLocations"
        params = {"companyId": self.id, "appId": self.app.app_id, **changes}
        with self.talk(version=version) as client:
            answer = client.send("GET", path, params={name: value for name, value in params.items() if value is not None})
            return answer.json() | {"status": answer.status_code}


def status_and_message(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["message"]
