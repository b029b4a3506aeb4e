"""Big tables of pairs, the same as a file and as a database."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from contestants import pairs_of

__all__ = ["make_table"]


def make_table(folder: Path, rows: int) -> None:
    """The same pairs as a file and as a database, without holding them."""
    with (folder / "table.csv").open("w") as file, sqlite3.connect(folder / "table.db") as database:
        file.write("first_record_id,second_record_id\n")
        database.execute("CREATE TABLE pairs (first_record_id TEXT, second_record_id TEXT)")
        pairs = pairs_of(rows)
        file.writelines(f"{first},{second}\n" for first, second in pairs)
        database.executemany("INSERT INTO pairs VALUES (?, ?)", pairs)
