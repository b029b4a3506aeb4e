"""An agency with the same ids and secrets at every start, so that an Airflow connection to it keeps working."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_provider_ghl.sandbox.oauth import Application
from airflow_provider_ghl.sandbox.sandbox import Sandbox

__all__ = ["AGENCY", "FixedAgency", "sub_account"]

AGENCY = "Ag7ncyZq4TnWb2KxMv9d"
_CLIENT_ID = "5a9db0c5000040008000a9c1-sandbox1"
_CLIENT_SECRET = "5a9db0c5-0000-4000-8000-000000000002"
"""Worth nothing outside sandboxes, like the refresh token."""
_CHAIN = "sandbox-agency-refresh"


@dataclass(frozen=True, slots=True)
class FixedAgency:
    """An agency with an app that is installed in all of its sub-accounts.

    ::

        with Sandbox() as sandbox:
            agency = FixedAgency.of(sandbox, 5)
            os.environ["AIRFLOW_CONN_GHL_AGENCY"] = agency.connection_json
    """

    sandbox: Sandbox
    app: Application
    location_ids: tuple[str, ...]
    refresh_token: str

    @classmethod
    def of(cls, sandbox: Sandbox, locations: int) -> FixedAgency:
        """Add the agency to a sandbox. What the state file has of it stays.

        :param locations: the number of its sub-accounts.
        """
        app = sandbox.add_app(_CLIENT_ID, _CLIENT_SECRET)
        sandbox.add_company(AGENCY)
        location_ids = tuple(sub_account(number) for number in range(1, locations + 1))
        for location_id in location_ids:
            if not sandbox.state.has_location(location_id):
                sandbox.state.add_location(location_id, AGENCY)
                sandbox.install(app, location_id)
        return cls(sandbox, app, location_ids, sandbox.keep_refresh_token(app, AGENCY, _CHAIN))

    @property
    def connection_json(self) -> str:
        """An Airflow connection to the agency, as JSON for ``AIRFLOW_CONN_…``. The sandbox must have been started."""
        return self.sandbox.connection_json_for_agency(self.app, AGENCY, self.refresh_token)


def sub_account(number: int) -> str:
    """The id of a sub-account by its number, from 1."""
    return f"AgencySubaccount{number:04d}"
