"""The sandbox as one thing: state, limits, faults and server, built from a handful of numbers."""

from __future__ import annotations

import json
import os
import secrets
import time
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
from airflow_provider_ghl.sandbox.routes import ALL_SCOPES
from airflow_provider_ghl.sandbox.server import Server
from airflow_provider_ghl.sandbox.state import State
from airflow_provider_ghl.sandbox.stats import Stats, StatsDict

__all__ = ["DEFAULT_LOCATION", "DEFAULT_TOKEN", "Sandbox"]

#: Fixed, so that an Airflow connection that was set up once keeps working.
DEFAULT_LOCATION = "Xk2v7QpLr9TfBz4NwHd1"
DEFAULT_TOKEN = "pit-5a9db0c5-0000-4000-8000-000000000001"
"""Opens nothing but sandboxes."""

_WINDOWS: dict[WindowKind, Callable[[int | None, float], Window]] = {"sliding": SlidingWindow, "fixed": FixedWindow}


class Sandbox:
    """HighLevel on 127.0.0.1, in this process. A context manager; or :meth:`start` and :meth:`stop`.

    ::

        with Sandbox(limit=25) as sandbox:
            os.environ["AIRFLOW_CONN_GHL_DEFAULT"] = sandbox.connection_json

    :param port: 0 for a free one.
    :param state_path: file that remembers locations, associations, records and relations; ``None``: nothing is kept.
    :param limit: requests in ``interval`` seconds, for each location, each agency's own endpoints, and each app's tokens;
        ``None``: no limit.
    :param window: ``sliding`` or ``fixed`` (which of them the real one is, is unknown).
    :param daily_limit: requests a day, for each location; ``None``: no limit.
    :param daily_resets_in: seconds from the start until the day's count starts anew, and then every ``day`` seconds.
    :param count_at: whether a request is counted when it arrives or when its latency is over (unknown as well).
    :param latency: seconds a request takes, ± ``latency_spread`` (a share: 0.3 is from 0.7 to 1.3 times that).
    :param page_cap: the most items on a page of a list, whatever ``limit`` asks.
    :param tokens: token to scopes; they reach every location here (see :meth:`add_token`). Default: one with all scopes.
    :param location_id: the first location; more are added with ``state.add_location()``.
    :param faults: what goes wrong, see :class:`Fault`.
    :param seed: drives ids, latency and faults; chosen, and shown by ``repr``, if none is given.
    :param token_lifetime: seconds that an OAuth access token is good.
    :param refresh_grace: seconds in which a spent refresh token gets the same new pair again.
    :param single_object: the list by object key shows a single association as an object (sources contradict each other).
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
        location_id: str | None = None,
        faults: Iterable[Fault] = (),
        seed: int | None = None,
        single_object: bool = False,
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
            self._grants.put(token, Grant(frozenset(scopes)))
        self._oauth = OAuth(self.state.agencies, self._grants, token_lifetime, refresh_grace)
        self._oauth_api = OAuthApi(self._oauth, self.state.agencies, self.state.location_id)
        app = App(self.state, self._grants, self._oauth_api, page_cap, single_object)
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
        """Begin to answer.

        :raises OSError: the port is taken.
        """
        try:
            self._server = Server(self._gateway, self._port)
        except OSError:
            self.state.close()
            raise
        self._server.start()

    def stop(self) -> None:
        """Close all connections and the state file; what is in memory can still be read."""
        if self._server:
            self._server.stop()
        self.state.close()

    @property
    def url(self) -> str:
        """Base URL, without a slash at its end; there is none before the start."""
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
        """An Airflow connection to a location, as JSON."""
        extra = {"location_id": location_id}
        return json.dumps({"conn_type": "ghl", "host": self.url, "password": token or self.token, "extra": extra})

    def stats(self) -> StatsDict:
        """What came and was answered so far; also at ``GET /sandbox/stats``, which is not counted."""
        return self._gateway.account()

    def write_times(self) -> list[float]:
        """When each relation was created over HTTP, in seconds of ``time.monotonic``."""
        return self._gateway.stats.write_times()

    def add_token(self, token: str | None = None, scopes: Iterable[str] = ALL_SCOPES, location_id: str | None = None) -> str:
        """Another token, as a location's own: it reaches that location only (default: the first)."""
        token = token or f"pit-{secrets.token_hex(16)}"
        self._grants.put(token, Grant(frozenset(scopes), location_id or self.location_id))
        return token

    def revoke(self, token: str) -> None:
        """From now on the token is refused: a private one, an access token, or a refresh token."""
        self._oauth.revoke(token)

    def set_scopes(self, token: str, scopes: Iterable[str]) -> None:
        """Change what a token may do; the token stays the same, as with HighLevel's private integrations."""
        self._grants.set_scopes(token, frozenset(scopes))

    # Apps and agencies

    def add_app(
        self,
        client_id: str | None = None,
        client_secret: str | None = None,
        scopes: Iterable[str] = ALL_SCOPES | OAUTH_SCOPES,
    ) -> Application:
        """An app of the marketplace, installed nowhere. A state file does not remember it: add it again by its ids."""
        return self._oauth.add_app(client_id, client_secret, scopes)

    def add_company(self, company_id: str | None = None) -> str:
        """Another agency; its id. Its locations are added with ``state.add_location(company_id=…)``."""
        return self.state.agencies.add_company(company_id)

    def install(self, app: Application, location_id: str) -> None:
        """Install the app in a location, so that its agency's token gets tokens for it."""
        self.state.agencies.install(app.app_id, location_id)

    def uninstall(self, app: Application, location_id: str) -> None:
        """Remove the app from a location; its tokens for the location are refused from now on (inferred)."""
        self.state.agencies.uninstall(app.app_id, location_id)
        self._grants.drop_of(location_id, app.client_id)

    def move_location(self, location_id: str, company_id: str) -> None:
        """Give a location to another agency; the apps in it, and their tokens for it, are gone (inferred)."""
        self.state.agencies.move(location_id, company_id)
        self._grants.drop_of(location_id)

    def authorize(self, app: Application, *, company_id: str | None = None, location_id: str | None = None) -> str:
        """The code that the consent page would give out; consent for a location installs the app there."""
        return self._oauth.authorize(self._oauth.holder(app, company_id, location_id))

    def issue(self, app: Application, *, company_id: str | None = None, location_id: str | None = None) -> dict[str, Any]:
        """A new pair of tokens, as the token endpoint of ``2021-07-28`` gives it: ``access_token``, ``refresh_token``, …"""
        pair = self._oauth.issue(self._oauth.holder(app, company_id, location_id))
        return {name: value for name, value in self._oauth_api.shown(pair).items() if value is not None}

    def expire(self, token: str) -> None:
        """An access token is over now, before its time."""
        self._grants.drop(token)

    def keep_refresh_token(self, app: Application, company_id: str, chain: str) -> str:
        """An agency's refresh token that is good after a restart too, and so are its successors: for demonstrations."""
        return self._oauth.keep(self._oauth.holder(app, company_id, None), chain)

    def connection_json_for_agency(self, app: Application, company_id: str, refresh_token: str | None = None) -> str:
        """An Airflow connection to an agency, as JSON; by default with a new refresh token."""
        extra = {
            "client_id": app.client_id,
            "client_secret": app.client_secret,
            "refresh_token": refresh_token or self.issue(app, company_id=company_id)["refresh_token"],
            "company_id": company_id,
        }
        return json.dumps({"conn_type": "ghl", "host": self.url, "extra": extra})

    # Limits and faults

    def set_limit(self, limit: int | None, location_id: str | None = None) -> None:
        """Another burst limit from now on: in one location (or one company, or for one app's tokens), else in all."""
        self._limits.set_limit(limit, location_id)

    def foreign(self, requests: int, location_id: str | None = None) -> None:
        """Count so many requests of other users of the location now."""
        self._limits.count(location_id or self.location_id, time.monotonic(), requests)

    def spend_daily(self, requests: int, location_id: str | None = None) -> None:
        """Count so many requests against the day only."""
        self._limits.spend_daily(location_id or self.location_id, time.monotonic(), requests)

    def add_fault(self, fault: Fault) -> None:
        """Arm another fault; its numbers count from the next request."""
        self._faults.add(fault)

    def clear_faults(self) -> None:
        """Disarm all faults."""
        self._faults.clear()

    def set_latency(self, latency: float, latency_spread: float = 0.0) -> None:
        """Another latency for requests that arrive from now on."""
        self._gateway.latency = Latency(latency, latency_spread, self.seed)
