"""While the endpoint that gives tokens fails: one asks, all hear the answer, and the number of requests is bounded."""

from __future__ import annotations

import threading
from collections import Counter

import pytest
from simulated_oauth import COMPANY, OAuthServer
from simulated_time import FakeClock
from token_fakes import Store, agency, client_with, refreshed
from waits import TOO_LONG

from airflow_provider_ghl.api.associations import Associations
from airflow_provider_ghl.api.calls import Call
from airflow_provider_ghl.exceptions import GHLError, ServerError, TokenUnavailable

LOCATIONS = [f"loc-{number}" for number in range(60)]
TOKEN, MINT = "/oauth/token", "/oauth/locationToken"


class Failing:
    """Lets one endpoint of a server fail, for all locations or for some. Counts what it is asked."""

    def __init__(self, server: OAuthServer, path: str, *only: str) -> None:
        self.asked: list[tuple[float, str]] = []
        self.at_once = 0
        self._server, self._path, self._only = server, path, only
        self._inside = 0
        self._lock = threading.Lock()
        server.installed |= set(LOCATIONS)
        server.arriving = self._arriving

    def end(self) -> None:
        self._path = "nothing"

    def _arriving(self, call: Call) -> None:
        if call.path != self._path:
            return
        location = (call.form or {}).get("locationId", "")
        with self._lock:
            self.asked.append((self._server.now(), location))
            self._inside += 1
            self.at_once = max(self.at_once, self._inside)
        threading.Event().wait(0.001)  # so that others would come meanwhile
        with self._lock:
            self._inside -= 1
        if not self._only or location in self._only:
            raise ServerError("Internal Server Error", method=call.method, path=call.path, status=500)


def get_association(server: OAuthServer, clock: FakeClock) -> None:
    client = client_with(agency(server), server, clock)
    with pytest.raises(TokenUnavailable, match="there is no token"):
        Associations(client, "loc-1").get("a-1")


@pytest.mark.parametrize("path", [TOKEN, MINT])
def test_a_request_tries_to_get_its_token_for_half_a_minute_in_all(clock: FakeClock, server: OAuthServer, path: str) -> None:
    """HighLevel answers equal refreshes alike for 30 s: later, the same refresh token may be spent."""
    failing = Failing(server, path)
    get_association(server, clock)
    times = [at for at, _ in failing.asked]
    assert 3 < len(times) <= 12
    assert times[-1] - times[0] <= 25.0


def test_a_refresh_is_tried_for_long_enough(clock: FakeClock, server: OAuthServer) -> None:
    failing = Failing(server, TOKEN)
    clock.alarms.append((clock.now + 8.0, failing.end))
    token = refreshed(server, Store(), server.new_pair("loc-1")["refresh_token"])
    assert server.is_good(token.header(None))


def test_one_of_many_asks_while_it_fails_for_all(clock: FakeClock, server: OAuthServer) -> None:
    tokens, failing = agency(server), Failing(server, MINT)
    errors: list[GHLError] = []

    def use(location: str) -> None:
        try:
            tokens.header(location)
        except GHLError as error:
            errors.append(error)

    threads = [threading.Thread(target=use, args=(location,)) for location in LOCATIONS]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(TOO_LONG)
    assert [type(error) for error in errors] == [ServerError] * len(LOCATIONS)
    assert len({id(error) for error in errors}) == len(LOCATIONS)  # each thread writes its own story into its error
    assert failing.at_once == 1
    assert len(failing.asked) <= 13  # one location's tries, and one of another's, which shows that it is not that location


def test_an_outage_of_minutes_costs_few_requests(clock: FakeClock, server: OAuthServer) -> None:
    tokens, failing = agency(server), Failing(server, MINT)
    until = clock.now + 435.0
    while clock.now < until:
        for location in LOCATIONS:
            with pytest.raises(ServerError):
                tokens.header(location)
        clock.now += 1.0
    assert len(failing.asked) <= 60
    failing.end()
    clock.now += 30.0
    assert all(server.is_good(tokens.header(location)) for location in LOCATIONS)


def test_what_fails_for_one_location_alone_holds_up_no_other(clock: FakeClock, server: OAuthServer) -> None:
    tokens, failing = agency(server), Failing(server, MINT, "loc-0")
    for location in LOCATIONS[:3] * 3:
        if location == "loc-0":
            with pytest.raises(ServerError):
                tokens.header(location)
        else:
            began = clock.now
            assert server.is_good(tokens.header(location))
            assert clock.now == began
    counts = Counter(location for _, location in failing.asked)
    assert counts["loc-0"] <= 12
    assert (counts["loc-1"], counts["loc-2"]) == (1, 1)


def test_others_get_their_tokens_while_one_location_is_retried(clock: FakeClock, server: OAuthServer) -> None:
    tokens, failing = agency(server), Failing(server, MINT, "loc-0")
    others = iter(LOCATIONS[1:])
    headers: list[str] = []

    class Others(FakeClock):
        def sleep(self, seconds: float) -> None:
            super().sleep(seconds)
            headers.append(tokens.header(next(others)))

    server.clock = Others(clock.now)
    tokens = agency(server)
    with pytest.raises(ServerError):
        tokens.header("loc-0")
    assert headers
    assert all(map(server.is_good, headers))
    assert Counter(location for _, location in failing.asked)["loc-0"] <= 12


def test_mints_run_side_by_side_once_one_has_worked(server: OAuthServer) -> None:
    tokens = agency(server)
    server.installed |= set(LOCATIONS)
    tokens.header("loc-0")
    together = threading.Barrier(5)

    def arriving(call: Call) -> None:
        together.wait(TOO_LONG)

    server.arriving = arriving
    threads = [threading.Thread(target=tokens.header, args=(location,)) for location in LOCATIONS[1:6]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(TOO_LONG)
    assert [call.location_id for call, _ in server.calls].count(COMPANY) == 6
