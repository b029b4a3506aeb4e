"""``ledger``: what is remembered, and forgetting; and which ledger a command is about."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from cli_runs import make_rows, relate, run_command, type_answer
from connecting import Connect

from airflow_provider_ghl.hooks.ledger import open_ledger
from airflow_provider_ghl.load.ledger.notes import KeyNotes
from airflow_provider_ghl.sandbox import Sandbox

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the ledger is by default: empty yet."""
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def rows(home: Path, ghl: Sandbox, attended: str) -> list[dict[str, Any]]:
    """What a load related: four relations are known."""
    made = make_rows(ghl)
    relate(made)
    return made


@pytest.fixture
def keys(rows: Any, ghl: Sandbox) -> None:
    """Three keys of the location: two of the first row's contact, and one of a contact that has no relation."""
    ledger = open_ledger(None)
    attempt = ledger.loads.begin("keys", try_number=1, is_resumed=False, location_id=ghl.location_id, association="attended")
    found = [(b"1" * 16, rows[0]["contact_id"]), (b"2" * 16, rows[0]["contact_id"]), (b"3" * 16, "alone")]
    number = ledger.keys.lookup(ghl.url, ghl.location_id, "contact by email")
    ledger.write_all(attempt, {}, {number: KeyNotes(found, set())})
    ledger.close()


def relations(capsys: Capture) -> int:
    return int(run_command(capsys, "ledger", "show", "--json").json["relations"])


def known_keys(capsys: Capture) -> int:
    return int(run_command(capsys, "ledger", "show", "--json").json["keys"])


class TestShow:
    def test_none(self, home: Path, capsys: Capture) -> None:
        where = f"sqlite:///{home}/ghl_ledger.db"
        assert run_command(capsys, "ledger", "show").text == f"There is no ledger at {where} yet: the first load makes it.\n"
        assert run_command(capsys, "ledger", "show", "--json").json == {"where": where, "exists": False}
        assert not home.exists()

    def test_another_file_is_no_ledger(self, home: Path, capsys: Capture) -> None:
        home.mkdir()
        (home / "ghl_ledger.db").touch()
        assert run_command(capsys, "ledger", "show", "--json").json["exists"] is False

    def test_text(self, rows: Any, home: Path, ghl: Sandbox, attended: str, capsys: Capture) -> None:
        result = run_command(capsys, "ledger", "show").text
        assert f"where             sqlite:///{home}/ghl_ledger.db\n" in result
        assert "relations         4\n" in result
        assert "KiB\n" in result
        target = result.splitlines()[-1]
        assert target.split()[:3] == [attended, ghl.location_id, "4"]
        assert target.endswith(ghl.url)
        assert ghl.token not in result

    def test_keys(self, keys: None, ghl: Sandbox, attended: str, capsys: Capture) -> None:
        *_, target, blank, headers, lookup = run_command(capsys, "ledger", "show").text.splitlines()
        assert target.split()[0] == attended
        assert blank == ""
        assert headers.split() == ["look-up", "location", "keys", "oldest", "confirmed", "newest", "confirmed", "host"]
        assert lookup.startswith(f"contact by email  {ghl.location_id}     3  20")
        assert lookup.endswith(f" UTC  {ghl.url}")

    def test_keys_as_json(self, keys: None, ghl: Sandbox, capsys: Capture) -> None:
        result = run_command(capsys, "ledger", "show", "--json").json
        (lookup,) = result["lookups"]
        assert (result["keys"], lookup["keys"], lookup["name"]) == (3, 3, "contact by email")
        assert (lookup["host"], lookup["location_id"]) == (ghl.url, ghl.location_id)
        assert lookup["oldest_confirmed"] == lookup["newest_confirmed"]
        assert lookup["newest_confirmed"].endswith("+00:00")

    def test_without_keys_no_table_of_them(self, rows: Any, capsys: Capture) -> None:
        result = run_command(capsys, "ledger", "show").text
        assert "keys              0\n" in result
        assert "look-up" not in result

    def test_json(self, rows: Any, attended: str, capsys: Capture) -> None:
        result = run_command(capsys, "ledger", "show", "--json").json
        assert (result["exists"], result["relations"], result["loads"], result["results"]) == (True, 4, 1, 7)
        (target,) = result["targets"]
        assert (target["association_id"], target["relations"]) == (attended, 4)
        assert target["oldest_confirmed"] == result["oldest_confirmed"]
        assert result["oldest_confirmed"].endswith("+00:00")


class TestForget:
    def test_by_record(self, rows: Any, capsys: Capture) -> None:
        result = run_command(capsys, "ledger", "forget", "--record", rows[0]["contact_id"], "--yes", "--json").json
        assert (result["matched"], result["forgotten"]) == (1, 1)
        assert relations(capsys) == 3

    @pytest.mark.parametrize("option", ["association", "location", "record"])
    def test_by_what_they_share(self, rows: Any, ghl: Sandbox, attended: str, option: str, capsys: Capture) -> None:
        value = {"association": attended, "location": ghl.location_id, "record": rows[0]["event_id"]}[option]
        assert run_command(capsys, "ledger", "forget", f"--{option}", value, "--yes").text.startswith("Forgot 4 relations ")
        assert relations(capsys) == 0

    def test_with_a_record_go_its_keys(self, rows: Any, keys: None, capsys: Capture) -> None:
        result = run_command(capsys, "ledger", "forget", "--record", rows[0]["contact_id"], "--yes")
        assert result.text.startswith("Forgot 1 relation and 2 keys in sqlite:")
        assert (relations(capsys), known_keys(capsys)) == (3, 1)

    def test_a_record_may_have_keys_alone(self, keys: None, capsys: Capture) -> None:
        result = run_command(capsys, "ledger", "forget", "--record", "alone", "--yes")
        assert result.text.startswith("Forgot 1 key in sqlite:")
        assert (relations(capsys), known_keys(capsys)) == (4, 2)

    def test_with_a_location_go_its_keys(self, keys: None, ghl: Sandbox, capsys: Capture) -> None:
        result = run_command(capsys, "ledger", "forget", "--location", ghl.location_id, "--yes", "--json").json
        assert [result[name] for name in ("matched", "forgotten", "matched_keys", "forgotten_keys")] == [4, 4, 3, 3]
        assert known_keys(capsys) == 0

    def test_with_an_association_keys_stay(self, keys: None, attended: str, capsys: Capture) -> None:
        result = run_command(capsys, "ledger", "forget", "--association", attended, "--yes", "--json").json
        assert [result[name] for name in ("matched", "forgotten", "matched_keys", "forgotten_keys")] == [4, 4, 0, 0]
        assert known_keys(capsys) == 3

    def test_asks_for_keys_as_well(self, keys: None, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
        type_answer(monkeypatch, "n\n")
        result = run_command(capsys, "ledger", "forget", "--everything", "--json")
        assert "Forget 4 relations and 3 keys in sqlite:///" in result.err
        assert [result.json[name] for name in ("matched_keys", "forgotten_keys")] == [3, 0]
        assert known_keys(capsys) == 3

    def test_by_relation(self, rows: Any, ghl: Sandbox, capsys: Capture, tmp_path: Path) -> None:
        path = tmp_path / "out.jsonl"
        run_command(capsys, "loads", "export", "1", str(path))
        relation_id = json.loads(path.read_text().splitlines()[0])["relation_id"]
        assert "Forgot 1 relation in" in run_command(capsys, "ledger", "forget", "--relation", relation_id, "--yes").text

    @pytest.mark.parametrize("name", ["attended", "ATTENDED"])
    def test_by_the_association_s_key(self, rows: Any, ghl: Sandbox, attended: str, name: str, capsys: Capture) -> None:
        """A load was asked for it by this key: HighLevel is not asked."""
        before = ghl.stats()["requests"]
        result = run_command(capsys, "ledger", "forget", "--association", name, "--yes").text
        assert result.startswith(f"Forgot 4 relations of association {attended} in sqlite:")
        assert ghl.stats()["requests"] == before

    def test_by_a_key_that_no_load_was_asked_for(self, home: Path, ghl: Sandbox, attended: str, capsys: Capture) -> None:
        relate(make_rows(ghl), association_id=attended)
        result = run_command(capsys, "ledger", "forget", "--association", "attended", "--yes", "--json").json
        assert (result["association_ids"], result["forgotten"]) == ([attended], 4)

    @pytest.mark.parametrize("sandbox", [{"any_location": True}], indirect=True)
    def test_by_a_key_of_another_location(self, rows: Any, ghl: Sandbox, capsys: Capture) -> None:
        """The same key is another id there, and HighLevel is asked for it with the connection's token."""
        there = ghl.state.add_location()
        other = ghl.state.add_association("attended", "contact", "custom_objects.event", "A", "E", location_id=there)
        words = ("ledger", "forget", "--association", "attended", "--location", there, "--yes")
        result = run_command(capsys, *words, "--json").json
        assert (result["association_ids"], result["matched"]) == ([other], 0)
        assert relations(capsys) == 4

    @pytest.mark.parametrize("sandbox", [{"any_location": True}], indirect=True)
    def test_by_a_key_of_several_locations(self, rows: Any, ghl: Sandbox, attended: str, capsys: Capture) -> None:
        there = ghl.state.add_location()
        other = ghl.state.add_association("attended", "contact", "custom_objects.event", "A", "E", location_id=there)
        relate(make_rows(ghl)[:1], "other", location_id=there)
        assert relations(capsys) == 5
        result = run_command(capsys, "ledger", "forget", "--association", "attended", "--yes", "--json").json
        assert (result["association_ids"], result["forgotten"]) == (sorted([attended, other]), 5)

    @pytest.mark.parametrize("name", ["atended", "0123456789abcdef01234567"])
    def test_by_an_association_that_nobody_knows(self, rows: Any, name: str, capsys: Capture) -> None:
        result = run_command(capsys, "ledger", "forget", "--association", name, "--yes")
        assert (result.status, result.out) == (1, "")
        assert f"the ledger knows no association {name!r}" in result.err
        assert "attended" in result.err, "HighLevel names the keys there are"
        assert relations(capsys) == 4

    def test_by_an_unknown_association_and_no_connection(
        self, rows: Any, capsys: Capture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("AIRFLOW_CONN_GHL_DEFAULT")
        result = run_command(capsys, "ledger", "forget", "--association", "atended", "--yes")
        assert (result.status, result.out) == (1, "")
        assert "Airflow has no connection 'ghl_default'" in result.err
        assert "'ledger show' lists the ids that the ledger knows" in result.err
        assert relations(capsys) == 4

    def test_all_that_is_given_must_match(self, rows: Any, attended: str, capsys: Capture) -> None:
        asked = ("--association", attended, "--record", "nobody", "--yes")
        result = run_command(capsys, "ledger", "forget", *asked).text
        assert result.startswith("Nothing matches. Forgot nothing")
        assert relations(capsys) == 4

    @pytest.mark.parametrize(("age", "left"), [("30d", 4), ("0h", 0)])
    def test_by_age(self, rows: Any, age: str, left: int, capsys: Capture) -> None:
        assert run_command(capsys, "ledger", "forget", "--older-than", age, "--yes").status == 0
        assert relations(capsys) == left

    def test_everything(self, rows: Any, capsys: Capture) -> None:
        assert run_command(capsys, "ledger", "forget", "--everything", "--yes", "--json").json["forgotten"] == 4
        assert relations(capsys) == 0

    @pytest.mark.parametrize(("answer", "forgotten"), [("y\n", 4), ("YES\n", 4), ("n\n", 0), ("\n", 0), ("", 0)])
    def test_asks_first(self, rows: Any, answer: str, forgotten: int, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
        type_answer(monkeypatch, answer)
        result = run_command(capsys, "ledger", "forget", "--everything", "--json")
        assert result.json["forgotten"] == forgotten
        assert "Forget 4 relations in sqlite:///" in result.err
        assert "[y/N]" in result.err
        assert relations(capsys) == 4 - forgotten

    def test_nobody_to_ask(self, rows: Any, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
        type_answer(monkeypatch, "y\n", is_terminal=False)
        result = run_command(capsys, "ledger", "forget", "--everything")
        assert (result.status, result.out) == (2, "")
        assert "4 relations in" in result.err
        assert "pass --yes. Nothing was done." in result.err
        assert relations(capsys) == 4

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            ([], "Say what to forget: --association, --record, --location, --relation, --older-than, or --everything."),
            (["--yes"], "Say what to forget"),
            (["--record", "", "--yes"], "--record is empty"),
            (["--association", "", "--record", "r", "--yes"], "--association is empty"),
            (["--location", "", "--older-than", "0d", "--yes"], "--location is empty"),
            (["--relation", " ", "--everything", "--yes"], "--relation is empty"),
            (["--everything", "--record", "r"], "--everything goes with no other choice"),
            (["--older-than", "30"], "must be days or hours, such as 30d or 12h, not '30'"),
            (["--older-than", "-1d"], "expected one argument"),
        ],
    )
    def test_wrong_usage(self, rows: Any, words: list[str], message: str, capsys: Capture) -> None:
        result = run_command(capsys, "ledger", "forget", *words)
        assert (result.status, result.out) == (2, "")
        assert message in result.err
        assert relations(capsys) == 4

    def test_an_unset_variable_widens_nothing(self, rows: Any, capsys: Capture) -> None:
        result = run_command(capsys, "ledger", "forget", "--association", "", "--record", rows[0]["contact_id"], "--yes")
        assert (result.status, result.out) == (2, "")
        assert result.err == "--association is empty: give it a value, or leave it out. Nothing was forgotten.\n"
        assert relations(capsys) == 4

    def test_without_a_ledger(self, home: Path, capsys: Capture) -> None:
        assert "nothing to forget" in run_command(capsys, "ledger", "forget", "--everything").text
        assert not home.exists()


class TestPrune:
    @pytest.mark.parametrize(("words", "results", "loads"), [([], 0, 0), (["--older-than", "0d"], 7, 1)])
    def test_by_age(self, rows: Any, words: list[str], results: int, loads: int, capsys: Capture) -> None:
        result = run_command(capsys, "ledger", "prune", *words, "--json").json
        assert (result["results"], result["loads"]) == (results, loads)
        assert relations(capsys) == 4

    def test_text(self, rows: Any, capsys: Capture) -> None:
        assert run_command(capsys, "ledger", "prune", "--older-than", "0h").text.startswith("Deleted 7 results of 1 load in ")

    def test_old_keys_go_whatever_the_age(self, rows: Any, keys: None, home: Path, capsys: Capture) -> None:
        assert run_command(capsys, "ledger", "prune", "--older-than", "0d", "--json").json["keys"] == 0
        with closing(sqlite3.connect(home / "ghl_ledger.db")) as database, database:
            database.execute("UPDATE ghl_keys SET confirmed = confirmed - 91 * 86400 WHERE record_id = 'alone'")
        result = run_command(capsys, "ledger", "prune", "--older-than", "99d")
        assert result.text.startswith("Deleted 0 results of 0 loads, and 1 key, in ")
        assert known_keys(capsys) == 2

    def test_without_a_ledger(self, home: Path, capsys: Capture) -> None:
        assert "nothing to delete" in run_command(capsys, "ledger", "prune").text
        assert not home.exists()


class TestWhich:
    def where(self, capsys: Capture, *words: str) -> str:
        return str(run_command(capsys, "ledger", "show", "--json", *words).json["where"])

    @pytest.fixture
    def places(self, home: Path, tmp_path: Path, connect: Connect, sandbox: Sandbox) -> None:
        """Ledgers by name, and a ghl connection that names one."""
        for name in ("one", "two"):
            connect(**{f"ledger_{name}": json.dumps({"conn_type": "sqlite", "host": str(tmp_path / f"{name}.db")})})
        result = json.loads(sandbox.connection_json)
        connect(ghl_other=json.dumps({**result, "extra": {"ledger_conn_id": "ledger_one"}}))

    def test_no_connection_at_all(self, home: Path, capsys: Capture) -> None:
        assert self.where(capsys) == f"sqlite:///{home}/ghl_ledger.db"

    def test_of_a_ghl_connection(self, places: None, tmp_path: Path, capsys: Capture) -> None:
        assert self.where(capsys, "--conn-id", "ghl_other") == f"sqlite:///{tmp_path}/one.db"

    def test_of_the_default_connection(
        self, places: None, sandbox: Sandbox, connect: Connect, tmp_path: Path, capsys: Capture
    ) -> None:
        result = json.loads(sandbox.connection_json)
        connect(ghl_default=json.dumps({**result, "extra": {"ledger_conn_id": "ledger_two"}}))
        assert self.where(capsys) == f"sqlite:///{tmp_path}/two.db"

    def test_named_itself(self, places: None, tmp_path: Path, capsys: Capture) -> None:
        words = ("--conn-id", "ghl_other", "--ledger-conn-id", "ledger_two")
        assert self.where(capsys, *words) == f"sqlite:///{tmp_path}/two.db"

    def test_configured(self, places: None, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AIRFLOW__GHL__LEDGER_CONN_ID", "ledger_two")
        assert self.where(capsys) == f"sqlite:///{tmp_path}/two.db"

    @pytest.mark.parametrize("option", ["--conn-id", "--ledger-conn-id"])
    def test_no_such_connection(self, home: Path, option: str, capsys: Capture) -> None:
        result = run_command(capsys, "ledger", "show", option, "nowhere")
        assert (result.status, result.out) == (1, "")
        assert result.err == "Airflow has no connection 'nowhere': create it, or correct the id\n"

    def test_no_place_for_a_ledger(self, home: Path, connect: Connect, capsys: Capture) -> None:
        connect(ledger=json.dumps({"conn_type": "mysql", "host": "h", "password": "secret-word"}))
        result = run_command(capsys, "loads", "--ledger-conn-id", "ledger")
        assert (result.status, result.out) == (1, "")
        assert "a ledger is kept in PostgreSQL or SQLite" in result.err

    def test_a_server_that_does_not_answer(self, home: Path, connect: Connect, capsys: Capture) -> None:
        fields = {"conn_type": "postgres", "host": "127.0.0.1", "port": 1, "login": "ann", "password": "secret-word"}
        connect(ledger=json.dumps({**fields, "schema": "ledgers"}))
        result = run_command(capsys, "loads", "--ledger-conn-id", "ledger")
        assert (result.status, result.out) == (1, "")
        assert "cannot be read" in result.err
        assert "secret-word" not in result.err
        assert "ann" not in result.err.replace("cannot", "")
