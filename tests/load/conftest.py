"""Databases for tests of the ledger."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from ledgers import KINDS, Place, place_of
from remembering import Time

from airflow_provider_ghl.load.ledger.ledger import Ledger


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """A database, one after the other of each kind; ``parametrize`` it for some of them."""
    url = request.getfixturevalue("postgresql") if request.param == "postgresql" else ""
    with place_of(request.param, tmp_path, url) as made:
        yield made


@pytest.fixture
def time() -> Time:
    """The ledger's."""
    return Time()


@pytest.fixture
def ledger(time: Time) -> Iterator[Ledger]:
    """One for loads in simulated time."""
    made = Ledger(sa.create_engine("sqlite://"), database_time=time)
    yield made
    made.close()
