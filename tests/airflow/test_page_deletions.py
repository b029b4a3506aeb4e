"""What the page shows of deletions: those of a mirror, and those of an undo."""

from __future__ import annotations

from page_fakes import FakeLedger, FakeViews, a_deletion, a_load, a_page, text_of


def test_an_undone_load_says_so_at_once() -> None:
    load = a_load(7, state="green", message="9 rows: 9 created.", counts={"rows": 9, "created": 9}, outcomes={"created": 9})
    undone = [a_deletion(at, "undo", "kept" if at > 6 else "deleted") for at in range(9)]
    again = [a_deletion(at, "undo", "already_gone") for at in range(7)]
    shown = a_page(FakeLedger(FakeViews([load], removed=undone + again))).get("/ghl/loads/7").text
    text = text_of(shown)
    told = (
        "Undone 7 of the 9 relations that it created were taken back, 2026-11-27 06:00:08 UTC . Which, and what became of them"
    )
    assert text.index("9 rows: 9 created.") < text.index(told) < text.index("What to do")
    assert "Undone 9 relations undone: 7 deleted, 2 kept." in text
    assert 'href="#undone"' in shown
    assert "not named by the table" not in text
    assert "loads undo 7 --plan" in text, "for the two that are left"
    text = text_of(a_page(FakeLedger(FakeViews([load], removed=undone[7:]))).get("/ghl/loads/7").text)
    assert "Undone None of the relations that it created was taken back" in text


def test_an_undo_is_offered_as_long_as_it_finds_something() -> None:
    counts = {"rows": 9, "created": 9, "evidence": {"created": {"answer": 8, "presumed": 1}}}
    load = a_load(7, state="green", counts=counts, outcomes={"created": 9})
    undone = [a_deletion(at, "undo") for at in range(8)]
    offered = {
        gone: "loads undo 7 --plan" in a_page(FakeLedger(FakeViews([load], removed=undone[:gone]))).get("/ghl/loads/7").text
        for gone in (0, 7, 8)
    }
    assert offered == {0: True, 7: True, 8: False}


def test_what_a_mirror_and_an_undo_deleted_are_told_apart() -> None:
    load = a_load(7, state="running", counts=None, message=None)
    removed = [a_deletion(0), a_deletion(1, outcome="failed"), *(a_deletion(at, "undo") for at in range(2, 5))]
    text = text_of(a_page(FakeLedger(FakeViews([load], removed=removed))).get("/ghl/loads/7").text)
    mirrored = text.index("Deletes 2 relations not named by the table any more: 1 deleted, 1 failed.")
    undone = text.index("Undone 3 relations undone: 3 deleted.")
    parts = text[mirrored:undone], text[undone:]
    assert [part.count("first0000") for part in (parts[0], parts[1].split("In a terminal")[0])] == [2, 3]


def test_a_mirror_that_had_nothing_to_delete_says_so() -> None:
    load = a_load(7, counts={"rows": 1, "deletes": {"planned": 0, "deleted": 0}})
    text = text_of(a_page(FakeLedger(FakeViews([load]))).get("/ghl/loads/7").text)
    assert "Deletes 0 relations not named by the table any more. In a terminal" in text


def test_more_deletions_than_are_shown() -> None:
    counts = {"rows": 1, "created": 1, "deletes": {"planned": 1_500, "deleted": 1_500}}
    removed = [*map(a_deletion, range(1_500)), *(a_deletion(at, "undo") for at in range(1_001))]
    text = text_of(a_page(FakeLedger(FakeViews([a_load(7, counts=counts)], removed=removed))).get("/ghl/loads/7").text)
    of_mirror, of_undo = text.split("Undone 1,001 relations undone")
    assert "and 500 more: airflow ghl loads show 7 --json has all of them, and so have the load's own results" in of_mirror
    assert "and 1 more: airflow ghl loads show 7 --json has all of them In a terminal" in of_undo
