"""A request (:class:`Call`) and a success (:class:`Answer`), as values."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from airflow_provider_ghl.exceptions import ConfigurationError

__all__ = ["Answer", "Call", "Endpoint"]

_PLACEHOLDER = re.compile(r"\{(\w+)\}")
#: Fields of a form that are secret.
_SECRET_FIELDS = frozenset({"client_secret", "clientSecret", "refresh_token", "refreshToken", "code"})


@dataclass(frozen=True, slots=True)
class Call:
    """One request. Its ``repr`` shows neither parameters nor body, since these may be about people."""

    method: str
    #: The path as it is sent, segments quoted.
    path: str
    #: The path as errors and logs name it.
    template: str
    location_id: str | None = None
    params: Mapping[str, Any] | None = field(default=None, repr=False)
    json: Any = field(default=None, repr=False)
    #: Whether it may be sent again when it is not known whether it took effect.
    repeat_safe: bool = False
    #: The scope that it needs, where that is known.
    scope: str | None = None
    #: Sent as a form instead of JSON.
    form: Mapping[str, str] | None = field(default=None, repr=False)
    #: The ``Authorization`` header instead of the client's; "" for none.
    authorization: str | None = field(default=None, repr=False)
    #: Whether to wait for the answer even when told to stop: HighLevel gives what is in it only once.
    is_awaited: bool = False
    #: Texts about people in parameters or body. A message of HighLevel's that repeats one of them is kept nowhere.
    private: Sequence[str] = field(default=(), repr=False)

    def secrets(self) -> list[str]:
        """The secrets in the form, which no error may contain."""
        return [value for name, value in self.form.items() if name in _SECRET_FIELDS] if self.form else []


@dataclass(frozen=True, slots=True)
class Answer:
    """A success. Its ``repr`` does not show the data."""

    status: int
    data: Any = field(repr=False)
    trace_id: str | None = None
    #: Earlier tries of the same request that got no clear answer.
    unanswered_before: int = 0


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An endpoint: method, path template and scope (from the vendor's spec)."""

    method: str
    template: str
    scope: str
    repeat_safe: bool = True

    def call(
        self,
        location_id: str | None,
        *segments: str,
        params: Mapping[str, Any] | Sequence[tuple[str, Any]] | None = None,
        json: Any = None,
        private: Sequence[str] = (),
    ) -> Call:
        """The request with these path segments. Each is quoted, so that it stays one segment."""
        values = iter(segments)
        path = _PLACEHOLDER.sub(lambda match: _segment(match[1], next(values)), self.template)
        return Call(
            method=self.method,
            path=path,
            template=self.template,
            location_id=location_id,
            params=dict(params) if params is not None else None,
            json=json,
            repeat_safe=self.repeat_safe,
            scope=self.scope,
            private=private,
        )


def _segment(name: str, value: object) -> str:
    # "." and ".." cannot be quoted: every URL library takes them for steps in the path.
    if not isinstance(value, str) or not value.strip() or value in {".", ".."}:
        raise ConfigurationError(f"{name} must be the text of an id, not {value!r}")
    return quote(value, safe="")
