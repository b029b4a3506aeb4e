"""Airflow connections, and the settings in one of type ``ghl``."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from airflow.sdk import BaseHook
from airflow.sdk.configuration import conf
from airflow.sdk.exceptions import AirflowNotFoundException

from airflow_provider_ghl.api.app_pages import app_url
from airflow_provider_ghl.exceptions import ConfigurationError

__all__ = ["Settings", "get_connection", "has_connection", "has_database", "outside_tasks"]

#: The environment variable that makes Airflow look for connections in its database, as ``airflow connections get`` sets it.
_CONTEXT, _WITH_DATABASE = "_AIRFLOW_PROCESS_CONTEXT", "server"
#: Extras that are texts. Blanks at the ends, which come with pasting, are dropped.
_TEXTS = ("location_id", "ledger_conn_id", "client_id", "client_secret", "refresh_token", "company_id", "phone_region")


def get_connection(conn_id: str) -> Any:
    """An Airflow connection.

    :raises ConfigurationError: there is none with this id.
    """
    try:
        return BaseHook.get_connection(conn_id)
    except AirflowNotFoundException as error:
        raise ConfigurationError(f"Airflow has no connection {conn_id!r}: create it, or correct the id") from error


def has_connection(conn_id: str) -> bool:
    """Whether Airflow has a connection with this id."""
    try:
        BaseHook.get_connection(conn_id)
    except AirflowNotFoundException:
        return False
    return True


@contextmanager
def outside_tasks() -> Iterator[None]:
    """While this is open, all hooks find the connections in Airflow's database too, if there is one.

    A task asks its supervisor for them, which asks the database. A command in a plain shell has no supervisor, and would find
    only environment variables and secrets backends.
    """
    before = os.environ.get(_CONTEXT)
    if before is not None or not has_database():
        yield
        return
    os.environ[_CONTEXT] = _WITH_DATABASE
    try:
        yield
    finally:
        del os.environ[_CONTEXT]


def has_database() -> bool:
    """Whether Airflow has a database. An SQLite file that is not there would be created by opening it."""
    url = conf.get("database", "sql_alchemy_conn", fallback=None) or ""
    kind, _, path = url.partition(":///")
    return bool(url) and (not kind.startswith("sqlite") or Path(path.partition("?")[0]).is_file())


@dataclasses.dataclass(frozen=True)
class Settings:
    """The fields of a connection. An empty field of the form is ``null``, and counts as absent."""

    host: str | None
    token: str | None = dataclasses.field(repr=False)
    location_id: str | None
    api_version: str | None
    quota_share: float
    daily_reserve: int
    ledger_conn_id: str | None
    client_id: str | None = None
    client_secret: str | None = dataclasses.field(default=None, repr=False)
    refresh_token: str | None = dataclasses.field(default=None, repr=False)
    company_id: str | None = None
    phone_region: str | None = None
    app_url: str | None = None

    @classmethod
    def of(cls, connection: Any) -> Settings:
        extra = {name: value for name, value in _extra(connection).items() if value not in (None, "")}
        return cls(
            host=_base_url((connection.host or "").strip(), connection.port),
            token=connection.password,
            api_version=str(extra["api_version"]) if "api_version" in extra else None,
            quota_share=_number(extra, "quota_share", 1.0, float),
            daily_reserve=_number(extra, "daily_reserve", 0, int),
            app_url=app_url(str(extra["app_url"])) if "app_url" in extra else None,
            **{name: str(extra[name]).strip() or None if name in extra else None for name in _TEXTS},
        )


def _base_url(host: str, port: int | None) -> str | None:
    """The base URL with the port of the field beside it; ``None`` where the connection has neither."""
    if not port:
        return host or None
    from airflow_provider_ghl.api.transport import DEFAULT_HOST

    host = host or DEFAULT_HOST
    parts = urlsplit(host if "://" in host else f"//{host}")
    try:
        there = parts.port
    except ValueError:
        return host  # no URL at all; the client's own check says so
    if there is not None and there != port:
        raise ConfigurationError(f"the base URL names port {there}, the field Port {port}: leave out one of them")
    with_port = parts if there else parts._replace(netloc=f"{parts.netloc}:{port}")
    return urlunsplit(with_port).removeprefix("//")


def _extra(connection: Any) -> dict[str, Any]:
    try:
        extra = json.loads(connection.extra or "{}")
    except ValueError:
        extra = None
    if not isinstance(extra, dict):
        raise ConfigurationError(f"the extra of connection {connection.conn_id!r} must be a JSON object, or empty")
    masked: dict[str, Any] = connection.extra_dejson  # this makes Airflow mask its secrets in logs
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
