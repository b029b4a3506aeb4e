"""The routes. Each asks who is there, reads the ledger, and hands values to a template. They run in a pool of threads."""

from __future__ import annotations

from itertools import chain, islice
from typing import Any

from fastapi import APIRouter, HTTPException, Request
from starlette.responses import RedirectResponse, Response, StreamingResponse

from airflow_provider_ghl.load.ledger.views import LoadView
from airflow_provider_ghl.page.access import ViewerDep
from airflow_provider_ghl.page.csv_text import csv_pieces
from airflow_provider_ghl.page.ledger_choice import chosen_ledger
from airflow_provider_ghl.page.links import Links
from airflow_provider_ghl.page.load_page import load_values, row_filter
from airflow_provider_ghl.page.loads_page import loads_values
from airflow_provider_ghl.page.locations_page import locations_values
from airflow_provider_ghl.page.pages import page, static_file
from airflow_provider_ghl.page.query import Query, load_number
from airflow_provider_ghl.page.reader import LedgerReaders, Opened

__all__ = [
    "list_loads",
    "list_locations",
    "router",
    "rows_as_csv",
    "show_ledger",
    "show_load",
    "show_task",
    "start",
    "static",
]

router = APIRouter()


@router.get("/")
def start(request: Request) -> Response:
    """To the list of loads."""
    return RedirectResponse(Links.of(request).loads(), 303)


@router.get("/static/{name}")
def static(name: str) -> Response:
    """A file of the page itself."""
    return static_file(name)


@router.get("/loads")
def list_loads(request: Request, viewer: ViewerDep) -> Response:
    """Loads, newest first, and a month of them."""
    query, conn_id = Query.of(request), chosen_ledger(request)
    with _readers(request).reading(conn_id) as opened:
        if opened.ledger is None:
            return _no_ledger_yet(request, opened, conn_id)
        values = loads_values(opened.ledger, viewer.dag_ids, query)
    return page(request, "loads.html", ledger=conn_id, title="Loads", **values)


@router.get("/loads/{number}.csv")
def rows_as_csv(request: Request, viewer: ViewerDep, number: str) -> Response:
    """The kept rows of a load that match, all of them, as a file."""
    query, conn_id = Query.of(request), chosen_ledger(request)
    with _readers(request).reading(conn_id) as opened:
        load = _load(opened, viewer, load_number(number))
        wanted = row_filter(query)
        pieces = csv_pieces(opened.ledger.views.all_results(load.number, **wanted))
        first = list(islice(pieces, 1))  # what fails at once is told before the answer begins
    rest = _readers(request).in_turns(pieces)
    headers = {"Content-Disposition": f'attachment; filename="load-{load.number}.csv"'}
    return StreamingResponse(chain(first, rest), media_type="text/csv; charset=utf-8", headers=headers)


@router.get("/loads/{number}")
def show_load(request: Request, viewer: ViewerDep, number: str) -> Response:
    """One load."""
    query, conn_id = Query.of(request), chosen_ledger(request)
    with _readers(request).reading(conn_id) as opened:
        if opened.ledger is None:
            return _no_ledger_yet(request, opened, conn_id)
        load = _load(opened, viewer, load_number(number))
        values = load_values(opened.ledger, load, query)
    return page(request, "load.html", ledger=conn_id, title=f"Load {load.number:,}", **values)


@router.get("/task")
def show_task(request: Request, viewer: ViewerDep) -> Response:
    """The load of a task instance: what the tab in Airflow's UI opens."""
    query, conn_id = Query.of(request), chosen_ledger(request)
    dag_id, run_id, task_id = (query.text(name) or "" for name in ("dag_id", "run_id", "task_id"))
    map_index = query.text("map_index") or ""
    # Airflow leaves the name in braces where a task is not mapped.
    mapped = map_index if map_index.isdecimal() else "-1"
    if not viewer.may_read(dag_id):
        raise HTTPException(404)
    with _readers(request).reading(conn_id) as opened:
        if opened.ledger is None:
            return _no_ledger_yet(request, opened, conn_id)
        load = opened.ledger.views.find(f"{dag_id}/{run_id}/{task_id}/{mapped}")
    if load is None:
        return page(request, "no_load.html", ledger=conn_id, title="No load", where=opened.where, task_id=task_id)
    return RedirectResponse(Links.of(request, conn_id).load(load.number), 303)


@router.get("/locations")
def list_locations(request: Request, viewer: ViewerDep) -> Response:
    """Requests of the day against the quota, by location."""
    query, conn_id = Query.of(request), chosen_ledger(request)
    with _readers(request).reading(conn_id) as opened:
        if opened.ledger is None:
            return _no_ledger_yet(request, opened, conn_id)
        values = locations_values(opened.ledger, viewer.dag_ids, query)
    return page(request, "locations.html", ledger=conn_id, title="Locations", **values)


@router.get("/ledger")
def show_ledger(request: Request, viewer: ViewerDep) -> Response:
    """Where the ledger is and what it holds, in numbers: for everybody who may read some DAG."""
    if not viewer.dag_ids:
        raise HTTPException(404)
    conn_id = chosen_ledger(request)
    with _readers(request).reading(conn_id) as opened:
        if opened.ledger is None:
            return _no_ledger_yet(request, opened, conn_id)
        found = opened.ledger.overview()
    values = {"found": found, "opened": opened, "others": request.app.state.ledger_conn_ids()}
    return page(request, "ledger.html", ledger=conn_id, title="Ledger", **values)


def _readers(request: Request) -> LedgerReaders:
    readers: LedgerReaders = request.app.state.readers
    return readers


def _load(opened: Opened, viewer: Any, number: int) -> LoadView:
    """:raises HTTPException: 404: there is no such load, or it is of a DAG that the viewer may not read."""
    load: LoadView | None = None if opened.ledger is None else opened.ledger.views.load(number)
    if load is None or not viewer.may_read(load.dag_id):
        raise HTTPException(404)
    return load


def _no_ledger_yet(request: Request, opened: Opened, conn_id: str | None) -> Response:
    return page(request, "no_ledger.html", ledger=conn_id, title="No ledger yet", opened=opened)
