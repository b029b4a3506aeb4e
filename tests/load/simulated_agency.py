"""Several locations in simulated time, each with its own limits, quota, faults, relations and associations."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from relation_specs import relation_spec
from simulated_highlevel import ASSOCIATION, KEY, TOKEN, SimulatedServer
from simulated_load import Load, SimulatedWorkers, as_destinations
from simulated_oauth import OAuthServer
from simulated_time import FakeClock, spread_around

from airflow_provider_ghl.api.authorization import Authorization, BearerToken
from airflow_provider_ghl.api.calls import Call
from airflow_provider_ghl.api.client import Client
from airflow_provider_ghl.api.clock import Stop
from airflow_provider_ghl.api.retry import Retry
from airflow_provider_ghl.api.transport import RawAnswer
from airflow_provider_ghl.load.columns import Batch, Columns
from airflow_provider_ghl.load.ledger.ledger import Ledger
from airflow_provider_ghl.load.loader import run
from airflow_provider_ghl.load.ports import Ports
from airflow_provider_ghl.load.results.destinations import ResultsSink
from airflow_provider_ghl.load.results.outcomes import OUTCOMES
from airflow_provider_ghl.load.source.rows import from_data
from airflow_provider_ghl.load.tolerance import Tolerance

__all__ = [
    "COLUMNS",
    "FORBIDDEN",
    "Place",
    "Row",
    "SimulatedAgency",
    "SimulatedLocation",
    "check",
    "check_highlevel",
    "check_sums",
    "load_rows",
    "make_rows",
    "row",
    "row_place",
]

COLUMNS = Columns("first", "second", location="location_id")
#: HighLevel's answer for a location that the token may not access.
FORBIDDEN = 403, "The token does not have access to this location."
Row = dict[str, Any]
#: Location, first record, second record.
Place = tuple[str, str, str]
#: How many requests few locations may have in flight.
_MOST_IN_FLIGHT = 256


@dataclass
class SimulatedLocation(SimulatedServer):
    """One of several locations."""

    #: The answer to every request, where the location refuses all.
    refused: tuple[int, str] | None = None

    @property
    def association_id(self) -> str:
        """The id of its first association."""
        return next(iter(self.associations.values()), ASSOCIATION)

    def handle(self, call: Call, fault: str | None) -> RawAnswer:
        """See :class:`SimulatedServer`."""
        if self.refused is not None:
            return _refusal(*self.refused)
        return super().handle(call, fault)

    def _list(self, call: Call) -> tuple[int, Any]:
        status, listed = super()._list(call)
        relations = [relation | {"associationId": self.association_id} for relation in listed["relations"]]
        return status, listed | {"relations": relations}


@dataclass
class SimulatedAgency(SimulatedServer):
    """The servers of several locations behind one address. A request for another location is answered with ``unknown``."""

    clock: FakeClock = field(default_factory=FakeClock)
    locations: dict[str, SimulatedLocation] = field(default_factory=dict)
    unknown: tuple[int, str] = FORBIDDEN
    #: Issues and checks tokens; ``None``: one token is valid for all locations.
    tokens: OAuthServer | None = None
    #: Seconds until the answer to the last request.
    latency: float = 0.3

    def __post_init__(self) -> None:
        super().__post_init__()
        self.asked: Counter[str] = Counter()

    @classmethod
    def build(cls, locations: Sequence[str], latency: float = 0.3, **each: Any) -> SimulatedAgency:
        """An agency with these locations. Each has its own association, all under the same key."""
        agency = cls(latencies=spread_around(latency, 0.3, 1))
        for number, location in enumerate(locations):
            world = {"associations": {KEY: f"{number:024x}"}, "association_location": location, "latencies": agency.latencies}
            agency.locations[location] = SimulatedLocation(agency.clock, **world | each)
        return agency

    def __getitem__(self, location: str) -> SimulatedLocation:
        return self.locations[location]

    def send(self, call: Call, headers: Mapping[str, str]) -> RawAnswer:
        """See :class:`SimulatedServer`."""
        if self.tokens is not None and call.path.startswith("/oauth/"):
            return self.tokens.send(call, headers)
        location = call.location_id or ""
        self.requests += 1
        self.asked[location] += 1
        if self.tokens is None:
            assert headers["Authorization"] == f"Bearer {TOKEN}"
        elif (looked := self.tokens.send(call, headers))[0] != 200:
            return looked
        if location not in self.locations:
            self.latency = next(self.latencies)
            return _refusal(*self.unknown)
        server = self.locations[location]
        self.latency = server.next_latency()
        return server.handle(call, server.drawn_fault)

    def last_writes(self) -> dict[str, float]:
        """For each location, the seconds from the beginning to its last new relation."""
        return {name: server.write_times[-1] - 1_000.0 for name, server in self.locations.items() if server.write_times}


def _refusal(status: int, message: str) -> RawAnswer:
    return status, {}, json.dumps({"statusCode": status, "message": message}).encode()


class _Workers(SimulatedWorkers):
    """A request takes effect when it is sent. Its location decides how long the answer takes."""

    def __init__(self, agency: SimulatedAgency) -> None:
        super().__init__(agency)
        self._agency = agency

    def submit(self, key: Any, function: Callable[[], Any]) -> None:
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        sent_at, self._agency.latency = self._clock.now, 0.0
        attempt = function()
        finish = sent_at + self._agency.latency
        self.at(finish, lambda: self._done.append((key, replace(attempt, answered_at=finish))))


def row(location: Any, first: Any, second: Any, **more: Any) -> Row:
    """A row of the source."""
    return {"location_id": location, "first": first, "second": second, **more}


def make_rows(locations: Sequence[str], each: int, *, is_sorted: bool = False, hubs: int = 50) -> list[Row]:
    """Rows with this many pairs in each location. The ids are the same in all locations."""
    rows = [row(location, f"s{n}", f"t{n % hubs}") for n in range(each) for location in locations]
    return sorted(rows, key=lambda one: locations.index(one["location_id"])) if is_sorted else rows


def load_rows(
    rows: Sequence[Any] | Iterator[Batch],
    agency: SimulatedAgency,
    *,
    ledger: Ledger | None = None,
    stop: Stop | None = None,
    tolerance: int | float = 0,
    seed: int = 0,
    results_file: ResultsSink | None = None,
    at_once: int = 5_000,
    columns: Columns = COLUMNS,
    authorization: Authorization | None = None,
    client_type: type[Client] = Client,
    prepare: Callable[[SimulatedWorkers], None] = lambda workers: None,
    **spec: Any,
) -> Load:
    """Run a whole load over all locations that the rows name."""
    retry = Retry(draw=random.Random(seed).random)
    client = client_type(authorization or BearerToken(TOKEN), transport=agency, clock=agency.clock, retry=retry, stop=stop)
    workers = _Workers(agency)
    prepare(workers)
    by = {} if "association_id" in spec else {"association_key": KEY}
    settings: dict[str, Any] = {"load_id": "load", "keep_results": 10_000_000} | by | spec
    batches = from_data(rows, columns, at_once) if isinstance(rows, Sequence) else rows
    began = agency.clock.now
    verdict = run(
        relation_spec(columns=columns, tolerance=Tolerance(tolerance), **settings),
        Ports(batches=batches, client=client, workers=workers, ledger=ledger, results=as_destinations(results_file)),
    )
    return Load(verdict, agency, workers, client, agency.clock.now - began)


def check_sums(load: Load, rows: int) -> None:
    """Every row has one outcome, and the locations' counts plus the rows without a location add up to all."""
    results, summary = load.results, load.summary
    assert [result["row"] for result in results] == list(range(rows))
    counted = Counter(result["outcome"] for result in results)
    assert {outcome: summary[outcome] for outcome in OUTCOMES} == {outcome: counted[outcome] for outcome in OUTCOMES}
    assert summary["rows"] == rows == sum(counted.values())
    by_location = Counter((result["location_id"], result["outcome"]) for result in results if result["location_id"])
    lines = summary["locations"]
    assert by_location == {
        (name, str(outcome)): line[outcome] for name, line in lines.items() for outcome in OUTCOMES if line[outcome]
    }
    assert {result["outcome"] for result in results if not result["location_id"]} <= {"invalid"}


def _id_text(value: Any) -> str | None:
    """An id by the rules of the README, independent of the package's code."""
    text = str(value) if type(value) is int else value
    return text.strip() or None if isinstance(text, str) else None


def row_place(one: Row) -> Place | None:
    """A row's location and pair; ``None`` where it has none."""
    texts = [_id_text(one[name]) for name in ("location_id", "first", "second")]
    return (texts[0], texts[1], texts[2]) if texts[0] and texts[1] and texts[2] else None


def _check_places(load: Load, rows: list[Row]) -> None:
    """Invalid and repeated rows are those that the table shows. A pair in two locations is no repeat."""
    first_rows: dict[Place, int] = {}
    for at, (one, result) in enumerate(zip(rows, load.results, strict=True)):
        place = row_place(one)
        assert result["location_id"] == _id_text(one["location_id"])
        if place is None:
            assert result["outcome"] == "invalid"
        elif place in first_rows:
            assert (result["outcome"], result["reason"]) == ("repeated", f"the same pair as row {first_rows[place]}")
        else:
            first_rows[place] = at
            assert (result["location_id"], result["first_record_id"], result["second_record_id"]) == place
            assert result["outcome"] != "repeated"
            assert result["outcome"] != "invalid" or "is reached" in result["reason"]


def check_highlevel(load: Load, agency: SimulatedAgency, before: set[Place]) -> None:
    """HighLevel has in each location the relations that the results name."""
    by_outcome: dict[str, set[Place]] = {}
    for result in load.results:
        place = result["location_id"], result["first_record_id"], result["second_record_id"]
        by_outcome.setdefault(result["outcome"], set()).add(place)
        if result["outcome"] == "created" and result["evidence"] == "answer":
            assert result["relation_id"] == agency[place[0]].relations[place[1:]]
            assert result["association_id"] == agency[place[0]].association_id
    there = {(name, *pair) for name, server in agency.locations.items() for pair in server.relations}
    assert all(set(server.creations.values()) <= {1} for server in agency.locations.values())
    created, existed, failed = (by_outcome.get(outcome, set()) for outcome in ("created", "already_exists", "failed"))
    assert created | existed <= there
    assert there - before <= created | failed
    assert existed <= before


def _check_requests(load: Load, agency: SimulatedAgency) -> None:
    lines = {name: line["requests"] for name, line in load.summary["locations"].items() if line["requests"]}
    assert load.summary["requests"] == agency.requests == sum(lines.values())
    assert lines == agency.asked
    assert load.workers.most_in_flight <= _MOST_IN_FLIGHT


def check(load: Load, agency: SimulatedAgency, rows: list[Row], before: set[Place]) -> None:
    """Check everything that is true of any load, whatever happened to it.

    :param before: what existed before the load.
    """
    check_sums(load, len(rows))
    _check_places(load, rows)
    check_highlevel(load, agency, before)
    _check_requests(load, agency)
    assert load.workers.is_closed
