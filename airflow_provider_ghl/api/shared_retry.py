"""Retries of an endpoint that many threads need at once: while it fails, one of them asks and all hear the answer."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable
from typing import TypeVar

from airflow_provider_ghl.api.client import Client
from airflow_provider_ghl.api.clock import LONGEST_WAIT
from airflow_provider_ghl.exceptions import GHLError, ServerError, Stopped, TransportError

__all__ = ["SharedRetry"]

T = TypeVar("T")

#: Seconds without a request after the endpoint was given up. The requests that need it are retried too (see ``api.retry``), for
#: a shorter time: without this pause, each of their retries would start the ones here again.
_PAUSE = 30.0
#: The key under which it is kept that the endpoint fails for all.
_ALL = ""


class SharedRetry:
    """Calls of one endpoint, each sent again by the client's retry policy, whose bounds hold for all callers together.

    Until the endpoint has answered, and while it fails, one caller at a time asks and the others wait. Where it fails for
    several keys, it is given up for all: those that wait, and those that come within the next half minute, get its last error
    without a request. Where it fails for one key alone, the other keys are not affected.

    :param client: its retry policy, clock and stop are used.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._lock = threading.Lock()
        self._works = False
        self._asking: threading.Event | None = None
        #: Since the last answer: the keys that failed, how often, and since when.
        self._failed: set[str] = set()
        self._failures = 0
        self._failing_since = 0.0
        self._not_before = 0.0
        #: By key: why it was given up, and the clock seconds until which that is believed.
        self._given_up: dict[str, tuple[GHLError, float]] = {}

    def call(self, key: str, ask: Callable[[], T]) -> T:
        """What ``ask`` gives.

        :param key: for whom it asks, such as a location's id.
        :param ask: sends one request, and does not retry.
        :raises ServerError: the endpoint fails.
        :raises TransportError: it does not answer.
        :raises Stopped: told to stop while waiting.
        """
        tries, began = 0, self._client.clock.monotonic()
        while True:
            turn = self._take_turn(key)
            try:
                found = ask()
            except (ServerError, TransportError) as error:
                tries += 1
                if self._note_failure(key, error, tries, began):
                    raise
            except GHLError as error:
                if not isinstance(error, Stopped):
                    self._note_answer(key)
                raise
            else:
                self._note_answer(key)
                return found
            finally:
                self._end_turn(turn)
            self._client.sleep(self._client.retry.wait_after(tries))

    def _take_turn(self, key: str) -> threading.Event | None:
        """Wait until this caller may ask; ``None`` where all may."""
        while True:
            with self._lock:
                self._raise_if_given_up(key)
                if self._works:
                    return None
                asking = self._asking
                wait = self._not_before - self._client.clock.monotonic() if len(self._failed) > 1 else 0.0
                if asking is None and wait <= 0.0:
                    self._asking = threading.Event()
                    return self._asking
            if asking is None:
                self._client.sleep(wait)
            elif not asking.wait(LONGEST_WAIT) and self._client.stop.is_set:
                raise Stopped("told to stop while waiting for a token")

    def _raise_if_given_up(self, key: str) -> None:
        now = self._client.clock.monotonic()
        for given_up in (_ALL, key):
            error, until = self._given_up.get(given_up, (None, 0.0))
            if error is not None and now < until:
                raise copy.copy(error)  # threads must not share what each of them raises

    def _note_failure(self, key: str, error: GHLError, tries: int, began: float) -> bool:
        """Whether to give up."""
        retry, now = self._client.retry, self._client.clock.monotonic()
        with self._lock:
            if not self._failures:
                self._failing_since = now
            self._works = False
            self._failures += 1
            self._failed.add(key)
            self._not_before = now + retry.wait_after(self._failures)
            is_over_for_all = self._failures >= retry.max_failures or now - self._failing_since >= retry.max_seconds
            if len(self._failed) > 1 and is_over_for_all:
                self._given_up[_ALL] = (error, now + _PAUSE)
                return True
            if tries >= retry.max_failures or now - began >= retry.max_seconds:
                self._given_up[key] = (error, now + _PAUSE)
                return True
            return False

    def _note_answer(self, key: str) -> None:
        with self._lock:
            self._works, self._failures = True, 0
            self._failed.clear()
            self._given_up.pop(_ALL, None)
            self._given_up.pop(key, None)

    def _end_turn(self, turn: threading.Event | None) -> None:
        if turn is not None:
            with self._lock:
                self._asking = None
            turn.set()
