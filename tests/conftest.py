"""What holds for every test."""

from __future__ import annotations

import pytest

#: The only reasons for which a test may be skipped. Any other skip fails the run: a test that never runs proves nothing.
ALLOWED_SKIPS = ("the vendor's specs are not here",)

_unnamed: list[str] = []


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
