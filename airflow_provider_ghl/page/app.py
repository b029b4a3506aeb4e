"""The app that Airflow's API server mounts: routes, and what holds for all of them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from typing import Any

from fastapi import Depends, FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from airflow_provider_ghl.exceptions import ConfigurationError, LedgerError
from airflow_provider_ghl.page.access import not_logged_in, viewer
from airflow_provider_ghl.page.ledger_choice import ledger_conn_ids
from airflow_provider_ghl.page.pages import page
from airflow_provider_ghl.page.reader import LedgerReaders
from airflow_provider_ghl.page.routes import router

__all__ = ["make_app"]

log = logging.getLogger(__name__)

#: Nothing from elsewhere, and nothing inline. Airflow's UI shows the page in a frame.
_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'self'"
)
_HEADERS = {
    b"content-security-policy": _POLICY.encode(),
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"same-origin",
    b"cache-control": b"no-store",
}


def make_app(readers: LedgerReaders | None = None, conn_ids: Callable[[], Collection[str]] = ledger_conn_ids) -> FastAPI:
    """The app. It has no route that does not ask who is there: not even one that describes it.

    :param readers: the ledgers; ``None``: those of Airflow's configuration.
    :param conn_ids: the connections of the ledgers that may be chosen instead.
    """
    app = FastAPI(
        title="HighLevel loads",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        dependencies=[Depends(viewer)],
    )
    app.state.readers = readers or LedgerReaders()
    app.state.ledger_conn_ids = conn_ids
    app.include_router(router)
    app.add_middleware(_Shell)
    app.add_exception_handler(HTTPException, _refused)
    for error in (ConfigurationError, LedgerError):
        app.add_exception_handler(error, _no_ledger)
    return app


class _Shell:
    """Adds the headers of every answer, and lets no unforeseen error out."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        has_begun = False

        async def send_on(message: Message) -> None:
            nonlocal has_begun
            if message["type"] == "http.response.start":
                has_begun = True
                given = {name.lower() for name, _ in message["headers"]}
                added = [(name, value) for name, value in _HEADERS.items() if name not in given]
                message = {**message, "headers": [*message["headers"], *added]}
            await send(message)

        try:
            await self._app(scope, receive, send_on)
        except Exception as error:
            if has_begun:
                raise  # the connection breaks, so that nobody takes half a file for a whole one
            log.exception("The page on HighLevel loads failed (%s)", type(error).__name__)
            text = "The page failed. The API server's log says where.\n"
            await PlainTextResponse(text, 500)(scope, receive, send_on)


async def _refused(request: Request, error: Any) -> Response:
    """Errors of the address, the method or the login."""
    if error.status_code in (401, 403):
        return not_logged_in(request)
    texts = {
        400: ("This address cannot be right", f"{error.detail}."),
        404: ("There is nothing here", "There is no such load, or you may not read its DAG."),
        405: ("This page only reads", "It answers GET alone."),
    }
    if error.status_code not in texts:
        return PlainTextResponse(f"{error.detail}\n", error.status_code)
    if error.status_code == 405 or "text/html" not in request.headers.get("accept", "text/html"):
        return PlainTextResponse(f"{' '.join(texts[error.status_code])}\n", error.status_code, error.headers)
    title, text = texts[error.status_code]
    return page(request, "told.html", status=error.status_code, title=title, text=text)


async def _no_ledger(request: Request, error: Any) -> Response:
    """The ledger cannot be read. The error's own text holds no secret."""
    log.warning("The page on HighLevel loads cannot read its ledger: %s", error)
    return page(request, "unreachable.html", status=503, title="The ledger cannot be read", text=str(error))
