"""Processes that share one refresh token, in simulated time: none of their refreshes is refused, and no request fails."""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import partial

import pytest
from processes import Processes, World
from simulated_oauth import OAuthServer
from token_fakes import Store, refreshed

from airflow_provider_ghl.api.calls import Call
from airflow_provider_ghl.api.client import Client
from airflow_provider_ghl.api.refreshed_token import RefreshedToken
from airflow_provider_ghl.api.token_store import Stored
from airflow_provider_ghl.exceptions import GHLError, TransportError, Unauthorized

READ = Call("GET", "/x", "/x", "loc-1", repeat_safe=True)
#: Seconds that any step may take: of all that lie between two processes' looks, less than HighLevel's 30 s.
_LONGEST_STEP = 3.0


@dataclass
class Story:
    """A seed's choice of everything."""

    seed: int
    is_unlucky: bool = True

    def __post_init__(self) -> None:
        self.draw = random.Random(self.seed)
        self.processes = self.draw.randint(2, 8)
        self.lifetime = self.draw.choice([5.0, 8.0, 20.0, 60.0, 600.0, 86_399.0])
        self.world = World()
        self.server = OAuthServer(self.world, lifetime=self.lifetime, installed={"loc-1"})
        self.server.arriving = self.server.leaving = self.step
        self.store = SlowStore(self)
        self.pasted = self.server.new_pair("loc-1")["refresh_token"]
        self.uses = 0

    def step(self, call: Call | None = None) -> None:
        """Seconds pass, mostly few; an answer may be lost."""
        self.world.sleep(self.draw.choice([0.01, 0.1, 0.3, self.draw.uniform(0.0, _LONGEST_STEP)]))
        if call is not None and self.is_unlucky and self.draw.random() < 0.02:
            raise TransportError("the connection broke (Test)", method=call.method, path=call.template, sent=True)

    def live(self) -> None:
        """A process: uses the token now and then, is started anew, and sees tokens expire early."""
        for _ in range(self.draw.randint(1, 4)):
            token = refreshed(self.server, self.store, self.pasted)
            for _ in range(self.draw.randint(1, 12)):
                self.use(token)
                self.world.sleep(self.draw.choice([0.1, 1.0, self.lifetime / 3, self.lifetime]))

    def use(self, token: RefreshedToken) -> None:
        """A request, without the client's retries."""
        self.uses += 1
        try:
            header = token.header(None)
            self.step()
            if not self.server.is_good(header):
                token.renew(None, header)
        except Unauthorized:
            raise
        except GHLError:
            # An answer that was lost too often; or where steps take as long as tokens last, those were over at once.
            assert self.is_unlucky or self.lifetime < 60.0
        else:
            if self.draw.random() < 0.1:
                self.server.expire(header.removeprefix("Bearer "))

    def work(self) -> None:
        """A process that sends requests, and nothing goes wrong but that tokens expire."""
        token = refreshed(self.server, self.store, self.pasted)
        client = Client(token, location_id="loc-1", transport=self.server, clock=self.world)
        for _ in range(20):
            assert client.request(READ).status == 200
            self.uses += 1
            self.world.sleep(self.draw.uniform(0.0, self.lifetime / 2))


class SlowStore(Store):
    """Reads what was there when it began or ended, as a database does."""

    def __init__(self, story: Story) -> None:
        super().__init__()
        self._story = story

    def read(self) -> Stored | None:
        self._story.step()
        found = super().read()
        self._story.step()
        return found

    def write(self, stored: Stored) -> None:
        self._story.step()
        super().write(stored)
        self._story.step()


@pytest.mark.parametrize("seed", range(60))
def test_no_refresh_is_refused_and_no_pair_is_lost(seed: int) -> None:
    story = Story(seed)
    processes = Processes(story.world)
    for _ in range(story.processes):
        processes.add(story.live, story.draw.uniform(0.0, story.draw.choice([0.1, 10.0])))
    processes.run()
    assert story.uses >= story.processes
    assert story.server.refused == 0
    story.is_unlucky = False
    story.world.now += 100_000.0
    last = refreshed(story.server, story.store, story.pasted)
    assert last.header(None).startswith("Bearer ")
    assert story.server.refused == 0


@pytest.mark.parametrize("seed", range(10))
def test_no_request_fails(seed: int) -> None:
    story = Story(seed, is_unlucky=False)
    story.lifetime = story.server.lifetime = 120.0
    processes = Processes(story.world)
    for _ in range(story.processes):
        processes.add(story.work, story.draw.uniform(0.0, 1.0))
    processes.run()
    assert story.uses == story.processes * 20
    assert story.server.refused == 0
    assert len(story.server.grants()) > story.processes


@pytest.mark.parametrize("seed", range(10))
def test_who_starts_at_once_ends_with_one_token(seed: int) -> None:
    story = Story(seed, is_unlucky=False)
    story.server.lifetime = 86_399.0
    headers: list[str] = []

    def take(token: RefreshedToken) -> None:
        headers.append(token.header(None))

    processes = Processes(story.world)
    for _ in range(8):
        token = refreshed(story.server, story.store, story.pasted)
        processes.add(partial(take, token), 0.0)
    processes.run()
    assert story.server.refused == 0
    assert (len(headers), len(set(headers))) == (8, 1)
    newest = Store.read(story.store)
    assert newest is not None
    assert newest.pair.header == headers[0]
