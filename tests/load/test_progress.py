"""Progress lines: soon at first, once a minute later, and what they say."""

from __future__ import annotations

import re

import pytest
from simulated_highlevel import SimulatedServer
from simulated_load import load_pairs
from simulated_time import FakeClock

from airflow_provider_ghl.api.limits import Limit
from airflow_provider_ghl.load.results.progress import Progress


class Lines:
    """Progress that writes here, with the second of each line."""

    def __init__(self, clock: FakeClock, total: int | None) -> None:
        self._clock = clock
        self._began = clock.now
        self.lines: list[str] = []
        self.seconds: list[float] = []
        self.progress = Progress(self._write, clock, total)

    def _write(self, line: str) -> None:
        self.lines.append(line)
        self.seconds.append(self._clock.now - self._began)


def test_lines_come_soon_at_first_and_then_once_a_minute() -> None:
    clock = FakeClock()
    lines = Lines(clock, None)
    for second in range(400):
        clock.now = 1_000.0 + second
        lines.progress.tick(second, second, second, [Limit()])
    assert lines.seconds == [10, 20, 30, 40, 50, 60, 120, 180, 240, 300, 360]


@pytest.mark.parametrize(
    ("total", "done", "line"),
    [
        (1000, 250, "250 of 1,000 rows done (25%), 12.5 requests/s, 0% of the limit in use, about 0:01:00 left"),
        (None, 250, "250 rows done, 4,000 read so far, 12.5 requests/s, 0% of the limit in use"),
        (1000, 0, "0 of 1,000 rows done (0%), 12.5 requests/s, 0% of the limit in use"),
        (200, 250, "250 of 200 rows done (125%), 12.5 requests/s, 0% of the limit in use"),
    ],
)
def test_a_line_says_how_far_how_fast_and_how_long(total: int | None, done: int, line: str) -> None:
    clock = FakeClock()
    lines = Lines(clock, total)
    lines.progress.tick(0, 0, 0, [Limit()])
    clock.now += 20.0
    lines.progress.tick(done, 4000, 250, [Limit()])
    assert lines.lines == [line]


def test_a_load_says_how_much_of_the_limit_it_uses_and_what_is_left_of_the_day() -> None:
    server = SimulatedServer(FakeClock(), limit=25)
    lines = Lines(server.clock, 300)
    load = load_pairs([(f"s{n}", f"t{n}") for n in range(300)], server, progress=lines.progress)
    assert (
        lines.lines[0]
        == "300 rows: 301 requests, 0:02:00 at the current limit, 0.1% of the 199,999 requests that are left today"
    )
    assert len(lines.lines) == 7
    for line, second in zip(lines.lines[1:], lines.seconds[1:], strict=True):
        said = re.fullmatch(
            r"(\d+) of 300 rows done \(\d+%\), [\d.]+ requests/s, (\d+)% of the limit in use, about 0:0(\d):(\d\d) left,"
            r" (199,\d\d\d) requests left of the day",
            line,
        )
        assert said is not None, line
        done, used, minutes, seconds = map(int, said.groups()[:4])
        assert (second / 10.0 - 1) * 25 < done < (second / 10.0 + 1) * 25
        assert used >= 90
        assert minutes * 60 + seconds == pytest.approx(load.seconds - second, abs=12.0)


def test_there_are_lines_while_no_row_gets_on() -> None:
    server = SimulatedServer(FakeClock(), faults={n: "hang_before" for n in range(1, 200)})
    lines = Lines(server.clock, 5)
    load_pairs([(f"s{n}", f"t{n}") for n in range(5)], server, progress=lines.progress)
    assert lines.seconds[1:4] == pytest.approx([10.3, 20.3, 30.3], abs=0.6)
    assert lines.lines[1].startswith("0 of 5 rows done (0%)")
