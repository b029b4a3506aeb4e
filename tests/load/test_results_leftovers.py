"""The next results file removes what a killed process left behind, and no file of anyone else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_provider_ghl.load.results.file import ResultsFile, local_results_file
from airflow_provider_ghl.relations.fields import RESULT_FIELDS

STARTS_ONE = """
import sys
from airflow_provider_ghl.load.results.file import local_results_file
from airflow_provider_ghl.relations.fields import RESULT_FIELDS
results = local_results_file(sys.argv[1], RESULT_FIELDS)
print("started", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def other(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that is writing ``out.csv``."""
    command = [sys.executable, "-c", STARTS_ONE, str(tmp_path / "out.csv")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"started\n"
        try:
            yield process
        finally:
            process.kill()


def parts(folder: Path) -> list[Path]:
    return sorted(folder.glob(".*.part"))


def make_older(path: Path, hours: float) -> None:
    moment = path.stat().st_mtime - hours * 3600
    os.utime(path, (moment, moment))


def test_what_a_killed_process_left_is_removed(tmp_path: Path, other: subprocess.Popen[bytes]) -> None:
    (left,) = parts(tmp_path)
    other.send_signal(signal.SIGKILL)
    other.wait()
    for name in ("other.csv", "out.jsonl", "ut.csv"):
        local_results_file(tmp_path / name, RESULT_FIELDS).discard()
        assert left.exists()
    with local_results_file(tmp_path / "out.csv", RESULT_FIELDS):
        assert not left.exists()
        assert len(parts(tmp_path)) == 1
    assert parts(tmp_path) == []
    assert (tmp_path / "out.csv").exists()


@pytest.mark.parametrize("hours", [0, 1000])
def test_the_file_of_a_live_process_is_not_touched(tmp_path: Path, other: subprocess.Popen[bytes], hours: int) -> None:
    (live,) = parts(tmp_path)
    make_older(live, hours)
    mine = local_results_file(tmp_path / "out.csv", RESULT_FIELDS)
    with local_results_file(tmp_path / "out.csv", RESULT_FIELDS):
        assert live in parts(tmp_path)
        assert len(parts(tmp_path)) == 3
    mine.commit()
    assert parts(tmp_path) == [live]
    assert other.poll() is None


def test_a_file_of_another_host_is_left_for_a_day(tmp_path: Path) -> None:
    young, old = tmp_path / ".out.csv.00000000-7-0000000a.part", tmp_path / ".out.csv.00000000-7-0000000b.part"
    for path, hours in ((young, 23), (old, 25)):
        path.touch()
        make_older(path, hours)
    with local_results_file(tmp_path / "out.csv", RESULT_FIELDS):
        assert young.exists()
        assert not old.exists()


@pytest.mark.parametrize("name", [".out.csv.part", ".out.csv.12-abcdef01.part", "out.csv.00000000-1-00000000.part", "out.csv"])
def test_files_with_similar_names_are_not_touched(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    make_older(tmp_path / name, 1000)
    local_results_file(tmp_path / "out.csv", RESULT_FIELDS).discard()
    assert (tmp_path / name).exists()


def test_results_whose_file_was_taken_away_are_not_published_in_silence(tmp_path: Path) -> None:
    results = local_results_file(tmp_path / "out.csv", RESULT_FIELDS)
    parts(tmp_path)[0].unlink()
    with pytest.raises(FileNotFoundError):
        results.commit()
    assert not (tmp_path / "out.csv").exists()


def test_what_was_discarded_is_not_published() -> None:
    published: list[Path] = []
    results = ResultsFile("out.csv", RESULT_FIELDS, published.append)
    results.discard()
    results.commit()
    assert published == []
