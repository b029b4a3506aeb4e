"""The wheel: what is in it, and that it works where nothing else of this checkout is."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import airflow_provider_ghl

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "airflow_provider_ghl"


def run(*command: str | Path, cwd: Path, **environment: str) -> str:
    """Its output; a failure shows what it wrote."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW_", "PYTHON"))}
    done = subprocess.run(
        list(map(str, command)), cwd=cwd, env={**kept, **environment}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT, cwd=folder)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The python of an empty environment that has the wheel and nothing else: no index, no dependencies."""
    folder = tmp_path_factory.mktemp("empty") / "venv"
    run(sys.executable, "-m", "venv", folder, cwd=folder.parent)
    python = folder / "bin" / "python"
    run(python, "-m", "pip", "install", "--no-index", "--no-deps", wheel, cwd=folder)
    return python


def test_holds_the_package_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    inside = {name for name in names if ".dist-info/" not in name}
    there = {str(file.relative_to(ROOT)) for file in PACKAGE.rglob("*") if file.is_file() and "__pycache__" not in file.parts}
    assert inside == there
    assert {"airflow_provider_ghl/py.typed", "airflow_provider_ghl/sandbox/sandbox.py"} <= inside
    page = {"templates/base.html", "templates/load.html", "static/page.css", "static/page.js", "static/icon.svg"}
    assert {f"airflow_provider_ghl/page/{name}" for name in page} <= inside
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)


def test_metadata(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    (info,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
    metadata = Parser().parsestr(archive.read(info).decode())
    assert metadata["Name"] == "airflow-provider-ghl"
    assert metadata["Version"] == airflow_provider_ghl.__version__
    assert metadata["Requires-Python"] == ">=3.11"
    assert "Framework :: Apache Airflow :: Provider" in metadata.get_all("Classifier", [])
    assert metadata.get_all("Provides-Extra") == ["parquet", "postgres"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = [Requirement(text) for text in metadata.get_all("Requires-Dist", [])]
    assert {need for need in needed if need.marker is None} == {Requirement(text) for text in project["dependencies"]}
    assert "# airflow-provider-ghl" in str(metadata.get_payload())


def test_the_entry_point_works_without_any_dependency(installed: Path, tmp_path: Path) -> None:
    """Airflow reads it at every start: it must import nothing but itself."""
    code = (
        "from importlib.metadata import entry_points, version\n"
        "(found,) = entry_points(group='apache_airflow_provider')\n"
        "info = found.load()()\n"
        "print(info['package-name'], version('airflow-provider-ghl'), found.dist.name)"
    )
    told = run(installed, "-c", code, cwd=tmp_path).split()
    assert told == ["airflow-provider-ghl", airflow_provider_ghl.__version__, "airflow-provider-ghl"]


def test_the_sandbox_works_without_any_dependency(installed: Path, tmp_path: Path) -> None:
    code = (
        "import urllib.request\n"
        "from airflow_provider_ghl.sandbox import Sandbox\n"
        "with Sandbox() as sandbox:\n"
        "    print(urllib.request.urlopen(sandbox.url + '/sandbox/stats').status)"
    )
    assert run(installed, "-c", code, cwd=tmp_path, no_proxy="*").split() == ["200"]


def test_the_command_works_without_any_dependency(installed: Path, tmp_path: Path) -> None:
    assert run(installed, "-m", "airflow_provider_ghl", "--version", cwd=tmp_path).strip() == airflow_provider_ghl.__version__
    assert "sandbox" in run(installed, "-m", "airflow_provider_ghl", "--help", cwd=tmp_path)


def test_from_the_wheel_airflow_loads_it(installed: Path, tmp_path: Path) -> None:
    """The wheel's modules with this environment's Airflow, and not the checkout's."""
    (site,) = installed.parents[1].glob("lib/python*/site-packages")
    code = (
        "import airflow_provider_ghl\n"
        "from airflow_provider_ghl.operators.relations import BulkCreateRelationsOperator\n"
        "from airflow_provider_ghl.hooks.ghl import GHLHook\n"
        "from airflow.providers_manager import ProvidersManager\n"
        "print(airflow_provider_ghl.__file__)\n"
        "print(ProvidersManager().providers['airflow-provider-ghl'].version)"
    )
    told = run(sys.executable, "-c", code, cwd=tmp_path, PYTHONPATH=str(site), AIRFLOW_HOME=str(tmp_path)).split()
    assert Path(told[0]).is_relative_to(site)
    assert told[1] == airflow_provider_ghl.__version__


def test_from_the_wheel_the_page_has_what_it_shows(installed: Path, tmp_path: Path) -> None:
    """The plugin by its entry point, and the page's templates and style."""
    (site,) = installed.parents[1].glob("lib/python*/site-packages")
    code = (
        "from importlib.metadata import entry_points\n"
        "(plugin,) = [one.load() for one in entry_points(group='airflow.plugins') if one.name == 'ghl']\n"
        "from airflow_provider_ghl.page.access import Viewer, viewer\n"
        "from starlette.testclient import TestClient\n"
        "app = plugin().fastapi_apps[0]['app']\n"
        "app.dependency_overrides[viewer] = lambda: Viewer(frozenset())\n"
        "client = TestClient(app)\n"
        "print(client.get('/loads').status_code, client.get('/static/page.css').status_code)"
    )
    told = run(sys.executable, "-c", code, cwd=tmp_path, PYTHONPATH=str(site), AIRFLOW_HOME=str(tmp_path))
    assert told.split()[-2:] == ["200", "200"]
