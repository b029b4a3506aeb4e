"""Imports inside ``api/`` run one way, those for type checkers included."""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter
from pathlib import Path

from airflow_provider_ghl import api

PREFIX = "airflow_provider_ghl.api."


def imported_by(file: Path) -> set[str]:
    nodes = ast.walk(ast.parse(file.read_text()))
    modules = [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
    return {module.removeprefix(PREFIX) for module in modules if module.startswith(PREFIX)}


def test_no_module_imports_itself_by_way_of_others() -> None:
    files = list(Path(str(api.__file__)).parent.glob("*.py"))
    arrows = {file.stem: imported_by(file) for file in files}
    assert "client" in arrows["oauth"], "the arrows are not seen"
    TopologicalSorter(arrows).prepare()  # raises CycleError, which names the circle
