"""Where the bulk operator reads and writes: kinds of path, and a results file that would replace its source."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG, ObjectStoragePath
from airflow.sdk.io import attach
from airflow.serialization.serialized_objects import DagSerialization
from fsspec.implementations.memory import MemoryFileSystem  # type: ignore[import-untyped]
from running import PAIRS, TaskInstance, fail, run

from airflow_provider_ghl.operators.errors import GHLMisconfigured
from airflow_provider_ghl.operators.relations import BulkCreateRelationsOperator
from airflow_provider_ghl.sandbox import Sandbox

TEXT = "\n".join(["first_record_id,second_record_id", *map(",".join, PAIRS)])
SAME = "results_path names the same file as path: the results would take the place of the rows"


def bulk(**arguments: Any) -> BulkCreateRelationsOperator:
    return BulkCreateRelationsOperator(task_id="load", association_key="attended", **arguments)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "table.csv"
    path.write_text(TEXT)
    return path


@pytest.fixture
def memory() -> Iterator[MemoryFileSystem]:
    storage = MemoryFileSystem()
    attach("memory", fs=storage)
    yield storage
    storage.store.clear()


class TestSameFile:
    @pytest.mark.parametrize("source", ["{0}/table.csv", "file://{0}/table.csv", "{0}/link.csv", "table.csv"])
    @pytest.mark.parametrize(
        "target",
        [
            "{0}/table.csv",
            "file://{0}/table.csv",
            "{0}/link.csv",
            "{0}/folder/../table.csv",
            "{0}/linked/table.csv",
            "table.csv",
        ],
    )
    def test_is_refused(
        self, ghl: Sandbox, attended: str, table: Path, monkeypatch: pytest.MonkeyPatch, source: str, target: str
    ) -> None:
        folder = table.parent
        monkeypatch.chdir(folder)
        (folder / "folder").mkdir()
        (folder / "link.csv").symlink_to(table)
        (folder / "linked").symlink_to(folder)
        operator = bulk(path=source.format(folder), results_path=target.format(folder))
        before = sorted(os.listdir(folder))  # noqa: PTH208 - names are compared
        assert fail(operator, GHLMisconfigured) == SAME
        assert ghl.stats()["requests"] == 0
        assert table.read_text() == TEXT
        assert sorted(os.listdir(folder)) == before  # noqa: PTH208 - names are compared

    def test_in_a_storage(self, ghl: Sandbox, attended: str, memory: MemoryFileSystem) -> None:
        memory.pipe("/bucket/table.csv", TEXT.encode())
        url = "memory://bucket/table.csv"
        assert fail(bulk(path=url, results_path=url), GHLMisconfigured) == SAME
        assert ghl.stats()["requests"] == 0

    def test_other_files_are_fine(self, ghl: Sandbox, attended: str, table: Path, memory: MemoryFileSystem) -> None:
        memory.pipe("/bucket/table.csv", TEXT.encode())
        there = table.parent / "there.csv"
        there.write_text("of the day before")
        for source, target in [
            (str(table), str(there)),
            (str(table), str(table.parent / "new.csv")),
            ("memory://bucket/table.csv", "memory://bucket/new.csv"),
            ("memory://bucket/table.csv", str(there)),
            (str(table), "memory://bucket/table.csv"),
        ]:
            assert run(bulk(path=source, results_path=target))["rows"] == 3
        assert table.read_text() == TEXT


class TestTextFormat:
    def test_separator_and_encoding_say_how_the_file_is_written(self, ghl: Sandbox, attended: str, tmp_path: Path) -> None:
        path = tmp_path / "table.csv"
        path.write_text(f"{TEXT}\nZoë,event-1".replace(",", ";"), encoding="cp1252")
        assert run(bulk(path=path, separator=";", encoding="cp1252"))["created"] == 4
        assert ghl.state.pairs(attended) == {*PAIRS, ("Zoë", "event-1")}

    def test_in_a_storage(self, ghl: Sandbox, attended: str, memory: MemoryFileSystem) -> None:
        memory.pipe("/bucket/table.csv", TEXT.replace(",", "\t").encode("utf-16"))
        assert run(bulk(path="memory://bucket/table.csv", separator="\t", encoding="utf-16"))["created"] == 3

    def test_an_error_says_what_would_be_right(self, ghl: Sandbox, attended: str, tmp_path: Path) -> None:
        path = tmp_path / "table.csv"
        path.write_text(TEXT.replace(",", ";"))
        assert fail(bulk(path=path), GHLMisconfigured).endswith("looks separated by ';': pass separator=';'")
        assert ghl.stats()["requests"] == 0

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"separator": ";"}, "separator is for path= alone: leave it out"),
            ({"encoding": "cp1252"}, "encoding is for path= alone: leave it out"),
            ({"separator": ";", "encoding": "cp1252"}, "separator and encoding are for path= alone: leave them out"),
        ],
    )
    def test_other_sources_have_none(self, ghl: Sandbox, attended: str, arguments: dict[str, str], message: str) -> None:
        assert fail(bulk(rows=PAIRS, **arguments), GHLMisconfigured) == message
        assert fail(bulk(sql="SELECT 1", source_conn_id="warehouse", **arguments), GHLMisconfigured) == message


class TestPaths:
    def test_as_objects(self, ghl: Sandbox, attended: str, table: Path) -> None:
        results = table.parent / "results.csv"
        ti = TaskInstance()
        summary = run(bulk(path=table, results_path=results), ti)
        assert (summary["created"], summary["results_path"]) == (3, str(results))
        assert len(results.read_text().splitlines()) == 4

    def test_as_objects_of_a_storage(self, ghl: Sandbox, attended: str, memory: MemoryFileSystem) -> None:
        memory.pipe("/bucket/table.csv", TEXT.encode())
        target = ObjectStoragePath("memory://bucket/results.csv")
        assert run(bulk(path=ObjectStoragePath("memory://bucket/table.csv"), results_path=target))["created"] == 3
        assert memory.exists("/bucket/results.csv")

    def test_as_templates(self) -> None:
        operator = bulk(path=Path("/in/{{ ds }}.csv"), results_path=Path("/out/{{ ds }}.csv"))
        operator.render_template_fields({"ds": "2031-01-02"})
        assert (operator.path, operator.results_path) == ("/in/2031-01-02.csv", "/out/2031-01-02.csv")

    def test_in_the_serialised_dag_they_are_text(self) -> None:
        with DAG(dag_id="paths", schedule=None) as dag:
            bulk(path=Path("/in/a.csv"), results_path=Path("/out/a.csv"))
        (one,) = DagSerialization.serialize_dag(dag)["tasks"]
        fields = one["__var"]
        assert (fields["path"], fields["results_path"]) == ("/in/a.csv", "/out/a.csv")
