"""Big tables of pairs, the same as a file and as a database."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from contestants import pair_of, pairs_of

__all__ = ["make_file", "make_table"]


def make_table(folder: Path, rows: int) -> None:
    """The same pairs as a file and as a database, without holding them."""
    make_file(folder / "table.csv", rows)
    with sqlite3.connect(folder / "table.db") as database:
        database.execute("CREATE TABLE pairs (first_record_id TEXT, second_record_id TEXT)")
        database.executemany("INSERT INTO pairs VALUES (?, ?)", pairs_of(rows))


def make_file(path: Path, rows: int) -> None:
    """As a file alone."""
    with path.open("w") as file:
        file.write("first_record_id,second_record_id\n")
        file.writelines(f"{first},{second}\n" for first, second in map(pair_of, range(rows)))
