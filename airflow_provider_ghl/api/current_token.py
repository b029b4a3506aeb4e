"""A token that any number of threads use, and one of them renews."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable

from airflow_provider_ghl.api.clock import LONGEST_WAIT, Clock, Stop
from airflow_provider_ghl.api.token_store import TokenPair
from airflow_provider_ghl.exceptions import GHLError, Stopped, Unauthorized

__all__ = ["CurrentToken"]

#: Seconds for which a definite no is believed: who comes meanwhile hears it too, at no request.
_REFUSED_FOR = 60.0
#: Seconds for which a token that is still good is used on, when it could not be renewed early.
_PUT_OFF = 30.0


class CurrentToken:
    """The present pair. Who finds that it must be renewed does so; others wait, and share what comes of it.

    :param make: gives a pair in place of the present one, or the reason why there is none.
    :param stop: ends the waits of the others.
    """

    def __init__(self, make: Callable[[], TokenPair], clock: Clock, stop: Stop) -> None:
        self._make = make
        self._clock = clock
        self._stop = stop
        self._lock = threading.Lock()
        self._turn: _Turn | None = None
        self._pair: TokenPair | None = None
        self._dead = ""
        self._not_before = float("-inf")
        self._refusal: tuple[float, Unauthorized] | None = None

    def header(self) -> str:
        """Of a pair that is good, as far as anybody knows.

        :raises GHLError: there is none.
        """
        pair = self._pair
        return pair.header if pair is not None and self.is_good(pair) else self._renewed().header

    def renew(self, header: str) -> bool:
        """HighLevel refused this header: whether there is another one now."""
        pair = self._pair
        if pair is not None and pair.header != header:
            return True
        self._dead = header
        return self._renewed().header != header

    def replace(self, pair: TokenPair) -> None:
        """Use this one from now on."""
        self._pair = pair

    def is_good(self, pair: TokenPair) -> bool:
        """Whether it was not refused and need not be renewed yet."""
        return self.now() < max(pair.refresh_at, self._not_before) and self.is_usable(pair)

    def is_usable(self, pair: TokenPair) -> bool:
        """Whether it was not refused and has not expired."""
        return pair.header != self._dead and self.now() < pair.expires_at

    def now(self) -> float:
        """Seconds since 1970."""
        return self._clock.utc_now().timestamp()

    def _renewed(self) -> TokenPair:
        with self._lock:
            turn, is_mine = self._turn, self._turn is None
            if turn is None:
                turn = self._turn = _Turn()
        if not is_mine:
            return turn.wait(self._stop)
        try:
            turn.pair = self._made()
        except BaseException as error:
            turn.error = error
            raise
        finally:
            with self._lock:
                self._turn = None
            turn.is_over.set()
        return turn.pair

    def _made(self) -> TokenPair:
        old = self._pair
        if old is not None and self.is_good(old):
            return old
        if self._refusal is not None and self._clock.monotonic() < self._refusal[0]:
            raise copy.copy(self._refusal[1])
        try:
            self._pair = self._make()
        except Unauthorized as error:
            self._refusal = (self._clock.monotonic() + _REFUSED_FOR, error)
            raise
        except Stopped:
            raise
        except GHLError:
            if old is None or not self.is_usable(old):
                raise
            self._not_before = self.now() + _PUT_OFF
            return old
        self._not_before = float("-inf")
        return self._pair


class _Turn:
    """One thread's work for all."""

    def __init__(self) -> None:
        self.is_over = threading.Event()
        self.pair: TokenPair | None = None
        self.error: BaseException | None = None

    def wait(self, stop: Stop) -> TokenPair:
        while not self.is_over.wait(LONGEST_WAIT):
            if stop.is_set:
                raise Stopped("told to stop while a token was got")
        if self.pair is not None:
            return self.pair
        if isinstance(self.error, GHLError):
            raise copy.copy(self.error)  # threads must not share what each of them raises
        raise GHLError(f"to get a token ended in an unforeseen {type(self.error).__name__}")
