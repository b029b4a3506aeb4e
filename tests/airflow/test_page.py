"""What the page shows, over a ledger of lists."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from page_fakes import MESSAGE, NOW, ROWS, FakeLedger, FakeViews, a_deletion, a_load, a_location, a_page, a_row, text_of

from airflow_provider_ghl.commands.description import STATES as PRINTED
from airflow_provider_ghl.load.ledger.views import RatePoint, ViewFilter
from airflow_provider_ghl.load.results.outcomes import FAILURES, OUTCOMES, End, Evidence
from airflow_provider_ghl.load.results.removals import RemovalOutcome
from airflow_provider_ghl.page import charts, words

NASTY = "\"><script>alert(1)</script>' onload=x {{ 6*7 }} ${7*7} ; DROP TABLE ghl_loads --"


def test_the_words_are_those_of_the_manual() -> None:
    assert list(words.OUTCOMES) == [str(outcome) for outcome in OUTCOMES]
    assert {str(outcome) for outcome in FAILURES} | {"not_attempted"} == set(words.ATTENTION)
    assert set(words.EVIDENCE) == {str(one) for one in Evidence}
    assert set(words.DELETES) == {str(one) for one in RemovalOutcome}
    assert set(words.STATES) == {*map(str, End), "running", "lost"}
    assert {words.STATES[state] for state in words.STATES if state != "retryable"} == set(PRINTED)


def test_the_list_tells_each_load_in_a_line() -> None:
    loads = [a_load(7), a_load(8, state="green", outcomes={"created": 5}), a_load(9, dag_id="of_others")]
    shown = a_page(FakeLedger(FakeViews(loads))).get("/ghl/loads")
    assert shown.status_code == 200
    assert re.findall(r'<th scope="row" role="rowheader"><a href="/ghl/loads/(\d+)">', shown.text) == ["8", "7"]
    text = text_of(shown.text)
    assert "2026-11-27 02:00 UTC 6 min 40 s nightly load_pairs student_teacher Lc4RtYw8KzPb2NcVx7Qm" in text
    assert "1 invalid , 2 rejected , 9 created 1,234" in text
    assert "of_others" not in shown.text


def test_what_is_chosen_reaches_the_ledger_and_stays_chosen() -> None:
    ledger = FakeLedger()
    chosen = {"dag_id": "nightly", "location_id": "L1", "association": "a", "outcome": "failed", "state": "retryable"}
    shown = a_page(ledger).get("/ghl/loads", params=chosen)
    assert ledger.views.asked[0] == ViewFilter(dag_ids=frozenset({"nightly"}), **chosen)
    assert shown.text.count(" selected") == 5
    assert "No load matches" in text_of(shown.text)


def test_the_list_has_pages() -> None:
    views = FakeViews([a_load(number) for number in range(1, 121)])
    client, seen, address = a_page(FakeLedger(views)), [], "/ghl/loads?dag_id=nightly"
    while address:
        shown = client.get(address)
        seen += [int(number) for number in re.findall(r'rowheader"><a href="/ghl/loads/(\d+)', shown.text)]
        found = re.search(r'href="([^"]+)"\s+rel="next"', shown.text)
        address = found[1].replace("&amp;", "&") if found else ""
    assert seen == list(range(120, 0, -1))


def test_a_month_has_a_bar_for_each_night_and_a_table() -> None:
    loads = [
        a_load(1, outcomes={"created": 10, "failed": 3}),
        a_load(2, began=NOW - 86_400, outcomes={"already_exists": 99_000}),
    ]
    client = a_page(FakeLedger(FakeViews(loads)))
    shown = client.get("/ghl/loads").text
    assert "<title>2026-11-27: 10 created; 1 load</title>" in shown
    assert "<title>2026-11-27: 3 failed; 1 load</title>" in shown
    assert "<title>2026-11-26: 99,000 already_exists; 1 load</title>" in shown
    assert "Rows in HighLevel highest: 99,000" in text_of(shown)
    assert "Rows that need attention highest: 3" in text_of(shown)
    filtered = text_of(client.get("/ghl/loads?state=final").text)
    assert "Outcomes a day, of loads in any state" in filtered
    assert "of loads in any state" not in text_of(shown)
    assert re.search(r'<th scope="row"><time datetime="2026-11-26">2026-11-26</time></th>\s*<td class="n">1</td>', shown)


def test_one_load_says_what_failed_why_and_what_to_do() -> None:
    text = text_of(a_page().get("/ghl/loads/7").text)
    assert text.index("Load 7 failed nightly › scheduled__2026-11-27T02:00:00+00:00 › load_pairs") < text.index(MESSAGE)
    assert "A retry would end the same way" in text
    assert "2 rows rejected 422 No record with id <id>" in text
    assert "1 row invalid" in text
    assert "Requests 1,234, 2 answered 429" in text
    assert "airflow ghl loads show 7" in text
    assert "airflow ghl loads undo 7 --plan" in text


@pytest.mark.parametrize(
    ("load", "told"),
    [
        (a_load(state="retryable"), "A retry helps"),
        (a_load(state="lost", message=None, counts=None), "Its process is gone"),
        (a_load(state="deferred"), "waits for another day"),
        (a_load(state="green", outcomes={"created": 2}), "What to do Nothing to do."),
        (a_load(state="green", outcomes={"failed": 2}), "failure_tolerance allows the 2 rows that failed"),
        (a_load(state="green", outcomes={"not_attempted": 2}), "the next run reaches the rows"),
        (
            a_load(state="green", outcomes={"created": 2, "unresolved": 2}),
            'What to do 2 rows are unresolved, which on_unresolved="skip" or failure_tolerance lets pass. Correct the keys',
        ),
        (
            a_load(state="green", outcomes={"rejected": 1, "unresolved": 1, "not_attempted": 3}),
            "allows the 1 row that failed. See why below. 1 row is unresolved, which",
        ),
    ],
)
def test_the_advice_is_that_of_the_end(load: Any, told: str) -> None:
    assert told in text_of(a_page(FakeLedger(FakeViews([load]))).get("/ghl/loads/7").text)


def test_only_a_load_that_runs_refreshes_itself() -> None:
    running = a_load(state="running", message=None, counts=None)
    shown = a_page(FakeLedger(FakeViews([running]))).get("/ghl/loads/7").text
    assert 'data-refresh="5"' in shown
    assert '<noscript><meta http-equiv="refresh" content="10"></noscript>' in shown
    assert "It runs: 12 rows were sent or have a problem so far, with 1,234 requests." in text_of(shown)
    assert "undo" not in shown
    ended = a_page().get("/ghl/loads/7").text
    assert "data-refresh" not in ended
    assert "http-equiv" not in ended


def test_since_when_it_is_red() -> None:
    other = a_load(4, task_id="another", state="green")
    loads = [a_load(2, state="green"), a_load(3, state="retryable"), other, a_load(5, state="lost"), a_load(7)]
    text = text_of(a_page(FakeLedger(FakeViews(loads))).get("/ghl/loads/7").text)
    assert "Red since 2026-11-27 02:00:00 UTC , 3 loads in a row" in text
    assert "Last success before load 2" in text


def test_earlier_loads_are_those_of_the_task_alone() -> None:
    """Hundreds of mapped tasks run every night."""
    nights = [a_load(300 * night + index, map_index=index, state="green") for night in range(3) for index in range(300)]
    text = text_of(a_page(FakeLedger(FakeViews(nights))).get("/ghl/loads/607").text)
    assert "Last success before load 307 , 2026-11-27" in text
    red = [a_load(number) for number in range(1_200)]
    text = text_of(a_page(FakeLedger(FakeViews(red))).get("/ghl/loads/1199").text)
    assert "Red since before 2026-11-27 02:00:00 UTC , at least 1,001 loads in a row" in text
    assert "Last success before none among the 1,000 loads before " in text
    text = text_of(a_page(FakeLedger(FakeViews(red))).get("/ghl/loads/900").text)
    assert "Red since 2026-11-27 02:00:00 UTC , 901 loads in a row Last success before none that the ledger has" in text


def test_rows_are_searched_and_paged() -> None:
    views = FakeViews(rows=[a_row(row) for row in range(250)])
    client = a_page(FakeLedger(views))
    first = client.get("/ghl/loads/7").text
    assert re.search(r'href="/ghl/loads/7\?after=99#rows"\s+rel="next"', first)
    assert "K-00100" in client.get("/ghl/loads/7?after=99").text
    found = client.get("/ghl/loads/7", params={"search": " K-0013 ", "outcome": "created"}).text
    assert (7, "K-0013", "created", -1) in views.asked
    assert set(re.findall(r"K-\d{5}", found)) == {f"K-0013{last}" for last in range(10)}
    assert 'href="/ghl/loads/7.csv?search=K-0013&amp;outcome=created"' in found
    assert "No kept row matches" in client.get("/ghl/loads/7?search=nobody").text


def test_several_locations_and_deletes() -> None:
    of_locations = {
        "well": {"created": 3, "requests": 3, "stopped_by": None},
        "stopped": {"not_attempted": 9, "requests": 1_500, "stopped_by": "token", "reason": "The token is refused"},
    }
    counts = {"rows": 12, "locations": of_locations, "deletes": {"planned": 3, "deleted": 2, "kept": 1}, "looked_up": 1_000}
    load = a_load(location_id=None, counts={**counts, "lookup_requests": 1})
    removed = {"first_record_id": "c1", "second_record_id": "e1", "relation_id": "r1", "reason": "named"}
    views = FakeViews([load], removed=[a_deletion(0, outcome="kept", **removed)])
    text = text_of(a_page(FakeLedger(views)).get("/ghl/loads/7").text)
    assert "Location 2 locations" in text
    assert text.index("stopped 9 not_attempted 9 not_attempted 1,500 token The token is refused") < text.index("well 3 created")
    assert "3 relations not named by the table any more: 2 deleted, 1 kept." in text
    assert "kept c1 e1 r1 2026-11-27 06:00 UTC named" in text
    assert "1,000 with 1 request" in text


def test_the_list_tells_what_was_deleted() -> None:
    load = a_load(counts={"rows": 12, "deletes": {"planned": 3, "deleted": 2}})
    assert "; 2 deleted" in text_of(a_page(FakeLedger(FakeViews([load]))).get("/ghl/loads").text)


def test_a_load_that_was_broken_off_does_not_look_whole() -> None:
    load = a_load(state="retryable", counts={}, outcomes={"created": 3_485}, total=20_000)
    text = text_of(a_page(FakeLedger(FakeViews([load]))).get("/ghl/loads/7").text)
    assert "Rows 3,485 so far, of about 20,000" in text
    assert "100.0 %" not in text


def test_a_baseline_says_why_nothing_was_deleted() -> None:
    load = a_load(counts={"rows": 12, "deletes": {"planned": 0}, "baseline": True})
    assert "this run is the baseline" in text_of(a_page(FakeLedger(FakeViews([load]))).get("/ghl/loads/7").text)


def test_reasons_that_stand_below_are_not_in_the_message_too() -> None:
    load = a_load(message=f"{MESSAGE} Why: 2 × rejected: No record; 1 × invalid: empty.")
    assert "Why: 2" not in text_of(a_page(FakeLedger(FakeViews([load]))).get("/ghl/loads/7").text)
    assert "Why: 2" in text_of(a_page(FakeLedger(FakeViews([load], rows=[]))).get("/ghl/loads/7").text)


def test_outcomes_have_their_evidence() -> None:
    counts = {"rows": 12, "created": 5, "already_exists": 7}
    evidence = {"created": {"answer": 4, "presumed": 1}, "already_exists": {"ledger": 7}}
    load = a_load(outcomes={"created": 5, "already_exists": 7}, counts={**counts, "evidence": evidence})
    text = text_of(a_page(FakeLedger(FakeViews([load]))).get("/ghl/loads/7").text)
    assert (
        "in any of its attempts. 4: HighLevel's answer to this load 1: sent before without an answer, and found there" in text
    )
    assert "7: HighLevel's, to an earlier load or attempt" in text


def test_the_locations_and_the_ledger() -> None:
    client = a_page(FakeLedger(FakeViews(places=[a_location()])))
    places = client.get("/ghl/locations").text
    told = r"Requests of the day 185,000 of 200,000 Left 15,000 Next reset 20\d\d-\S+ \d\d:00:00 UTC , in \d+ "
    assert re.search(told, text_of(places))
    assert 'aria-label="185,000 of 200,000 requests of the day are spent"' in places
    assert 23 <= re.findall(r'<path class="sent" d="([^"]+)"', places)[0].count("M") <= 24
    assert "no location" in a_page().get("/ghl/locations").text
    ledger = client.get("/ghl/ledger")
    told = text_of(ledger.text)
    assert "Where postgresql://db.example/ledger Connection ghl_ledger Version 3" in told
    assert "Size 5.0 MiB Loads 1,500 Rows kept 2,000,000 Relations known about 3,000,000 Keys known 40,000 Oldest load" in told
    assert 'href="/ghl/ledger?ledger=second"' in ledger.text


def test_a_day_that_is_over_says_nothing_of_the_new_one() -> None:
    """The location whose quota was spent yesterday is not the one to look at."""
    over = replace(a_location(), location_id="of_yesterday", daily_left=0, resets_at=NOW - 60, requests_today=5)
    places = [over, replace(a_location(), location_id="of_today", daily_left=50_000)]
    shown = a_page(FakeLedger(FakeViews(places=places))).get("/ghl/locations").text
    assert re.findall(r'class="id">(of_\w+)</h2>', shown) == ["of_today", "of_yesterday"]
    told = "Requests of the day 5 of 200,000 Left not said since the reset Last reset 2026-11-27 05:59:00 UTC Relations known"
    assert told in text_of(shown)
    assert shown.count('class="meter"') == 1
    assert "200,000 of 200,000" not in shown


def test_many_locations_have_pages_and_the_fullest_come_first() -> None:
    places = [replace(a_location(), location_id=f"L{at:03d}", daily_left=1_000 * at) for at in range(120)]
    client, seen, address = a_page(FakeLedger(FakeViews(places=places[::-1]))), [], "/ghl/locations"
    while address:
        shown = client.get(address).text
        seen += re.findall(r'class="id">(L\d+)</h2>', shown)
        found = re.search(r'href="([^"]+)"\s+rel="next"', shown)
        address = found[1] if found else ""
    assert seen == [place.location_id for place in places]
    assert re.findall(r">(L\d+)</h2>", client.get("/ghl/locations?location_id=L07").text) == [
        f"L07{last}" for last in range(10)
    ]
    assert "begins like this" in client.get("/ghl/locations?location_id=X").text


def test_the_tab_of_a_task_opens_its_load() -> None:
    client = a_page(FakeLedger(FakeViews([a_load(7), a_load(8, map_index=3)])))
    task = {"dag_id": "nightly", "run_id": a_load().run_id, "task_id": "load_pairs"}
    plain = client.get("/ghl/task", params={**task, "map_index": "{MAP_INDEX}"})
    assert (plain.status_code, plain.headers["location"]) == (303, "/ghl/loads/7")
    assert client.get("/ghl/task", params={**task, "map_index": "3"}).headers["location"] == "/ghl/loads/8"
    none = client.get("/ghl/task", params={**task, "task_id": "another"})
    assert (none.status_code, "This task has run no load" in none.text) == (200, True)
    assert "UndoLoadOperator has no load of its own: what it did is on the page of the load that it took back" in text_of(
        none.text
    )


def test_links_stay_below_airflows_base_path() -> None:
    client = a_page()
    client.app.root_path = "/deployments/one"  # type: ignore[attr-defined]
    shown = client.get("/deployments/one/ghl/loads/7").text
    addresses = re.findall(r'(?:href|src|action)="([^"]+)"', shown)
    assert addresses
    assert [one for one in addresses if not one.startswith(("/deployments/one/", "#content"))] == []
    assert "/deployments/one/dags/nightly/runs/scheduled__2026-11-27T02%3A00%3A00%2B00%3A00/tasks/load_pairs" in addresses
    assert client.get("/deployments/one/ghl/").headers["location"] == "/deployments/one/ghl/loads"


def test_nothing_inline_and_nothing_from_elsewhere() -> None:
    client = a_page(FakeLedger(FakeViews([a_load(state="running", message=None, counts=None)], places=[a_location()])))
    for path in ("loads", "loads/7", "locations", "task?dag_id=nightly", "loads/99", "loads?state=odd"):
        shown = client.get(f"/ghl/{path}")
        policy = shown.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'self'" in policy
        assert (shown.headers["cache-control"], shown.headers["x-content-type-options"]) == ("no-store", "nosniff")
        assert not re.search(r"\sstyle=|\son\w+=|<style|javascript:", shown.text)
        assert re.findall(r"<script[^>]*>", shown.text) == re.findall(r'<script src="/ghl/static/page.js[^>]*>', shown.text)
        assert "http://" not in shown.text.replace("http://testserver", "")


def test_its_own_files_may_be_kept_and_others_are_not_there() -> None:
    client = a_page()
    for name in ("page.css", "page.js", "icon.svg", "icon-dark.svg"):
        answer = client.get(f"/ghl/static/{name}")
        assert (answer.status_code, answer.headers["cache-control"]) == (200, "private, max-age=86400")
    assert client.get("/ghl/static/%2e%2e%2fapp.py").status_code == 404
    assert client.get("/ghl/static/app.py").status_code == 404
    assert "\n@import" not in client.get("/ghl/static/page.css").text


def test_every_outcome_has_its_colour() -> None:
    style = a_page().get("/ghl/static/page.css").text
    assert [kind for kind in words.OUTCOMES if f".{kind} {{ fill" not in style or f".fill-{kind} {{" not in style] == []


@pytest.mark.parametrize("name", ["dag_id", "location_id", "association", "search", "run_id", "task_id", "map_index"])
def test_whatever_is_asked_for_is_text(name: str) -> None:
    """And whatever rows hold."""
    nasty = a_row(0, "rejected", row_key=NASTY, reason=NASTY, first_record_id=NASTY)
    load = a_load(association=NASTY, message=NASTY, task_id="t")
    client = a_page(FakeLedger(FakeViews([load], rows=[nasty])))
    for path in ("loads", "loads/7", "task?dag_id=nightly"):
        shown = client.get(f"/ghl/{path}", params={"dag_id": "nightly", name: NASTY} if "task" in path else {name: NASTY})
        assert shown.status_code in (200, 404)
        assert "<script>alert" not in shown.text
        assert "42 $" not in shown.text


@pytest.mark.parametrize(
    ("path", "status"),
    [
        *((f"loads/{odd}", 404) for odd in ("abc", "-1", "0x7", "7.0", "%37%00", "²", 10**30, 2**31, "7/", "7/rows")),
        *((f"loads/{odd}.csv", 404) for odd in ("abc", 10**30, "")),
        *(
            (f"loads?{odd}", 400)
            for odd in ("before=-1", "before=1e3", "state=odd", "outcome=odd", "dag_id=%00", f"dag_id={'x' * 501}")
        ),
        *((f"loads/7?{odd}", 400) for odd in ("after=x", "outcome=created,failed", "search=%0a%07x")),
        ("loads/7.csv?outcome=odd", 400),
        (f"loads?before={10**17}", 200),
        ("nothing", 404),
    ],
)
def test_odd_addresses(path: str, status: int) -> None:
    answer = a_page().get(f"/ghl/{path}")
    assert answer.status_code == status
    assert "Traceback" not in answer.text


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "POST", "PUT", "DELETE", "PATCH"])
def test_it_only_reads(method: str) -> None:
    for path in ("loads", "loads/7", "loads/7.csv", "locations", "ledger", "task", "static/page.css"):
        assert a_page().request(method, f"/ghl/{path}").status_code == 405


def test_charts_are_in_their_box() -> None:
    points = [RatePoint(NOW + 10 * at, 10.0, at % 97, at % 3) for at in range(1_000)]
    panel = charts.rates(points)
    assert panel is not None
    assert len(panel.bars) <= 120
    assert panel.top == max(sum(part.value for part in bar.segments) for bar in panel.bars)
    assert sum(part.value for bar in panel.bars for part in bar.segments) == sum(point.requests for point in points)
    for part in (part for bar in panel.bars for part in bar.segments):
        assert 0 <= part.x <= part.x + part.width <= charts.SIDE + 0.01
        assert 0 <= part.y <= charts.SIDE
    assert charts.rates([RatePoint(NOW, 10.0, 0, 0)] * 9) is None
    assert charts.rates([RatePoint(NOW, 10.0, 90, 0)]) is None, "one bar tells nothing"
    line = charts.shares({"created": 10**9, "failed": 1})
    assert sum(part.width for part in line.segments) == pytest.approx(charts.SIDE, abs=0.1)
    assert charts.shares({}).segments == ()


def test_somebody_who_may_read_no_dag_is_told_so() -> None:
    client = a_page(dag_ids=frozenset())
    assert "You may read no DAG" in client.get("/ghl/loads").text
    assert [client.get(f"/ghl/{path}").status_code for path in ("ledger", "loads/7", "loads/7.csv")] == [404, 404, 404]
    assert "no location" in client.get("/ghl/locations").text


def test_a_new_ledger_says_what_to_do() -> None:
    text = text_of(a_page(FakeLedger(FakeViews([]))).get("/ghl/loads").text)
    assert "Run a task of BulkCreateRelationsOperator" in text
    load = replace(a_load(), outcomes={}, counts={"rows": 0})
    shown = a_page(FakeLedger(FakeViews([load], rows=[], points=[]))).get("/ghl/loads/7").text
    assert "No row was sent, and none had a problem" in shown


def test_rows_that_look_like_formulas_are_still_rows() -> None:
    assert ROWS[11]["row_key"] == "=1+1"
    assert '<td class="row-key">=1+1</td>' in a_page().get("/ghl/loads/7").text
