"""``ghl login``: a person at a keyboard, a page of HighLevel's, and what is kept afterwards."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from agencies import Agency, variables
from cli_runs import copy_database, run_command, store_connection, type_answer
from connecting import Connect
from waits import TOO_LONG

from airflow_provider_ghl.api import contacts, custom_fields, objects, opportunities
from airflow_provider_ghl.api.calls import Endpoint
from airflow_provider_ghl.hooks.ghl import GHLHook

Capture = pytest.CaptureFixture[str]
REDIRECT = "http://127.0.0.1:9/callback"
TOKEN = "POST /oauth/token"


@pytest.fixture
def location(agency: Agency, connect: Connect) -> str:
    """A connection of a location's app without tokens, as ``ghl_default``."""
    location_id = agency.installed[0]
    connect(ghl_default=agency.connection(company_id=None, refresh_token=None, location_id=location_id))
    connect(ghl_agency=agency.connection(refresh_token=None))
    return location_id


def kept(conn_id: str) -> Any:
    return json.loads(variables()[f"ghl_oauth_token__{conn_id}"])


class TestAgency:
    def test_from_the_url_to_a_load(self, agency: Agency, location: str, monkeypatch: Any, capsys: Capture) -> None:
        code = agency.sandbox.authorize(agency.app, company_id=agency.company_id)
        type_answer(monkeypatch, f"{REDIRECT}?code={code}&state=x\n")
        said = run_command(capsys, "login", "--conn-id", "ghl_agency", "--redirect-uri", REDIRECT)
        assert said.text.splitlines()[1:4] == [
            "tokens of           an agency",
            f"agency              {agency.company_id}",
            "location            -",
        ]
        assert "Airflow's Variable ghl_oauth_token__ghl_agency" in said.out
        assert len(GHLHook("ghl_agency").list_locations()) == 2
        assert agency.count(TOKEN) == 1
        pair = kept("ghl_agency")["pair"]
        for secret in (pair["access_token"], pair["refresh_token"], agency.app.client_secret, code):
            assert secret not in said.out + said.err

    def test_the_url_is_the_one_to_open(self, agency: Agency, location: str, monkeypatch: Any, capsys: Capture) -> None:
        type_answer(monkeypatch, "\n")
        said = run_command(capsys, "login", "--conn-id", "ghl_agency", "--redirect-uri", REDIRECT)
        assert (said.status, said.out) == (2, "")
        assert "no code was entered" in said.err
        (url,) = [line.strip() for line in said.err.splitlines() if line.strip().startswith(agency.sandbox.url)]
        asked = parse_qs(urlsplit(url).query)
        assert asked["redirect_uri"] == [REDIRECT]
        assert asked["client_id"] == [agency.app.client_id]
        assert {"oauth.write", "oauth.readonly", "associations/relation.write"} <= set(asked["scope"][0].split())
        led_to = requests.get(url, allow_redirects=False, timeout=TOO_LONG).headers["Location"]
        assert led_to.startswith(REDIRECT)
        said = run_command(capsys, "login", "--conn-id", "ghl_agency", "--redirect-uri", REDIRECT, "--code", led_to, "--json")
        assert said.json["company_id"] == agency.company_id

    def test_scopes_of_your_own(self, agency: Agency, location: str, monkeypatch: Any, capsys: Capture) -> None:
        type_answer(monkeypatch, "\n")
        said = run_command(capsys, "login", "--conn-id", "ghl_agency", "--scopes", "a.readonly b.write")
        assert "scope=a.readonly%20b.write" in said.err
        assert "redirect_uri" not in said.err

    @pytest.mark.parametrize("chosen", [None, "a.readonly contacts.readonly"])
    def test_the_scopes_of_look_ups_are_asked_for_where_they_are_wanted(
        self, agency: Agency, location: str, monkeypatch: Any, capsys: Capture, chosen: str | None
    ) -> None:
        """The names are those that the endpoints have."""
        modules = (contacts, custom_fields, objects, opportunities)
        needed = {each.scope for module in modules for each in vars(module).values() if isinstance(each, Endpoint)}
        asked = []
        for words in ((), ("--lookups",)):
            type_answer(monkeypatch, "\n")
            said = run_command(capsys, "login", "--conn-id", "ghl_agency", *(["--scopes", chosen] if chosen else []), *words)
            (url,) = [line.strip() for line in said.err.splitlines() if line.strip().startswith(agency.sandbox.url)]
            asked.append(parse_qs(urlsplit(url).query)["scope"][0].split())
        without, wanted = asked
        assert len(set(wanted)) == len(wanted)
        assert set(wanted) == {*without, *needed}
        assert not needed & set(without) - set((chosen or "").split())

    @pytest.mark.parametrize("whose", ["another agency", "a location"])
    def test_tokens_of_somebody_else(
        self, agency: Agency, location: str, monkeypatch: Any, capsys: Capture, whose: str
    ) -> None:
        other = agency.sandbox.add_company()
        asked = {"company_id": other} if whose == "another agency" else {"location_id": location}
        said = run_command(capsys, "login", "--conn-id", "ghl_agency", "--code", agency.sandbox.authorize(agency.app, **asked))
        assert (said.status, said.out, variables()) == (1, "", {})
        assert "nothing was stored" in said.err
        assert (other if whose == "another agency" else location) in said.err
        assert agency.company_id in said.err


class TestLocation:
    def test_a_code(self, agency: Agency, location: str, capsys: Capture) -> None:
        code = agency.sandbox.authorize(agency.app, location_id=location)
        said = run_command(capsys, "login", "--code", code, "--json")
        expires_at = said.json.pop("expires_at")
        assert expires_at.startswith("20")
        assert said.json == {
            "conn_id": "ghl_default",
            "user_type": "Location",
            "company_id": agency.company_id,
            "location_id": location,
            "expires_at": expires_at,
            "variable": "ghl_oauth_token__ghl_default",
        }
        assert said.err == ""
        assert len(GHLHook().list_associations()) == 2
        assert agency.count(TOKEN) == 1

    def test_replaces_what_is_dead(self, agency: Agency, location: str, capsys: Capture) -> None:
        for _ in range(2):
            assert (
                run_command(capsys, "login", "--code", agency.sandbox.authorize(agency.app, location_id=location)).status == 0
            )
            pair = kept("ghl_default")["pair"]
            assert len(GHLHook().list_associations()) == 2
            agency.sandbox.revoke(pair["access_token"])
            agency.sandbox.revoke(pair["refresh_token"])

    def test_a_token_pasted_later_wins(self, agency: Agency, location: str, connect: Connect, capsys: Capture) -> None:
        assert run_command(capsys, "login", "--code", agency.sandbox.authorize(agency.app, location_id=location)).status == 0
        before = kept("ghl_default")
        pasted = agency.issue(location_id=location)["refresh_token"]
        connect(ghl_default=agency.connection(company_id=None, refresh_token=pasted, location_id=location))
        GHLHook().list_associations()
        assert kept("ghl_default")["fingerprint"] != before["fingerprint"]
        assert agency.count(TOKEN) == 2

    def test_another_location(self, agency: Agency, location: str, capsys: Capture) -> None:
        code = agency.sandbox.authorize(agency.app, location_id=agency.installed[1])
        said = run_command(capsys, "login", "--code", code)
        assert (said.status, variables()) == (1, {})
        assert f"the tokens are of location {agency.installed[1]}" in said.err

    @pytest.mark.parametrize("whose", ["agency", "location"])
    def test_says_which_id_the_connection_still_needs(
        self, agency: Agency, connect: Connect, capsys: Capture, whose: str
    ) -> None:
        connect(ghl_default=agency.connection(company_id=None, refresh_token=None))
        asked = {"company_id": agency.company_id} if whose == "agency" else {"location_id": agency.installed[0]}
        said = run_command(capsys, "login", "--code", agency.sandbox.authorize(agency.app, **asked))
        assert said.status == 0
        wanted = f"company_id {agency.company_id}" if whose == "agency" else f"location_id {agency.installed[0]}"
        assert wanted in said.err


class TestRefusals:
    @pytest.mark.parametrize(
        ("pasted", "said"),
        [
            (f"{REDIRECT}?error=access_denied", "brings no code (access_denied)"),
            (f"{REDIRECT}?state=x", "brings no code (it has no parameter code)"),
            ("code=", "brings no code"),
        ],
    )
    def test_a_url_without_a_code(
        self, agency: Agency, location: str, monkeypatch: Any, capsys: Capture, pasted: str, said: str
    ) -> None:
        type_answer(monkeypatch, pasted + "\n")
        ended = run_command(capsys, "login")
        assert (ended.status, said in ended.err) == (2, True)
        assert agency.count(TOKEN) == 0

    def test_a_code_that_is_refused(self, agency: Agency, location: str, capsys: Capture) -> None:
        ended = run_command(capsys, "login", "--code", "not-a-code-of-highlevels")
        assert (ended.status, ended.out, variables()) == (1, "", {})
        assert "code" in ended.err
        assert "not-a-code-of-highlevels" not in ended.err

    def test_a_wrong_secret(self, agency: Agency, location: str, connect: Connect, capsys: Capture) -> None:
        connect(ghl_default=agency.connection(company_id=None, refresh_token=None, client_secret="wrong-secret"))
        ended = run_command(capsys, "login", "--code", agency.sandbox.authorize(agency.app, location_id=location))
        assert ended.status == 1
        assert "client_secret" in ended.err
        assert "wrong-secret" not in ended.err

    def test_no_app(self, agency: Agency, location: str, connect: Connect, capsys: Capture) -> None:
        connect(ghl_default=agency.sandbox.connection_json)
        ended = run_command(capsys, "login", "--code", "x")
        assert (ended.status, "has no OAuth app: put client_id and client_secret" in ended.err) == (1, True)

    def test_nowhere_to_keep_them_is_told_before_the_code_is_spent(
        self, agency: Agency, location: str, monkeypatch: Any, tmp_path: Path, capsys: Capture
    ) -> None:
        monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", f"sqlite:///{tmp_path}/none.db")
        ended = run_command(capsys, "login", "--code", agency.sandbox.authorize(agency.app, location_id=location))
        assert (ended.status, "neither a task nor Airflow's database is here" in ended.err) == (1, True)
        assert agency.count(TOKEN) == 0


@pytest.mark.slow
def test_airflow_itself(agency: Agency, tmp_path: Path) -> None:
    """A connection in Airflow's database and a plain shell: ``airflow ghl login``, then ``airflow connections test``."""
    copy_database(Path(os.environ["AIRFLOW_HOME"]) / "airflow.db", tmp_path / "airflow.db")
    store_connection(tmp_path / "airflow.db", "ghl_stored", agency.connection(refresh_token=None))
    code = agency.sandbox.authorize(agency.app, company_id=agency.company_id)
    shown = airflow(tmp_path, "ghl", "login", "--conn-id", "ghl_stored", "--json", typed=f"{REDIRECT}?code={code}\n")
    assert shown.returncode == 0, shown.stderr
    assert json.loads(shown.stdout)["company_id"] == agency.company_id
    tested = airflow(tmp_path, "connections", "test", "ghl_stored")
    assert "Connection success" in tested.stdout, tested.stdout + tested.stderr
    hidden = airflow(tmp_path, "variables", "list", "--output", "json")
    assert "ghl_oauth_token__ghl_stored" in hidden.stdout
    assert agency.count(TOKEN) == 1
    for secret in (code, agency.app.client_secret):
        assert secret not in shown.stdout + shown.stderr + tested.stdout + tested.stderr


def airflow(home: Path, *words: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    there = {**kept, "AIRFLOW_HOME": str(home), "AIRFLOW__CORE__TEST_CONNECTION": "Enabled"}
    command = [str(Path(sys.executable).with_name("airflow")), *words]
    return subprocess.run(command, env=there, input=typed, capture_output=True, text=True, check=False)
