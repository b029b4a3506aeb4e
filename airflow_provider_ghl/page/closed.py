"""What stands in the page's place where Airflow lacks what the page needs. Plain ASGI: it needs nothing itself."""

from __future__ import annotations

from typing import Any

__all__ = ["closed_app"]

_TEXT = (
    "The page on HighLevel loads is closed: this Airflow lacks what the page needs to know who may see it. "
    "The API server's log says what. In a terminal: airflow ghl loads\n"
)
_HEADERS = [
    (b"content-type", b"text/plain; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
]


async def closed_app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Answer every request with 503 and a sentence."""
    if scope["type"] != "http":
        return
    await send({"type": "http.response.start", "status": 503, "headers": _HEADERS})
    await send({"type": "http.response.body", "body": _TEXT.encode()})
