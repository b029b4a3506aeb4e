"""What a page shows of loads: it finds what was written, shows nobody else's, and counts as a plain count does."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ledgers import NOW, Place
from result_rows import refused, result

from airflow_provider_ghl.exceptions import LedgerError
from airflow_provider_ghl.load.ledger.process import Process
from airflow_provider_ghl.load.ledger.views import DeletionGroup, LedgerViews, ViewFilter
from airflow_provider_ghl.load.outcome import FAILURES
from airflow_provider_ghl.load.reasons import group_failures

ALL = ViewFilter()
ELSEWHERE = Process("another machine", 4711, "")
#: Ids that a query must not take for anything else than ids.
ODD = ["a", "ab", "a%", "a_", "a'b", 'a"b', "A", "ä", "a.b-c"]


def ids(views: LedgerViews, **wanted: Any) -> list[str]:
    return [load.load_id for load in views.loads(ViewFilter(**wanted))]


def test_a_load_is_shown_as_its_id_and_its_attempts_say(place: Place) -> None:
    first = place.worker("dag/scheduled__2027-01-15/00:00/link/7", ELSEWHERE, location_id="north", association="friends")
    first.note(results=[refused(0), result(1)], requests=4, rate_limited=1)
    place.clock.now += 30
    second = place.worker(first.attempt.load_id, ELSEWHERE, try_number=2, location_id="north", association="friends")
    second.note(results=[result(0), result(1, evidence="ledger")], requests=2)
    views = place.ledger().views
    load = views.load(second.attempt.load_number)
    assert load is not None
    assert load == views.find(first.attempt.load_id) == views.loads(ALL)[0]
    assert (load.dag_id, load.run_id, load.task_id, load.map_index) == ("dag", "scheduled__2027-01-15/00:00", "link", 7)
    assert (load.location_id, load.association, load.state, load.tries) == ("north", "friends", "running", 2)
    assert (load.began, load.updated, load.requests, load.rate_limited) == (NOW, NOW + 30, 6, 1)
    assert (load.message, load.counts, load.outcomes) == (None, None, {"created": 2})
    assert views.problems(load.number) == [], "an attempt accounts for every row anew"
    second.end(is_well=True, message="3 rows.", counts={"rows": 3, "created": 2, "already_exists": 1, "failed": 0})
    ended = views.load(load.number)
    assert ended is not None
    assert (ended.state, ended.message, ended.outcomes) == ("green", "3 rows.", {"created": 2, "already_exists": 1})
    assert ended.counts == {"rows": 3, "created": 2, "already_exists": 1, "failed": 0}
    assert views.load(99) is views.load(-1) is views.load(2**40) is views.find("another") is None


@pytest.mark.parametrize("load_id", ["plain", "", "/", "a/b", "a/b/c", "a/run/task/x"])
def test_ids_of_another_form_are_shown_too(place: Place, load_id: str) -> None:
    views = place.worker(load_id).ledger.views
    (load,) = views.loads(ALL)
    assert (load.load_id, load.dag_id, load.map_index) == (load_id, load_id.partition("/")[0], -1)


def test_a_viewer_sees_the_loads_of_their_dags_alone(place: Place) -> None:
    for number, dag_id in enumerate(ODD):
        worker = place.worker(f"{dag_id}/run/a/task/-1", location_id=f"location {dag_id}", association=f"of {dag_id}")
        worker.note(results=[refused(number)])
        worker.ledger.loads.note_spending(worker.attempt, "https://x", [], [f"location {dag_id}"])
    views = place.ledger().views
    assert len(views.loads(ALL)) == len(ODD)
    for dag_id in ODD:
        own = frozenset({dag_id, "no such DAG"})
        assert ids(views, dag_ids=own) == ids(views, dag_id=dag_id) == [f"{dag_id}/run/a/task/-1"]
        assert views.choices(own) == {
            "dag_id": [dag_id],
            "location_id": [f"location {dag_id}"],
            "association": [f"of {dag_id}"],
        }
        assert sum(day.loads for day in views.outcomes_by_day(ViewFilter(dag_ids=own))) == 1
        assert ids(views, dag_ids=frozenset({"b"}), dag_id=dag_id) == []
    assert views.choices(None)["dag_id"] == sorted(ODD)
    nobody: frozenset[str] = frozenset()
    assert views.loads(ViewFilter(dag_ids=nobody)) == []
    assert views.choices(nobody) == {"dag_id": [], "location_id": [], "association": []}
    assert views.locations(nobody) == []
    assert sum(day.loads for day in views.outcomes_by_day(ViewFilter(dag_ids=nobody))) == 0
    many = frozenset(f"dag {number}" for number in range(40_000))
    assert ids(views, dag_ids=many | {"a"}) == ["a/run/a/task/-1"], "more than a statement takes"


def test_loads_are_found_by_what_they_are(place: Place) -> None:
    one = place.worker("one/r/t/-1", location_id="north", association="friends")
    one.note(results=[refused(0)])
    one.end(end="final", counts={"rows": 2, "rejected": 1, "already_exists": 1})
    several = place.worker("two/r/t/-1", location_id="several", association="owners")
    several.note(results=[result(0)])
    several.ledger.loads.note_spending(several.attempt, "https://x", [], ["north", "south"])
    waits = place.worker("three/r/t/-1", location_id="south", association="friends")
    waits.note(results=[result(0, "failed")])
    waits.end(end="deferred", is_deferred=True, counts={"rows": 3, "failed": 1, "not_attempted": 2})
    lost = place.worker("four/r/t/-1", ELSEWHERE, location_id="east", association="friends")
    lost.note(results=[result(0)])
    place.clock.now += 61
    several.note(requests=1)
    views = several.ledger.views
    assert ids(views, location_id="north") == ["two/r/t/-1", "one/r/t/-1"]
    assert ids(views, location_id="south", association="owners") == ["two/r/t/-1"]
    assert ids(views, association="Friends") == []
    assert ids(views, outcome="already_exists") == ["one/r/t/-1"], "which no result is kept of"
    assert ids(views, outcome="created") == ["four/r/t/-1", "two/r/t/-1"]
    assert ids(views, outcome="invalid") == []
    states = {state: ids(views, state=state) for state in ("running", "lost", "green", "retryable", "final", "deferred")}
    assert states == {
        **{"running": ["two/r/t/-1"], "lost": ["four/r/t/-1"], "green": [], "retryable": []},
        **{"final": ["one/r/t/-1"], "deferred": ["three/r/t/-1"]},
    }
    assert [load.state for load in views.loads(ALL)] == ["lost", "deferred", "running", "final"]
    assert [load.location_id for load in views.loads(ALL)] == ["east", "south", None, "north"]


def test_pages_of_loads_neither_skip_nor_repeat_one(place: Place) -> None:
    for number in range(7):
        place.worker(f"dag/{number}/t/-1")
    views = place.ledger().views
    seen = [load.number for load in views.loads(ALL, limit=3)]
    place.worker("dag/later/t/-1")
    while page := views.loads(ALL, before=seen[-1], limit=3):
        seen += [load.number for load in page]
    assert seen == list(range(7, 0, -1))


def test_refusals_are_grouped_by_reason(place: Place) -> None:
    mine = place.worker()
    number = mine.attempt.load_number
    mine.note(results=[refused(row) for row in (5, 1, 3)])
    mine.note(results=[refused(row, "{} is archived") for row in range(10, 15)] + [result(20), result(21, "failed", reason="")])
    mine.note(results=[result(30, "invalid", reason="line 7: the row has 3 values")])
    views = mine.ledger.views
    groups = views.problems(number, 2)
    assert [(one.outcome, one.status_code, one.reason, one.rows, [row["row"] for row in one.first_rows]) for one in groups] == [
        ("rejected", 400, "<id> is archived", 5, [10, 11]),
        ("rejected", 400, "Contact <id> not found", 3, [1, 3]),
        ("failed", None, "", 1, [21]),
        ("invalid", None, "line …: the row has 3 values", 1, [30]),
    ]
    mine.note(results=[refused(1), result(3), refused(10)])
    assert [(one.reason, one.rows) for one in views.problems(number)][:2] == [
        ("<id> is archived", 4),
        ("Contact <id> not found", 3),
    ], "what is written twice counts once, as what it is now"
    assert views.loads(ALL)[0].outcomes == {"rejected": 7, "created": 2, "failed": 1, "invalid": 1}
    assert views.problems(number, 0)[0].first_rows == ()
    assert views.problems(99) == []


def test_many_reasons_are_counted_together(place: Place) -> None:
    mine = place.worker()
    reasons = ["".join(chr(ord("a") + int(digit)) for digit in f"{number:03}") for number in range(70)]
    for start in (0, 35):
        mine.note(results=[refused(row, f"reason {reasons[row]}") for row in range(start, start + 35)])
    mine.note(results=[refused(100, "reason aaa"), refused(101, "another one")])
    groups = mine.ledger.views.problems(mine.attempt.load_number)
    assert len(groups) == 51
    assert [(one.reason, one.rows) for one in groups[:2]] == [("other reasons", 21), ("reason aaa", 2)]
    assert sum(one.rows for one in groups) == 72
    assert [row["row"] for row in groups[0].first_rows] == [50, 51, 52, 53, 54]


def test_results_are_found_by_number_key_or_record(place: Place) -> None:
    mine = place.worker()
    number = mine.attempt.load_number
    keys: dict[int, Any] = {3: "a%", 4: "a_b", 5: 'a"quote', 6: "ä\\b", 7: 12, 8: "12", 9: -5, 10: None, 11: "A"}
    mine.note(results=[refused(row) for row in (0, 1, 2, 12, 13, 121)])
    mine.note(
        results=[result(row, row_key=key, first_record_id=f"id'{row}%", second_record_id="x") for row, key in keys.items()]
    )
    other = place.worker("other")
    other.note(results=[refused(0)])

    def rows(search: str, **also: Any) -> list[Any]:
        return [row["row"] for row in mine.ledger.views.results(number, search=search, **also).rows]

    assert rows("13") == [13]
    assert rows(" 12 ") == [7, 8, 12], "keys 12 and '12', and the row 12"
    assert rows("policy 12") == [12, 121]
    assert rows("policy 12", outcome="created") == []
    assert rows("policy 12", outcome="rejected", after=12) == [121]
    assert rows("a%") == [3]
    assert rows("a_") == [4]
    assert rows("a") == [3, 4, 5]
    assert rows('a"') == [5]
    assert rows("ä\\") == rows("ä") == [6]
    assert rows("-5") == [9]
    assert rows("A") == [11]
    assert rows("contact0000000000012") == rows("other000000000000012") == [12]
    assert rows("ontact0000000000012") == rows("contact") == rows("9" * 30) == rows("null") == rows("%") == []
    assert rows("id'4%") == [4]
    assert rows("x") == [row for row in keys]
    assert rows("") == sorted([*keys, 0, 1, 2, 12, 13, 121])
    (found,) = mine.ledger.views.results(number, search="13").rows
    assert found == refused(13)


def test_more_keys_than_are_sorted_are_found_all_the_same(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_provider_ghl.load.ledger.view_results._FEW", 3)
    mine = place.worker()
    mine.note(results=[result(row, row_key=f"{'ab'[row % 2]}%{row}") for row in range(20)])
    found = list(mine.ledger.views.all_results(mine.attempt.load_number, search="b%"))
    assert [row["row"] for row in found] == list(range(1, 20, 2))


def test_pages_of_results_neither_skip_nor_repeat_one_while_others_come(place: Place) -> None:
    mine = place.worker()
    number = mine.attempt.load_number
    given = [refused(row, f"{'one' if row % 3 else 'two'} {{}}") if row % 2 else result(row) for row in range(0, 60, 2)]
    given += [refused(row, f"{'one' if row % 3 else 'two'} {{}}") for row in range(1, 60, 2)]
    mine.note(results=given)
    views = mine.ledger.views
    for outcome in (None, "rejected", "created"):
        wanted = [row["row"] for row in sorted(given, key=lambda row: int(row["row"])) if outcome in (None, row["outcome"])]
        seen, after, later = [], -1, 1_000
        while True:
            page = views.results(number, outcome=outcome, after=after, limit=7)
            seen += [row["row"] for row in page.rows]
            if page.next_after is None:
                break
            assert len(page.rows) == 7
            after, later = page.next_after, later - 1
            mine.note(results=[refused(later, "three {}")])
        assert [row for row in seen if isinstance(row, int) and row < 60] == wanted
        assert len(seen) == len(set(map(str, seen)))
        everything = [row["row"] for row in views.all_results(number, outcome=outcome)]
        assert [row for row in everything if isinstance(row, int) and row < 60] == wanted
    assert views.results(number, outcome="created", limit=30).next_after is None


def test_what_another_attempt_has_deleted_is_not_left_out_silently(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_provider_ghl.load.ledger.views._PAGE", 5)
    mine = place.worker()
    mine.note(results=[refused(row) for row in range(20)])
    rows = mine.ledger.views.all_results(mine.attempt.load_number)
    assert [next(rows)["row"] for _ in range(5)] == list(range(5))
    place.worker(try_number=2)
    with pytest.raises(LedgerError, match="has begun another attempt"):
        next(rows)


def test_a_number_that_no_load_can_have(place: Place) -> None:
    views = place.worker().ledger.views
    assert len(views.loads(ViewFilter(), before=10**15)) == len(views.loads(ViewFilter())) == 1
    assert views.load(10**15) is None


def test_days_without_loads_are_shown_too(place: Place) -> None:
    place.clock.now = 1_800_000_000.0 // 86_400 * 86_400 - 1  # the last second of a day
    old = place.worker("old/r/t/-1")
    old.end(is_well=True, counts={"rows": 5, "created": 5})
    place.clock.now += 86_400 + 1  # the first second of a day
    mine = place.worker("new/r/t/-1")
    mine.note(results=[result(0), refused(1)])
    again = place.worker("again/r/t/-1")
    again.end(counts={"rows": 3, "created": 1, "repeated": 2})
    days = mine.ledger.views.outcomes_by_day(ALL, days=4)
    assert [(day.day, day.loads, day.outcomes) for day in days] == [
        ("2027-01-13", 0, {}),
        ("2027-01-14", 1, {"created": 5}),
        ("2027-01-15", 0, {}),
        ("2027-01-16", 2, {"created": 2, "rejected": 1, "repeated": 2}),
    ]
    assert [day.loads for day in mine.ledger.views.outcomes_by_day(ViewFilter(outcome="repeated"), days=2)] == [0, 1]


def test_earlier_loads_are_those_of_the_same_task(place: Place) -> None:
    ids = ["dag/1/t/-1", "dag/1/t/1", "dag/1/T/-1", "dag/1/at/-1", "dag/1/other/t/-1", "other/1/t/-1", "dag/2/t/-1"]
    for number, load_id in enumerate(ids):
        parts = load_id.split("/")
        series = None if number == 0 else f"{parts[0]}/{parts[-2]}/{parts[-1]}"  # the first as version 1 has it
        worker = place.worker(load_id, ELSEWHERE, series=series)
        if load_id != "dag/2/t/-1":
            worker.end(end="green" if number else "final", is_well=True)
        place.clock.now += 1
    last = place.worker("dag/3/t/-1", series="dag/t/-1")
    views = last.ledger.views
    assert [(one.number, one.state, one.began) for one in views.before(last.attempt.load_number, 10)] == [
        (7, "running", NOW + 6),
        (5, "green", NOW + 4),
        (1, "final", NOW),
    ]
    place.clock.now += 3600
    assert [one.state for one in views.before(last.attempt.load_number, 2)] == ["lost", "green"]
    assert views.before(2, 10) == views.before(99, 10) == []
    place.worker("dag/4/another/-1")
    old = place.worker("dag/4/t/-1")
    assert [one.number for one in views.before(old.attempt.load_number, 10)] == [1], "which has no series"


def test_deletions_are_shown_with_their_load(place: Place) -> None:
    mine = place.worker()
    shown = {"location_id": "north", "association_id": "a", "first_record_id": "x", "second_record_id": "y"}
    gone = {**shown, "relation_id": "r", "outcome": "deleted", "status_code": 200, "reason": None}
    mine.ledger.deletions.note(mine.attempt.load_number, "mirror", [gone, gone | {"outcome": "rejected", "reason": "no"}])
    found = mine.ledger.views.deletions(mine.attempt.load_number)
    assert [(one["outcome"], one["reason"]) for one in found] == [("deleted", None), ("rejected", "no")]
    assert {name: found[0][name] for name in gone} == gone
    assert len(mine.ledger.views.deletions(mine.attempt.load_number, limit=1)) == 1
    assert mine.ledger.views.deletions(99) == []


def test_deletions_are_counted_by_what_deleted_them(place: Place) -> None:
    mine = place.worker()
    deletions, views, number = mine.ledger.deletions, mine.ledger.views, mine.attempt.load_number
    one: dict[str, Any] = {"location_id": "north", "association_id": "a", "first_record_id": "x", "second_record_id": "y"}
    one |= {"relation_id": "r", "outcome": "deleted", "status_code": 200, "reason": None}
    other = one | {"relation_id": "s"}
    third = one | {"relation_id": "t", "outcome": "failed"}
    deletions.note(number, "undo", [one, other | {"outcome": "failed"}])
    place.clock.now += 5
    deletions.note(number, "mirror", [one | {"relation_id": None}])
    deletions.note(
        number, "undo", [one | {"outcome": "already_gone"}, other, one | {"relation_id": "u", "outcome": "already_gone"}]
    )
    place.clock.now += 5
    deletions.note(number, "undo", [one | {"outcome": "already_gone"}, third])
    deletions.note(number + 1, "undo", [other | {"outcome": "rejected"}])
    assert views.deletion_groups(number) == [
        DeletionGroup("mirror", {"deleted": 1}, 1, NOW + 5, 1),
        DeletionGroup("undo", {"deleted": 2, "already_gone": 1, "failed": 1}, 3, NOW + 5, 7),
    ]
    assert views.deletion_groups(number + 1) == [DeletionGroup("undo", {"rejected": 1}, 0, NOW + 10, 1)]
    assert views.deletion_groups(99) == []
    assert [row["relation_id"] for row in views.deletions(number, why="undo")] == ["r", "s", "r", "s", "u", "r", "t"]
    assert [row["relation_id"] for row in views.deletions(number, why="mirror")] == [None]


def test_old_loads_are_forgotten_with_all_that_was_counted(place: Place) -> None:
    mine = place.worker()
    mine.note(results=[refused(0)], requests=3)
    mine.end(counts={"rejected": 1})
    place.clock.now += 100
    mine.ledger.loads.prune(place.clock.now - 10)
    for table in ("ghl_problems", "ghl_load_outcomes", "ghl_load_locations", "ghl_spans", "ghl_load_results", "ghl_attempts"):
        assert place.rows(f"SELECT * FROM {table}") == [], table
    again = place.worker()
    again.note(results=[refused(0)], requests=1)
    again.end(is_well=True, counts={"rejected": 1})
    third = place.worker()
    assert third.attempt.load_number > again.attempt.load_number
    for table in ("ghl_problems", "ghl_load_outcomes", "ghl_spans"):
        assert place.rows(f"SELECT * FROM {table}") == [], table


rows = st.integers(0, 12)
outcomes = st.sampled_from(["created", "already_exists", "invalid", "rejected", "failed", "unresolved", "not_attempted"])
reasons = st.sampled_from(["No record {}", "line 3: bad", "{} twice {}", None, "x 17 y"])
written = st.lists(
    st.lists(st.builds(result, rows, outcomes, reason=reasons, status_code=st.sampled_from([None, 400, 422])), max_size=8),
    max_size=5,
)


def named(row: dict[str, Any]) -> dict[str, Any]:
    """With records, which its reason names."""
    record_id = f"r{row['row']}abcdef0"
    reason = row["reason"] and row["reason"].replace("{}", record_id)
    return row | {"first_record_id": record_id, "second_record_id": "s", "reason": reason}


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(written)
def test_what_is_shown_is_what_a_plain_count_says(place: Place, commits: list[list[dict[str, Any]]]) -> None:
    worker = place.worker("load")
    for commit in commits:
        named = [{**row, "first_record_id": f"r{row['row']}abcdef0", "second_record_id": "s"} for row in commit]
        worker.note(
            results=[{**row, "reason": row["reason"] and row["reason"].replace("{}", row["first_record_id"])} for row in named]
        )
    kept = list(worker.ledger.loads.results(worker.attempt.load_number))
    views, number = worker.ledger.views, worker.attempt.load_number
    load = views.load(number)
    assert load is not None
    assert load.outcomes == Counter(row["outcome"] for row in kept)
    assert list(views.all_results(number)) == kept
    plain = group_failures((row for row in kept if row["outcome"] in FAILURES), 3)
    shown = {(one.outcome, one.status_code, one.reason): (one.rows, list(one.first_rows)) for one in views.problems(number, 3)}
    assert shown == {(one["outcome"], one["status_code"], one["reason"]): (one["rows"], one["first_rows"]) for one in plain}
    for outcome in {row["outcome"] for row in kept}:
        assert list(views.all_results(number, outcome=outcome)) == [row for row in kept if row["outcome"] == outcome]
    worker.end(is_well=True, counts={})
