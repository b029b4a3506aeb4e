"""``plan``: what a load of a file would cost."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from cli_runs import OPTIONS, Terminal, make_rows, relate, run_command, write_csv
from connecting import Connect

from airflow_provider_ghl.relations.orientation import Sides
from airflow_provider_ghl.sandbox import Sandbox

Capture = pytest.CaptureFixture[str]
KEY = ("--association-key", "attended")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the ledger is by default: empty yet."""
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def rows(home: Path, ghl: Sandbox, attended: str) -> list[dict[str, Any]]:
    """Eight rows, four of them good."""
    return make_rows(ghl)


@pytest.fixture
def path(rows: list[dict[str, Any]], tmp_path: Path) -> str:
    """They as a file."""
    return write_csv(rows, tmp_path / "rows.csv")


@pytest.mark.parametrize("sandbox", [{"limit": 100}], indirect=True)
def test_text(path: str, home: Path, ghl: Sandbox, capsys: Capture) -> None:
    result = run_command(capsys, "plan", path, *KEY, *OPTIONS).text
    assert result.splitlines()[:4] == ["outcome     rows", "repeated       1", "invalid        1", "to be sent     6"]
    assert "requests        7 at most\n" in result
    assert "share of today  less than 0.1% of the 199,999 requests that are left\n" in result
    assert "time            less than 1 s at the current limit of 100 requests / 10 s\n" in result
    assert "quota           within one day's quota\n" in result
    assert "1 row invalid: column 'contact_id' is empty\n" in result
    assert "R4" in result
    assert (ghl.stats()["requests"], ghl.state.count_all()) == (1, 0)
    assert not home.exists()


@pytest.mark.parametrize("sandbox", [{"limit": 100}], indirect=True)
def test_json(path: str, capsys: Capture) -> None:
    result = run_command(capsys, "plan", path, *KEY, *OPTIONS, "--json").json
    assert (result["rows"], result["requests"], result["days"], result["left_today"]) == (8, 7, 1, 199_999)
    assert result["limit"] == {"requests": 100, "seconds": 10.0}
    assert (result["counts"]["not_attempted"], result["counts"]["invalid"], result["counts"]["repeated"]) == (6, 1, 1)
    assert [one["rows"] for one in result["failures"]] == [1]


@pytest.mark.parametrize(
    ("sandbox", "lines"),
    [
        (
            {"limit": 3, "daily_limit": 3},
            [
                "requests        7 at most",
                "share of today  350.0% of the 2 requests that are left",
                "time            20 s at the current limit of 3 requests / 10 s",
                "quota           spread over 3 days of quota",
            ],
        ),
        (
            {"limit": 1, "interval": 0.5, "daily_limit": 2},
            [
                "requests        7 at most",
                "share of today  700.0% of the 1 request that is left",
                "time            3 s at the current limit of 1 request / 0.5 s",
                "quota           spread over 4 days of quota",
            ],
        ),
        (
            {"limit": 100, "daily_limit": 1},
            [
                "requests        7 at most",
                "share of today  nothing is left today",
                "time            less than 1 s at the current limit of 100 requests / 10 s",
                "quota           spread over 7 days of quota",
            ],
        ),
    ],
    indirect=["sandbox"],
)
def test_prices_in_words(path: str, lines: list[str], capsys: Capture) -> None:
    assert run_command(capsys, "plan", path, *KEY, *OPTIONS).text.splitlines()[5:9] == lines


def test_several_sub_accounts(rows: Any, tmp_path: Path, ghl: Sandbox, capsys: Capture) -> None:
    file = tmp_path / "several.csv"
    lines = [f"{row['id']},{row['contact_id']},{row['event_id']},{ghl.location_id}" for row in rows[:2]]
    file.write_text("\n".join(["id,contact_id,event_id,place", *lines]))
    result = run_command(capsys, "plan", str(file), *KEY, *OPTIONS, "--location-column", "place").text
    assert "time            less than 1 s in the sub-account that takes longest, at its current limit\n" in result


def test_signs_of_life_on_a_terminal(path: str, ghl: Sandbox, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    ghl.set_latency(1.5)
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    assert "requests        7 at most\n" in run_command(capsys, "plan", path, *KEY, *OPTIONS).out
    assert "\rPlanning: " in terminal.getvalue()


def test_what_the_ledger_knows_costs_nothing(rows: Any, path: str, capsys: Capture) -> None:
    relate(rows)
    result = run_command(capsys, "plan", path, *KEY, *OPTIONS, "--json").json
    assert (result["counts"]["already_exists"], result["requests"]) == (4, 3)
    all_of_them = run_command(capsys, "plan", path, *KEY, *OPTIONS, "--diff-against", "none", "--json").json
    assert (all_of_them["counts"]["already_exists"], all_of_them["requests"]) == (0, 7)
    assert [load["number"] for load in run_command(capsys, "loads", "--json").json] == [1]


@pytest.mark.parametrize("sandbox", [{"any_location": True}], indirect=True)
def test_by_id_and_for_another_location(path: str, ghl: Sandbox, attended: str, capsys: Capture) -> None:
    assert run_command(capsys, "plan", path, "--association-id", attended, *OPTIONS, "--json").json["rows"] == 8
    other = ghl.state.add_location()
    ghl.state.add_association("attended", "contact", "custom_objects.event", "A", "E", location_id=other)
    assert run_command(capsys, "plan", path, *KEY, *OPTIONS, "--location-id", other, "--json").json["rows"] == 8


class TestSides:
    """Of an association that HighLevel stores the other way round."""

    def test_other_objects(self, path: str, capsys: Capture) -> None:
        said = ("--first-object-key", "contact", "--second-object-key", "opportunity")
        result = run_command(capsys, "plan", path, *KEY, *OPTIONS, *said)
        assert (result.status, result.out) == (1, "")
        assert "links contact to custom_objects.event, not contact to opportunity" in result.err

    @pytest.mark.parametrize("said", [("--first-object-key", "contact"), ("--second-object-key", "custom_objects.event")])
    def test_object_keys(self, rows: Any, path: str, ghl: Sandbox, capsys: Capture, said: tuple[str, str]) -> None:
        turned = ghl.state.add_association("turned", "custom_objects.event", "contact", "E", "A")
        key = ("--association-key", "turned")
        result = run_command(capsys, "plan", path, *key, *OPTIONS)
        assert result.status == 1
        assert "swap the two column arguments, or pass first_object_key='contact'" in result.err
        assert run_command(capsys, "plan", path, *key, *OPTIONS, *said, "--json").json["counts"]["not_attempted"] == 6
        relate(rows, association_id=turned, sides=Sides("contact"))
        assert run_command(capsys, "plan", path, *key, *OPTIONS, *said, "--json").json["counts"]["already_exists"] == 4

    def test_a_label_between_contacts(self, tmp_path: Path, ghl: Sandbox, attended: str, capsys: Capture) -> None:
        ghl.state.add_association("turned", "contact", "contact", "Teacher", "Student")
        rows = [{"id": "R0", "contact_id": "student", "event_id": "teacher"}]
        path = write_csv(rows, tmp_path / "pairs.csv")
        relate(rows, association_key="turned", sides=Sides(first_object_label="Student"))
        counts = [
            run_command(capsys, "plan", path, "--association-key", "turned", *OPTIONS, *said, "--json").json["counts"]
            for said in ((), ("--first-object-label", "Student"))
        ]
        assert [one["already_exists"] for one in counts] == [0, 1]


@pytest.mark.parametrize(("separator", "typed"), [(";", ";"), ("\t", "\\t"), ("\t", "\t")])
def test_another_separator_and_encoding(path: str, separator: str, typed: str, capsys: Capture) -> None:
    Path(path).write_bytes(Path(path).read_text().replace(",", separator).encode("utf-16"))
    found = run_command(capsys, "plan", path, *KEY, *OPTIONS, "--separator", typed, "--encoding", "utf-16", "--json")
    assert found.json["rows"] == 8


def test_an_empty_file(path: str, capsys: Capture) -> None:
    Path(path).write_text("id,contact_id,event_id\n")
    result = run_command(capsys, "plan", path, *KEY, *OPTIONS, "--json")
    assert (result.json["rows"], result.json["requests"], result.json["days"]) == (0, 0, None)
    assert "the source has no rows" in result.err
    assert "requests        0 at most\n" in run_command(capsys, "plan", path, *KEY, *OPTIONS).text


@pytest.mark.parametrize("named", [(), (*KEY, "--association-id", "a"), ("--association-key", "")])
def test_the_association_is_named_once(path: str, named: tuple[str, ...], ghl: Sandbox, capsys: Capture) -> None:
    result = run_command(capsys, "plan", path, *named, *OPTIONS)
    assert (result.status, result.out) == (2, "")
    assert "exactly one of --association-key and --association-id" in result.err
    assert ghl.stats()["requests"] == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["missing.csv", *KEY], "there is no such file"),
        (["rows.txt", *KEY], "cannot tell the format"),
        (["{path}", "--association-key", "nothing"], "attended"),
        (["{path}", *KEY, "--conn-id", "nowhere"], "Airflow has no connection 'nowhere'"),
        (["{path}", *KEY, "--ledger-conn-id", "nowhere"], "Airflow has no connection 'nowhere'"),
        (["{path}", *KEY, "--first-record-column", "nothing"], "nothing"),
        (["{path}", *KEY, "--separator", "::"], "separator must be one character"),
        (["{path}", *KEY, "--encoding", "utf-99"], "encoding must be one that Python has for text"),
    ],
)
def test_errors(path: str, words: list[str], message: str, ghl: Sandbox, capsys: Capture) -> None:
    result = run_command(capsys, "plan", *[word.format(path=path) for word in words], "--json")
    assert (result.status, result.out) == (1, "")
    assert message in result.err
    assert "Traceback" not in result.err
    assert ghl.token not in result.err


def test_a_token_that_is_refused(path: str, ghl: Sandbox, connect: Connect, capsys: Capture) -> None:
    fields = json.loads(ghl.connection_json)
    connect(ghl_default=json.dumps({**fields, "password": "pit-wrong-word"}))
    result = run_command(capsys, "plan", path, *KEY, *OPTIONS)
    assert (result.status, result.out) == (1, "")
    assert "does not accept the token" in result.err
    assert "pit-wrong-word" not in result.err


def test_no_location(path: str, ghl: Sandbox, connect: Connect, capsys: Capture) -> None:
    fields = json.loads(ghl.connection_json)
    connect(ghl_default=json.dumps({**fields, "extra": {}}))
    result = run_command(capsys, "plan", path, *KEY, *OPTIONS)
    assert (result.status, result.out) == (1, "")
    assert "no sub-account" in result.err
