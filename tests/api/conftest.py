"""What tests of tokens have in common: a clock, HighLevel's token endpoint, a store."""

from __future__ import annotations

import pytest
from simulated_oauth import OAuthServer
from simulated_time import FakeClock
from token_fakes import Store


@pytest.fixture
def clock() -> FakeClock:
    """Of the processes and of HighLevel."""
    return FakeClock(1_000_000.0)


@pytest.fixture
def server(clock: FakeClock) -> OAuthServer:
    """HighLevel's."""
    return OAuthServer(clock)


@pytest.fixture
def store() -> Store:
    """What processes share."""
    return Store()
