"""Databases and ledgers for tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from ledgers import KINDS, Place, open_place
from remembering import Time

from airflow_provider_ghl.load.ledger.ledger import Ledger


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """A database of each kind in turn. ``parametrize`` it for fewer kinds."""
    url = request.getfixturevalue("postgresql") if request.param == "postgresql" else ""
    with open_place(request.param, tmp_path, url) as made:
        yield made


@pytest.fixture
def time() -> Time:
    """The time of the ledger's database."""
    return Time()


@pytest.fixture
def ledger(time: Time) -> Iterator[Ledger]:
    """A ledger for loads in simulated time."""
    made = Ledger(sa.create_engine("sqlite://"), database_time=time)
    yield made
    made.close()
