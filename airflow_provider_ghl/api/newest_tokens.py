"""What is kept of a connection's tokens, as one of the processes that use it sees it."""

from __future__ import annotations

from airflow_provider_ghl.api.token_store import Stored, TokenPair, TokenStore

__all__ = ["NewestTokens"]


class NewestTokens:
    """The newest pair, mine or another process's; a new one is in the store before it is the newest here.

    A pair of other tokens than the connection's is not believed. One that was there at the first look may be written over: the
    connection has got new tokens since. One that came later may not: then it is this process whose connection is out of date.

    What it does not do: a process that is killed after HighLevel's answer and before the store has it takes the pair with it;
    and two that write at the same moment may leave the older pair. Who then refreshes the older one within 30 s gets the newer
    one again, since HighLevel answers equal calls alike for so long; later somebody must log in anew, unless a process that has
    the newer one is about.

    :param fingerprint: of the connection's tokens.
    """

    def __init__(self, store: TokenStore, fingerprint: str) -> None:
        self.fingerprint = fingerprint
        self._store = store
        self._newest: Stored | None = None
        self._unwritten: Stored | None = None
        self._has_looked = False
        self._foreign: str | None = None

    def look(self) -> Stored | None:
        """The newest; ``None`` where the connection's tokens were never refreshed.

        :raises GHLError: the store cannot be read, or still not be written.
        """
        there = self._store.read()
        if not self._has_looked:
            self._has_looked = True
            self._foreign = there.fingerprint if there else None
        if there is not None and self._is_mine(there) and self._is_news(there):
            self._newest = there
        if self._unwritten is not None:
            self._write(self._unwritten, there)
        return self._newest

    def keep(self, pair: TokenPair, after: Stored | None) -> Stored:
        """Keep a pair that was refreshed from ``after``. The newest is another one where another process was faster.

        :raises GHLError: it could not be written; that is tried again at the next look.
        """
        self._unwritten = Stored(pair, self.fingerprint, after.generation + 1 if after else 1)
        return self._write(self._unwritten, self._store.read())

    def adopt(self, pair: TokenPair, now: int) -> Stored:
        """Keep a pair that comes from no earlier one: it wins. ``now``: seconds since 1970."""
        there = self.look()
        new = Stored(pair, self.fingerprint, max(now, there.generation + 1 if there else 1))
        self._store.write(new)
        self._newest = new
        return new

    def _is_mine(self, there: Stored) -> bool:
        return there.fingerprint == self.fingerprint

    def _is_news(self, there: Stored) -> bool:
        return self._newest is None or there.generation > self._newest.generation

    def _write(self, new: Stored, there: Stored | None) -> Stored:
        if there is not None and self._is_mine(there) and there.generation >= new.generation:
            new = there
        elif there is None or self._is_mine(there) or there.fingerprint == self._foreign:
            self._store.write(new)
        self._newest, self._unwritten = new, None
        return new
