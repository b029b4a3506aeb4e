"""What holds for the package as a whole: who imports whom, what is public, what the docs say of its parts."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "airflow_provider_ghl"
NAME = PACKAGE.name
FILES = sorted(PACKAGE.rglob("*.py"))

#: The whole picture: what each part of the package may import, itself aside. A part is a file or a folder.
MAY_IMPORT: dict[str, set[str]] = {
    "exceptions": set(),
    "api": {"exceptions", "version"},
    # Inside a load: loader → send → plan → source; all → results, ledger, spec, columns.
    "load/columns": set(),
    "load/sorted_runs": {"load/columns"},
    "load/keys_kept": {"exceptions"},
    "load/quota_wait": set(),
    "load/tolerance": {"exceptions"},
    "load/outcome": set(),
    "load/reasons": {"load/outcome"},
    "load/ledger": {
        *("exceptions", "api", "load/columns", "load/keys_kept", "load/outcome", "load/reasons", "load/sorted_runs"),
    },
    "load/results": {
        *("exceptions", "api", "load/columns", "load/quota_wait", "load/tolerance", "load/ledger", "load/outcome"),
        "load/reasons",
    },
    "load/kind": {"exceptions", "api", "load/columns", "load/ledger", "load/results"},
    "load/spec": {"exceptions", "load/keys_kept", "load/kind", "load/quota_wait", "load/tolerance"},
    "load/source": {"exceptions", "load/columns"},
    "load/keys": {"api", "load/columns", "load/kind", "load/ledger", "load/sorted_runs"},
    "load/plan": {
        *("exceptions", "api", "load/columns", "load/kind", "load/ledger", "load/results", "load/sorted_runs", "load/spec"),
    },
    "load/send": {
        *("exceptions", "api", "load/columns", "load/kind", "load/ledger", "load/results", "load/spec"),
        *("load/keys", "load/plan", "load/reasons"),
    },
    "load/remover": {"exceptions", "api", "load/kind", "load/results", "load/send"},
    "load/mirror": {
        *("exceptions", "api", "load/columns", "load/kind", "load/ledger", "load/plan", "load/remover", "load/results"),
        *("load/send", "load/spec"),
    },
    "load/ports": {"api", "load/columns", "load/ledger", "load/results", "load/send"},
    "load/loader": {
        *("load/noted", "load/summary"),
        *("exceptions", "api", "load/columns", "load/ledger", "load/mirror", "load/quota_wait", "load/plan", "load/ports"),
        *("load/results", "load/send", "load/spec"),
    },
    "load/noted": {"exceptions", "api", "load/ledger", "load/results", "load/send", "load/spec"},
    "load/summary": {"api", "load/mirror", "load/results", "load/send", "load/spec"},
    "load/review": {"exceptions", "load/ledger", "load/loader", "load/mirror", "load/ports", "load/results", "load/spec"},
    "relations": {
        *("exceptions", "api", "load/columns", "load/kind", "load/ledger", "load/results"),
        *("load/plan", "load/reasons", "load/remover", "load/send", "load/sorted_runs", "load/source", "lookups"),
    },
    "lookups": {"exceptions", "api"},
    "hooks": {
        *("exceptions", "api", "lookups", "relations", "load/columns", "load/ledger", "load/results", "load/source"),
    },
    "assets": set(),
    "operators": {
        *(
            "assets",
            "exceptions",
            "hooks",
            "api",
            "lookups",
            "relations",
            "load/columns",
            "load/kind",
            "load/ledger",
            "load/loader",
        ),
        *(
            "load/keys_kept",
            "load/quota_wait",
            "load/ports",
            "load/results",
            "load/review",
            "load/source",
            "load/spec",
            "load/tolerance",
        ),
    },
    "commands": {
        *("exceptions", "hooks", "api", "lookups", "relations", "load/columns", "load/ledger", "load/loader"),
        *("load/plan", "load/ports", "load/reasons", "load/results", "load/source", "load/spec"),
    },
    "page": {"exceptions", "hooks", "load/ledger", "load/results"},
    "cli": {"version", "commands"},
    "get_provider_info": set(),
    "sandbox": set(),
    "__main__": {"cli"},
    "version": set(),
}
#: Parts that may import Airflow.
AIRFLOWS = {"assets", "cli", "hooks", "operators", "page"}
STANDS_ALONE = {"fixture.py": "pytest", "__main__.py": "a command line"}
CORE = [
    file
    for file in FILES
    if file.relative_to(PACKAGE).parts[0] in {"api", "exceptions.py", "load", "lookups", "relations", "sandbox"}
]


def module_name(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def shown(file: Path) -> str:
    return str(file.relative_to(PACKAGE))


def part_of(module: str) -> str:
    """The part of the picture that a module is of, such as ``load/send``."""
    names = module.split(".")[1:]
    if not names:
        return "version"
    for depth in (2, 1):
        if (part := "/".join(names[:depth])) in MAY_IMPORT:
            return part
    return "/".join(names)


@cache
def imports(file: Path) -> list[tuple[int, str]]:
    """The modules that a file imports, wherever it does so, each with its line. Imports for types count as well."""
    found = []
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{shown(file)}, line {node.lineno}: imports are absolute"
            found += [(node.lineno, name) for name in _modules(node)]
        elif isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
    return found


def _modules(node: ast.ImportFrom) -> Iterator[str]:
    """``from package import name`` may import a module of the package, or something in it."""
    base = node.module or ""
    modules = {module_name(file) for file in FILES}
    for alias in node.names:
        yield f"{base}.{alias.name}" if f"{base}.{alias.name}" in modules else base


def own_imports(file: Path) -> list[tuple[int, str]]:
    return [(line, module) for line, module in imports(file) if module.split(".")[0] == NAME]


def loaded_by(code: str, *names: str) -> set[str]:
    """Which of these modules a new interpreter has loaded after running the code."""
    asked = f"{code}\nimport sys\nprint(*[name for name in {names!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True, cwd=ROOT)
    return set(done.stdout.split())


def test_every_part_imports_what_it_may() -> None:
    wrong = []
    for file in FILES:
        part = part_of(module_name(file))
        if file.name == "__init__.py" and not own_imports(file):
            continue
        for line, module in own_imports(file):
            if part_of(module) not in {part, *MAY_IMPORT[part]}:
                wrong.append(f"{shown(file)}:{line} imports {module}: {part} may not import {part_of(module)}")
    assert wrong == []


def test_the_picture_holds_no_arrow_that_is_not_there() -> None:
    there: dict[str, set[str]] = {}
    for file in FILES:
        there.setdefault(part_of(module_name(file)), set()).update(part_of(module) for _, module in own_imports(file))
    unused = {f"{part} → {other}" for part, others in MAY_IMPORT.items() for other in others - there.get(part, set())}
    assert unused == set()


def test_the_parts_are_in_no_circle() -> None:
    assert_no_circle(MAY_IMPORT)


def test_the_files_are_in_no_circle() -> None:
    assert_no_circle({module_name(file): {module for _, module in own_imports(file)} for file in FILES})


def assert_no_circle(graph: dict[str, set[str]]) -> None:
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"a circle of imports: {' → '.join(error.args[1])}")


def test_only_airflows_side_imports_airflow() -> None:
    """Relative imports escape the linter; nothing does that here: the tree is read."""
    wrong = [
        f"{shown(file)}:{line}"
        for file in FILES
        for line, module in imports(file)
        if module.split(".")[0] == "airflow" and part_of(module_name(file)) not in AIRFLOWS
    ]
    assert wrong == []


def test_the_core_loads_no_airflow() -> None:
    code = "\n".join(f"import {module_name(file)}" for file in CORE if file.name not in STANDS_ALONE)
    assert loaded_by(code, "airflow", "airflow.sdk", "pandas") == {"pandas"}


def test_the_sandbox_needs_the_standard_library_only() -> None:
    assert loaded_by("import airflow_provider_ghl.sandbox", "requests", "pandas", "numpy", "airflow", "pytest") == set()


@pytest.mark.parametrize("module", ["operators.relations", "operators.associations", "hooks.ghl"])
def test_a_dag_file_loads_neither_pandas_nor_requests(module: str, tmp_path: Path) -> None:
    names = ("pandas", "numpy", "pyarrow", "requests", "airflow_provider_ghl.api.client")
    code = f"import os\nos.environ['AIRFLOW_HOME'] = {str(tmp_path)!r}\nimport airflow_provider_ghl.{module}"
    assert loaded_by(code, "airflow.sdk", *names) == {"airflow.sdk"}


def test_look_ups_as_values_load_nothing_heavy() -> None:
    code = "from airflow_provider_ghl.lookups import Business, Contact, CustomObject, Opportunity"
    assert loaded_by(code, "requests", "pandas", "numpy", "phonenumbers", "airflow", f"{NAME}.api.calls") == set()


def test_all_is_what_is_public() -> None:
    """Read from the source, so that Airflow's side needs no Airflow here."""
    wrong = [f"{shown(file)}: {fault}" for file in FILES if file.name != "__main__.py" for fault in _faults_of_all(file)]
    assert wrong == []


def _faults_of_all(file: Path) -> Iterator[str]:
    tree = ast.parse(file.read_text())
    defined = {n.name for n in tree.body if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)}
    listed = [
        ast.literal_eval(n.value) for n in tree.body if isinstance(n, ast.Assign) and ast.unparse(n.targets[0]) == "__all__"
    ]
    if not listed:
        if file.name != "__init__.py" or defined:
            yield "it has no __all__"
        return
    (names,) = listed
    if names != sorted(names, key=lambda name: (not name.isupper(), name[0].islower(), name)):
        yield "__all__ is not sorted as ruff sorts it"
    constants = {
        target.id
        for n in tree.body
        if isinstance(n, ast.Assign | ast.AnnAssign)
        for target in (n.targets if isinstance(n, ast.Assign) else [n.target])
        if isinstance(target, ast.Name)
    }
    imported = {alias.asname or alias.name for n in tree.body if isinstance(n, ast.ImportFrom) for alias in n.names}
    if missing := {name for name in defined if not name.startswith("_")} - set(names):
        yield f"public and not in __all__: {', '.join(sorted(missing))}"
    if unknown := set(names) - (defined | constants | imported):
        yield f"in __all__ and not there: {', '.join(sorted(unknown))}"


def test_the_architecture_page_names_every_module() -> None:
    section = (ROOT / "docs" / "architecture.md").read_text()
    cells = [line.split("|")[1] for line in section.splitlines() if line.startswith("|")]
    named = set(re.findall(r"`([\w/]+\.py)`", " ".join(cells)))
    assert named == {shown(file) for file in FILES if file.name != "__init__.py"}


def test_the_version_stands_in_one_place() -> None:
    package = importlib.import_module(NAME)
    version = re.escape(package.__version__)
    assert inspect.getsource(package).count(package.__version__) == 1
    quoted = re.compile(rf"""["']{version}["']""")
    assert [shown(file) for file in FILES if file != PACKAGE / "__init__.py" and quoted.search(file.read_text())] == []
    assert not re.search(rf"^version\s*=\s*.{version}", (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
