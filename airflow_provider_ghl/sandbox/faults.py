"""Faults: what goes wrong between a request and its answer, chosen by number or by chance, the same again for the same seed."""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal, get_args

__all__ = ["Fault", "FaultKind", "Faults"]

FaultKind = Literal[
    "reset_before",
    "reset_after",
    "error_before",
    "error_after",
    "html_502",
    "truncated_json",
    "hang",
    "timeout_401",
]
_AFTER = {"reset_after", "error_after", "truncated_json"}
_EITHER = {"html_502", "hang", "timeout_401"}


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong.

    ``reset_…``: the TCP connection is reset without an answer. ``error_…``: a 500. ``html_502``: HTML of the network in
    front. ``truncated_json``: the answer is cut in the middle. ``hang``: no answer until the client gives up.
    ``timeout_401``: ``Command timed out``. "before" and "after" say whether the write took effect; for the kinds without
    either word ``after_write`` does, and a truncated answer is always one of a request that took effect.

    ``at`` are numbers, from 1, among the requests that ``method`` and ``path`` (a shell pattern on the raw path) let
    through and that the limits admitted; ``probability`` is for each of them. Without either, every one is struck.
    ``times``: at most so often.

    :raises ValueError: unknown kind, a probability outside 0 to 1, a number below 1.
    """

    kind: FaultKind
    probability: float | None = None
    at: frozenset[int] | Iterable[int] = frozenset()
    method: str | None = None
    path: str | None = None
    times: int | None = None
    after_write: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "at", frozenset(self.at))
        if self.kind not in get_args(FaultKind):
            raise ValueError(f"no fault of kind {self.kind!r}; there are: {', '.join(get_args(FaultKind))}")
        if self.probability is not None and not 0 <= self.probability <= 1:
            raise ValueError(f"a probability is from 0 to 1, not {self.probability}")
        if any(number < 1 for number in self.at):
            raise ValueError("requests are numbered from 1")

    @property
    def takes_effect(self) -> bool:
        """Whether the request is carried out before its answer is lost."""
        return self.kind in _AFTER or (self.kind in _EITHER and self.after_write)

    def concerns(self, method: str, path: str) -> bool:
        """Whether a request is one that this fault may strike."""
        return self.method in (None, method) and (self.path is None or fnmatchcase(path, self.path))


class Faults:
    """Draws the fault of each request.

    Chance hangs on the seed and on the request itself (method, target, body, and how often it came), not on the order in
    which requests arrive: so a run with many requests at once meets the same faults when it is replayed.
    """

    def __init__(self, seed: int, faults: Iterable[Fault] = ()):
        self._seed = seed
        self._faults: list[_Armed] = []
        self._lock = threading.Lock()
        for fault in faults:
            self.add(fault)

    def add(self, fault: Fault) -> None:
        """Arm another fault; its numbers count from the next request."""
        with self._lock:
            self._faults.append(_Armed(fault, f"{self._seed}:{len(self._faults)}"))

    def clear(self) -> None:
        """Disarm all."""
        with self._lock:
            self._faults.clear()

    def draw(self, method: str, target: str, body: bytes) -> Fault | None:
        """The fault that strikes this request: the first that fires, in the order they were added."""
        if not self._faults:
            return None
        with self._lock:
            fired = [armed for armed in self._faults if armed.strikes(method, target, body)]
            if not fired:
                return None
            fired[0].fired += 1
            return fired[0].fault


class _Armed:
    def __init__(self, fault: Fault, salt: str):
        self.fault = fault
        self.fired = 0
        self._salt = salt
        self._seen = 0
        self._repeats: Counter[bytes] = Counter()

    def strikes(self, method: str, target: str, body: bytes) -> bool:
        if not self.fault.concerns(method, target.partition("?")[0]):
            return False
        self._seen += 1
        if self.fault.times is not None and self.fired >= self.fault.times:
            return False
        return self._seen in frozenset(self.fault.at) or self._by_chance(method, target, body)

    def _by_chance(self, method: str, target: str, body: bytes) -> bool:
        if self.fault.probability is None:
            return not self.fault.at
        request = hashlib.blake2b(f"{self._salt} {method} {target} ".encode() + body, digest_size=16).digest()
        self._repeats[request] += 1
        drawn = hashlib.blake2b(request + str(self._repeats[request]).encode(), digest_size=8).digest()
        return int.from_bytes(drawn) < self.fault.probability * 2**64
