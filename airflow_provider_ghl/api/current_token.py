"""The token that all threads of a process use now, and its renewal by one of them at a time."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable

from airflow_provider_ghl.api.clock import LONGEST_WAIT, Clock, Stop
from airflow_provider_ghl.api.token_store import TokenPair
from airflow_provider_ghl.exceptions import GHLError, Stopped, Unauthorized

__all__ = ["CurrentToken"]

#: Seconds for which a refusal is remembered: a thread that asks meanwhile gets the same error, without a request.
_REFUSED_FOR = 60.0
#: Seconds until the next try, when a token could not be renewed early and is still good.
_RETRY_AFTER = 30.0


class CurrentToken:
    """One pair of tokens for any number of threads.

    The first thread that finds it expired or refused renews it. Threads that come meanwhile wait, and get the same new pair or
    the same error.

    :param make: returns the next pair, or raises the reason why there is none.
    :param stop: ends the waits for another thread's renewal.
    """

    def __init__(self, make: Callable[[], TokenPair], clock: Clock, stop: Stop) -> None:
        self._make = make
        self._clock = clock
        self._stop = stop
        self._lock = threading.Lock()
        self._renewal: _Renewal | None = None
        self._pair: TokenPair | None = None
        self._refused_header = ""
        self._not_before = float("-inf")
        self._last_refusal: tuple[float, Unauthorized] | None = None

    def header(self) -> str:
        """The ``Authorization`` header of a pair that is good as far as is known. Renews it first where that is due.

        :raises GHLError: there is no token to be had.
        """
        pair = self._pair
        return pair.header if pair is not None and self.is_good(pair) else self._renew_once().header

    def renew(self, header: str) -> bool:
        """After HighLevel refused this header: get another one. False where it is the same again.

        :raises GHLError: there is no token to be had.
        """
        pair = self._pair
        if pair is not None and pair.header != header:
            return True
        self._refused_header = header
        return self._renew_once().header != header

    def replace(self, pair: TokenPair) -> None:
        """Use this one from now on."""
        self._pair = pair

    def is_good(self, pair: TokenPair) -> bool:
        """Whether it is usable and not due for renewal."""
        return self.now() < max(pair.refresh_at, self._not_before) and self.is_usable(pair)

    def is_usable(self, pair: TokenPair) -> bool:
        """Whether it was not refused and has not expired."""
        return pair.header != self._refused_header and self.now() < pair.expires_at

    def now(self) -> float:
        """Seconds since 1970."""
        return self._clock.utc_now().timestamp()

    def _renew_once(self) -> TokenPair:
        """Renew the pair, or wait for the thread that is doing it."""
        with self._lock:
            renewal, is_mine = self._renewal, self._renewal is None
            if renewal is None:
                renewal = self._renewal = _Renewal()
        if not is_mine:
            return renewal.wait(self._stop)
        try:
            renewal.pair = self._make_pair()
        except BaseException as error:
            renewal.error = error
            raise
        finally:
            with self._lock:
                self._renewal = None
            renewal.is_over.set()
        return renewal.pair

    def _make_pair(self) -> TokenPair:
        old = self._pair
        if old is not None and self.is_good(old):
            return old
        if self._last_refusal is not None and self._clock.monotonic() < self._last_refusal[0]:
            raise copy.copy(self._last_refusal[1])
        try:
            self._pair = self._make()
        except Unauthorized as error:
            self._last_refusal = (self._clock.monotonic() + _REFUSED_FOR, error)
            raise
        except Stopped:
            raise
        except GHLError:
            if old is None or not self.is_usable(old):
                raise
            self._not_before = self.now() + _RETRY_AFTER
            return old
        self._not_before = float("-inf")
        return self._pair


class _Renewal:
    """One thread's renewal, for which others wait."""

    def __init__(self) -> None:
        self.is_over = threading.Event()
        self.pair: TokenPair | None = None
        self.error: BaseException | None = None

    def wait(self, stop: Stop) -> TokenPair:
        while not self.is_over.wait(LONGEST_WAIT):
            if stop.is_set:
                raise Stopped("told to stop while waiting for a token")
        if self.pair is not None:
            return self.pair
        if isinstance(self.error, GHLError):
            raise copy.copy(self.error)  # threads must not share what each of them raises
        raise GHLError(f"getting a token ended in an unforeseen {type(self.error).__name__}")
