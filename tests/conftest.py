"""What holds for every test, and what a run shows of itself."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from postgres_server import postgres_server

#: The only reasons for which a test may be skipped. Any other skip fails the run: a test that never runs proves nothing.
ALLOWED_SKIPS: tuple[str, ...] = (
    # tests/airflow/test_page_browser.py; all that the page does is tested without a browser too.
    "no Chromium on this machine",
)

# A slow machine is no failure: no example has a deadline. What fails prints the lines that replay it.
settings.register_profile("suite", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")

_SECONDS_BETWEEN_LINES = 10.0
_unnamed: list[str] = []


def pytest_sessionstart(session: pytest.Session) -> None:
    """Show more where the tests run in other processes."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None and session.config.getoption("dist", "no") != "no":
        session.config.pluginmanager.register(Progress(reporter), "progress")


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The URL of a PostgreSQL server, as its superuser; one for each process that runs tests."""
    with postgres_server() as url:
        yield url


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """How many processes ``-n auto`` starts: two more than there are cores, since many tests wait for other processes."""
    return 2 + (len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 2)


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Bytes are no part of a test's name: all processes must find the same tests, and a gzip file holds the time of day."""
    return argname if isinstance(val, bytes) else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests begin first, so that no process ends long after the others."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


class Progress:
    """Shows more than a dot for each test that has ended: there may be none for a while."""

    def __init__(self, reporter: pytest.TerminalReporter) -> None:
        self._reporter = reporter
        self._began = self._shown = time.monotonic()

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node: Any, ids: list[str]) -> None:
        """A process is ready."""
        self._show(f"{node.gateway.id} has found {len(ids):,} tests")

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """A test begins. Show it if nothing was shown for some seconds."""
        if time.monotonic() > self._shown + _SECONDS_BETWEEN_LINES:
            self._show(f"{nodeid} begins")

    def _show(self, text: str) -> None:
        self._shown = time.monotonic()
        self._reporter.write(f"\n{self._shown - self._began:4.0f} s  {text}\n", flush=True)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note skips for other reasons."""
    if report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if not any(allowed in reason for allowed in ALLOWED_SKIPS):
            _unnamed.append(f"{report.nodeid}: {reason}")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail for them."""
    if _unnamed and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name them."""
    for skip in _unnamed:
        terminalreporter.write_line(f"skipped for a reason that is not named in tests/conftest.py: {skip}", red=True)
