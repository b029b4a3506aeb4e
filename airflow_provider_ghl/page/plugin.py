"""The plugin: what Airflow is told of the page. Every Airflow process imports it, so that it loads nothing heavy."""

from __future__ import annotations

import logging
from functools import cached_property
from typing import Any

from airflow.sdk.plugins_manager import AirflowPlugin

__all__ = ["GHLPlugin"]

log = logging.getLogger(__name__)

_PREFIX = "/ghl"
#: Without a slash at the beginning: Airflow's UI resolves it against its own base path.
_ICONS = {"icon": "ghl/static/icon.svg", "icon_dark_mode": "ghl/static/icon-dark.svg"}
_TASK = "ghl/task?dag_id={DAG_ID}&run_id={RUN_ID}&task_id={TASK_ID}&map_index={MAP_INDEX}"


class GHLPlugin(AirflowPlugin):
    """The page on loads: an app under ``/ghl``, an entry in the menu Browse, a tab of each task instance."""

    name = "ghl"
    external_views = [  # noqa: RUF012 - the base class has it as a class's list
        {
            "name": "HighLevel loads",
            "href": "ghl/loads",
            "destination": "nav",
            "category": "browse",
            "url_route": "ghl",
            **_ICONS,
        },
        {"name": "HighLevel load", "href": _TASK, "destination": "task_instance", "url_route": "ghl-load", **_ICONS},
    ]

    @cached_property
    def fastapi_apps(self) -> list[dict[str, Any]]:  # type: ignore[override]
        """The app, made when it is first asked for: by the API server at its start, and by ``airflow plugins``."""
        return [{"name": "HighLevel loads", "url_prefix": _PREFIX, "app": _app()}]


def _app() -> Any:
    """The app; where it cannot be made, one that says so. Nothing of this may keep the API server from starting."""
    try:
        from airflow_provider_ghl.page.app import make_app

        return make_app()
    except Exception as error:  # noqa: BLE001 - an Airflow to come may have moved anything
        log.error("The page on HighLevel loads is closed, since this Airflow lacks what it needs: %s", _one_line(error))
        from airflow_provider_ghl.page.closed import closed_app

        return closed_app


def _one_line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"
