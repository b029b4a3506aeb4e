"""Addresses in HighLevel's own app, as far as they are certain. Other pages of a sub-account are found from its dashboard."""

from __future__ import annotations

from urllib.parse import quote, urlsplit

from airflow_provider_ghl.exceptions import ConfigurationError

__all__ = ["DEFAULT_APP_URL", "app_url", "contact_page", "location_page"]

#: Agencies with a domain of their own have the app there.
DEFAULT_APP_URL = "https://app.gohighlevel.com"


def app_url(given: str | None = None) -> str:
    """The address of the app, without a slash at its end.

    :raises ConfigurationError: it is none that a browser should be sent to.
    """
    url = (given or DEFAULT_APP_URL).strip().rstrip("/")
    parts = urlsplit(url)
    if parts.scheme not in ("https", "http") or not parts.hostname or "@" in parts.netloc or parts.query or parts.fragment:
        raise ConfigurationError(f"app_url must be the address of HighLevel's app, such as {DEFAULT_APP_URL}")
    return url


def location_page(app: str, location_id: str) -> str:
    """The dashboard of a sub-account."""
    return f"{app}/v2/location/{quote(location_id, safe='')}/dashboard"


def contact_page(app: str, location_id: str, contact_id: str) -> str:
    """A contact."""
    return f"{app}/v2/location/{quote(location_id, safe='')}/contacts/detail/{quote(contact_id, safe='')}"
