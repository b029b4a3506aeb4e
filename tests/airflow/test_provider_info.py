"""What Airflow is told, held against Airflow's own schemas and what Airflow makes of it."""

from __future__ import annotations

import importlib
import json
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import airflow
import jsonschema  # type: ignore[import-untyped]
import pytest
from airflow.providers_manager import ProvidersManager
from airflow.sdk import Connection
from airflow.sdk._shared.secrets_masker import redact
from connecting import Connect

import airflow_provider_ghl
from airflow_provider_ghl import cli
from airflow_provider_ghl.exceptions import ConfigurationError, QuotaExhausted
from airflow_provider_ghl.get_provider_info import get_provider_info
from airflow_provider_ghl.hooks.ghl import GHLHook
from airflow_provider_ghl.operators import associations, locations, relations
from airflow_provider_ghl.sandbox import Sandbox

(TYPE,) = get_provider_info()["connection-types"]
FIELDS: dict[str, Any] = TYPE["conn-fields"]
SECRETS = {name for name, field in FIELDS.items() if field["schema"].get("format") == "password"}

#: Where no browser should be sent.
WRONG_URLS = ("app.example.com", "javascript:alert(1)", "https://", "https://me@example.com", "https://example.com/?a=b")


def schema(name: str) -> Any:
    return json.loads((Path(airflow.__path__[0]) / name).read_text())


def connection(sandbox: Sandbox, **extra: Any) -> str:
    """A connection as the form saves it: every field, those left empty as null."""
    empty = dict.fromkeys(FIELDS)
    fields = {**empty, "location_id": sandbox.location_id, **extra}
    return json.dumps({"conn_type": "ghl", "host": sandbox.url, "password": sandbox.token, "extra": fields})


class TestSchemas:
    def test_provider_info(self) -> None:
        jsonschema.validate(get_provider_info(), schema("provider_info.schema.json"))

    @pytest.mark.parametrize(
        "part", ["connection-types", "hooks", "operators", "integrations", "cli", "extra-links", "asset-uris"]
    )
    def test_the_stricter_schema_of_airflows_own_providers(self, part: str) -> None:
        whole = schema("provider.yaml.schema.json")
        rules = {**whole["properties"][part], "definitions": whole.get("definitions", {}), "$defs": whole.get("$defs", {})}
        jsonschema.validate(get_provider_info()[part], rules)

    def test_modules_and_classes_are_there(self) -> None:
        info = get_provider_info()
        assert info["hooks"][0]["python-modules"] == [GHLHook.__module__]
        assert info["operators"][0]["python-modules"] == [
            associations.__name__,
            locations.__name__,
            relations.__name__,
        ]
        assert TYPE["hook-class-name"] == f"{GHLHook.__module__}.{GHLHook.__name__}"
        assert (TYPE["connection-type"], TYPE["hook-name"]) == (GHLHook.conn_type, GHLHook.hook_name)
        assert info["cli"] == [f"{cli.__name__}.{cli.airflow_commands.__name__}"]
        (uris,) = info["asset-uris"]
        for name in (*info["extra-links"], *(uris[key] for key in ("handler", "factory", "to_openlineage_converter"))):
            module, _, found = name.rpartition(".")
            assert callable(getattr(importlib.import_module(module), found))


class TestAirflow:
    def test_sees_the_provider(self) -> None:
        (found,) = entry_points(group="apache_airflow_provider", name="provider_info").select(
            value="airflow_provider_ghl.get_provider_info:get_provider_info"
        )
        assert found.dist is not None
        assert found.dist.name == "airflow-provider-ghl"
        provider = ProvidersManager().providers["airflow-provider-ghl"]  # type: ignore[no-untyped-call]
        assert provider.version == airflow_provider_ghl.__version__
        assert provider.data["name"] == "HighLevel"

    def test_draws_the_form_from_the_metadata(self) -> None:
        manager = ProvidersManager()  # type: ignore[no-untyped-call]
        widgets = manager._connection_form_widgets_from_metadata
        drawn = {name.removeprefix("extra__ghl__"): widget for name, widget in widgets.items() if "__ghl__" in name}
        assert set(drawn) == set(FIELDS)
        behaviour = manager._field_behaviours_from_metadata["ghl"]
        assert set(behaviour["hidden_fields"]) == {"schema", "login"}
        assert set(behaviour["relabeling"]) == {"host", "port", "password"}

    def test_makes_the_hook_of_a_connection(self, ghl: Sandbox) -> None:
        hook = Connection.get("ghl_default").get_hook(hook_params={"api_version": "v3"})
        assert isinstance(hook, GHLHook)
        assert hook.location_id == ghl.location_id

    @pytest.mark.parametrize("name", sorted(set(FIELDS) - SECRETS))
    def test_shows_what_is_no_secret(self, name: str) -> None:
        assert redact({name: "a value that is no secret"}) == {name: "a value that is no secret"}

    def test_hides_the_token(self) -> None:
        assert sorted(SECRETS) == ["client_secret", "refresh_token"]
        for name in ("password", *SECRETS):
            assert redact({name: "a secret"}) == {name: "***"}

    @pytest.mark.parametrize("name", FIELDS)
    def test_has_no_value_that_is_too_short_to_be_masked(self, name: str) -> None:
        """Airflow warns of such values at every task."""
        assert all(len(value) >= 5 for value in FIELDS[name]["schema"].get("enum", []))


class TestFields:
    """Every field of the form does something, and null and "" mean absent."""

    def test_all_are_tried_here(self) -> None:
        of_oauth = {"client_id", "client_secret", "refresh_token", "company_id"}  # see test_oauth_connections.py
        of_look_ups = {"phone_region"}  # see test_hook_resolve.py
        of_links = {"app_url"}  # and test_links.py
        tried = {"location_id", "api_version", "quota_share", "daily_reserve", "ledger_conn_id"}
        assert set(FIELDS) - of_oauth - of_look_ups - of_links == tried

    @pytest.mark.parametrize("empty", [None, ""])
    def test_left_empty(self, sandbox: Sandbox, connect: Connect, empty: Any) -> None:
        connect(ghl_default=connection(sandbox, api_version=empty, quota_share=empty, daily_reserve=empty))
        assert GHLHook().list_associations() == sandbox.state.associations()
        connect(ghl_default=connection(sandbox, location_id=empty))
        with pytest.raises(ConfigurationError, match="no sub-account: put location_id"):
            _ = GHLHook().location_id

    def test_location_id(self, sandbox: Sandbox, connect: Connect) -> None:
        other = sandbox.state.add_location()
        connect(ghl_default=connection(sandbox, location_id=f" {other} "))
        assert GHLHook().location_id == other
        assert GHLHook(location_id=sandbox.location_id).location_id == sandbox.location_id

    @pytest.mark.parametrize("sandbox", [{"limit": 100}], indirect=True)
    @pytest.mark.parametrize(("share", "slots"), [(None, 100), (1, 100), (0.5, 50), ("0.25", 25)])
    def test_quota_share(self, sandbox: Sandbox, connect: Connect, share: Any, slots: int) -> None:
        connect(ghl_default=connection(sandbox, quota_share=share))
        hook = GHLHook()
        hook.list_associations()
        assert hook.get_conn().limit(hook.location_id).capacity == slots

    @pytest.mark.parametrize("sandbox", [{"daily_limit": 10}], indirect=True)
    @pytest.mark.parametrize(("reserve", "sent"), [(None, 10), (0, 10), (4, 6), ("4", 6)])
    def test_daily_reserve(self, sandbox: Sandbox, connect: Connect, reserve: Any, sent: int) -> None:
        connect(ghl_default=connection(sandbox, daily_reserve=reserve))
        hook = GHLHook()
        for _ in range(sent):
            hook.get_association("BUSINESSES_CONTACTS_ASSOCIATION")
        with pytest.raises(QuotaExhausted):
            hook.get_association("BUSINESSES_CONTACTS_ASSOCIATION")
        assert sandbox.stats()["by_status"]["200"] == sent

    @pytest.mark.parametrize(
        ("field", "argument", "sent"),
        [
            (None, None, "2021-07-28"),
            ("2021-07-28", None, "2021-07-28"),
            ("version-3", None, "v3"),
            ("v3", None, "v3"),
            ("version-3", "2021-07-28", "2021-07-28"),
            (None, "v3", "v3"),
        ],
    )
    def test_api_version(
        self, sandbox: Sandbox, connect: Connect, requests_mock: Any, field: Any, argument: Any, sent: str
    ) -> None:
        connect(ghl_default=connection(sandbox, api_version=field))
        requests_mock.get(f"{sandbox.url}/associations/", json={"associations": []})
        assert GHLHook(api_version=argument).list_associations() == []
        assert requests_mock.last_request.headers["Version"] == sent
        assert requests_mock.last_request.headers["Authorization"] == f"Bearer {sandbox.token}"

    @pytest.mark.parametrize(
        ("fields", "said"),
        [
            *(({"app_url": url}, "app_url must be the address of HighLevel's app") for url in WRONG_URLS),
            ({"api_version": "v4"}, "api_version must be one of 2021-07-28, v3"),
            ({"quota_share": 0}, "quota_share must be above 0 and at most 1"),
            ({"quota_share": 2}, "quota_share must be above 0 and at most 1"),
            ({"quota_share": "half"}, "quota_share must be a number"),
            ({"quota_share": True}, "quota_share must be a number"),
            ({"daily_reserve": -1}, "daily_reserve must be 0 or more"),
            ({"daily_reserve": 1.5}, "daily_reserve must be a number"),
            ({"daily_reserve": float("inf")}, "daily_reserve must be a number"),
            ({"daily_reserve": float("nan")}, "daily_reserve must be a number"),
        ],
    )
    def test_what_cannot_be_right_is_told(self, sandbox: Sandbox, connect: Connect, fields: dict[str, Any], said: str) -> None:
        connect(ghl_default=connection(sandbox, **fields))
        with pytest.raises(ConfigurationError) as raised:
            GHLHook().get_conn()
        assert said in str(raised.value)
        is_right, message = GHLHook().test_connection()
        assert (is_right, said in message) == (False, True)
        assert sandbox.stats()["requests"] == 0

    @pytest.mark.parametrize(
        ("host", "said"),
        [
            ("http://example.com", "needs https"),
            ("ftp://example.com", "must be a base URL"),
            ("https://user:secret@example.com", "must be a base URL"),
        ],
    )
    def test_host(self, connect: Connect, host: str, said: str) -> None:
        connect(ghl_default=json.dumps({"conn_type": "ghl", "host": host, "password": "pit-1"}))
        with pytest.raises(ConfigurationError, match=said) as raised:
            GHLHook().get_conn()
        assert "secret" not in str(raised.value)

    def test_host_and_port_apart_as_in_a_uri(self, sandbox: Sandbox, connect: Connect) -> None:
        host, _, port = sandbox.url.rpartition(":")
        text = json.dumps({"conn_type": "ghl", "host": f"{host}/", "port": int(port), "password": sandbox.token})
        connect(ghl_default=text)
        assert len(GHLHook(location_id=sandbox.location_id).list_associations()) == 2

    @pytest.mark.parametrize("password", [None, "", "  ", "Bearer "])
    def test_no_token(self, sandbox: Sandbox, connect: Connect, password: Any) -> None:
        connect(ghl_default=json.dumps({"conn_type": "ghl", "host": sandbox.url, "password": password}))
        with pytest.raises(ConfigurationError, match="has no token"):
            GHLHook().get_conn()
