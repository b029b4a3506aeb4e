"""Faults: what goes wrong between a request and its answer, by number or by chance. The same seed gives the same faults."""

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

    - ``reset_before``, ``reset_after``: the TCP connection is reset without an answer.
    - ``error_before``, ``error_after``: the answer is a 500.
    - ``html_502``: the answer is HTML, from the network in front of HighLevel.
    - ``truncated_json``: the answer is cut in the middle. The request took effect.
    - ``hang``: no answer until the client gives up.
    - ``timeout_401``: the answer is a 401, ``Command timed out``.

    "before" and "after": whether the request takes effect before the fault. For ``html_502``, ``hang`` and ``timeout_401``,
    ``after_write`` decides.

    A fault strikes requests of its ``method`` and ``path`` that the limits let through: every one of them, or those that ``at``
    or ``probability`` choose.

    :param at: which of these requests, counted from 1.
    :param probability: the chance of each of these requests, from 0 to 1.
    :param method: ``None``: any.
    :param path: a shell pattern, compared with the path as received; ``None``: any.
    :param times: strike at most so often.
    :param after_write: see above.
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
        """Whether the request is executed although its answer is lost."""
        return self.kind in _AFTER or (self.kind in _EITHER and self.after_write)

    def concerns(self, method: str, path: str) -> bool:
        """Whether this fault may strike a request with this method and path."""
        return self.method in (None, method) and (self.path is None or fnmatchcase(path, self.path))


class Faults:
    """Decides which requests are struck.

    Chance depends on the seed and on the request (method, target, body, and how often it was seen), not on the order in which
    requests arrive. So a run with many requests at once meets the same faults when it is repeated.
    """

    def __init__(self, seed: int, faults: Iterable[Fault] = ()):
        self._seed = seed
        self._faults: list[_Counted] = []
        self._lock = threading.Lock()
        for fault in faults:
            self.add(fault)

    def add(self, fault: Fault) -> None:
        """Add a fault; its numbers count from the next request."""
        with self._lock:
            self._faults.append(_Counted(fault, f"{self._seed}:{len(self._faults)}"))

    def clear(self) -> None:
        """Remove all faults."""
        with self._lock:
            self._faults.clear()

    def draw(self, method: str, target: str, body: bytes) -> Fault | None:
        """The fault that strikes this request: of several, the one that was added first."""
        if not self._faults:
            return None
        with self._lock:
            striking = [counted for counted in self._faults if counted.strikes(method, target, body)]
            if not striking:
                return None
            striking[0].struck += 1
            return striking[0].fault


class _Counted:
    """A fault, with the requests that it has seen and struck."""

    def __init__(self, fault: Fault, salt: str):
        self.fault = fault
        self.struck = 0
        self._salt = salt
        self._seen = 0
        self._repeats: Counter[bytes] = Counter()

    def strikes(self, method: str, target: str, body: bytes) -> bool:
        if not self.fault.concerns(method, target.partition("?")[0]):
            return False
        self._seen += 1
        if self.fault.times is not None and self.struck >= self.fault.times:
            return False
        return self._seen in frozenset(self.fault.at) or self._by_chance(method, target, body)

    def _by_chance(self, method: str, target: str, body: bytes) -> bool:
        if self.fault.probability is None:
            return not self.fault.at
        request = hashlib.blake2b(f"{self._salt} {method} {target} ".encode() + body, digest_size=16).digest()
        self._repeats[request] += 1
        drawn = hashlib.blake2b(request + str(self._repeats[request]).encode(), digest_size=8).digest()
        return int.from_bytes(drawn) < self.fault.probability * 2**64
