"""The command ``sandbox`` as data."""

from __future__ import annotations

from airflow_provider_ghl.commands.arguments import Command, argument, number

__all__ = ["SANDBOX"]

_A_DAY = 86_400
_port = number(int, "a port from 0 to 65535", lambda port: 0 <= port <= 65_535)
_interval = number(float, f"seconds, more than 0 and up to {_A_DAY}", lambda seconds: 0 < seconds <= _A_DAY)
_seconds = number(float, f"seconds from 0 to {_A_DAY}", lambda seconds: 0 <= seconds <= _A_DAY)
_share = number(float, "a share from 0 to 1", lambda share: 0 <= share <= 1)
_agency = number(int, "a number of sub-accounts from 0 to 9999", lambda count: 0 <= count <= 9999)
_requests = number(int, "a whole number, 0 or more", lambda count: count >= 0)


def _limit(text: str) -> int | None:
    return _requests(text) or None


SANDBOX = Command(
    "sandbox",
    "Serve a HighLevel on this machine, to try DAGs against",
    run="sandbox.command:run",
    needs_airflow=False,
    arguments=(
        argument("--port", type=_port, default=0, help="port on 127.0.0.1 (default: a free one)"),
        argument("--state", metavar="FILE", help="remember associations, records and relations in this file"),
        argument(
            "--limit", type=_limit, default=100, help="requests per interval and location; 0: no limit (default: %(default)s)"
        ),
        argument("--interval", type=_interval, default=10.0, help="seconds (default: %(default)s)"),
        argument("--window", choices=("sliding", "fixed"), default="sliding", help="kind of the window (default: %(default)s)"),
        argument(
            "--daily-limit",
            type=_limit,
            default=200_000,
            help="requests per day and location; 0: no limit (default: %(default)s)",
        ),
        argument("--latency", type=_seconds, default=0.0, help="seconds that a request takes (default: %(default)s)"),
        argument("--latency-spread", type=_share, default=0.0, help="share: 0.3 is from 0.7 to 1.3 times the latency"),
        argument(
            "--count-at",
            choices=("arrival", "answer"),
            default="arrival",
            help="when a request is counted against the window (default: %(default)s)",
        ),
        argument("--seed", type=int, help="makes ids and latencies the same again (default: chosen, and printed)"),
        argument("--location", help="id of the first location (default: the state file's, else a fixed one)"),
        argument(
            "--agency", type=_agency, default=0, metavar="N", help="add a fixed agency with N sub-accounts (default: none)"
        ),
        argument("--token", help="the token that is accepted (default: a fixed one that only a sandbox accepts)"),
    ),
)
