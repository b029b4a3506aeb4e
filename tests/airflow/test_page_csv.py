"""The rows of a load as a file."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Iterator
from typing import Any

import pytest
from page_fakes import ROWS, FakeLedger, FakeViews, a_page, a_row

from airflow_provider_ghl.page.csv_text import COLUMNS, csv_pieces
from airflow_provider_ghl.relations.fields import RESULT_FIELDS


def read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_it_has_the_fields_of_the_results_file() -> None:
    assert set(COLUMNS) == {name for name in RESULT_FIELDS if not name.endswith("_key")} | {"row_key"}


def test_it_is_a_file_of_all_rows() -> None:
    answer = a_page().get("/ghl/loads/7.csv")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="load-7.csv"'
    assert answer.headers["cache-control"] == "no-store"
    assert answer.text.startswith(",".join(COLUMNS) + "\r\n")
    rows = read(answer.text)
    assert [row["row"] for row in rows] == [str(row["row"]) for row in ROWS]
    assert (rows[0]["relation_id"], rows[9]["status_code"], rows[9]["relation_id"]) == (ROWS[0]["relation_id"], "422", "")


def test_it_is_what_was_found_on_all_pages() -> None:
    views = FakeViews(rows=[a_row(row, "created" if row % 2 else "rejected") for row in range(3_000)])
    answer = a_page(FakeLedger(views)).get("/ghl/loads/7.csv?search=K-0&outcome=created")
    assert views.asked[-2] == (7, "K-0", "created")
    assert [row["row"] for row in read(answer.text)] == [str(row) for row in range(1, 3_000, 2)]


@pytest.mark.parametrize(
    ("key", "told"),
    [
        *((f"{sign}1", f"'{sign}1") for sign in ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")),
        *((f"{unseen}=1", f"'{unseen}=1") for unseen in (" ", "\xa0", "\u3000", "\ufeff", "\u200b", "\x00", "\x0b", '"')),
        ("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"),
        ("\t=1", "\t'=1"),
        ("\r=1", "\r'=1"),
        ("x;=HYPERLINK(1)", "x;'=HYPERLINK(1)"),
        ("x; \ufeff @SUM(A1)", "x;' \ufeff @SUM(A1)"),
        ("a\t=1\r\n+2\n-3;;\uff1d4", "a\t'=1\r\n'+2\n'-3;;'\uff1d4"),
        ("'=1", "'=1"),
    ],
)
def test_no_cell_is_a_formula(key: str, told: str) -> None:
    text = b"".join(csv_pieces([a_row(0, "rejected", row_key=key, reason=key, first_record_id=key)])).decode()
    (row,) = read(text)
    assert {row["row_key"], row["reason"], row["first_record_id"]} == {told}


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_no_cell_is_a_formula_wherever_it_is_split(delimiter: str) -> None:
    keys = ['x;"=1"', "a,b;=1", "a;\n=1", 'a";\t"=1', "one\n=1", 'x;""=1']
    text = b"".join(csv_pieces([a_row(-5, row_key=key, reason=key) for key in keys])).decode()
    cells = [cell for line in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) for cell in line]
    # A row number is none of people's texts.
    assert [cell for cell in cells if cell.startswith(("=", "+", "-", "@")) and not cell.startswith("-5")] == []


def test_long_texts_take_no_time() -> None:
    began = time.process_time()
    for text in (" " * 10**6, ";" * 10**6, "\n " * 10**6, '"\x00 ' * 10**6):
        next(csv_pieces([a_row(0, row_key=text)]))
    assert time.process_time() - began < 5


def test_other_values_stay_as_they_are() -> None:
    values = ['a "quoted", one', "two\nlines", "Zoë ✓", -5, True, None, "'quoted", "a-b; c=d"]
    text = b"".join(csv_pieces([a_row(at, row_key=value) for at, value in enumerate(values)])).decode()
    told = [row["row_key"] for row in read(text)]
    assert told == ['a "quoted", one', "two\nlines", "Zoë ✓", "-5", "True", "", "'quoted", "a-b; c=d"]


def test_it_is_made_piece_by_piece() -> None:
    """A million rows are never in memory at once."""
    taken = 0

    def rows() -> Iterator[dict[str, Any]]:
        nonlocal taken
        for row in range(10_000):
            taken += 1
            yield a_row(row)

    next(csv_pieces(rows()))
    assert taken < 1_000


def test_a_ledger_that_fails_on_the_way_makes_no_whole_file() -> None:
    views = FakeViews(rows=[a_row(row) for row in range(2_000)])
    client = a_page(FakeLedger(views))
    views.all_results = lambda *_, **__: _breaking(views)  # type: ignore[method-assign]
    with pytest.raises(RuntimeError, match="already started"):
        client.get("/ghl/loads/7.csv")


def _breaking(views: FakeViews) -> Iterator[dict[str, Any]]:
    yield from views.rows
    views.failure = "it broke"
    views.load(7)
