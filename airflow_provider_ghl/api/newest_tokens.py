"""Which pair of tokens is the newest, among those that the processes of one connection store."""

from __future__ import annotations

from airflow_provider_ghl.api.token_store import Stored, TokenPair, TokenStore

__all__ = ["NewestTokens"]


class NewestTokens:
    """The newest pair of a connection, whichever process stored it. A new pair is stored before it is used.

    A stored pair counts only if it comes from the tokens that this process has in its connection (the fingerprint says so). A
    pair of other tokens is overwritten if it was there at the first read: then the connection was given new tokens. If it came
    later, another process has newer tokens than this one, and the pair stays.

    Limits: a process that is killed between HighLevel's answer and the write loses the pair. Two processes that write at the
    same moment may leave the older pair. Whoever refreshes that one within 30 s gets the newer one again, since HighLevel
    answers equal requests alike for so long. Later somebody has to log in anew, unless a process that has the newer pair
    is running.

    :param fingerprint: of the connection's tokens.
    """

    def __init__(self, store: TokenStore, fingerprint: str) -> None:
        self.fingerprint = fingerprint
        self._store = store
        self._newest: Stored | None = None
        self._unwritten: Stored | None = None
        self._has_read = False
        #: The fingerprint that was stored at the first read.
        self._first_fingerprint: str | None = None

    def read(self) -> Stored | None:
        """The newest pair; ``None`` where the connection's tokens were never refreshed.

        :raises GHLError: the store cannot be read, or a pair that could not be written before cannot be written now either.
        """
        stored = self._store.read()
        if not self._has_read:
            self._has_read = True
            self._first_fingerprint = stored.fingerprint if stored else None
        if stored is not None and self._is_mine(stored) and self._is_newer(stored):
            self._newest = stored
        if self._unwritten is not None:
            self._write(self._unwritten, stored)
        return self._newest

    def store_refreshed(self, pair: TokenPair, after: Stored | None) -> Stored:
        """Store a pair that was refreshed from ``after``, and return the newest: another process's if it was faster.

        :raises GHLError: it could not be written; the next read tries again.
        """
        self._unwritten = Stored(pair, self.fingerprint, after.generation + 1 if after else 1)
        return self._write(self._unwritten, self._store.read())

    def store_first(self, pair: TokenPair, now: int) -> Stored:
        """Store a pair that somebody got by logging in. It counts as newer than any other.

        :param now: seconds since 1970.
        """
        stored = self.read()
        new = Stored(pair, self.fingerprint, max(now, stored.generation + 1 if stored else 1))
        self._store.write(new)
        self._newest = new
        return new

    def _is_mine(self, stored: Stored) -> bool:
        return stored.fingerprint == self.fingerprint

    def _is_newer(self, stored: Stored) -> bool:
        return self._newest is None or stored.generation > self._newest.generation

    def _write(self, new: Stored, stored: Stored | None) -> Stored:
        if stored is not None and self._is_mine(stored) and stored.generation >= new.generation:
            new = stored
        elif stored is None or self._is_mine(stored) or stored.fingerprint == self._first_fingerprint:
            self._store.write(new)
        self._newest, self._unwritten = new, None
        return new
