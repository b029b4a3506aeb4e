"""The ledger: memory that saves requests. HighLevel is the truth; losing the ledger costs requests, never correctness."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from airflow_provider_ghl.api.clock import Clock
from airflow_provider_ghl.load.ledger.approved import LedgerApproved
from airflow_provider_ghl.load.ledger.database import Database
from airflow_provider_ghl.load.ledger.deletions import LedgerDeletions
from airflow_provider_ghl.load.ledger.key_writing import write_keys
from airflow_provider_ghl.load.ledger.keys import LedgerKeys
from airflow_provider_ghl.load.ledger.loads import Attempt, LedgerLoads
from airflow_provider_ghl.load.ledger.made import Made, made_by
from airflow_provider_ghl.load.ledger.named import LedgerTables
from airflow_provider_ghl.load.ledger.notes import KeyNotes, Notes
from airflow_provider_ghl.load.ledger.process import Process
from airflow_provider_ghl.load.ledger.relations import LedgerRelations
from airflow_provider_ghl.load.ledger.schema import prepare
from airflow_provider_ghl.load.ledger.upkeep import RelationFilter, delete, statistics, times_forgotten
from airflow_provider_ghl.load.ledger.views import LedgerViews
from airflow_provider_ghl.load.ledger.waits import LONGEST_OUTAGE
from airflow_provider_ghl.load.ledger.writing import NotesWriter

if TYPE_CHECKING:
    from airflow_provider_ghl.load.ledger.identity import Identity

__all__ = ["Ledger"]

_NO_KEYS: Mapping[int, KeyNotes] = {}


class Ledger:
    """One ledger. Where the database fails, every method raises ``LedgerError``, and nothing else.

    How it works: a pair is claimed before its request goes out, and confirmed or deleted with the answer. Claims and answers
    are durable once the method has returned: a killed process loses none of them (SQLite: a power cut may take the last ones).

    What it does not do: the request stands between a claim and the note of its answer. A process that is killed in between
    leaves a claim without an answer. The next attempt of the same load learns of it (``ClaimResult.AGAIN``) and sends the row
    again; if HighLevel answers "duplicate", the first request had taken effect.

    :param engine: for SQLite or PostgreSQL, and for this ledger alone. Tables are made where missing.
    :param database_time: unix seconds by the database's clock; ``None`` asks the database.
    :param process: who writes; ``None`` is this process.
    :param clock: what waits are measured by.
    :param longest_outage: seconds in a row for which a database server that is away is waited for; after them ``LedgerError``.
    :raises ConfigurationError: neither SQLite nor PostgreSQL.
    :raises LedgerError: the database fails, or was written by a release to come.
    """

    def __init__(
        self,
        engine: sa.Engine,
        *,
        database_time: Callable[[sa.Connection], float] | None = None,
        process: Process | None = None,
        clock: Clock | None = None,
        longest_outage: float = LONGEST_OUTAGE,
    ) -> None:
        self._database = Database(engine, database_time, clock, longest_outage)
        self._process = process or Process.current()
        self._facts = prepare(self._database)
        #: Names the database without user and password.
        self.where = self._database.where
        self.id = self._facts["ledger_id"]
        self.relations = LedgerRelations(self._database, self._process)
        self.keys = LedgerKeys(self._database)
        self.loads = LedgerLoads(self._database, self._process)
        self.tables = LedgerTables(self._database)
        self.approved = LedgerApproved(self._database)
        self.deletions = LedgerDeletions(self._database)
        self.views = LedgerViews(self._database, self._process)

    @classmethod
    def in_memory(cls) -> Ledger:
        """One that remembers nothing beyond its own life."""
        return cls(sa.create_engine("sqlite://"))

    @property
    def file(self) -> Path | None:
        """The SQLite file; ``None`` for all else."""
        return self._database.file

    @property
    def warnings(self) -> list[str]:
        """What a user should know of how it went, such as that its file was deleted."""
        return self._database.warnings

    def end_waits_when(self, is_told_to_stop: Callable[[], bool]) -> None:
        """Have no method wait for other processes or for the database's server longer than about a second once this is true.

        Any thread may ask it.
        """
        self._database.end_waits_when(is_told_to_stop)

    @cached_property
    def identity(self) -> Identity:
        """Hashes rows with this ledger's keys."""
        # It needs pandas, which a person's look at a ledger does not.
        from airflow_provider_ghl.load.ledger.identity import keyed_identity

        return keyed_identity((self._facts["first_key"], self._facts["second_key"]))

    def time(self) -> float:
        """The moment by the database's clock, in unix seconds."""
        return self._database.read(self._database.now)

    def made_by(self, load_number: int, host: str) -> Iterator[Made]:
        """The relations that a load made, by HighLevel's word to it, as far as the results of its rows are kept.

        :param host: base URL of the API to which the load was sent.
        """
        return made_by(self._database, load_number, host, self.identity)

    def write(self, attempt: Attempt, target_id: int | None, notes: Notes) -> None:
        """Write all of the notes, the attempt's totals and its heartbeat; all or nothing. Twice is as good as once.

        :param target_id: whose pairs they are; ``None`` where the notes name no pair and no record.
        :raises ValueError: there is no target, and the notes name a pair or a record.
        """
        self.write_all(attempt, {target_id: notes})

    def write_all(self, attempt: Attempt, notes: Mapping[int | None, Notes], keys: Mapping[int, KeyNotes] = _NO_KEYS) -> None:
        """The same for several targets at once, and for keys; the totals are those of the last notes. All or nothing.

        :param keys: by the number of their look-up.
        """
        if None in notes and notes[None].names_rows:
            raise ValueError("notes that name pairs or records need their target")

        def work(connection: sa.Connection) -> None:
            now = self._database.now(connection)
            NotesWriter(connection, attempt, now, self._process).write(notes)
            write_keys(connection, keys, attempt.load_number, now)

        self._database.write(work)

    def close(self) -> None:
        """Let go of the database's connections."""
        self._database.close()

    def statistics(self) -> dict[str, Any]:
        """``where``, ``id``, ``schema_version``; ``bytes`` on disk (``None`` in memory); how many ``relations`` (known to be
        there), ``claims`` (sent, no answer), ``keys``, ``loads`` and ``results``; ``oldest_confirmed`` and
        ``newest_confirmed`` of relations in unix seconds (``None`` without relations); ``targets``, a dict each, with their
        relations and both moments; ``lookups``, a dict each, with ``name``, their keys and both moments.
        """
        found = self._database.read(lambda connection: statistics(connection, self._database))
        return {"where": self.where, "id": self.id, "schema_version": int(self._facts["schema_version"]), **found}

    def times_forgotten(self) -> int:
        """How often :meth:`forget` was called on this ledger, by anybody."""
        return self._database.read(times_forgotten)

    def forget(self, wanted: RelationFilter) -> int:
        """Delete these relations, claims included, and the keys that match as well. Returns how many relations there were."""
        return self._database.write(lambda connection: delete(connection, wanted))

    def count_to_forget(self, wanted: RelationFilter) -> int:
        """How many relations :meth:`forget` would delete."""
        return self._database.read(wanted.count)

    def count_keys_to_forget(self, wanted: RelationFilter) -> int:
        """How many keys :meth:`forget` would delete besides."""
        return self._database.read(wanted.count_keys)
