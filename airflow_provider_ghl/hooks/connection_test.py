"""The Test button's request. It never spends a refresh token, because the new one could not be stored."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_ghl.exceptions import (
    ConfigurationError,
    GHLError,
    NotFound,
    RequestRejected,
    ServerError,
    TransportError,
    Unauthorized,
)
from airflow_provider_ghl.hooks.access import Access, Manner, make_oauth, make_refreshed_token, read_app
from airflow_provider_ghl.hooks.settings import Settings, get_connection

if TYPE_CHECKING:
    from airflow_provider_ghl.api.clock import Stop

__all__ = ["try_connection"]


class _Untested(Exception):
    """There is no access token that a test may use."""


def try_connection(conn_id: str, location_id: str | None, api_version: str | None, stop: Stop) -> tuple[bool, str]:
    """Whether token, scope and location are right, and a message. One request (two with an agency's token), never repeated."""
    from airflow_provider_ghl.api.retry import Retry

    manner = Manner(api_version, stop, Retry(max_failures=1, max_limited=1))
    host: str | None = None
    try:
        settings = Settings.of(get_connection(conn_id))
        host = settings.host
        return True, _try(settings, _token(conn_id, settings, manner), manner, location_id or settings.location_id)
    except (_Untested, ConfigurationError) as error:
        return False, str(error)
    except GHLError as error:
        return False, _explain(error, host)


def _token(conn_id: str, settings: Settings, manner: Manner) -> str | None:
    """The connection's token; with an OAuth app the one that the last task stored, if it is still good, or the pasted one."""
    if read_app(settings) is None:
        return settings.token
    from airflow_provider_ghl.api.token_store import MemoryStore
    from airflow_provider_ghl.hooks.token_variable import AirflowTokens

    found = MemoryStore()
    refreshed = make_refreshed_token(settings, make_oauth(settings, manner), found)
    kept = AirflowTokens(conn_id).find(refreshed.fingerprint, settings.company_id, settings.location_id)
    if kept is not None:
        found.write(kept)
    pair = refreshed.peek()
    if pair is not None:
        return pair.access_token
    if kept is None and settings.refresh_token is None:
        raise _Untested("nothing was tested: the connection has no tokens yet; run `airflow ghl login`")
    raise _Untested(
        "nothing was tested: a test never spends the refresh token, and there is no access token that is still good. "
        "The next task gets one; test again after it"
    )


def _try(settings: Settings, token: str | None, manner: Manner, location_id: str | None) -> str:
    from airflow_provider_ghl.api.authorization import BearerToken

    own = BearerToken(token)
    if location_id is not None:
        there = _has_associations(Access.by_token(settings, manner, own), location_id)
        return f"HighLevel accepts the token for location {location_id}" + ("" if there else " (it has no associations yet)")
    if settings.company_id is None or read_app(settings) is None:
        raise ConfigurationError("no sub-account: put location_id into the extra of the connection")
    there = _has_locations(settings, own.header(None).removeprefix("Bearer "), manner)
    return f"HighLevel accepts the token of agency {settings.company_id}" + (
        "" if there else " (the app is installed in none of its locations)"
    )


def _has_associations(access: Access, location_id: str) -> bool:
    from airflow_provider_ghl.api.associations import Associations

    client = access.client(location_id)
    try:
        return bool(Associations(client, location_id).first_page())
    finally:
        client.close()


def _has_locations(settings: Settings, token: str, manner: Manner) -> bool:
    oauth = make_oauth(settings, manner)
    try:
        return any(oauth.iterate_locations(token, settings.company_id or ""))
    finally:
        oauth.client.close()


def _explain(error: GHLError, host: str | None) -> str:
    """What is wrong, in plain words.

    :param host: the connection's.
    """
    from airflow_provider_ghl.api.transport import safe_host

    if isinstance(error, Unauthorized):
        return error.explain()
    if isinstance(error, TransportError):
        return f"HighLevel did not answer at {safe_host(host)}: {error.message}"
    if _is_of_another_host(error):
        return f"what answers at {safe_host(host)} is not HighLevel: check the base URL ({error})"
    return str(error)


def _is_of_another_host(error: GHLError) -> bool:
    """Whether HighLevel does not answer so to a request for its associations."""
    if isinstance(error, ServerError):
        return error.status < 500 and error.status != 401  # HTML with a 4xx, or a success that is no JSON
    return isinstance(error, NotFound) or (
        isinstance(error, RequestRejected) and (300 <= error.status < 400 or error.status == 404)
    )
