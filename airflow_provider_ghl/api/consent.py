"""The page on which a person authorises an OAuth app."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote, urlencode, urlsplit

from airflow_provider_ghl.api.oauth import App
from airflow_provider_ghl.api.transport import is_loopback, safe_host

__all__ = ["authorize_url"]

#: Specified; ``/v2`` since May 2026.
_MARKETPLACE = "https://marketplace.gohighlevel.com"
_PATH = "/v2/oauth/chooselocation"


def authorize_url(app: App, *, redirect_uri: str | None, scopes: str | Sequence[str], host: str | None = None) -> str:
    """The page's address.

    :param scopes: with blanks between, or one by one.
    :param host: the connection's; a loopback one (the sandbox) has the page itself.
    """
    base = safe_host(host)
    at = base if is_loopback(urlsplit(base).hostname or "") else _MARKETPLACE
    asked = {
        "response_type": "code",
        "redirect_uri": redirect_uri,
        "client_id": app.client_id,
        "version_id": app.app_id,  # undocumented; without it the page says error.noversionid (observed)
        "scope": scopes if isinstance(scopes, str) else " ".join(scopes),
    }
    return f"{at}{_PATH}?{urlencode({name: value for name, value in asked.items() if value}, quote_via=quote)}"
