"""What holds for the package as a whole: who imports whom, what is public, what the README says of its parts."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "airflow_provider_ghl"
FILES = sorted(PACKAGE.rglob("*.py"))
#: May import Airflow; reading them here would make the tests of the core need it.
AIRFLOWS = ("cli.py", "commands", "hooks", "operators")
CORE = [file for file in FILES if file.relative_to(PACKAGE).parts[0] not in AIRFLOWS and file.name != "__main__.py"]
LAYERS = {
    "api": {"exceptions", "api"},
    "load": {"exceptions", "api", "load", "relations"},
    "relations": {"exceptions", "api", "load", "relations"},
    "sandbox": {"exceptions", "sandbox"},
}


def module_of(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def shown(file: Path) -> str:
    return str(file.relative_to(PACKAGE))


def loaded_by(code: str, *names: str) -> set[str]:
    """Which of these modules a new interpreter has loaded after running the code."""
    asked = f"{code}\nimport sys\nprint(*[name for name in {names!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True, cwd=ROOT)
    return set(done.stdout.split())


@pytest.mark.parametrize("file", [file for file in CORE if file.name != "fixture.py"], ids=shown)
def test_the_core_loads_no_airflow_by_name(file: Path) -> None:
    """Relative imports escape the linter; nothing does that here: the tree is read."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            assert (node.module or "").split(".")[0] != "airflow"
        elif isinstance(node, ast.Import):
            assert "airflow" not in {alias.name.split(".")[0] for alias in node.names}


def test_the_core_loads_no_airflow() -> None:
    modules = [module_of(file) for file in CORE if file.name != "fixture.py"]
    code = "\n".join(f"import {module}" for module in modules)
    assert loaded_by(code, "airflow", "airflow.sdk", "pandas") == {"pandas"}


def test_the_sandbox_needs_the_standard_library_only() -> None:
    assert loaded_by("import airflow_provider_ghl.sandbox", "requests", "pandas", "numpy", "airflow", "pytest") == set()


@pytest.mark.parametrize("module", ["operators.relations", "operators.associations", "hooks.ghl"])
def test_a_dag_file_loads_neither_pandas_nor_requests(module: str, tmp_path: Path) -> None:
    names = ("pandas", "numpy", "pyarrow", "requests", "airflow_provider_ghl.api.client")
    code = f"import os\nos.environ['AIRFLOW_HOME'] = {str(tmp_path)!r}\nimport airflow_provider_ghl.{module}"
    assert loaded_by(code, "airflow.sdk", *names) == {"airflow.sdk"}


@pytest.mark.parametrize("file", [file for file in FILES if file.relative_to(PACKAGE).parts[0] in LAYERS], ids=shown)
def test_nothing_points_back(file: Path) -> None:
    allowed = LAYERS[file.relative_to(PACKAGE).parts[0]]
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("airflow_provider_ghl."):
            assert node.module is not None
            assert node.module.split(".")[1] in allowed, f"line {node.lineno} imports {node.module}"


@pytest.mark.parametrize("file", [file for file in FILES if file.name != "__main__.py"], ids=shown)
def test_all_is_what_is_public(file: Path) -> None:
    """Read from the source, so that Airflow's side needs no Airflow here."""
    tree = ast.parse(file.read_text())
    defined = {n.name for n in tree.body if isinstance(n, ast.FunctionDef | ast.ClassDef)}
    listed = [
        ast.literal_eval(n.value) for n in tree.body if isinstance(n, ast.Assign) and ast.unparse(n.targets[0]) == "__all__"
    ]
    if file.name == "__init__.py" and not listed:
        assert not defined
        return
    (names,) = listed
    assert names == sorted(names, key=lambda name: (not name.isupper(), name[0].islower(), name)), "not sorted as ruff sorts it"
    constants = {
        target.id
        for n in tree.body
        if isinstance(n, ast.Assign | ast.AnnAssign)
        for target in (n.targets if isinstance(n, ast.Assign) else [n.target])
        if isinstance(target, ast.Name)
    }
    imported = {alias.asname or alias.name for n in tree.body if isinstance(n, ast.ImportFrom) for alias in n.names}
    assert {name for name in defined if not name.startswith("_")} - set(names) == set(), "public and not in __all__"
    assert set(names) <= defined | constants | imported


def test_the_architecture_page_names_every_module() -> None:
    section = (ROOT / "docs" / "architecture.md").read_text()
    cells = [line.split("|")[1] for line in section.splitlines() if line.startswith("|")]
    named = set(re.findall(r"`([\w/]+\.py|[\w/]+/)`", " ".join(cells)))
    there = {shown(file) for file in FILES if file.name != "__init__.py"}
    assert {name for name in named if name.endswith(".py")} == there, "the table and the package differ"


@pytest.mark.parametrize("file", FILES, ids=shown)
def test_no_file_is_long(file: Path) -> None:
    assert len(file.read_text().splitlines()) <= 300


def test_the_version_stands_in_one_place() -> None:
    package = importlib.import_module("airflow_provider_ghl")
    version = re.escape(package.__version__)
    assert inspect.getsource(package).count(package.__version__) == 1
    others = [file for file in [*FILES, ROOT / "pyproject.toml"] if file != PACKAGE / "__init__.py"]
    quoted = re.compile(rf"""["']{version}["']""")
    assert [shown(file) for file in others if file.is_relative_to(PACKAGE) and quoted.search(file.read_text())] == []
    assert not re.search(rf"^version\s*=\s*.{version}", (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
