"""HighLevel's OAuth as far as the specs tell it, in the time of a clock that is passed in; see :mod:`simulated_highlevel`."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_ghl.api.calls import Call
from airflow_provider_ghl.api.clock import Clock
from airflow_provider_ghl.api.oauth import App
from airflow_provider_ghl.api.transport import RawAnswer
from airflow_provider_ghl.exceptions import TransportError

__all__ = ["APP", "COMPANY", "OAuthServer"]

APP = App("6578278e879ad2646715ba9c-lq3k9x2a", "5ecre7-0f-the-app-5ecre7")
COMPANY = "tDtDnQdgm2LXpyiqYvZ6"
_ROOM = {"x-ratelimit-max": "100000", "x-ratelimit-remaining": "99999", "x-ratelimit-interval-milliseconds": "10000"}
_TOKEN_REFUSED = {"statusCode": 401, "message": "Invalid token: access token is invalid", "error": "Unauthorized"}


@dataclass
class Refresh:
    """A refresh token: whose, and since when another one stands in its place."""

    location_id: str | None
    spent_at: float = float("inf")
    answer: dict[str, Any] = field(default_factory=dict)


@dataclass
class OAuthServer:
    """A transport. What comes with a good token is answered 200.

    Refresh tokens are good once; within ``grace`` seconds they are answered with the same pair again.
    """

    clock: Clock
    lifetime: float = 86_399.0
    grace: float = 30.0
    app: App = APP
    installed: set[str] = field(default_factory=lambda: {"loc-1", "loc-2"})
    refused: int = 0
    minted: list[str] = field(default_factory=list)
    calls: list[tuple[Call, Mapping[str, str]]] = field(default_factory=list)
    #: Called before and after a request is worked on.
    arriving: Callable[[Call], None] = lambda call: None
    leaving: Callable[[Call], None] = lambda call: None
    _refreshes: dict[str, Refresh] = field(default_factory=dict)
    _access: dict[str, tuple[str | None, float]] = field(default_factory=dict)
    _codes: dict[str, str | None] = field(default_factory=dict)
    _numbers: itertools.count[int] = field(default_factory=itertools.count)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def new_pair(self, location_id: str | None = None) -> dict[str, Any]:
        """As the token endpoint of ``2021-07-28`` gives it; an agency's without a location."""
        number = next(self._numbers)
        access, refresh = f"access-{number:04}-of-{location_id or COMPANY}", f"refresh-{number:04}-of-{location_id or COMPANY}"
        self._refreshes[refresh] = Refresh(location_id)
        self._access[access] = (location_id, self.now() + self.lifetime)
        said = {"access_token": access, "token_type": "Bearer", "expires_in": self.lifetime, "refresh_token": refresh}
        kind = {"userType": "Location", "locationId": location_id} if location_id else {"userType": "Company"}
        return said | kind | {"companyId": COMPANY, "scope": "oauth.readonly oauth.write", "userId": "u-1"}

    def new_code(self, location_id: str | None = None) -> str:
        """As somebody's yes gives it."""
        code = f"code-{next(self._numbers):04}-aaaaaaaaaaaaaaaa"
        self._codes[code] = location_id
        return code

    def expire(self, access: str) -> None:
        """Its time is over."""
        self._access.pop(access, None)

    def revoke(self, refresh: str) -> None:
        """It is worth nothing from now on."""
        self._refreshes.pop(refresh, None)

    def is_good(self, header: str) -> bool:
        """Whether it would be let through now."""
        _, ends = self._access.get(header.removeprefix("Bearer "), (None, 0.0))
        return self.now() < ends

    def now(self) -> float:
        return self.clock.utc_now().timestamp()

    def grants(self) -> list[Call]:
        """Requests for tokens by refresh token."""
        return [call for call, _ in self.calls if "refresh_token" in (call.form or {}).values()]

    def send(self, call: Call, headers: Mapping[str, str]) -> RawAnswer:
        self.arriving(call)
        with self._lock:
            self.calls.append((call, headers))
            status, body = self._answer(call, headers)
        self.leaving(call)
        return status, _ROOM, json.dumps(body).encode()

    def close(self) -> None:
        pass

    def _answer(self, call: Call, headers: Mapping[str, str]) -> tuple[int, dict[str, Any]]:
        is_v3 = headers["Version"] == "v3"
        if call.path == "/oauth/token":
            status, body = self._token(_snake(call.form or {}) if is_v3 else dict(call.form or {}))
            return status, _camel(body) if is_v3 else body
        location_id, ends = self._access.get(headers.get("Authorization", "").removeprefix("Bearer "), (None, 0.0))
        if self.now() >= ends:
            return 401, _TOKEN_REFUSED
        if call.path == ("/oauth/location-token" if is_v3 else "/oauth/locationToken"):
            status, body = self._mint(location_id, call.form or {})
            return status, _camel(body) if is_v3 else body
        if location_id is None or location_id != call.location_id:
            return 403, {"statusCode": 403, "message": "The token does not have access to this location."}
        return 200, {"location": location_id}

    def _token(self, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        if (form.get("client_id"), form.get("client_secret")) != (self.app.client_id, self.app.client_secret):
            return 401, {"error": "UnAuthorized!", "error_description": "Invalid client credentials!"}
        if form["grant_type"] == "authorization_code":
            if form["code"] not in self._codes:
                return 401, {"error": "UnAuthorized!", "error_description": "Authorization code not found"}
            return 200, self.new_pair(self._codes.pop(form["code"]))
        refresh = self._refreshes.get(form["refresh_token"])
        if refresh is None or self.now() > refresh.spent_at + self.grace:
            self.refused += 1
            said = f"Invalid grant: refresh token is invalid {form['refresh_token']}"  # the worst that it might say
            return 400, {"statusCode": 400, "message": said}
        if not refresh.answer:
            refresh.spent_at, refresh.answer = self.now(), self.new_pair(refresh.location_id)
        _, ends = self._access.get(refresh.answer["access_token"], (None, 0.0))
        return 200, refresh.answer | {"expires_in": max(0.0, ends - self.now())}

    def _mint(self, owner: str | None, form: Mapping[str, str]) -> tuple[int, dict[str, Any]]:
        if owner is not None or form["companyId"] != COMPANY:
            return 403, {"statusCode": 403, "message": "Forbidden resource", "error": "Forbidden"}
        if form["locationId"] not in self.installed:
            return 403, {"statusCode": 403, "message": "The app is not installed on this location", "error": "Forbidden"}
        self.minted.append(form["locationId"])
        said = self.new_pair(form["locationId"])
        return 201, {name: said[name] for name in ("access_token", "token_type", "expires_in", "scope", "locationId")}


_V3 = {
    "access_token": "accessToken",
    "token_type": "tokenType",
    "expires_in": "expiresIn",
    "refresh_token": "refreshToken",
    "client_id": "clientId",
    "client_secret": "clientSecret",
    "grant_type": "grantType",
    "redirect_uri": "redirectUri",
    "user_type": "userType",
}


def _camel(body: Mapping[str, Any]) -> dict[str, Any]:
    return {_V3.get(name, name): value for name, value in body.items()}


def _snake(form: Mapping[str, str]) -> dict[str, str]:
    names = {camel: snake for snake, camel in _V3.items()}
    return {names.get(name, name): value for name, value in form.items()}


def lost(call: Call) -> None:
    """For ``leaving``: the answer does not arrive."""
    raise TransportError("the connection broke (Test)", method=call.method, path=call.template, sent=True)
