"""What all operators of this package share."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import timedelta
from functools import cached_property
from typing import Any, TypeVar

from airflow.sdk import BaseOperator, BaseOperatorLink

from airflow_provider_ghl.exceptions import ConfigurationError
from airflow_provider_ghl.hooks.ghl import GHLHook
from airflow_provider_ghl.lookups import Lookup
from airflow_provider_ghl.operators.links import GHLLocationLink

__all__ = [
    "GHLOperator",
    "choice",
    "duration",
    "flag",
    "given",
    "lookup",
    "number_or_none",
    "one_of",
    "required",
    "unless_template",
    "whole_number",
]

T = TypeVar("T")


class GHLOperator(BaseOperator):
    """An operator with a HighLevel connection.

    :param ghl_conn_id: Airflow connection of type ``ghl`` (templated).
    :param location_id: the sub-account, instead of the connection's (templated).
    """

    template_fields: Sequence[str] = ("ghl_conn_id", "location_id")
    operator_extra_links: Collection[BaseOperatorLink] = (GHLLocationLink(),)
    ui_color = "#e8f0fe"

    def __init__(self, *, ghl_conn_id: str = "ghl_default", location_id: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.ghl_conn_id = ghl_conn_id
        self.location_id = location_id
        if not self.do_xcom_push:
            self.operator_extra_links = ()  # Airflow would keep each address as an XCom

    @cached_property
    def hook(self) -> GHLHook:
        """The connection's hook. It is made when the task runs."""
        return GHLHook(required("ghl_conn_id", self.ghl_conn_id), location_id=given(self.location_id))

    def only_location(self) -> str | None:
        """The sub-account that the task is about; ``None`` where it is about several.

        :raises ConfigurationError: none is named.
        """
        return self.hook.location_id

    def on_kill(self) -> None:
        """End every wait. Runs inside a signal handler, so it only sets a flag."""
        if "hook" in self.__dict__:
            self.hook.stop.set()


def given(value: T | None) -> T | None:
    """The value, or ``None`` where a template rendered to nothing (or to the text of Python's ``None``)."""
    return None if _is_absent(value) else value


def required(name: str, value: T | None) -> T:
    """Return the value if it was given.

    :raises ConfigurationError: it is absent, or a template rendered to nothing.
    """
    if value is None or _is_absent(value):
        raise ConfigurationError(f"{name} is empty")
    return value


def unless_template(value: Any) -> str | None:
    """The value if it is text without a template, so that it can be judged before the task runs; else ``None``."""
    return given(value) if isinstance(value, str) and "{" not in value else None


def one_of(**arguments: Any) -> str:
    """The name of the only argument that was given.

    To be called when the task runs, since a template may render to nothing.

    :raises ConfigurationError: none was given, or several were.
    """
    names = [name for name, value in arguments.items() if not _is_absent(value)]
    if len(names) != 1:
        what = " and ".join(names) if names else "none"
        raise ConfigurationError(f"give exactly one of {', '.join(arguments)}; given: {what}")
    return names[0]


def _is_absent(value: Any) -> bool:
    return value is None or (isinstance(value, str) and value.strip() in ("", "None"))


def choice(name: str, value: str, *allowed: str) -> str:
    """Return the value if it is allowed.

    :raises ConfigurationError: it is not one of the allowed values.
    """
    if value not in allowed:
        raise ConfigurationError(f"{name} must be one of {', '.join(map(repr, allowed))}, not {value!r}")
    return value


def whole_number(name: str, value: int, *, least: int) -> int:
    """Return the value if it is allowed.

    :raises ConfigurationError: it is not a whole number, or it is too small.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ConfigurationError(f"{name} must be a whole number, {least} or more, not {value!r}")
    return value


def number_or_none(name: str, value: int | None, *, least: int) -> int | None:
    """Return the value if it is allowed.

    :raises ConfigurationError: it is neither ``None`` nor a whole number, or it is too small.
    """
    return None if value is None else whole_number(name, value, least=least)


def duration(name: str, value: timedelta) -> timedelta:
    """Return the value if it is allowed.

    :raises ConfigurationError: it is not a timedelta, or it is below zero.
    """
    if not isinstance(value, timedelta) or value < timedelta(0):
        raise ConfigurationError(f"{name} must be a datetime.timedelta of 0 or more, not {value!r}")
    return value


def lookup(name: str, value: Lookup | None) -> Lookup | None:
    """Return the value if it is a look-up, or ``None``.

    :raises ConfigurationError: it is something else.
    """
    if value is not None and not isinstance(value, Lookup):
        kind = type(value).__name__
        raise ConfigurationError(f"{name} must be a Contact, CustomObject, Business or Opportunity, not a {kind}")
    return value


def flag(name: str, value: bool) -> bool:
    """Return the value if it is allowed.

    :raises ConfigurationError: it is neither True nor False.
    """
    if not isinstance(value, bool):
        raise ConfigurationError(f"{name} must be True or False, not {value!r}")
    return value
