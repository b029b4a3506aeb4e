"""Progress lines: when they come, and what they contain."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from simulated_highlevel import SimulatedServer
from simulated_load import load_pairs
from simulated_time import FakeClock

from airflow_provider_ghl.api.limits import Limit
from airflow_provider_ghl.load.ledger.ledger import Ledger
from airflow_provider_ghl.load.plan.price import Estimate
from airflow_provider_ghl.load.results.progress import LocationStatus, Progress
from airflow_provider_ghl.load.spec import Owned

ONE = LocationStatus("a", Limit())


class Lines:
    """Collects the lines of a progress, with the second of each."""

    def __init__(self, clock: FakeClock, total: int | None, estimate: int | None = None) -> None:
        self._clock = clock
        self._began = clock.now
        self.lines: list[str] = []
        self.seconds: list[float] = []
        self.progress = Progress(self._write, clock, total, estimate)

    def _write(self, line: str) -> None:
        self.lines.append(line)
        self.seconds.append(self._clock.now - self._began)


def test_lines_come_soon_at_first_and_then_every_half_minute() -> None:
    clock = FakeClock()
    lines = Lines(clock, None)
    for second in range(400):
        clock.now = 1_000.0 + second
        lines.progress.tick(second, second, second, [ONE])
    assert lines.seconds == [*range(10, 70, 10), *range(90, 400, 30)]


def progress_line(statuses: list[LocationStatus], total: int | None = None, estimate: int | None = None) -> str:
    """The line after 20 s with 250 rows and 250 requests."""
    clock = FakeClock()
    lines = Lines(clock, total, estimate)
    lines.progress.tick(0, 0, 0, statuses)
    clock.now += 20.0
    lines.progress.tick(250, 400, 250, statuses)
    return lines.lines[0]


def test_a_file_has_an_estimated_number_of_rows() -> None:
    assert progress_line([ONE], estimate=1000).startswith(
        "250 of about 1,000 rows done (25%), about 1 min left, 12.5 requests/s"
    )
    assert progress_line([ONE], estimate=300).startswith("250 of about 400 rows done (62%)")


def test_lines_of_many_locations_count_those_done_and_name_delays() -> None:
    statuses = [LocationStatus(f"done{n}", Limit(), is_over=True) for n in range(6)]
    statuses += [LocationStatus("b", Limit()), LocationStatus("c", Limit(), trouble="its requests of the day are spent")]
    line = progress_line(statuses)
    assert line.endswith("6 of 8 locations done, c: its requests of the day are spent")
    assert "0% of the limits of 2 locations in use" in line
    assert progress_line(statuses[:-1]).endswith("6 of 7 locations done, still at work: b")


def test_an_outage_is_logged_at_once_and_when_it_ends() -> None:
    server = SimulatedServer(FakeClock(), limit=10, interval=1.0)
    began = server.clock.now
    server.draw_fault = lambda: "503_before" if 12.0 <= server.clock.now - began < 60.0 else None
    lines = Lines(server.clock, 300)
    load_pairs([(f"s{n}", f"t{n}") for n in range(300)], server, progress=lines.progress)
    about_location = [
        (second, line) for second, line in zip(lines.seconds, lines.lines, strict=True) if line.startswith("location ")
    ]
    (silent, back) = about_location
    assert re.search(r": no answer from HighLevel( for \d s)?, one request at a time is tried$", silent[1])
    assert 12.0 <= silent[0] <= 14.0
    assert back[1].endswith(": it goes on")
    assert 60.0 <= back[0] <= 82.0
    during = [line for second, line in zip(lines.seconds, lines.lines, strict=True) if 20.0 < second < 60.0]
    assert all("one request at a time is tried" in line for line in during)


def test_an_outage_that_ends_the_load_is_not_said_to_be_over() -> None:
    server = SimulatedServer(FakeClock(), limit=10, interval=1.0)
    began = server.clock.now
    server.draw_fault = lambda: "503_before" if server.clock.now - began >= 12.0 else None
    lines = Lines(server.clock, 300)
    load = load_pairs(
        [(f"s{n}", f"t{n}") for n in range(300)], server, progress=lines.progress, outage_timeout=timedelta(seconds=30)
    )
    assert "no answer from HighLevel" in load.verdict.message
    assert any("one request at a time is tried" in line for line in lines.lines)
    assert not any("it goes on" in line for line in lines.lines)


def test_others_who_use_the_location_are_named() -> None:
    """Without this, a load beside another one seems to hang, with 2% of the limit in use."""
    server = SimulatedServer(FakeClock(), limit=100)
    lines = Lines(server.clock, 300)
    counted = server._counted

    def others(workers: object) -> None:
        for second in range(0, 60):
            for _ in range(8):
                workers.at(server.clock.now + second, lambda: counted.append(server.clock.now))  # type: ignore[attr-defined]

    load_pairs([(f"s{n}", f"t{n}") for n in range(300)], server, progress=lines.progress, prepare=others)
    named = [line for line in lines.lines if " by this load, others use " in line]
    assert named
    rate = re.search(r"others use ([\d.]+) requests/s of this location", named[-1])
    assert rate is not None
    assert 5.0 <= float(rate[1]) <= 9.5


@pytest.mark.parametrize(
    ("total", "done", "line"),
    [
        (1000, 250, "250 of 1,000 rows done (25%), about 1 min left, 12.5 requests/s, 0% of the limit in use"),
        (None, 250, "250 rows done, 4,000 read so far, 12.5 requests/s, 0% of the limit in use"),
        (1000, 0, "0 of 1,000 rows done (0%), 12.5 requests/s, 0% of the limit in use"),
        (200, 250, "250 of 200 rows done (125%), 12.5 requests/s, 0% of the limit in use"),
    ],
)
def test_a_line_has_rows_done_rate_and_time_left(total: int | None, done: int, line: str) -> None:
    clock = FakeClock()
    lines = Lines(clock, total)
    lines.progress.tick(0, 0, 0, [ONE])
    clock.now += 20.0
    lines.progress.tick(done, 4000, 250, [ONE])
    assert lines.lines == [line]


@pytest.mark.parametrize(
    ("rows", "price", "line"),
    [
        (
            1,
            Estimate(1, 0.0, 1, 1.0, 1),
            "1 row: 1 request, less than 1 s at the current limit, 100.0% of the 1 request that is left today",
        ),
        (
            2,
            Estimate(3, 0.0, 199_996, 0.0, 1),
            "2 rows: 3 requests, less than 1 s at the current limit, "
            "less than 0.1% of the 199,996 requests that are left today",
        ),
        (
            1_000,
            Estimate(0, 0.0, 199_996, 0.0, 1),
            "1,000 rows: 0 requests, less than 1 s at the current limit, 0.0% of the 199,996 requests that are left today",
        ),
    ],
)
def test_the_first_line_counts_rows_and_requests(rows: int, price: Estimate, line: str) -> None:
    lines = Lines(FakeClock(), None)
    lines.progress.announce(rows, str(price), is_exact=True)
    assert lines.lines == [line]


def test_a_line_has_the_use_of_the_limit_and_what_is_left_of_the_quota() -> None:
    server = SimulatedServer(FakeClock(), limit=25)
    lines = Lines(server.clock, 300)
    load = load_pairs([(f"s{n}", f"t{n}") for n in range(300)], server, progress=lines.progress)
    assert (
        lines.lines[0] == "300 rows: 301 requests, 2 min at the current limit, 0.1% of the 199,999 requests that are left today"
    )
    assert len(lines.lines) == 8
    for line, second in zip(lines.lines[1:], lines.seconds[1:], strict=True):
        match = re.fullmatch(
            r"(\d+) of 300 rows done \(\d+%\), about (?:(\d) min)? ?(?:(\d+) s)? left, [\d.]+ requests/s,"
            r" (\d+)% of the limit in use, (199,\d\d\d) requests left of the day",
            line,
        )
        assert match is not None, line
        done, minutes, seconds, used = (int(group or 0) for group in match.groups()[:4])
        assert (second / 10.0 - 1) * 25 < done < (second / 10.0 + 1) * 25
        assert used >= 90
        assert minutes * 60 + seconds == pytest.approx(load.seconds - second, abs=12.0)


def test_there_are_lines_while_no_row_is_done() -> None:
    server = SimulatedServer(FakeClock(), faults={n: "hang_before" for n in range(1, 200)})
    lines = Lines(server.clock, 5)
    load_pairs([(f"s{n}", f"t{n}") for n in range(5)], server, progress=lines.progress)
    assert lines.seconds[1:4] == pytest.approx([10.3, 20.3, 30.3], abs=0.6)
    assert lines.lines[1].startswith("0 of 5 rows done (0%)")


def test_reading_parents_and_deleting_have_lines_of_their_own() -> None:
    server, ledger = SimulatedServer(FakeClock(), limit=10, interval=1.0), Ledger.in_memory()
    rows = [(f"s{number}", "t") for number in range(250)]
    options: dict[str, Any] = {"ledger": ledger, "series": "table", "parent": 1, "owned": Owned.ALL, "max_deletes": None}
    load_pairs(rows, server, load_id="first", max_delete_share=None, **options)
    lines = Lines(server.clock, 1)
    load_pairs([("s0", "t")], server, load_id="second", progress=lines.progress, max_delete_share=None, **options)
    assert len(server.relations) == 1
    about_deletes = [line for line in lines.lines if "deletes done" in line]
    assert len(about_deletes) == 2
    assert re.fullmatch(
        r"\d+ of 249 deletes done \(\d+%\), about \d+ s left, [\d.]+ requests/s, \d+% of the limit in use, [\d,]+ requests left"
        r" of the day",
        about_deletes[0],
    )
    lines = Lines(server.clock, 250)
    load_pairs(rows, server, load_id="third", progress=lines.progress, max_delete_share=None, **options | {"parent": 0})
    assert any(re.match(r"\d+ of 250 parents read \(\d+%\)", line) for line in lines.lines)


def test_rows_that_the_ledger_knew_say_nothing_of_the_time_left() -> None:
    clock = FakeClock()
    lines = Lines(clock, 20_000)
    lines.progress.tick(3_485, 8_000, 0, [ONE])
    for second in range(1, 121):
        clock.now = 1_000.0 + second
        lines.progress.tick(3_485 + 10 * second, 8_000, 10 * second, [ONE])
    left = [re.search(r"about ([\w ]+) left", line) for line in lines.lines]
    assert [found[1] for found in left if found is not None] == [
        *("27 min", "27 min", "27 min", "27 min", "27 min", "27 min", "26 min", "26 min"),
    ]


def test_a_burst_at_the_start_does_not_double_the_time_left() -> None:
    """A window's requests go out at once, and nothing follows until the next one."""
    server = SimulatedServer(FakeClock(), limit=100)
    lines = Lines(server.clock, 3_000)
    load = load_pairs([(f"s{n}", f"t{n}") for n in range(3_000)], server, progress=lines.progress)
    for line, second in zip(lines.lines[1:], lines.seconds[1:], strict=True):
        found = re.search(r"about (?:(\d+) min)? ?(?:(\d+) s)? left", line)
        assert found is not None, line
        minutes, seconds = (int(group or 0) for group in found.groups())
        assert minutes * 60 + seconds == pytest.approx(load.seconds - second, abs=25.0)
