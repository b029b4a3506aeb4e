"""The sandbox: state, limits, faults and server, put together."""

from __future__ import annotations

import json
import os
import secrets
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Any, Self

from airflow_provider_ghl.sandbox.app import App
from airflow_provider_ghl.sandbox.faults import Fault, Faults
from airflow_provider_ghl.sandbox.gateway import CountAt, Gateway, Latency
from airflow_provider_ghl.sandbox.grants import Grant, Grants
from airflow_provider_ghl.sandbox.limits import Day, FixedWindow, Limits, SlidingWindow, Window, WindowKind
from airflow_provider_ghl.sandbox.oauth import OAUTH_SCOPES, Application, OAuth
from airflow_provider_ghl.sandbox.oauth_api import OAuthApi
from airflow_provider_ghl.sandbox.records_api import RecordsApi
from airflow_provider_ghl.sandbox.routes import ALL_SCOPES
from airflow_provider_ghl.sandbox.searches import Searches
from airflow_provider_ghl.sandbox.server import Server
from airflow_provider_ghl.sandbox.state import State
from airflow_provider_ghl.sandbox.stats import Stats, StatsDict
from airflow_provider_ghl.sandbox.takes_records import TakesRecords

__all__ = ["DEFAULT_LOCATION", "DEFAULT_TOKEN", "Sandbox"]

#: Fixed, so that an Airflow connection that was set up once keeps working.
DEFAULT_LOCATION = "Xk2v7QpLr9TfBz4NwHd1"
DEFAULT_TOKEN = "pit-5a9db0c5-0000-4000-8000-000000000001"
"""Worth nothing outside sandboxes."""

_WINDOWS: dict[WindowKind, Callable[[int | None, float], Window]] = {"sliding": SlidingWindow, "fixed": FixedWindow}


class Sandbox(TakesRecords):
    """A HighLevel on 127.0.0.1, in this process. Use it as a context manager, or call :meth:`start` and :meth:`stop`.

    ::

        with Sandbox(limit=25) as sandbox:
            os.environ["AIRFLOW_CONN_GHL_DEFAULT"] = sandbox.connection_json

    :param port: 0 for a free one.
    :param state_path: the file that keeps locations, associations, records and relations; ``None``: nothing is kept.
    :param limit: requests that are allowed in ``interval`` seconds: to each location, to each agency's own endpoints, and to
        each app at the token endpoint; ``None``: no limit.
    :param interval: seconds.
    :param window: ``sliding`` or ``fixed``; which of them HighLevel has is unknown.
    :param daily_limit: requests a day that are allowed to each of these; ``None``: no limit.
    :param daily_resets_in: seconds from now until the daily count first starts from 0 again.
    :param day: seconds between two resets of the daily count.
    :param count_at: whether a request counts from its ``arrival`` or from its ``answer``; HighLevel's way is unknown.
    :param latency: seconds from a request to its answer.
    :param latency_spread: a share of the latency: 0.3 is from 0.7 to 1.3 times the latency.
    :param page_cap: the longest page of a list, whatever the request's ``limit``.
    :param tokens: scopes by token, for the first location. Default: one token with all scopes.
    :param any_location: whether these tokens open every location, as none of HighLevel's does.
    :param location_id: the first location; ``state.add_location()`` adds more.
    :param faults: what goes wrong; see :class:`Fault`.
    :param seed: the same seed gives the same ids, latencies and faults. By default a new one, which ``repr`` shows.
    :param single_object: whether the list by object key shows a single association as an object; sources contradict each other.
    :param rewrites_associations: whether an association that is created over HTTP is stored with its key in lower case and its
        two sides sorted by object key, as HighLevel was seen to do. ``state.add_association()`` stores it as given.
    :param searches: how searches behave; ``sandbox.searches`` may be changed while the sandbox runs.
    :param token_lifetime: seconds until an OAuth access token expires.
    :param refresh_grace: seconds in which a spent refresh token is answered with the same new pair again.
    :raises ValueError: a number is out of range.
    :raises StateFileError: the state file cannot be used.
    """

    def __init__(
        self,
        port: int = 0,
        state_path: str | os.PathLike[str] | None = None,
        *,
        limit: int | None = 100,
        interval: float = 10.0,
        window: WindowKind = "sliding",
        daily_limit: int | None = 200_000,
        daily_resets_in: float = 86_400.0,
        day: float = 86_400.0,
        count_at: CountAt = "arrival",
        latency: float = 0.0,
        latency_spread: float = 0.0,
        page_cap: int = 100,
        tokens: Mapping[str, frozenset[str]] | None = None,
        any_location: bool = False,
        location_id: str | None = None,
        faults: Iterable[Fault] = (),
        seed: int | None = None,
        single_object: bool = False,
        rewrites_associations: bool = True,
        searches: Searches | None = None,
        token_lifetime: float = 86_399,
        refresh_grace: float = 30.0,
    ):
        if interval <= 0 or any(most is not None and most < 1 for most in (limit, daily_limit, page_cap)):
            raise ValueError("limits are at least 1, or None for none; an interval is more than 0 seconds")
        self.seed = secrets.randbits(32) if seed is None else seed
        timing, new_window = Latency(latency, latency_spread, self.seed), _WINDOWS[window]
        self.state = State(state_path, location_id, self.seed, otherwise=DEFAULT_LOCATION)
        tokens = tokens or {DEFAULT_TOKEN: ALL_SCOPES}
        self.token = next(iter(tokens))
        self._grants = Grants(time.monotonic)
        for token, scopes in tokens.items():
            self._grants.put(token, Grant(frozenset(scopes), None if any_location else self.location_id))
        self._any_location = any_location
        self._tokens_of = {self.location_id: self.token}
        self._oauth = OAuth(self.state.agencies, self._grants, token_lifetime, refresh_grace)
        self._oauth_api = OAuthApi(self._oauth, self.state.agencies, self.state.location_id)
        self.searches = searches or Searches()
        records = RecordsApi(self.state.objects, self.searches)
        app = App(self.state, self._grants, self._oauth_api, records, page_cap, single_object, rewrites_associations)
        day_ends = time.monotonic() + daily_resets_in
        self._limits = Limits(lambda: new_window(limit, interval), interval, lambda: Day(daily_limit, day_ends, day))
        self._faults = Faults(self.seed, faults)
        self._gateway = Gateway(
            app=app,
            limits=self._limits,
            faults=self._faults,
            latency=timing,
            count_at=count_at,
            clock=time.monotonic,
            stats=Stats(),
            searches=self.searches,
        )
        self._port = port
        self._server: Server | None = None

    def __repr__(self) -> str:
        return f"<Sandbox {self.url if self._server else 'not started'} seed={self.seed}>"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.stop()

    def start(self) -> None:
        """Start to serve.

        :raises OSError: the port is taken.
        """
        try:
            self._server = Server(self._gateway, self._port)
        except OSError:
            self.state.close()
            raise
        self._server.start()

    def stop(self) -> None:
        """Close all connections and the state file. What is in memory can still be read."""
        if self._server:
            self._server.stop()
        self.state.close()

    @property
    def url(self) -> str:
        """The base URL, without a slash at its end. Raises ``RuntimeError`` before the start."""
        if self._server is None:
            raise RuntimeError("the sandbox is not started: use it in a with block")
        return f"http://127.0.0.1:{self._server.port}"

    @property
    def location_id(self) -> str:
        """The first location."""
        return self.state.location_id

    @property
    def connection_json(self) -> str:
        """An Airflow connection to the first location, as JSON for ``AIRFLOW_CONN_…``."""
        return self.connection_json_for(self.location_id)

    def connection_json_for(self, location_id: str, token: str | None = None) -> str:
        """An Airflow connection to a location, as JSON. The default token opens it, and is the same at every start."""
        extra = {"location_id": location_id}
        token = token or self._token_of(location_id)
        return json.dumps({"conn_type": "ghl", "host": self.url, "password": token, "extra": extra})

    def _token_of(self, location_id: str) -> str:
        if location_id not in self._tokens_of and not self._any_location:
            token = f"pit-{uuid.uuid5(uuid.NAMESPACE_OID, location_id)}"
            self._tokens_of[location_id] = self.add_token(token, location_id=location_id)
        return self._tokens_of.get(location_id, self.token)

    def stats(self) -> StatsDict:
        """Requests and answers so far; also at ``GET /sandbox/stats``, which is not counted itself."""
        return self._gateway.statistics()

    def write_times(self) -> list[float]:
        """When each relation was created over HTTP, in seconds of ``time.monotonic``."""
        return self._gateway.stats.write_times()

    def add_token(self, token: str | None = None, scopes: Iterable[str] = ALL_SCOPES, location_id: str | None = None) -> str:
        """Add the token of one location, and return it. It opens that location only; default: the first one."""
        token = token or f"pit-{secrets.token_hex(16)}"
        self._grants.put(token, Grant(frozenset(scopes), location_id or self.location_id))
        return token

    def revoke(self, token: str) -> None:
        """Refuse a token from now on: a private integration's, an access token, or a refresh token."""
        self._oauth.revoke(token)

    def set_scopes(self, token: str, scopes: Iterable[str]) -> None:
        """Change a token's scopes. The token stays the same, as with HighLevel's private integrations."""
        self._grants.set_scopes(token, frozenset(scopes))

    # Apps and agencies

    def add_app(
        self,
        client_id: str | None = None,
        client_secret: str | None = None,
        scopes: Iterable[str] = ALL_SCOPES | OAUTH_SCOPES,
    ) -> Application:
        """Add an app of the Marketplace, which is not installed anywhere yet.

        A state file does not keep apps: after a restart, add it again with the same ids.
        """
        return self._oauth.add_app(client_id, client_secret, scopes)

    def add_company(self, company_id: str | None = None) -> str:
        """Add an agency and return its id. ``state.add_location(company_id=…)`` adds its locations."""
        return self.state.agencies.add_company(company_id)

    def install(self, app: Application, location_id: str) -> None:
        """Install the app in a location, so that the agency can get tokens for it."""
        self.state.agencies.install(app.app_id, location_id)

    def uninstall(self, app: Application, location_id: str) -> None:
        """Uninstall the app from a location. The app's tokens for it are refused from now on (inferred)."""
        self.state.agencies.uninstall(app.app_id, location_id)
        self._grants.drop_all(location_id, app.client_id)

    def move_location(self, location_id: str, company_id: str) -> None:
        """Give a location to another agency. Its apps are uninstalled, and their tokens for it are refused (inferred)."""
        self.state.agencies.move(location_id, company_id)
        self._grants.drop_all(location_id)

    def authorize(self, app: Application, *, company_id: str | None = None, location_id: str | None = None) -> str:
        """A code, as the consent page issues it. Consent for a location installs the app there."""
        return self._oauth.authorize(self._oauth.holder(app, company_id, location_id))

    def issue(self, app: Application, *, company_id: str | None = None, location_id: str | None = None) -> dict[str, Any]:
        """A new pair of tokens, as the token endpoint of ``2021-07-28`` answers: ``access_token``, ``refresh_token``, …"""
        pair = self._oauth.issue(self._oauth.holder(app, company_id, location_id))
        return {name: value for name, value in self._oauth_api.shown(pair).items() if value is not None}

    def expire(self, token: str) -> None:
        """Let an access token expire now."""
        self._grants.drop(token)

    def keep_refresh_token(self, app: Application, company_id: str, chain: str) -> str:
        """An agency's refresh token that stays valid after a restart, as do its successors. For demonstrations."""
        return self._oauth.keep(self._oauth.holder(app, company_id, None), chain)

    def connection_json_for_agency(self, app: Application, company_id: str, refresh_token: str | None = None) -> str:
        """An Airflow connection to an agency, as JSON. By default it has a new refresh token."""
        extra = {
            "client_id": app.client_id,
            "client_secret": app.client_secret,
            "refresh_token": refresh_token or self.issue(app, company_id=company_id)["refresh_token"],
            "company_id": company_id,
        }
        return json.dumps({"conn_type": "ghl", "host": self.url, "extra": extra})

    # Limits and faults

    def set_limit(self, limit: int | None, location_id: str | None = None) -> None:
        """Change the burst limit.

        :param location_id: of one location, company or app (by its client id); default: of all.
        """
        self._limits.set_limit(limit, location_id)

    def foreign(self, requests: int, location_id: str | None = None) -> None:
        """Count requests that other users of the location have sent just now."""
        self._limits.count(location_id or self.location_id, time.monotonic(), requests)

    def spend_daily(self, requests: int, location_id: str | None = None) -> None:
        """Count requests against the daily quota only."""
        self._limits.spend_daily(location_id or self.location_id, time.monotonic(), requests)

    def add_fault(self, fault: Fault) -> None:
        """Add a fault; its numbers count from the next request."""
        self._faults.add(fault)

    def clear_faults(self) -> None:
        """Remove all faults."""
        self._faults.clear()

    def set_latency(self, latency: float, latency_spread: float = 0.0) -> None:
        """Change the latency of requests that arrive from now on."""
        self._gateway.latency = Latency(latency, latency_spread, self.seed)
