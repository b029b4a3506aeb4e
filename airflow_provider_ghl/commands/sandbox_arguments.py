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
        argument("--port", type=_port, default=0, metavar="N", help="port on 127.0.0.1 (default: a free one)"),
        argument("--state", metavar="FILE", help="remember associations, records and relations in this file"),
        argument(
            "--limit",
            type=_limit,
            default=100,
            metavar="N",
            help="requests per interval and location; 0: no limit (default: %(default)s)",
        ),
        argument("--interval", type=_interval, default=10.0, metavar="SECONDS", help="of the limit (default: %(default)s)"),
        argument("--window", choices=("sliding", "fixed"), default="sliding", help="of the limit (default: %(default)s)"),
        argument(
            "--daily-limit",
            type=_limit,
            default=200_000,
            metavar="N",
            help="requests per day and location; 0: no limit (default: %(default)s)",
        ),
        argument(
            "--latency",
            type=_seconds,
            default=0.0,
            metavar="SECONDS",
            help="from a request to its answer (default: %(default)s)",
        ),
        argument(
            "--latency-spread",
            type=_share,
            default=0.0,
            metavar="SHARE",
            help="of the latency: 0.3 is from 0.7 to 1.3 times the latency",
        ),
        argument(
            "--count-at",
            choices=("arrival", "answer"),
            default="arrival",
            help="when a request is counted against the window (default: %(default)s)",
        ),
        argument(
            "--keep-associations",
            action="store_true",
            help="store new associations as they are sent (default: keys in lower case and sides in order, as HighLevel does)",
        ),
        argument(
            "--seed",
            type=int,
            metavar="N",
            help="the same seed gives the same ids and latencies (default: a new one, which is printed)",
        ),
        argument("--location", metavar="ID", help="id of the first location (default: the state file's, else a fixed one)"),
        argument(
            "--agency", type=_agency, default=0, metavar="N", help="add a fixed agency with N sub-accounts (default: none)"
        ),
        argument(
            "--token", metavar="TEXT", help="the token that is accepted (default: a fixed one that only a sandbox accepts)"
        ),
    ),
)
