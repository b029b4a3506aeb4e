"""Tokens over the OAuth server of the tests, and a store that may fail."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

from simulated_oauth import APP, COMPANY, OAuthServer
from simulated_time import FakeClock

from airflow_provider_ghl.api.agency_tokens import AgencyTokens
from airflow_provider_ghl.api.client import Client
from airflow_provider_ghl.api.clock import Stop
from airflow_provider_ghl.api.oauth import OAuth, token_client
from airflow_provider_ghl.api.refreshed_token import RefreshedToken
from airflow_provider_ghl.api.retry import Retry
from airflow_provider_ghl.api.token_store import Stored, TokenPair, fingerprint
from airflow_provider_ghl.exceptions import GHLError

__all__ = ["BusyClock", "Store", "agency", "client_with", "oauth_of", "refreshed", "stored"]


class BusyClock(FakeClock):
    """While it is looked at, something else happens, once."""

    meanwhile: Callable[[], object] | None = None

    def utc_now(self) -> datetime:
        now = super().utc_now()
        if (meanwhile := self.meanwhile) is not None:
            self.meanwhile = None
            meanwhile()
        return now


class Store:
    """Keeps text, as Airflow does. It may fail."""

    def __init__(self) -> None:
        self.text: str | None = None
        self.reads = 0
        self.writes = 0
        self.fails_to: set[str] = set()

    def read(self) -> Stored | None:
        self.reads += 1
        if "read" in self.fails_to:
            raise GHLError("the store cannot be read")
        return Stored.from_dict(json.loads(self.text)) if self.text else None

    def write(self, stored: Stored) -> None:
        if "write" in self.fails_to:
            raise GHLError("the store cannot be written")
        self.writes += 1
        self.text = json.dumps(stored.as_dict())


def oauth_of(server: OAuthServer, version: str = "2021-07-28", stop: Stop | None = None) -> OAuth:
    return OAuth(token_client(api_version=version, transport=server, clock=server.clock, stop=stop), server.app, version)


def refreshed(
    server: OAuthServer, store: Any, refresh: str | None = None, access: str | None = None, **more: Any
) -> RefreshedToken:
    """As a process that has just started makes it."""
    oauth = more.pop("oauth", None) or oauth_of(server)
    return RefreshedToken(oauth, store, pasted_refresh_token=refresh, pasted_access_token=access, **more)


def agency(server: OAuthServer, store: Any | None = None, version: str = "2021-07-28") -> AgencyTokens:
    """Over a pair of its own."""
    oauth = oauth_of(server, version)
    company = refreshed(server, store or Store(), server.new_pair()["refresh_token"], oauth=oauth, user_type="Company")
    return AgencyTokens(company, oauth, COMPANY)


def client_with(authorization: Any, server: Any, clock: FakeClock, **options: Any) -> Client:
    options.setdefault("retry", Retry(draw=lambda: 1.0))
    return Client(authorization, location_id="loc-1", transport=server, clock=clock, **options)


def stored(access: str, refresh: str | None, expires_at: float, *pasted: str | None, generation: int = 1) -> Stored:
    """What an earlier process has left, for a connection with these tokens: refresh token, access token."""
    pair = TokenPair(access, refresh, expires_at, 86_399.0)
    return Stored(pair, fingerprint(APP.client_id, *pasted), generation)
