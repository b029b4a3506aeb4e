"""Keys that are drawn anew for each run, and where they might turn up."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

from airflow.models.renderedtifields import RenderedTaskInstanceFields
from airflow.models.serialized_dag import SerializedDagModel
from airflow.models.xcom import XComModel
from airflow.utils.session import create_session
from sqlalchemy import select

__all__ = ["Canary", "files_with", "found_in", "kept"]


class Canary:
    """One person's keys. None of them stands in a file, so that whoever finds one has found a leak.

    :param flock: what the keys of several have in common.
    """

    def __init__(self, flock: str = "") -> None:
        self.bird = f"bird{flock}{secrets.token_hex(6)}"
        self.email = f"Ada.{self.bird}@Example.org"
        self._number = f"151{secrets.randbelow(10**8):08d}"  # fewer digits stand in some file by chance
        self.phone = f"+49 151 {self._number[3:]}"
        self.policy = f"No. {self.bird}/ü"
        self.name = f'"{self.bird}" & Söhne'

    @property
    def texts(self) -> list[str]:
        """What is to be found nowhere: the keys are whole in none of them, so that parts of a key are found too."""
        return [self.bird, self.phone, self._number]


def _forms(text: str) -> set[str]:
    escaped = json.dumps(text)[1:-1]
    return {one.casefold() for one in (text, quote(text), quote(text, safe=""), quote_plus(text), escaped)}


def found_in(text: str, secret_texts: Iterable[str]) -> list[str]:
    """Which of them stand in the text, in any case and in any of the forms that a text takes in files."""
    folded = text.casefold()
    return [secret for secret in secret_texts if any(form in folded for form in _forms(secret))]


def files_with(*secret_texts: str, home: Path | None = None) -> list[str]:
    """Files of an Airflow's home that hold one of them: its database, logs, ledger. By default of this Airflow's."""
    files = [file for file in (home or Path(os.environ["AIRFLOW_HOME"])).rglob("*") if file.is_file()]
    assert any(file.name == "airflow.db" for file in files)
    return [str(file) for file in files if found_in(file.read_bytes().decode(errors="replace"), secret_texts)]


def kept(dag_id: str) -> str:
    """What Airflow's database has of a DAG: itself, rendered fields, XComs."""
    tables: tuple[Any, ...] = (SerializedDagModel, RenderedTaskInstanceFields, XComModel)
    with create_session() as session:
        dags, fields, xcoms = (session.scalars(select(table).where(table.dag_id == dag_id)).all() for table in tables)
        assert dags
        return repr([[each.data for each in dags], [each.rendered_fields for each in fields], [each.value for each in xcoms]])
