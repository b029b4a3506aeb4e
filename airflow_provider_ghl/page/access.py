"""Who may see what. Airflow decides: who is logged in, and which DAGs they may read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlencode

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import Depends, Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

__all__ = ["Viewer", "ViewerDep", "not_logged_in", "viewer"]


@dataclass(frozen=True, slots=True)
class Viewer:
    """Somebody who is logged in.

    :param dag_ids: the DAGs that they may read.
    """

    dag_ids: frozenset[str]

    def may_read(self, dag_id: str) -> bool:
        """Whether they may see loads of this DAG. Nobody may where Airflow does not know it."""
        return dag_id in self.dag_ids


def viewer(user: GetUserDep) -> Viewer:
    """Who asks: by the bearer token, else by the cookie of Airflow's UI.

    :raises HTTPException: 401 or 403, by Airflow: nobody, or with a token that is expired or forged.
    """
    return Viewer(frozenset(get_auth_manager().get_authorized_dag_ids(user=user, method="GET")))


ViewerDep = Annotated[Viewer, Depends(viewer)]


def not_logged_in(request: Request) -> Response:
    """To Airflow's login, and from there back, where a browser opened the page; else 401."""
    if request.method == "GET" and "text/html" in request.headers.get("accept", ""):
        here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        # The root path of Airflow itself, which has mounted this app.
        root = request.scope.get("app_root_path", "").rstrip("/")
        return RedirectResponse(f"{root}/api/v2/auth/login?{urlencode({'next': here})}", status_code=303)
    return PlainTextResponse("Not logged in\n", status_code=401, headers={"WWW-Authenticate": "Bearer"})
