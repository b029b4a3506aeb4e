"""The rules of OAuth tokens: who gets a pair, when it expires, and what a spent refresh token is good for."""

from __future__ import annotations

import math
import secrets
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field

from airflow_provider_ghl.sandbox.agencies import Agencies
from airflow_provider_ghl.sandbox.bodies import is_number
from airflow_provider_ghl.sandbox.grants import Grant, Grants
from airflow_provider_ghl.sandbox.location import Refused
from airflow_provider_ghl.sandbox.routes import ALL_SCOPES

__all__ = ["OAUTH_SCOPES", "Application", "Holder", "OAuth", "Pair"]

#: What an agency's token needs to list locations and to mint tokens for them.
OAUTH_SCOPES = frozenset({"oauth.readonly", "oauth.write"})


@dataclass(frozen=True, slots=True)
class Application:
    """An app of HighLevel's Marketplace."""

    client_id: str
    client_secret: str = field(repr=False)
    scopes: frozenset[str] = ALL_SCOPES | OAUTH_SCOPES

    @property
    def app_id(self) -> str:
        """The part of ``client_id`` before the dash (observed)."""
        return self.client_id.partition("-")[0]


@dataclass(frozen=True, slots=True)
class Holder:
    """Whom a pair of tokens is for: an agency, or one of its locations."""

    app: Application
    company_id: str
    location_id: str | None = None
    added_scopes: frozenset[str] = frozenset()

    @property
    def scopes(self) -> frozenset[str]:
        return self.app.scopes | self.added_scopes


@dataclass(frozen=True, slots=True)
class Pair:
    """An access token, and the refresh token that was issued with it.

    :param ends: when the access token expires, in seconds of the clock.
    """

    holder: Holder
    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    ends: float


@dataclass(slots=True)
class _Refresh:
    """A refresh token, ``{chain}-{number}``. It is spent once it has a successor."""

    holder: Holder
    chain: str
    number: int
    spent_at: float = 0.0
    successor: Pair | None = None


class OAuth:
    """Thread-safe. Its clock is that of the grants.

    :param lifetime: seconds until an access token expires.
    :param grace: seconds in which a spent refresh token is answered with the same pair again (30, specified).
    """

    def __init__(self, agencies: Agencies, grants: Grants, lifetime: float, grace: float):
        self.agencies = agencies
        self.grants = grants
        self.lifetime = lifetime
        self.grace = grace
        self._apps: dict[str, Application] = {}
        self._codes: dict[str, Holder] = {}
        self._refreshes: dict[str, _Refresh] = {}
        self._kept: dict[str, Holder] = {}
        self._lock = threading.RLock()

    def add_app(self, client_id: str | None, client_secret: str | None, scopes: Iterable[str]) -> Application:
        """Add an app. New ids look like HighLevel's (observed): 24 hex digits, a dash, 8 characters; the secret is a UUID."""
        client_id = client_id or f"{secrets.token_hex(12)}-{secrets.token_hex(4)}"
        digits = secrets.token_hex(16)
        new_secret = f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
        app = self._apps[client_id] = Application(client_id, client_secret or new_secret, frozenset(scopes))
        return app

    def app(self, client_id: str) -> Application | None:
        """The app with this client id."""
        return self._apps.get(client_id)

    def holder(self, app: Application, company_id: str | None, location_id: str | None) -> Holder:
        """A holder for tokens of a company, or of a location; in a location the app is then installed.

        :raises ValueError: neither or both are given, or there is no such company or location.
        """
        if (company_id is None) == (location_id is None):
            raise ValueError("either a company or a location")
        if company_id is not None:
            self.agencies.check(company_id)
            return Holder(app, company_id)
        assert location_id is not None
        self.agencies.install(app.app_id, location_id)
        return Holder(app, self.agencies.owner(location_id) or "", location_id)

    def authorize(self, holder: Holder) -> str:
        """A code, as the consent page issues it. It can be exchanged once."""
        code = secrets.token_hex(20)
        self._codes[code] = holder
        return code

    def issue(self, holder: Holder) -> Pair:
        """A new pair of tokens, which begins a new chain of refresh tokens."""
        with self._lock:
            return self._issue(holder, secrets.token_hex(20), 0)

    def keep(self, holder: Holder, chain: str) -> str:
        """The first refresh token of a chain that survives restarts: every token of it that was not used yet is accepted."""
        self._kept[chain] = holder
        return f"{chain}-0"

    def exchange(self, client_id: str, client_secret: str, code: str) -> Pair:
        """A pair of tokens for a code.

        :raises Refused: the code is unknown or used up; or, checked after it (observed), the client is unknown.
        """
        with self._lock:
            holder = self._codes.get(code)
            if holder is None:
                raise Refused("code_not_found")
            self._check_client(client_id, client_secret, holder.app)
            del self._codes[code]
            return self.issue(holder)

    def refresh(self, client_id: str, client_secret: str, refresh_token: str) -> Pair:
        """A new pair for a refresh token, which is then spent. Within the grace period it gets the same pair again.

        :raises Refused: the client is unknown; or the refresh token is unknown, spent, or for a location without the app.
        """
        with self._lock:
            self._check_client(client_id, client_secret)
            found = self._refreshes.get(refresh_token) or self._kept_token(refresh_token)
            if found is None or found.holder.app.client_id != client_id or not self._is_installed(found.holder):
                raise Refused("refresh_token_invalid")
            now = self.grants.clock()
            if found.successor is None:
                found.spent_at, found.successor = now, self._issue(found.holder, found.chain, found.number + 1)
            elif now - found.spent_at > self.grace:
                raise Refused("refresh_token_invalid")
            return found.successor

    def mint(self, grant: Grant, company_id: str, location_id: str) -> Pair:
        """A pair of tokens for a location, made with an agency's token.

        :raises Refused: it is another agency's token, or the location is another agency's or does not have the app.
        """
        app = self._apps[grant.client_id or ""]
        owner = self.agencies.owner(location_id)
        if company_id != grant.company_id:
            raise Refused("wrong_company")
        if owner is None:
            raise Refused("location_not_found")
        if owner != company_id:
            raise Refused("location_of_another_agency")
        if not self.agencies.is_installed(app.app_id, location_id):
            raise Refused("app_not_installed")
        return self.issue(Holder(app, company_id, location_id, OAUTH_SCOPES))

    def expires_in(self, pair: Pair) -> float:
        """Seconds until the access token expires, rounded up to a whole number unless they are less than a minute."""
        seconds = round(max(0.0, pair.ends - self.grants.clock()), 3)
        return math.ceil(seconds) if seconds >= 60 or seconds.is_integer() else seconds

    def revoke(self, token: str) -> None:
        """Refuse a token from now on: an access token or a refresh token."""
        self.grants.drop(token)
        with self._lock:
            self._refreshes.pop(token, None)
            self._kept.pop(token.rpartition("-")[0], None)

    def _issue(self, holder: Holder, chain: str, number: int) -> Pair:
        ends = self.grants.clock() + self.lifetime
        pair = Pair(holder, secrets.token_urlsafe(48), f"{chain}-{number}", ends)
        company_id = holder.company_id if holder.location_id is None else None
        self.grants.put(pair.access_token, Grant(holder.scopes, holder.location_id, company_id, holder.app.client_id, ends))
        self._refreshes[pair.refresh_token] = _Refresh(holder, chain, number)
        return pair

    def _kept_token(self, refresh_token: str) -> _Refresh | None:
        chain, _, number = refresh_token.rpartition("-")
        if chain not in self._kept or not is_number(number):
            return None
        found = self._refreshes[refresh_token] = _Refresh(self._kept[chain], chain, int(number))
        return found

    def _is_installed(self, holder: Holder) -> bool:
        return holder.location_id is None or (
            self.agencies.owner(holder.location_id) == holder.company_id
            and self.agencies.is_installed(holder.app.app_id, holder.location_id)
        )

    def _check_client(self, client_id: str, client_secret: str, app: Application | None = None) -> None:
        known = self._apps.get(client_id)
        if known is None or known.client_secret != client_secret or (app is not None and app != known):
            raise Refused("client_refused")
