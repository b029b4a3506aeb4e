"""Connections with an OAuth app, a location's or an agency's: what the hook does with them, and what it shows."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

import pytest
from agencies import Agency, hook_of, kept, variables
from airflow.sdk import Connection
from airflow.sdk._shared.secrets_masker import redact
from connecting import Connect

from airflow_provider_ghl.exceptions import ConfigurationError, Unauthorized
from airflow_provider_ghl.hooks.ghl import GHLHook
from airflow_provider_ghl.hooks.settings import Settings
from airflow_provider_ghl.sandbox import Sandbox

TOKEN, MINT, LIST = "POST /oauth/token", "POST /oauth/locationToken", "GET /oauth/installedLocations"
LIST_V3 = "GET /oauth/installed-locations"


class TestSettings:
    @pytest.mark.parametrize("empty", [None, "", "  "])
    def test_left_empty(self, empty: Any) -> None:
        extra = dict.fromkeys(("client_id", "client_secret", "refresh_token", "company_id", "location_id"), empty)
        settings = Settings.of(Connection(conn_id="c", conn_type="ghl", extra=json.dumps(extra)))
        assert {getattr(settings, name) for name in extra} == {None}

    def test_blanks_that_come_with_pasting_and_secrets(self) -> None:
        extra = {"client_id": " id ", "client_secret": "a-secret\n", "refresh_token": "\ta-refresh-token", "company_id": "C "}
        settings = Settings.of(Connection(conn_id="c", conn_type="ghl", password="a-password", extra=json.dumps(extra)))
        assert (settings.client_id, settings.client_secret, settings.company_id) == ("id", "a-secret", "C")
        assert settings.refresh_token == "a-refresh-token"
        for secret in ("a-secret", "a-refresh-token", "a-password"):
            assert secret not in repr(settings)

    def test_airflow_masks_them(self, agency: Agency) -> None:
        GHLHook("ghl_agency").list_locations()
        for secret in (agency.app.client_secret, agency.refresh_token, kept()["access_token"], kept()["refresh_token"]):
            assert redact(f"see {secret}!") == "see ***!"

    @pytest.mark.parametrize(
        ("fields", "said"),
        [
            ({"client_id": None}, "has client_secret and refresh_token, but no client_id"),
            ({"client_secret": ""}, "has client_id and refresh_token, but no client_secret"),
            ({"client_id": None, "client_secret": None}, "has refresh_token, but no client_id and client_secret"),
            ({"client_id": None, "client_secret": None, "refresh_token": None}, "the connection has no token"),
            ({"refresh_token": "half a\ntoken"}, "characters"),
            ({"api_version": "v4"}, "api_version must be one of"),
        ],
    )
    def test_what_cannot_be_right_is_told(self, agency: Agency, connect: Connect, fields: Any, said: str) -> None:
        connect(ghl_agency=agency.connection(**fields))
        with pytest.raises(ConfigurationError) as raised:
            hook_of(agency).get_conn()
        assert said in str(raised.value)
        is_right, message = hook_of(agency).test_connection()
        assert (is_right, said in message) == (False, True)
        assert agency.sandbox.stats()["requests"] == 0


class TestLocation:
    """An app's tokens of one location."""

    @pytest.fixture
    def location(self, agency: Agency, connect: Connect) -> str:
        location_id = agency.installed[0]
        token = agency.issue(location_id=location_id)["refresh_token"]
        connect(ghl_default=agency.connection(company_id=None, refresh_token=token, location_id=location_id))
        return location_id

    @pytest.mark.parametrize("version", ["2021-07-28", "v3"])
    def test_refreshes_once_for_all_hooks(self, agency: Agency, location: str, version: str) -> None:
        for _ in range(3):
            assert len(GHLHook(api_version=version).list_associations()) == 2
        assert agency.count(TOKEN) == 1
        assert (kept("ghl_default")["user_type"], kept("ghl_default")["location_id"]) == ("Location", location)

    def test_an_expired_token_is_refreshed_once_and_kept(self, agency: Agency, location: str) -> None:
        hook = GHLHook()
        hook.list_associations()
        before = kept("ghl_default")
        agency.sandbox.expire(before["access_token"])
        assert len(hook.list_associations()) == 2
        assert agency.count(TOKEN) == 2
        assert kept("ghl_default")["refresh_token"] != before["refresh_token"]
        assert len(GHLHook().list_associations()) == 2
        assert (agency.count(TOKEN), agency.sandbox.stats()["refused_refreshes"]) == (2, 0)

    def test_a_pasted_token_wins(self, agency: Agency, location: str, connect: Connect) -> None:
        GHLHook().list_associations()
        agency.sandbox.revoke(kept("ghl_default")["access_token"])
        agency.sandbox.revoke(kept("ghl_default")["refresh_token"])
        fresh = agency.issue(location_id=location)["refresh_token"]
        connect(ghl_default=agency.connection(company_id=None, refresh_token=fresh, location_id=location))
        assert len(GHLHook().list_associations()) == 2
        assert agency.sandbox.stats()["refused_refreshes"] == 0

    def test_a_dead_refresh_token_says_what_to_do(self, agency: Agency, location: str, connect: Connect) -> None:
        connect(ghl_default=agency.connection(company_id=None, refresh_token="long-dead", location_id=location))
        with pytest.raises(Unauthorized) as raised:
            GHLHook().list_associations()
        assert "airflow ghl login" in raised.value.explain()
        assert "refresh_token" in raised.value.explain()
        assert "long-dead" not in raised.value.explain() + str(raised.value) + repr(raised.value)
        assert variables() == {}

    def test_a_pasted_access_token_is_used_while_it_is_good(self, agency: Agency, location: str, connect: Connect) -> None:
        pair = agency.issue(location_id=location)
        said = {"password": pair["access_token"], "refresh_token": pair["refresh_token"], "location_id": location}
        connect(ghl_default=agency.connection(company_id=None, **said))
        assert len(GHLHook().list_associations()) == 2
        assert agency.count(TOKEN) == 0
        agency.sandbox.expire(pair["access_token"])
        assert len(GHLHook().list_associations()) == 2
        assert agency.count(TOKEN) == 1


class TestAgency:
    def test_each_location_with_its_own_token(self, agency: Agency) -> None:
        for at in (0, 1):
            hook = hook_of(agency, at)
            made = hook.create_association(
                key=f"key{at}",
                first_object_key="contact",
                first_object_label="A",
                second_object_key="custom_objects.event",
                second_object_label="B",
            )
            assert made["locationId"] == agency.installed[at]
            assert hook.run("GET", f"/associations/{made['id']}")["key"] == f"key{at}"
        assert (agency.count(TOKEN), agency.count(MINT)) == (1, 2)
        assert (kept()["user_type"], kept()["company_id"]) == ("Company", agency.company_id)

    def test_the_connections_own_location(self, agency: Agency, connect: Connect) -> None:
        connect(ghl_agency=agency.connection(location_id=agency.installed[1]))
        assert {one["locationId"] for one in GHLHook("ghl_agency").list_associations()} == {agency.installed[1]}

    def test_no_location(self, agency: Agency) -> None:
        with pytest.raises(ConfigurationError, match="no sub-account: put location_id"):
            GHLHook("ghl_agency").list_associations()
        with pytest.raises(ConfigurationError, match="give location_id"):
            GHLHook("ghl_agency").run("GET", "/contacts/1")
        assert agency.sandbox.stats()["requests"] == 0

    @pytest.mark.parametrize("which", ["without the app", "unknown", "moved"])
    def test_a_location_that_gets_no_token(self, agency: Agency, which: str) -> None:
        location_id = {"without the app": agency.without_app, "unknown": "NoSuchLocation000001"}.get(which, agency.installed[0])
        if which == "moved":
            agency.sandbox.move_location(location_id, agency.sandbox.add_company())
        with pytest.raises(Unauthorized) as raised:
            GHLHook("ghl_agency", location_id=location_id).list_associations()
        assert raised.value.kind == "location"
        assert location_id in raised.value.explain()

    @pytest.mark.parametrize("version", ["2021-07-28", "v3"])
    def test_lists_where_the_app_is_installed(self, agency: Agency, version: str) -> None:
        found = GHLHook("ghl_agency", api_version=version).list_locations()
        assert sorted(one["location_id"] for one in found) == sorted(agency.installed)
        assert agency.count(LIST_V3 if version == "v3" else LIST) >= 1

    def test_lists_all_pages_with_a_token_that_expires(self, agency: Agency) -> None:
        more = [agency.sandbox.state.add_location(company_id=agency.company_id) for _ in range(210)]
        for location_id in more:
            agency.sandbox.install(agency.app, location_id)
        hook = GHLHook("ghl_agency")
        assert len(hook.list_locations()) == 212
        agency.sandbox.expire(kept()["access_token"])
        assert len(hook.list_locations()) == 212
        assert agency.count(TOKEN) == 2

    def test_a_list_that_is_not_to_be_had(self, agency: Agency, ghl: Sandbox, connect: Connect) -> None:
        with pytest.raises(ConfigurationError, match="the connection has no company_id"):
            GHLHook("ghl_default").list_locations()
        own = dict.fromkeys(("client_id", "client_secret", "refresh_token"))
        connect(ghl_agency=agency.connection(password=agency.issue()["access_token"], **own))
        with pytest.raises(ConfigurationError, match="put client_id and client_secret"):
            GHLHook("ghl_agency").list_locations()

    def test_an_agencys_access_token_alone(self, agency: Agency, connect: Connect) -> None:
        """It cannot be refreshed, and says so when it is over."""
        token = agency.issue()["access_token"]
        own = dict.fromkeys(("client_id", "client_secret", "refresh_token"))
        connect(ghl_agency=agency.connection(password=token, **own))
        assert len(hook_of(agency).list_associations()) == 2
        assert (agency.count(MINT), agency.count(TOKEN), variables()) == (1, 0, {})
        agency.sandbox.expire(token)
        with pytest.raises(Unauthorized) as raised:
            hook_of(agency, 1).list_associations()
        assert raised.value.kind == "token"
        assert "agency" in raised.value.explain()


@pytest.mark.parametrize("work", ["list", "locations", "refused", "dead", "test"])
def test_no_secret_is_shown(
    agency: Agency, connect: Connect, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str], work: str
) -> None:
    caplog.set_level(logging.DEBUG)
    refresh_token = "long-dead-token" if work == "dead" else agency.refresh_token
    connect(ghl_agency=agency.connection(refresh_token=refresh_token))
    hook = GHLHook("ghl_agency", location_id=agency.without_app if work == "refused" else agency.installed[0])
    works: dict[str, Callable[[], Any]] = {"locations": hook.list_locations, "test": hook.test_connection}
    shown = []
    try:
        works.get(work, hook.list_associations)()
    except Unauthorized as error:
        shown = [repr(error), str(error), error.explain(), repr(vars(error)), repr(error.__cause__)]
    written = capfd.readouterr()
    shown += [repr(hook), repr(vars(hook)), repr(hook._access), caplog.text, written.out, written.err]
    pair = kept() if variables() else {}
    secrets = [agency.app.client_secret, refresh_token, pair.get("access_token"), pair.get("refresh_token"), "Bearer "]
    assert [secret for secret in secrets if secret and any(secret in text for text in shown)] == []
