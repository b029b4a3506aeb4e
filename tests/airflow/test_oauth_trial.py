"""What the Test button says of connections with an OAuth app: it never spends a refresh token."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from agencies import Agency, hook_of, kept, variables
from connecting import Connect

from airflow_provider_ghl.exceptions import ConfigurationError
from airflow_provider_ghl.hooks.ghl import GHLHook

TOKEN = "POST /oauth/token"


class TestTestButton:
    NOTHING = "nothing was tested: a test never spends the refresh token, and there is no access token that is still good."

    def test_spends_no_refresh_token(self, agency: Agency) -> None:
        for hook in (GHLHook("ghl_agency"), hook_of(agency)):
            is_right, message = hook.test_connection()
            assert (is_right, message.startswith(self.NOTHING)) == (False, True)
        assert (agency.sandbox.stats()["requests"], variables()) == (0, {})

    def test_uses_what_a_task_has_left(self, agency: Agency) -> None:
        hook_of(agency).list_associations()
        before = agency.sandbox.stats()["requests"]
        said = f"HighLevel accepts the token of agency {agency.company_id}"
        assert GHLHook("ghl_agency").test_connection() == (True, said)
        assert agency.sandbox.stats()["requests"] == before + 1
        said = f"HighLevel accepts the token for location {agency.installed[1]}"
        assert hook_of(agency, 1).test_connection() == (True, said)
        assert agency.sandbox.stats()["requests"] == before + 3
        assert agency.count(TOKEN) == 1

    def test_under_an_id_of_the_moment(self, agency: Agency, connect: Connect) -> None:
        """As Airflow's API server tests."""
        hook_of(agency).list_associations()
        connect(kx2r9qplrztf=agency.connection())
        assert GHLHook("kx2r9qplrztf").test_connection()[0] is True
        connect(kx2r9qplrztf=agency.connection(refresh_token="another-one"))
        assert GHLHook("kx2r9qplrztf").test_connection()[1].startswith(self.NOTHING)
        assert agency.count(TOKEN) == 1

    def test_a_token_that_is_refused(self, agency: Agency) -> None:
        hook_of(agency).list_associations()
        agency.sandbox.expire(kept()["access_token"])
        for hook in (GHLHook("ghl_agency"), hook_of(agency)):
            is_right, message = hook.test_connection()
            assert not is_right
            assert "not accept" in message
        assert agency.count(TOKEN) == 1

    @pytest.mark.parametrize("sandbox", [{"limit": None, "token_lifetime": 2.0}], indirect=True)
    def test_a_token_that_is_over(self, agency: Agency) -> None:
        hook_of(agency).list_associations()
        while kept()["expires_at"] > time.time():
            threading.Event().wait(0.02)
        before = agency.sandbox.stats()["requests"]
        is_right, message = GHLHook("ghl_agency").test_connection()
        assert (is_right, message.startswith(self.NOTHING)) == (False, True)
        assert agency.sandbox.stats()["requests"] == before

    def test_no_tokens_at_all(self, agency: Agency, connect: Connect) -> None:
        connect(ghl_agency=agency.connection(refresh_token=None))
        said = "nothing was tested: the connection has no tokens yet; run `airflow ghl login`"
        assert GHLHook("ghl_agency").test_connection() == (False, said)

    def test_a_pasted_access_token(self, agency: Agency, connect: Connect) -> None:
        connect(ghl_agency=agency.connection(password=agency.issue()["access_token"]))
        assert GHLHook("ghl_agency").test_connection()[0] is True
        assert agency.count(TOKEN) == 0

    def test_an_agency_whose_app_is_nowhere(self, agency: Agency, connect: Connect) -> None:
        for location_id in agency.installed:
            agency.sandbox.uninstall(agency.app, location_id)
        connect(ghl_agency=agency.connection(password=agency.issue()["access_token"]))
        is_right, message = GHLHook("ghl_agency").test_connection()
        assert is_right
        assert message.endswith("(the app is installed in none of its locations)")

    def test_an_agencys_token_alone_needs_a_location(self, agency: Agency, connect: Connect) -> None:
        own = dict.fromkeys(("client_id", "client_secret", "refresh_token"))
        connect(ghl_agency=agency.connection(password=agency.issue()["access_token"], **own))
        assert "put location_id" in GHLHook("ghl_agency").test_connection()[1]
        assert hook_of(agency).test_connection()[0] is True

    def test_where_nothing_can_be_kept(self, agency: Agency, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        """A worker without a database tests what is pasted; a hook there refuses before a token is spent."""
        monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", f"sqlite:///{tmp_path}/none.db")
        assert GHLHook("ghl_agency").test_connection()[1].startswith(self.NOTHING)
        with pytest.raises(ConfigurationError, match="neither a task nor Airflow's database is here"):
            hook_of(agency).list_associations()
        assert agency.count(TOKEN) == 0
