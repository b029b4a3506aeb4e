"""The messages of the Test button for a connection that does not work."""

from __future__ import annotations

from airflow_provider_ghl.exceptions import GHLError, NotFound, RequestRejected, ServerError, TransportError, Unauthorized

__all__ = ["complaint"]


def complaint(error: GHLError, host: str | None) -> str:
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
