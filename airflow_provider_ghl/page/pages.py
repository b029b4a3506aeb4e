"""Templates become answers."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from fastapi import HTTPException, Request
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse, Response

from airflow_provider_ghl.load.results.counted import counted
from airflow_provider_ghl.load.results.time_span import moment, time_span
from airflow_provider_ghl.page import charts, words
from airflow_provider_ghl.page.links import Links

__all__ = ["page", "static_file"]

_FOLDER = Path(__file__).parent
#: What the page itself loads, and what it is.
_STATIC = {
    "page.css": "text/css; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
    "icon-dark.svg": "image/svg+xml",
}


def page(request: Request, template: str, *, status: int = 200, ledger: str | None = None, **values: Any) -> Response:
    """The answer to a request.

    :param ledger: the connection whose ledger is looked at, where the address names one.
    :param values: what the template shows.
    """
    context = {"links": Links.of(request, ledger), "ledger_conn_id": ledger, **values}
    return HTMLResponse(_environment().get_template(template).render(context), status)


def static_file(name: str) -> Response:
    """A file of the page itself. Its address changes with its content, so that browsers may keep it.

    :raises HTTPException: 404: there is no such file.
    """
    if name not in _STATIC:
        raise HTTPException(404)
    headers = {"Cache-Control": "private, max-age=86400"}
    return Response(_content(name), media_type=_STATIC[name], headers=headers)


@cache
def _content(name: str) -> bytes:
    return (_FOLDER / "static" / name).read_bytes()


@cache
def _versions() -> Mapping[str, str]:
    return {name: f"{zlib.crc32(_content(name)):08x}" for name in _STATIC}


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters |= {
        "number": words.number,
        "moment": moment,
        "iso": words.iso,
        "span": time_span,
        "size": words.size,
        "minute": lambda seconds: f"{moment(seconds)[:16]} UTC",
        "clock": lambda seconds: moment(seconds)[11:16],
    }
    environment.globals |= {"words": words, "counted": counted, "versions": _versions()}
    environment.globals |= {"shares": charts.shares, "rates": charts.rates}
    return environment
