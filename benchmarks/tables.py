"""Large tables of pairs, as a file and as a database."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from contestants import make_pair, make_pairs

__all__ = ["make_file", "make_table"]


def make_table(folder: Path, rows: int) -> None:
    """Write the same pairs to a file and to a database."""
    make_file(folder / "table.csv", rows)
    with sqlite3.connect(folder / "table.db") as database:
        database.execute("CREATE TABLE pairs (first_record_id TEXT, second_record_id TEXT)")
        database.executemany("INSERT INTO pairs VALUES (?, ?)", make_pairs(rows))


def make_file(path: Path, rows: int) -> None:
    """Write pairs to a file."""
    with path.open("w") as file:
        file.write("first_record_id,second_record_id\n")
        file.writelines(f"{first},{second}\n" for first, second in map(make_pair, range(rows)))
