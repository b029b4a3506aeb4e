"""About how many rows a large table has."""

from __future__ import annotations

from ledgers import Place

from airflow_provider_ghl.load.ledger.notes import KeyNotes, Notes


def write(place: Place, keys: list[bytes]) -> None:
    mine = place.worker()
    mine.ledger.write_all(mine.attempt, {None: Notes()}, {7: KeyNotes([(key, "r") for key in keys], set())})


def test_hundreds_of_thousands_of_keys_are_not_counted_one_by_one(place: Place) -> None:
    write(place, [b"\x00" + at.to_bytes(15, "big") for at in range(1_200)])
    count = place.worker().ledger.keys.count
    assert (count(7, 1_000), count(7, 250_000)) == (1_000, 1_200)
    assert (count(7, 300_000), count(7, 10_000_000)) == (300_000, 1_200 * 256), "as many again are likely behind each 256th"
    write(place, [b"\x01" + at.to_bytes(15, "big") for at in range(10)])
    assert count(7, 250_000) == 1_210
