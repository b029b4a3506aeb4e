"""Signs of life of a command that takes long."""

from __future__ import annotations

import io
from itertools import count
from typing import Any

import numpy
from cli_runs import Terminal

from airflow_provider_ghl.commands.progress import Progress
from airflow_provider_ghl.load.columns import Batch


def shown(stream: io.StringIO, rows: list[int], step: float) -> tuple[str, list[float]]:
    """What is written when so many rows are read between two looks, ``step`` seconds apart; and the pauses."""
    pauses: list[float] = []
    times = count(0.0, step)
    batches = [Batch(0, [numpy.arange(number).astype(object)], {}) for number in rows]

    def wait(seconds: float) -> bool:
        pauses.append(seconds)
        return next(watched, None) is None

    progress: Any = Progress(stream, wait, lambda: next(times))
    watched = progress.watch(iter(batches))
    progress.show_until_ended()
    return stream.getvalue(), pauses


def test_lines_where_nobody_watches() -> None:
    text, pauses = shown(io.StringIO(), [1, 131_072], 70.0)
    assert text == "Planning: 1 row read, 1 min 10 s …\nPlanning: 131,073 rows read, 2 min 20 s …\n"
    assert pauses == [5.0, 10.0, 10.0]


def test_one_line_on_a_terminal_which_is_removed() -> None:
    text, pauses = shown(Terminal(), [131_072, 1], 40.0)
    lines = text.split("\r")
    assert lines[1] == "Planning: 131,072 rows read, 40 s …"
    assert lines[2] == "Planning: 131,073 rows read, 1 min 20 s …"
    assert lines[3].strip() == ""
    assert len(lines[3]) == len(lines[2])
    assert (lines[0], lines[4:], pauses) == ("", [""], [0.5, 0.5, 0.5])


def test_nothing_about_what_is_done_at_once() -> None:
    for stream in (io.StringIO(), Terminal()):
        assert shown(stream, [], 1.0)[0] == ""


def test_the_thread_ends_with_the_work() -> None:
    stream = io.StringIO()
    with Progress(stream) as progress:
        assert list(progress.watch(iter([]))) == []
    assert stream.getvalue() == ""
