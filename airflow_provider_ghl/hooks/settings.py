"""Airflow connections, and what one of type ``ghl`` says."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException

from airflow_provider_ghl.exceptions import ConfigurationError

__all__ = ["Settings", "connection_of"]


def connection_of(conn_id: str) -> Any:
    """An Airflow connection. :raises ConfigurationError: there is none with this id."""
    try:
        return BaseHook.get_connection(conn_id)
    except AirflowNotFoundException as error:
        raise ConfigurationError(f"Airflow has no connection {conn_id!r}: create it, or correct the id") from error


@dataclasses.dataclass(frozen=True)
class Settings:
    """A connection's fields. The form writes ``null`` for what is left empty, which means absent."""

    host: str | None
    token: str | None = dataclasses.field(repr=False)
    location_id: str | None
    api_version: str | None
    quota_share: float
    daily_reserve: int

    @classmethod
    def of(cls, connection: Any) -> Settings:
        extra = {name: value for name, value in _extra(connection).items() if value not in (None, "")}
        host = (connection.host or "").strip() or None
        if host and connection.port:
            host = f"{host.rstrip('/')}:{connection.port}"
        return cls(
            host=host,
            token=connection.password,
            location_id=str(extra["location_id"]).strip() if "location_id" in extra else None,
            api_version=str(extra["api_version"]) if "api_version" in extra else None,
            quota_share=_number(extra, "quota_share", 1.0, float),
            daily_reserve=_number(extra, "daily_reserve", 0, int),
        )


def _extra(connection: Any) -> dict[str, Any]:
    try:
        said = json.loads(connection.extra or "{}")
    except ValueError:
        said = None
    if not isinstance(said, dict):
        raise ConfigurationError(f"the extra of connection {connection.conn_id!r} must be a JSON object, or empty")
    masked: dict[str, Any] = connection.extra_dejson  # which has Airflow mask its secrets in logs
    return masked


def _number(extra: Mapping[str, Any], name: str, default: Any, kind: type) -> Any:
    value = extra.get(name, default)
    try:
        number = kind(value)
    except (TypeError, ValueError, OverflowError):
        number = None
    if number is None or isinstance(value, bool) or number != float(value):
        raise ConfigurationError(f"the connection's {name} must be a number ({kind.__name__}), not {value!r}")
    return number
