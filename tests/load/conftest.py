"""Databases for tests of the ledger."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from ledgers import KINDS, Place, place_of
from postgres_server import postgres_server


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The URL of a PostgreSQL server."""
    with postgres_server() as url:
        yield url


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """A database, one after the other of each kind; ``parametrize`` it for some of them."""
    url = request.getfixturevalue("postgresql") if request.param == "postgresql" else ""
    with place_of(request.param, tmp_path, url) as made:
        yield made
