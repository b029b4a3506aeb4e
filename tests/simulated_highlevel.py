"""A location of HighLevel's in simulated time.

With :mod:`simulated_limits`, which counts requests, :mod:`simulated_oauth`, which gives tokens, and the agency of
``load/simulated_agency.py``, it is the one imitation of HighLevel besides the sandbox. It is written apart from that, so that a
mistake made there is not made twice.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from urllib.parse import unquote

from simulated_limits import SimulatedLimits
from simulated_records import HighLevel
from simulated_time import FakeClock

from airflow_provider_ghl.api.calls import Call
from airflow_provider_ghl.api.transport import RawAnswer
from airflow_provider_ghl.exceptions import RequestRejected, TransportError

__all__ = ["ASSOCIATION", "FAULTS", "KEY", "LOCATION", "TOKEN", "SimulatedServer"]

LOCATION = "ve9EPM428h8vShlRW1KT"
TOKEN = "pit-5f0ad1de-0000-4000-8000-5ec7e7700000"
ASSOCIATION = "6758b5c1f5e2a1d3c4b5a697"
KEY = "student_teacher"

#: What may happen to a request besides its answer; "after" means that HighLevel did what was asked.
#: ("day_spent", which ends a load, is known as well.)
FAULTS = (
    "never_sent",
    "reset_before",
    "reset_after",
    "503_before",
    "500_after",
    "html_502_before",
    "html_502_after",
    "truncated_after",
    "hang_before",
    "hang_after",
    "gateway_401_before",
    "gateway_401_after",
    "limited",
)
_TIMEOUT = 30.0


def _always(seconds: float) -> Iterator[float]:
    while True:
        yield seconds


@dataclass
class SimulatedServer(SimulatedLimits):
    """Implements the meaning of ``Transport``; ``faults[n]`` is what befalls the n-th request, counted from 0.

    ``counts_at``: the part of a request's time after which it is counted and takes effect.
    """

    clock: FakeClock
    latencies: Iterator[float] = field(default_factory=lambda: _always(0.3))
    counts_at: float = 0.0
    faults: Mapping[int, str] = field(default_factory=dict)
    draw_fault: Callable[[], str | None] = lambda: None
    associations: dict[str, str] = field(default_factory=lambda: {KEY: ASSOCIATION})
    association_location: str = LOCATION
    object_keys: tuple[str, str] = ("custom_objects.student", "custom_objects.teacher")
    labels: tuple[str, str] = ("Student", "Teacher")
    missing: frozenset[str] = frozenset()
    failing: frozenset[str] = frozenset()
    relations_per_record: int | None = None
    page_cap: int = 100
    refuse_token_from: int | None = None
    refuse_reads: bool = False
    garbles_relations: bool = False
    ignores_skip: bool = False
    refuse_deletes: bool = False
    refuse_deletes_of: frozenset[tuple[str, str]] = frozenset()
    refusal: str = "Invalid JWT"
    #: The records that searches find, and when new ones among them get into the index (clock seconds).
    records: HighLevel | None = None
    indexed_at: float = 0.0

    def __post_init__(self) -> None:
        self.requests = 0
        self.association_reads = 0
        self.searches = 0
        self.limited = 0
        self.relations: dict[tuple[str, str], str] = {}
        self.creations: Counter[tuple[str, str]] = Counter()
        self.sent_at: list[float] = []
        self.write_times: list[float] = []
        self._fault: str | None = None
        #: Set while workers carry a request, which then keep the time and know the fault.
        self.is_carried = False
        self.carried_fault: str | None = None
        self._ids = count(1)

    def add(self, *pairs: tuple[str, str]) -> None:
        """Relations that were there before."""
        for pair in pairs:
            self.relations[pair] = f"{next(self._ids):024x}"

    def close(self) -> None:
        pass

    def next_latency(self) -> float:
        """Drawn when a request is sent, so that its moments can be put in order."""
        fault = self.faults.get(self.requests) or self.draw_fault()
        self.requests += 1
        self._fault = fault
        return _TIMEOUT if fault and fault.startswith("hang") else next(self.latencies)

    def send(self, call: Call, headers: Mapping[str, str]) -> RawAnswer:
        assert headers["Authorization"] == f"Bearer {TOKEN}"
        if self.is_carried:
            return self.handle(call, self.carried_fault)
        latency = self.next_latency()
        fault = self._fault
        self.clock.sleep(latency * self.counts_at)
        try:
            return self.handle(call, fault)
        finally:
            self.clock.sleep(latency * (1.0 - self.counts_at))

    @property
    def drawn_fault(self) -> str | None:
        return self._fault

    def handle(self, call: Call, fault: str | None) -> RawAnswer:
        """Count the request and do what it asks, at the clock's time."""
        self.association_reads += call.template.startswith("/associations/") and "relations" not in call.template
        if fault == "never_sent":
            raise TransportError("the host cannot be reached", method=call.method, path=call.template, sent=False)
        self.sent_at.append(self.clock.now)
        if not self.admit(self.clock.now) or fault == "limited":
            self.limited += fault != "limited"
            return self._answer(429, {"statusCode": 429, "message": "Too Many Requests"})
        if fault is None:
            return self._answer(*self._do(call))
        if fault == "day_spent":  # by others
            self.spend_day()
            return self._answer(429, {"statusCode": 429, "message": "Too Many Requests"})
        what, _, when = fault.rpartition("_")
        if when == "after":
            self._do(call)
        return self._break(what, call)

    def _break(self, what: str, call: Call) -> RawAnswer:
        if what in {"reset", "hang"}:
            raise TransportError("the connection broke", method=call.method, path=call.template)
        if what == "truncated":
            return 201, self._headers(), b'{"id": "0123'
        if what == "html_502":
            return 502, {}, b"<html><title>502 Bad Gateway</title></html>"
        if what == "gateway_401":
            return self._answer(401, {"statusCode": 401, "message": "Command timed out"})
        return self._answer(int(what), {"statusCode": int(what), "message": "Internal Server Error"})

    def _headers(self) -> dict[str, str]:
        return {
            "x-ratelimit-max": str(self.limit),
            "x-ratelimit-remaining": str(self.remaining),
            "x-ratelimit-interval-milliseconds": str(int(self.interval * 1000)),
            "x-ratelimit-limit-daily": str(self.daily_limit),
            "x-ratelimit-daily-remaining": str(self.day_left),
            "x-ratelimit-daily-reset": str(math.ceil(self.day_resets_in(self.clock.now) * 1000)),
        }

    def _answer(self, status: int, body: Any) -> RawAnswer:
        return status, self._headers(), json.dumps(body).encode()

    def _do(self, call: Call) -> tuple[int, Any]:
        if self.refuse_token_from is not None and len(self.sent_at) > self.refuse_token_from:
            return 401, {"statusCode": 401, "message": self.refusal}
        if call.template == "/associations/relations":
            return self._create(call.json["firstRecordId"], call.json["secondRecordId"])
        if call.template == "/associations/relations/{relationId}":
            return self._delete(unquote(call.path.rpartition("/")[2]))
        if call.template == "/associations/relations/{recordId}":
            if self.refuse_reads:
                return 401, {"statusCode": 401, "message": "The token is not authorized for this scope."}
            return self._list(call)
        if self.records is not None and not call.template.startswith("/associations"):
            return self._search(self.records, call)
        return self._association(call)

    def _search(self, records: HighLevel, call: Call) -> tuple[int, Any]:
        self.searches += 1
        if self.refuse_reads:
            return 401, {"statusCode": 401, "message": "The token is not authorized for this scope."}
        if self.clock.now >= self.indexed_at:
            records.wait(0.0)
        try:
            return 200, records.route(call)
        except RequestRejected as error:
            return error.status or 400, {"statusCode": error.status, "message": error.message}

    def _create(self, first: str, second: str) -> tuple[int, Any]:
        for record in (first, second):
            if record in self.failing:
                return 503, {"statusCode": 503, "message": "Service Unavailable"}
            if record in self.missing:
                return 400, {"error": f"Contact with id {record} not found", "status": 400}
        most = self.relations_per_record
        if most is not None and sum(pair[0] == first for pair in self.relations) >= most:
            return _refused(f"Max relation limit[{most}] reached for record[{first}] for association[{ASSOCIATION}]")
        pair = (first, second)
        if pair in self.relations:
            return _refused("Could not create relation: duplicate relation of object Ids for given association")
        self.add(pair)
        self.creations[pair] += 1
        self.write_times.append(self.clock.now)
        return 201, {"id": self.relations[pair], "firstRecordId": first, "secondRecordId": second}

    def _delete(self, relation_id: str) -> tuple[int, Any]:
        if self.refuse_deletes:
            return _refused("Relation is locked")
        for pair, key in self.relations.items():
            if key == relation_id and pair in self.refuse_deletes_of:
                return _refused("Relation is locked")
            if key == relation_id:
                del self.relations[pair]
                return 200, {"id": relation_id}
        return 404, {"statusCode": 404, "message": "Relation not found"}

    def _list(self, call: Call) -> tuple[int, Any]:
        record = unquote(call.path.rpartition("/")[2])
        of_record = [
            {"id": key, "associationId": ASSOCIATION, "firstRecordId": first, "secondRecordId": second}
            for (first, second), key in self.relations.items()
            if record in (first, second)
        ]
        if self.garbles_relations:
            of_record = [{"key": one["id"]} for one in of_record]
        params = call.params or {}
        skip, limit = 0 if self.ignores_skip else params["skip"], min(params["limit"], self.page_cap)
        return 200, {"relations": of_record[skip : skip + limit], "total": len(of_record)}

    def _association(self, call: Call) -> tuple[int, Any]:
        if call.template == "/associations/":
            skip, limit = (call.params or {})["skip"], min((call.params or {})["limit"], self.page_cap)
            listed = [self._one(key) for key in self.associations]
            return 200, {"associations": listed[skip : skip + limit]}
        wanted = call.path.rpartition("/")[2]
        for key, association_id in self.associations.items():
            if wanted in (key, association_id):
                return 200, self._one(key)
        return 404, {"statusCode": 404, "message": "Association not found"}

    def _one(self, key: str) -> dict[str, str]:
        return {
            "id": self.associations[key],
            "key": key,
            "locationId": self.association_location,
            "firstObjectKey": self.object_keys[0],
            "firstObjectLabel": self.labels[0],
            "secondObjectKey": self.object_keys[1],
            "secondObjectLabel": self.labels[1],
        }


def _refused(message: str) -> tuple[int, Any]:
    return 400, {"statusCode": 400, "message": message, "error": "Bad Request", "traceId": "b3a1c5d0"}
