"""``loads``: what loads did, as text and as JSON."""

from __future__ import annotations

import csv
import json
import re
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
from cli_runs import ABSENT, LOAD_ID, Result, make_rows, relate, run_command

from airflow_provider_ghl.commands.output import escape, iso, moment, table
from airflow_provider_ghl.hooks.ledger import open_ledger
from airflow_provider_ghl.load.ledger.notes import Notes
from airflow_provider_ghl.load.results.counted import counted
from airflow_provider_ghl.load.results.outcomes import Outcome
from airflow_provider_ghl.load.results.time_span import time_span
from airflow_provider_ghl.lookups import Contact
from airflow_provider_ghl.relations.fields import RESULT_FIELDS
from airflow_provider_ghl.sandbox import Sandbox


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the ledger is by default: empty yet."""
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def loaded(home: Path, ghl: Sandbox, attended: str) -> list[dict[str, Any]]:
    """The rows of a load that the ledger knows."""
    rows = make_rows(ghl)
    relate(rows)
    return rows


def lines(result: Result) -> list[str]:
    return result.text.splitlines()


def test_what_a_load_deleted_is_told(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ledger = open_ledger(None)
    begun: dict[str, Any] = {"is_resumed": False, "location_id": "location", "association": "attended", "try_number": 1}
    attempt = ledger.loads.begin("nightly/run/mirror/-1", **begun)
    counts = {"rows": 5, "created": 5, "deletes": {"planned": 3, "deleted": 2, "failed": 1}}
    ledger.loads.end(attempt, end="green", message="well", counts=counts, is_well=True)
    ledger.close()
    assert "5 rows: 5 created; 2 relations deleted" in run_command(capsys, "loads").text


class TestList:
    def test_without_a_ledger(self, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert "There is no ledger at sqlite:///" in run_command(capsys, "loads").text
        assert run_command(capsys, "loads", "--json").json == []
        assert not home.exists()

    def test_a_line_each_the_latest_first(self, loaded: Any, capsys: pytest.CaptureFixture[str]) -> None:
        relate(loaded[:2], "second")
        head, second, first = lines(run_command(capsys, "loads"))
        assert head.split() == ["load", "state", "began", "took", "association", "location", "rows", "requests", "load", "id"]
        assert second.split()[:2] == ["2", "success"]
        assert "2 rows: 2 already_exists" in second
        assert second.endswith("second")
        assert first.split()[:2] == ["1", "failed"]
        assert "8 rows: 4 created, 1 repeated, 1 invalid, 2 rejected" in first
        assert first.endswith(LOAD_ID)
        assert re.search(r" UTC  (less than 1 s|\d+ s)  attended  ", first)

    def test_limit(self, loaded: Any, capsys: pytest.CaptureFixture[str]) -> None:
        relate(loaded[:2], "second")
        assert [load["load_id"] for load in run_command(capsys, "loads", "--limit", "1", "--json").json] == ["second"]
        assert run_command(capsys, "loads", "--limit", "0").status == 2

    def test_json(self, loaded: Any, ghl: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
        (load,) = run_command(capsys, "loads", "--json").json
        assert (load["number"], load["load_id"], load["state"], load["association"]) == (1, LOAD_ID, "final", "attended")
        assert (load["location_id"], load["requests"], load["counts"]["rejected"]) == (ghl.location_id, 7, 2)
        began, updated = (datetime.fromisoformat(load[name]) for name in ("began", "updated"))
        assert load["seconds"] == pytest.approx((updated - began).total_seconds(), abs=0.002)
        assert (load["failed"], load["counts_so_far"]) == (True, None)

    def test_one_that_runs(self, loaded: Any, capsys: pytest.CaptureFixture[str]) -> None:
        ledger = open_ledger(None)
        attempt = ledger.loads.begin("other", try_number=1, is_resumed=False, location_id="L", association="A")
        (line,) = lines(run_command(capsys, "loads", "--state", "running"))[1:]
        assert line.split()[:2] == ["2", "running"]
        assert "It has not ended." in run_command(capsys, "loads", "show", "2").text
        fields = dict.fromkeys(RESULT_FIELDS)
        outcomes = ["created"] * 1_200 + ["rejected"] * 3
        results = [{**fields, "row": row, "outcome": o, "requests": 1, "try_number": 1} for row, o in enumerate(outcomes)]
        ledger.write(attempt, None, Notes(results=results))
        assert "  so far 1,200 created, 3 rejected  " in lines(run_command(capsys, "loads"))[1]
        assert "rows               so far 1,200 created, 3 rejected\n" in run_command(capsys, "loads", "show", "2").text
        assert run_command(capsys, "loads", "--json").json[0]["counts_so_far"] == {"created": 1200, "rejected": 3}
        ledger.loads.end(attempt, end="retryable", message="broken off", counts={}, is_well=False)
        assert "  so far 1,200 created, 3 rejected  " in lines(run_command(capsys, "loads"))[1]
        ledger.close()


class TestFilters:
    @pytest.fixture
    def several(self, loaded: Any) -> None:
        """Numbers 1 (failed, of ``nightly``), 2 (green, of ``weekly``) and 3 (worth a retry, of ``nightly_two``)."""
        relate(loaded[:2], "weekly/run/relate/-1")
        ledger = open_ledger(None)
        asked: dict[str, Any] = {"try_number": 1, "is_resumed": False, "location_id": "L", "association": "A"}
        attempt = ledger.loads.begin("nightly_two/run/relate/-1", **asked)
        ledger.loads.end(attempt, end="retryable", message="no answer", counts={"rows": 1, "failed": 1}, is_well=False)
        ledger.close()

    @pytest.mark.parametrize(
        ("words", "expected"),
        [
            ("", [3, 2, 1]),
            ("--dag nightly", [1]),
            ("--dag NIGHTLY", []),
            ("--dag night", []),
            ("--state failed", [3, 1]),
            ("--state failed --limit 1", [3]),
            ("--state success", [2]),
            ("--state running", []),
            ("--state failed --dag nightly", [1]),
            ("--since 1h", [3, 2, 1]),
            ("--before 1h", []),
            ("--since 2020-01-01", [3, 2, 1]),
            ("--since 2020-01-01 --before 2020-02-01T12:00", []),
            ("--before 2999-12-31T00:00+02:00", [3, 2, 1]),
        ],
    )
    def test_match(self, several: None, words: str, expected: list[int], capsys: pytest.CaptureFixture[str]) -> None:
        assert [load["number"] for load in run_command(capsys, "loads", *words.split(), "--json").json] == expected

    def test_none_match(self, several: None, capsys: pytest.CaptureFixture[str]) -> None:
        assert run_command(capsys, "loads", "--state", "lost").text.endswith(" matches.\n")

    @pytest.mark.parametrize(
        "words", ["--state final", "--since yesterday", "--before 2026-13-01", "--since -1d", "--since ''"]
    )
    def test_wrong_usage(self, home: Path, words: str, capsys: pytest.CaptureFixture[str]) -> None:
        assert run_command(capsys, "loads", *words.split()).status == 2

    def test_one_that_is_worth_a_retry(self, several: None, capsys: pytest.CaptureFixture[str]) -> None:
        line = lines(run_command(capsys, "loads", "--dag", "nightly_two"))[1]
        assert line.startswith("3     failed, retry helps  ")
        assert "  1 row: 1 failed  " in line
        (load,) = run_command(capsys, "loads", "--dag", "nightly_two", "--json").json
        assert (load["state"], load["failed"]) == ("retryable", True)


class TestShow:
    @pytest.mark.parametrize("name", ["1", LOAD_ID])
    def test_facts_message_and_reasons(self, loaded: Any, name: str, capsys: pytest.CaptureFixture[str]) -> None:
        text = run_command(capsys, "loads", "show", name).text
        assert f"load id            {LOAD_ID}" in text
        assert "state              failed\n" in text
        assert "3 of 8 rows failed" in text
        assert "2 rows rejected (400): Contact with id <id> not found\n" in text
        assert "1 row invalid: column 'contact_id' is empty\n" in text
        assert all(f"Contact with id {contact} not found" in text for contact in ABSENT)
        assert "R6" in text

    def test_look_ups(self, loaded: Any, ghl: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
        assert "look-ups" not in run_command(capsys, "loads", "show", "1").text
        keys = [f"{name}@example.org" for name in ("ann", "two", "three")]
        for key in (*keys, *keys[1:]):
            ghl.add("contact", email=key)
        rows = [{"id": key[:3], "contact_id": key, "event_id": loaded[0]["event_id"]} for key in keys]
        relate(rows, "keys", lookups=(Contact(by="email"), None))
        shown = run_command(capsys, "loads", "show", "keys").text
        assert "look-ups           3 keys with 1 request\n" in shown
        assert "2 rows unresolved: column 'contact_id': … contacts have it\n" in shown
        assert "row  row key  first record  second record" in shown
        assert "@" not in shown
        load = run_command(capsys, "loads", "show", "keys", "--json").json
        assert (load["counts"]["looked_up"], load["counts"]["lookup_requests"]) == (3, 1)
        (failure,) = load["failures"]
        assert (failure["outcome"], failure["rows"]) == ("unresolved", 2)

    def test_first_rows_of_each_reason(self, loaded: Any, capsys: pytest.CaptureFixture[str]) -> None:
        failures = run_command(capsys, "loads", "show", "1", "--rows", "1", "--json").json["failures"]
        assert [(one["outcome"], one["status_code"], one["rows"]) for one in failures] == [
            ("rejected", 400, 2),
            ("invalid", None, 1),
        ]
        assert [[row["row_key"] for row in one["first_rows"]] for one in failures] == [["R6"], ["R4"]]

    def test_options_hold_before_and_after_the_name(self, loaded: Any, capsys: pytest.CaptureFixture[str]) -> None:
        assert (
            run_command(capsys, "loads", "--json", "show", "1").json == run_command(capsys, "loads", "show", "1", "--json").json
        )

    @pytest.mark.parametrize("command", [["show", "7"], ["export", "7", "x.csv"]])
    def test_no_such_load(self, loaded: Any, command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
        result = run_command(capsys, "loads", *command)
        assert (result.status, result.out) == (1, "")
        assert "has no load '7'" in result.err
        assert "Traceback" not in result.err

    def test_no_ledger(self, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
        result = run_command(capsys, "loads", "show", "1", "--json")
        assert (result.status, result.out) == (1, "")
        assert "there is no ledger at" in result.err


class TestExport:
    def test_csv(self, loaded: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        path = tmp_path / "out.csv"
        assert f"Wrote 7 results of 8 rows to {path}" in run_command(capsys, "loads", "export", "1", str(path)).text
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert tuple(rows[0]) == RESULT_FIELDS
        assert [row["row"] for row in rows] == ["0", "1", "2", "3", "4", "6", "7"]
        assert (rows[0]["row_key"], rows[0]["outcome"], rows[0]["status_code"]) == ("R0", Outcome.CREATED, "201")

    def test_json_lines(self, loaded: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        path = tmp_path / "out.jsonl"
        result = run_command(capsys, "loads", "export", LOAD_ID, str(path), "--json").json
        assert result == {"load_id": LOAD_ID, "number": 1, "results": 7, "file": str(path)}
        assert [json.loads(line)["row_key"] for line in path.read_text().splitlines()] == [
            f"R{at}" for at in (0, 1, 2, 3, 4, 6, 7)
        ]

    def test_parquet(self, loaded: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        path = tmp_path / "out.parquet"
        assert run_command(capsys, "loads", "export", "1", str(path)).status == 0
        read = pyarrow.parquet.read_table(path)
        assert (read.num_rows, tuple(read.column_names)) == (7, RESULT_FIELDS)

    def test_whole_numbers_stay_what_they_are(self, loaded: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        relate([{**row, "id": None if at else 2**60 + 1} for at, row in enumerate(loaded[4:])], "numbers")
        path = tmp_path / "out.csv"
        run_command(capsys, "loads", "export", "2", str(path))
        with path.open(newline="") as file:
            assert [row["row_key"] for row in csv.DictReader(file)] == [str(2**60 + 1), "", ""]

    @pytest.mark.parametrize(
        ("name", "message"),
        [("out.txt", "must be named .csv, .jsonl, .parquet"), ("home/ghl_ledger.db/out.csv", "cannot be made")],
    )
    def test_what_cannot_be_written(
        self, loaded: Any, tmp_path: Path, name: str, message: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        result = run_command(capsys, "loads", "export", "1", str(tmp_path / name))
        assert (result.status, result.out) == (1, "")
        assert message in result.err
        assert [path.name for path in tmp_path.iterdir()] == ["home"]


class TestText:
    def test_columns_are_as_wide_as_what_is_in_them(self) -> None:
        long = "x" * 300
        assert table(("a", "n"), [(long, 1), ("b", 12_000)]) == [
            f"a{' ' * 301}     n",
            f"{long}       1",
            f"b{' ' * 299}  12,000",
        ]

    def test_nothing_moves_the_cursor(self) -> None:
        assert escape("a\x1b[2J\nb\udc80") == "a\\x1b[2J\\nb\\udc80"

    @pytest.mark.parametrize(
        ("seconds", "text"),
        [
            (0, "less than 1 s"),
            (0.99, "less than 1 s"),
            (1, "1 s"),
            (59.6, "1 min"),
            (200, "3 min 20 s"),
            (3600, "1 h"),
            (99_960, "27 h 46 min"),
            (259_170, "3 days"),
            (360_000, "4 days 4 h"),
        ],
    )
    def test_time_spans(self, seconds: float, text: str) -> None:
        assert time_span(seconds) == text

    def test_plurals(self) -> None:
        assert [counted(number, "row") for number in (0, 1, 2, 1_000)] == ["0 rows", "1 row", "2 rows", "1,000 rows"]
        assert [counted(number, "reply", "replies") for number in (0, 1)] == ["0 replies", "1 reply"]

    def test_moments(self) -> None:
        assert (moment(0.0), moment(None)) == ("1970-01-01 00:00:00 UTC", "-")
        assert (iso(0.0), iso(None)) == ("1970-01-01T00:00:00.000+00:00", None)

    def test_what_the_terminal_cannot_show(self, loaded: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        import io
        import sys

        from airflow_provider_ghl.cli import main

        stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
        monkeypatch.setattr(sys, "stdout", stream)
        assert main(["loads", "show", "1"]) == 0
        stream.seek(0)
        assert "2 \\xd7 rejected" in stream.read()
