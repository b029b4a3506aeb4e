"""Columns of many rows come from the database as one value."""

from __future__ import annotations

import numpy as np
import pytest
import sqlalchemy as sa
from ledgers import Place

from airflow_provider_ghl.load.ledger.joined import joined, joined_as_digits
from airflow_provider_ghl.load.ledger.notes import KeyNotes, Notes
from airflow_provider_ghl.load.ledger.tables import record_keys

KEY, RECORD_ID = record_keys.c.key, record_keys.c.record_id


def write(place: Place, found: dict[bytes, str]) -> None:
    mine = place.worker()
    mine.ledger.write_all(mine.attempt, {None: Notes()}, {7: KeyNotes(list(found.items()), set())})


def test_bytes_of_any_kind_are_joined(place: Place) -> None:
    keys = [bytes(16), b"\xff" * 16, b"\x00\xff" * 8, bytes(range(16)), "ä€".encode() * 3 + b"\xc3"]
    assert all(len(key) <= 16 for key in keys)
    write(place, dict.fromkeys((key.ljust(16, b"\0") for key in keys), "r"))
    with place.engine().connect() as connection:
        data = joined(connection, KEY, sa.true())
        assert {data[at : at + 16] for at in range(0, len(data), 16)} == {key.ljust(16, b"\0") for key in keys}
        assert joined(connection, KEY, sa.false()) == b""


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
def test_an_older_sqlite_joins_the_same(place: Place) -> None:
    chance = np.random.default_rng(6)
    write(place, {chance.bytes(16): "r" * int(chance.integers(1, 30)) for _ in range(500)})
    with place.engine().connect() as connection:
        for value in (KEY, KEY.op("||")(RECORD_ID)):
            assert joined_as_digits(connection, value, sa.true()) == joined(connection, value, sa.true()) != b""
        assert joined_as_digits(connection, KEY, sa.false()) == b""
