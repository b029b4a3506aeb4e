"""Which attempts are alive: those have their claims respected."""

from __future__ import annotations

from collections.abc import Collection

import sqlalchemy as sa

from airflow_provider_ghl.load.ledger.pairs import per_statement
from airflow_provider_ghl.load.ledger.process import Process
from airflow_provider_ghl.load.ledger.tables import attempts

__all__ = ["SILENCE", "alive_attempts"]

#: Seconds without a heartbeat after which an attempt counts as dead, if it is not known sooner.
#:
#: An attempt whose database was away for about a minute has sent none, and is alive. Another load that reaches the database
#: first takes its claims over. Both may then send the same rows: HighLevel makes each relation once and answers "duplicate" to
#: the second, which costs a request, and that load counts the row as already there. No row is lost: the first attempt notes its
#: answers all the same, and what it claims from then on is respected again.
SILENCE = 60.0


def alive_attempts(connection: sa.Connection, numbers: Collection[int], now: float, here: Process) -> set[int]:
    """Those that have not ended, have sent a heartbeat lately, and whose process is not provably gone.

    :param numbers: of attempts.
    :param now: unix seconds by the database's clock.
    :param here: the process that asks.
    """
    asked, alive = sorted(numbers), set()
    of_attempt = (attempts.c.number, attempts.c.machine, attempts.c.pid, attempts.c.process_began)
    for some_numbers in per_statement(asked):
        # A heartbeat in the future came from a clock that was wrong: it must not keep a dead attempt alive until then.
        is_heard = sa.and_(attempts.c.ended.is_(None), attempts.c.heartbeat.between(now - SILENCE, now + SILENCE))
        some = sa.select(*of_attempt).where(attempts.c.number.in_(some_numbers), is_heard)
        for number, machine, pid, began in connection.execute(some):
            if not here.is_gone(Process(machine, pid, began)):
                alive.add(number)
    return alive
