"""What Airflow knows of the page."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points

from airflow import plugins_manager
from airflow.api_fastapi.core_api.datamodels.plugins import PluginResponse
from fastapi import FastAPI

from airflow_provider_ghl.page.plugin import GHLPlugin

NAME = "ghl"


def test_airflow_finds_it_once() -> None:
    """By its entry point: a provider's own list of plugins is left out wherever providers are found lazily, the default."""
    (found,) = [point for point in entry_points(group="airflow.plugins") if point.value.startswith("airflow_provider_ghl")]
    assert found.load() is GHLPlugin
    (known,) = [one for one in plugins_manager.get_plugin_info() if one["name"] == NAME]
    assert plugins_manager.get_import_errors() == {}
    told = PluginResponse.model_validate(known)
    assert {view.destination: view.url_route for view in told.external_views} == {"nav": "ghl", "task_instance": "ghl-load"}
    (app,) = told.fastapi_apps
    assert (app.url_prefix, app.app) == ("/ghl", "fastapi.applications.FastAPI")


def test_the_ui_finds_everything_below_its_base_path() -> None:
    """It resolves them against its own base, which an address that begins with a slash would leave."""
    for view in GHLPlugin.external_views:
        for name in ("href", "icon", "icon_dark_mode"):
            assert view[name].startswith("ghl/")
    tab = GHLPlugin.external_views[1]["href"]
    assert all(f"{{{name}}}" in tab for name in ("DAG_ID", "RUN_ID", "TASK_ID", "MAP_INDEX"))


def test_it_is_made_once() -> None:
    plugin = GHLPlugin()
    assert isinstance(plugin.fastapi_apps[0]["app"], FastAPI)
    assert plugin.fastapi_apps is plugin.fastapi_apps


def test_every_process_of_airflow_imports_it_cheaply() -> None:
    """Tasks too. The page itself is loaded where it is served."""
    code = (
        "import airflow.sdk, sys\n"
        "before = set(sys.modules)\n"
        "import airflow_provider_ghl.page.plugin\n"
        "print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {name for name in done.stdout.split() if not name.startswith("airflow_provider_ghl")} <= {
        "airflow.sdk.plugins_manager"
    }


def test_the_page_needs_no_pandas() -> None:
    """The API server has several processes, and each would hold it."""
    code = "import airflow_provider_ghl.page.app, sys; print('pandas' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split()[-1] == "False"
