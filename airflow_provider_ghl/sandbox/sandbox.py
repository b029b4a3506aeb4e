"""The sandbox as one thing: state, limits, faults and server, built from a handful of numbers."""

from __future__ import annotations

import json
import os
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Self

from airflow_provider_ghl.sandbox.app import App, Grant
from airflow_provider_ghl.sandbox.faults import Fault, Faults
from airflow_provider_ghl.sandbox.gateway import CountAt, Gateway, Latency
from airflow_provider_ghl.sandbox.limits import Day, FixedWindow, Limits, SlidingWindow, Window, WindowKind
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
    :param limit: requests in ``interval`` seconds, for each location; ``None``: no limit.
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
    ):
        if interval <= 0 or any(most is not None and most < 1 for most in (limit, daily_limit, page_cap)):
            raise ValueError("limits are at least 1, or None for none; an interval is more than 0 seconds")
        self.seed = secrets.randbits(32) if seed is None else seed
        timing, new_window = Latency(latency, latency_spread, self.seed), _WINDOWS[window]
        self.state = State(state_path, location_id, self.seed, otherwise=DEFAULT_LOCATION)
        grants = {token: Grant(frozenset(scopes)) for token, scopes in (tokens or {DEFAULT_TOKEN: ALL_SCOPES}).items()}
        self.token = next(iter(grants))
        self._app = App(self.state, grants, page_cap, single_object)
        day_ends = time.monotonic() + daily_resets_in
        self._limits = Limits(lambda: new_window(limit, interval), interval, lambda: Day(daily_limit, day_ends, day))
        self._faults = Faults(self.seed, faults)
        self._gateway = Gateway(
            app=self._app,
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
        self._app.tokens[token] = Grant(frozenset(scopes), location_id or self.location_id)
        return token

    def revoke(self, token: str) -> None:
        """From now on the token is refused."""
        self._app.tokens.pop(token, None)

    def set_scopes(self, token: str, scopes: Iterable[str]) -> None:
        """Change what a token may do; the token stays the same, as with HighLevel's private integrations."""
        self._app.tokens[token] = Grant(frozenset(scopes), self._app.tokens[token].location_id)

    def set_limit(self, limit: int | None) -> None:
        """Another burst limit from now on."""
        self._limits.set_limit(limit)

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
