"""What the manual's snippets talk about: an agency, its sub-accounts, a warehouse, a folder of files."""

from __future__ import annotations

import contextlib
import csv
import gzip
import json
import re
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from agencies import Agency
from airflow.dag_processing.dagbag import DagBag
from connecting import Connect
from dag_runs import Finished, run_dag
from running import TaskInstance

from airflow_provider_ghl.operators.errors import GHLRowsRefused
from airflow_provider_ghl.operators.relations import BulkCreateRelationsOperator
from airflow_provider_ghl.sandbox import Sandbox

__all__ = ["TEACHER", "World", "moved"]

COLUMNS = ("enrolment_id", "location_id", "student_id", "teacher_id", "changed_at")
#: A teacher whom the manual knows by id.
TEACHER = "Hb7mNv3Xc9KdWq5RtZpL"
#: What every snippet that is no file of its own may use: the imports of a DAG's file.
IMPORTS = """\
from datetime import timedelta

from airflow.sdk import DAG, dag, task

from airflow_provider_ghl.hooks.ghl import GHLHook
from airflow_provider_ghl.lookups import Contact, CustomObject
from airflow_provider_ghl.operators.associations import CreateAssociationOperator
from airflow_provider_ghl.operators.locations import ListLocationsOperator
from airflow_provider_ghl.operators.relations import BulkCreateRelationsOperator, DeleteRelationOperator
from airflow_provider_ghl.operators.relations import SyncRelationsOperator
"""


@dataclass
class World:
    """Made anew for each snippet."""

    folder: Path
    sandbox: Sandbox
    agency: Agency
    #: The ids of contacts whose e-mails the manual names, see :meth:`add_people`.
    people: tuple[str, ...] = ()

    @classmethod
    def make(cls, folder: Path, agency: Agency, connect: Connect) -> World:
        """All connections that the manual names, and what is behind them."""
        world = cls(folder, agency.sandbox, agency)
        sandbox = world.sandbox
        sandbox.set_limit(100)  # HighLevel's, which plans speak of
        north, south = agency.installed
        for location_id in (sandbox.location_id, north, south):
            sides = ("contact", "contact", "Student", "Teacher")
            sandbox.state.add_association("student_teacher", *sides, location_id=location_id)
        warehouse = json.dumps({"conn_type": "sqlite", "host": str(folder / "warehouse.db")})
        connect(
            ghl_default=sandbox.connection_json,
            ghl_north=sandbox.connection_json_for(north),
            ghl_south=sandbox.connection_json_for(south),
            warehouse=warehouse,
            aws_default='{"conn_type": "aws"}',
        )
        world.fill(world.rows())
        return world

    def rows(self, number: int = 4) -> list[tuple[str, ...]]:
        """Of both sub-accounts in turn."""
        return [
            (
                f"E{at}",
                self.agency.installed[at % 2],
                f"StudentStudentStu{at:03d}",
                f"TeacherTeacherTea{at % 2:03d}",
                "2099-01-01",
            )
            for at in range(number)
        ]

    def fill(self, rows: list[tuple[str, ...]]) -> None:
        """The warehouse's table, and the same as files."""
        with closing(sqlite3.connect(self.folder / "warehouse.db")) as database, database:
            database.execute("DROP TABLE IF EXISTS enrolments")
            database.execute(f"CREATE TABLE enrolments ({', '.join(COLUMNS)})")
            database.executemany("INSERT INTO enrolments VALUES (?, ?, ?, ?, ?)", rows)
        data = self.folder / "data"
        data.mkdir(exist_ok=True)
        (data / "dags").mkdir(exist_ok=True)
        for name in ("enrolments", "north", "south"):
            with (data / f"{name}.csv").open("w", newline="") as file:
                csv.writer(file).writerows([COLUMNS, *rows])
        with gzip.open(data / "enrolments.csv.gz", "wt", newline="") as packed:
            csv.writer(packed).writerows([COLUMNS, *rows])

    def add_people(self) -> None:
        """For snippets that look e-mails up; and the table's, since a location that has contacts links no others."""
        if self.people:
            return
        names = ("ada", "bob", "teacher.one")
        self.people = tuple(self.sandbox.add("contact", email=f"{name}@example.org") for name in names)
        for record_id in {TEACHER, *(record_id for row in self.rows() for record_id in row[2:4])}:
            self.sandbox.state.add_record("contact", record_id)

    def spoil(self) -> None:
        """A row without a teacher, last."""
        self.fill([*self.rows(), ("E9", self.agency.installed[0], "StudentStudentStu009", "", "2099-01-01")])

    def run(self, text: str, name: str) -> list[Finished]:
        """Every DAG of a file, to its end."""
        path = self.folder / f"{name}.py"
        path.write_text(moved(text, self.folder))
        bag = DagBag(str(path))
        assert bag.import_errors == {}
        assert bag.dags, "the snippet makes no DAG"
        return [run_dag(dag) for dag in bag.dags.values()]

    def run_tasks(self, text: str, name: str) -> Finished:
        """Tasks, in a DAG that is made for them."""
        body = "".join(f"    {line}" if line.strip() else line for line in text.splitlines(keepends=True))
        (finished,) = self.run(f'{IMPORTS}\nwith DAG("{name}", schedule=None, catchup=False):\n{body}', name)
        return finished

    def load_twice(self) -> None:
        """A load that is green, and then one that is red for its last row."""
        for task_id in ("relate", "relate_late_ones"):
            if task_id == "relate":
                self.fill(self.rows())
            else:
                self.spoil()
            self.load(task_id)
        self.fill(self.rows())

    def load_another_table(self, task_id: str) -> None:
        """A load whose table has come to name other pairs."""
        self.fill([("E8", self.agency.installed[0], "StudentStudentStu008", "TeacherTeacherTea000", "2099-01-01")])
        self.load(task_id)
        self.fill(self.rows())

    def load(self, task_id: str, try_number: int = 1) -> None:
        """One attempt of a load of the sub-account."""
        load = BulkCreateRelationsOperator(
            task_id=task_id,
            association_key="student_teacher",
            path=str(self.folder / "data" / "enrolments.csv"),
            first_record_column="student_id",
            second_record_column="teacher_id",
            row_key_column="enrolment_id",
        )
        with contextlib.suppress(GHLRowsRefused):
            load.execute(TaskInstance("nightly", "scheduled__2026-11-21", try_number=try_number).context)


def moved(text: str, folder: Path) -> str:
    """With the test's own places, and the placeholders of the test's own database."""
    text = text.replace("s3://exports/", f"file://{folder}/data/").replace('"/data/', f'"{folder}/data/')
    return re.sub(r"(?<== )%s", "?", re.sub(r"(?<=>= )%s", "?", text))
