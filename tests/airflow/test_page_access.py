"""Who may see what: Airflow's own tokens, cookies and middleware, and an auth manager that gives each user some DAGs."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import pytest
from airflow.api_fastapi import app as airflow_app
from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
from airflow.api_fastapi.auth.middlewares.refresh_token import JWTRefreshMiddleware
from airflow.models.dag import DagModel
from airflow.models.dagbundle import DagBundleModel
from airflow.utils.session import create_session
from fastapi import FastAPI
from fastapi.routing import APIRoute
from page_fakes import WHERE, FakeLedger, FakeViews, a_load, a_location
from sqlalchemy import delete
from starlette.testclient import TestClient

from airflow_provider_ghl.page import plugin
from airflow_provider_ghl.page.access import viewer
from airflow_provider_ghl.page.app import make_app
from airflow_provider_ghl.page.reader import LedgerReaders, Opened

DAGS_OF = {"ada": {"nightly"}, "bob": {"weekly"}, "eve": set[str](), "admin": {"nightly", "weekly"}}
#: Addresses of every kind, those of the load of ``nightly`` last.
OPEN_TO_ALL = ["/ghl/", "/ghl/loads", "/ghl/locations", "/ghl/static/page.css"]
OF_NIGHTLY = ["/ghl/loads/7", "/ghl/loads/7.csv", f"/ghl/task?dag_id=nightly&run_id={a_load().run_id}&task_id=load_pairs"]


class ByUser(SimpleAuthManager):
    """Airflow's simple one, with DAGs by user."""

    def filter_authorized_dag_ids(self, *, dag_ids: set[str], user: SimpleAuthManagerUser, **_: Any) -> set[str]:
        return dag_ids & DAGS_OF[user.username]


@dataclass
class World:
    """The page in an app as Airflow builds it."""

    app: FastAPI
    ledger: FakeLedger
    page: FastAPI

    def token(self, name: str, seconds: int = 60) -> str:
        """A token as Airflow's login gives it."""
        manager = cast("ByUser", airflow_app.get_auth_manager())
        user = SimpleAuthManagerUser(username=name, role="USER")
        return manager.generate_jwt(user, expiration_time_in_seconds=seconds)

    def client(self, name: str | None, *, by_cookie: bool = True) -> TestClient:
        """A browser in which somebody is logged in; or a program that sends their token."""
        client = TestClient(self.app, follow_redirects=False)
        if by_cookie:
            client.headers["Accept"] = "text/html"
        if name and by_cookie:
            client.cookies.set("_token", self.token(name))
        elif name:
            client.headers["Authorization"] = f"Bearer {self.token(name)}"
        return client


@pytest.fixture
def world(database: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setenv("AIRFLOW__CORE__AUTH_MANAGER", f"{__name__}.ByUser")
    monkeypatch.setenv("AIRFLOW__API_AUTH__JWT_SECRET", "a secret of this test alone " * 3)
    monkeypatch.setattr(airflow_app._AuthManagerState, "instance", None)
    with create_session() as session:
        session.merge(DagBundleModel(name="page"))
        session.flush()
        for dag_id in ("nightly", "weekly"):
            session.merge(DagModel(dag_id=dag_id, bundle_name="page"))  # type: ignore[no-untyped-call]
    views = FakeViews([a_load(7), a_load(8, dag_id="weekly"), a_load(9, dag_id="deleted")], places=[a_location()])
    ledger = FakeLedger(views)
    page = make_app(LedgerReaders(lambda conn_id: Opened(WHERE, "ghl_ledger", ledger)))
    app = FastAPI()
    app.mount("/ghl", page)
    airflow_app.init_auth_manager(app)
    app.add_middleware(JWTRefreshMiddleware)
    yield World(app, ledger, page)
    with create_session() as session:
        session.execute(delete(DagModel).where(DagModel.bundle_name == "page"))
        session.execute(delete(DagBundleModel).where(DagBundleModel.name == "page"))


def test_no_route_is_without_the_question_who_is_there(world: World) -> None:
    """Every route that the app has, those included that a framework adds by itself."""
    routes = [route for route in world.page.routes if isinstance(route, APIRoute)]
    assert len(routes) == len(world.page.routes), "a route of another kind asks nobody"
    assert [route.path for route in routes if viewer not in _asked(route.dependant)] == []
    paths = {route.path for route in routes}
    assert paths == {
        "/",
        "/static/{name}",
        "/loads",
        "/loads/{number}",
        "/loads/{number}.csv",
        "/task",
        "/locations",
        "/ledger",
    }
    anonymous = world.client(None, by_cookie=False)
    for path in paths:
        assert anonymous.get(f"/ghl{path.format(number=7, name='page.css')}").status_code == 401
    for path in ("/docs", "/redoc", "/openapi.json"):
        assert anonymous.get(f"/ghl{path}").status_code == 404
    assert world.ledger.views.asked == [], "nothing was read for nobody"


def _asked(dependant: Any) -> set[Any]:
    return {one.call for one in dependant.dependencies} | {call for one in dependant.dependencies for call in _asked(one)}


def test_a_browser_without_a_login_is_sent_there_and_back(world: World) -> None:
    sent = world.client(None).get("/ghl/loads/7?search=a%26b&outcome=failed")
    assert sent.status_code == 303
    assert sent.headers["location"] == "/api/v2/auth/login?next=%2Fghl%2Floads%2F7%3Fsearch%3Da%2526b%26outcome%3Dfailed"
    program = world.client(None, by_cookie=False).get("/ghl/loads/7")
    assert (program.status_code, program.headers["www-authenticate"]) == (401, "Bearer")
    assert world.ledger.views.asked == []


@pytest.mark.parametrize("by_cookie", [True, False])
def test_by_dag(world: World, *, by_cookie: bool) -> None:
    ada, bob, eve, admin = (world.client(name, by_cookie=by_cookie) for name in ("ada", "bob", "eve", "admin"))
    for path in OPEN_TO_ALL:
        assert {client.get(path).status_code for client in (ada, bob, eve, admin)} <= {200, 303}
    for path in OF_NIGHTLY:
        assert {client.get(path).status_code for client in (ada, admin)} <= {200, 303}
        assert [client.get(path).status_code for client in (bob, eve)] == [404, 404]
    assert [client.get("/ghl/ledger").status_code for client in (ada, bob, eve, admin)] == [200, 200, 404, 200]
    shown = {client: client.get("/ghl/loads").text for client in (ada, bob, eve, admin)}
    assert [("/ghl/loads/7" in text, "/ghl/loads/8" in text) for text in shown.values()] == [
        *((True, False), (False, True), (False, False), (True, True)),
    ]
    assert not any("/ghl/loads/9" in text for text in shown.values())
    assert "nightly" not in shown[bob] + shown[eve]


def test_what_one_may_not_see_is_as_if_it_were_not_there(world: World) -> None:
    """Nor a load whose DAG Airflow does not know, for anybody."""
    bob = world.client("bob")
    forbidden, missing = bob.get("/ghl/loads/7"), bob.get("/ghl/loads/70")
    assert (forbidden.status_code, forbidden.text, dict(forbidden.headers)) == (404, missing.text, dict(missing.headers))
    assert bob.get("/ghl/loads/7.csv").text == bob.get("/ghl/loads/70.csv").text
    assert [world.client("admin").get(path).status_code for path in ("/ghl/loads/9", "/ghl/loads/9.csv")] == [404, 404]
    # A filter opens nothing either.
    assert "/ghl/loads/7" not in bob.get("/ghl/loads?dag_id=nightly").text


def test_tokens_that_are_no_good(world: World) -> None:
    expired, forged = world.token("admin", seconds=-60), world.token("admin")[:-4] + "AAAA"
    logging.getLogger("airflow").setLevel(logging.CRITICAL)
    for token in (expired, forged, "nonsense", ""):
        for path in (*OPEN_TO_ALL, *OF_NIGHTLY):
            client = TestClient(world.app, follow_redirects=False)
            assert client.get(path, headers={"Authorization": f"Bearer {token}"}).status_code == 401
            by_cookie = client.get(path, headers={"Cookie": f"_token={token}", "Accept": "text/html"})
            assert (by_cookie.status_code, by_cookie.headers["location"][:18]) == (303, "/api/v2/auth/login")
    assert world.ledger.views.asked == []


def test_an_airflow_without_what_is_needed_closes_the_page(monkeypatch: pytest.MonkeyPatch, caplog: Any) -> None:
    def broken() -> None:
        raise ImportError("cannot import name 'get_user'\n  from somewhere")

    monkeypatch.setattr("airflow_provider_ghl.page.app.make_app", broken)
    (made,) = plugin.GHLPlugin().fastapi_apps
    (line,) = [record for record in caplog.records if record.name == plugin.__name__]
    assert "ImportError: cannot import name 'get_user' from somewhere" in line.getMessage()
    assert line.exc_info is None
    outer = FastAPI()
    outer.mount(made["url_prefix"], made["app"])
    with TestClient(outer) as client:
        for path in ("/ghl/loads", "/ghl/loads/7.csv", "/ghl/static/page.css", "/ghl/nothing"):
            answer = client.get(path)
            assert (answer.status_code, "is closed" in answer.text) == (503, True)
