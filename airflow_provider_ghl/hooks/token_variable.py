"""Stores refreshed tokens in an Airflow Variable: the one thing that a task can write and that Airflow encrypts."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Callable, Iterator
from typing import Any, Protocol, TypeVar

from airflow.sdk import Variable
from airflow.sdk.exceptions import AirflowRuntimeError
from airflow.sdk.log import mask_secret

from airflow_provider_ghl.api.token_store import Stored, TokenPair
from airflow_provider_ghl.exceptions import ConfigurationError, GHLError
from airflow_provider_ghl.hooks.settings import has_database

__all__ = ["AirflowTokens", "Place", "place_of_this_process", "variable_name"]

T = TypeVar("T")

#: "token" in the name makes Airflow show ``***`` for it, in the UI, in REST answers and in logs.
_PREFIX = "ghl_oauth_token__"
_DESCRIPTION = "Tokens of a HighLevel connection, kept up to date by its tasks. Delete it to start again from the connection."
#: Ids that are safe in a URL, and short enough for a Variable's key.
_PLAIN = re.compile(r"[\w.-]{1,200}", re.ASCII)
#: Under ``dag.test()`` Airflow's API can be used by one thread at a time.
_one_at_a_time = threading.Lock()


class Place(Protocol):
    """Where Variables are."""

    def get(self, name: str) -> str | None:
        """Its text; ``None`` where there is none."""

    def set(self, name: str, text: str) -> None:
        """Durable when this returns."""

    def candidates(self, name: str) -> Iterator[str | None]:
        """The text of this one and, where they can be read, those of all Variables with tokens."""


class AirflowTokens:
    """The :class:`~airflow_provider_ghl.api.token_store.TokenStore` of a connection. Any thread may use it.

    :param conn_id: the connection's id.
    :param place: where Variables are; by default :func:`place_of_this_process`, found on this thread.
    """

    def __init__(self, conn_id: str, place: Place | None = None) -> None:
        self.name = variable_name(conn_id)
        self._place = place or place_of_this_process()

    def read(self) -> Stored | None:
        """What any process wrote last. A text that is no pair of tokens counts as none.

        :raises GHLError: it cannot be read.
        """
        return self._use("read", lambda: _parse(self._place.get(self.name)))

    def write(self, stored: Stored) -> None:
        """Write it: durable when this returns.

        :raises GHLError: it could not be written.
        """
        self._use("written", lambda: self._write(stored))

    def find(self, fingerprint: str, company_id: str | None, location_id: str | None) -> Stored | None:
        """The pair that is stored for a connection, under its own id or under that of another one with the same tokens.

        Airflow's Test button gives a connection a random id. Connections of one app that were logged in to have the same
        fingerprint, so that the agency or location has to fit too.

        :param fingerprint: of the connection's tokens.
        :param company_id: the connection's.
        :param location_id: the connection's.
        """
        found = self._use("read", lambda: [_parse(text) for text in self._place.candidates(self.name)])
        if not found:
            return None  # there may be neither a task nor a database here
        own = self.read()
        if own is not None and own.fingerprint == fingerprint:
            return own
        mine = (one for one in found if one is not None and one.fingerprint == fingerprint)
        return next((one for one in mine if _belongs_to(one.pair, company_id, location_id)), None)

    def _write(self, stored: Stored) -> None:
        _mask(stored)  # before anything else: Airflow's debug log shows what it is sent
        self._place.set(self.name, json.dumps(stored.as_dict()))

    def _use(self, what: str, do: Callable[[], T]) -> T:
        try:
            with _one_at_a_time:
                return do()
        except GHLError:
            raise
        except Exception as error:  # noqa: BLE001 - Airflow and its database raise anything, and its text may hold the value
            raise GHLError(f"Airflow's Variable {self.name} could not be {what} ({type(error).__name__})") from None


def variable_name(conn_id: str) -> str:
    """The Variable of a connection's tokens."""
    if _PLAIN.fullmatch(conn_id):
        return _PREFIX + conn_id
    return _PREFIX + hashlib.sha256(conn_id.encode()).hexdigest()[:32]


def place_of_this_process() -> Place:
    """In a task Airflow's API, through the task's supervisor; else Airflow's database, if there is one."""
    from airflow.sdk.execution_time import task_runner

    if getattr(task_runner, "SUPERVISOR_COMMS", None) is not None:
        return _Api()
    return _Database() if has_database() else _Nowhere()


class _Api:
    def get(self, name: str) -> str | None:
        try:
            return str(Variable.get(name))
        except AirflowRuntimeError:
            # Airflow raises this when its API fails, too. Taken for "there is none", an old refresh token would be sent again.
            if name in list(Variable.keys(prefix=name)):
                raise
            return None

    def set(self, name: str, text: str) -> None:
        Variable.set(name, text, description=_DESCRIPTION)

    def candidates(self, name: str) -> Iterator[str | None]:
        yield self.get(name)


class _Database:
    """Airflow's database, for commands and the API server. ``Variable.get`` would take every failure there for "none"."""

    def get(self, name: str) -> str | None:
        from airflow.models.variable import Variable as Row

        return next(_texts(Row.key == name), None)

    def set(self, name: str, text: str) -> None:
        from airflow.models.variable import Variable as Row

        Row.set(name, text, description=_DESCRIPTION)

    def candidates(self, name: str) -> Iterator[str | None]:
        from airflow.models.variable import Variable as Row

        yield from _texts(Row.key.startswith(_PREFIX, autoescape=True))


class _Nowhere:
    def get(self, name: str) -> str | None:
        raise self._refusal(name)

    def set(self, name: str, text: str) -> None:
        raise self._refusal(name)

    def candidates(self, name: str) -> Iterator[str | None]:
        return iter(())

    def _refusal(self, name: str) -> ConfigurationError:
        return ConfigurationError(
            f"a refreshed token must be kept, in Airflow's Variable {name}, and neither a task nor Airflow's database is here: "
            "run it in a task, or where `airflow variables list` works"
        )


def _texts(condition: Any) -> Iterator[str]:
    from airflow.models.variable import Variable as Row
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        rows = session.scalars(select(Row).where(condition)).all()
        yield from [row.val for row in rows if row.val]


def _parse(text: str | None) -> Stored | None:
    try:
        stored = Stored.from_dict(json.loads(text or ""))
    except (ValueError, TypeError, KeyError, AttributeError):  # a person may have edited it
        return None
    _mask(stored)
    return stored


def _belongs_to(pair: TokenPair, company_id: str | None, location_id: str | None) -> bool:
    """Whether it may be the agency's pair, or where there is no agency the location's. A pair may lack either id."""
    if company_id is not None:
        return pair.user_type != "Location" and pair.company_id in (None, company_id)
    return pair.user_type != "Company" and (location_id is None or pair.location_id in (None, location_id))


def _mask(stored: Stored) -> None:
    for token in (stored.pair.access_token, stored.pair.refresh_token):
        if token:
            mask_secret(token)
