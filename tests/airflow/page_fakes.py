"""A ledger of a few loads for tests of the page, without a database; and the page behind somebody who may read some DAGs."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from fastapi import FastAPI
from starlette.testclient import TestClient

from airflow_provider_ghl.exceptions import LedgerError
from airflow_provider_ghl.load.ledger.views import (
    DayOutcomes,
    DeletionGroup,
    EarlierLoad,
    LoadView,
    LocationView,
    ProblemGroup,
    RatePoint,
    ResultPage,
    ViewFilter,
)
from airflow_provider_ghl.page.access import Viewer, viewer
from airflow_provider_ghl.page.app import make_app
from airflow_provider_ghl.page.reader import LedgerReaders, Opened

NOW = datetime(2026, 11, 27, 6, 0, tzinfo=UTC).timestamp()
WHERE = "postgresql://db.example/ledger"
MESSAGE = "3 of 12 rows failed, 2 of them rejected: <b>No record</b> with id <id>. 12 rows: 9 created, 2 rejected, 1 invalid."


def a_load(number: int = 7, **values: Any) -> LoadView:
    """A red load of the DAG ``nightly``."""
    known: dict[str, Any] = {
        "number": number,
        "dag_id": "nightly",
        "run_id": "scheduled__2026-11-27T02:00:00+00:00",
        "task_id": "load_pairs",
        "map_index": -1,
        "location_id": "Lc4RtYw8KzPb2NcVx7Qm",
        "association": "student_teacher",
        "state": "final",
        "began": NOW - 14_400,
        "updated": NOW - 14_000,
        "tries": 1,
        "requests": 1_234,
        "rate_limited": 2,
        "message": MESSAGE,
        "counts": {"rows": 12, "created": 9, "rejected": 2, "invalid": 1},
        "outcomes": {"created": 9, "rejected": 2, "invalid": 1},
        **values,
    }
    parts = (known["dag_id"], known["run_id"], known["task_id"], known["map_index"])
    return LoadView(load_id="/".join(map(str, parts)), **known)


def a_row(row: int, outcome: str = "created", **values: Any) -> dict[str, Any]:
    """The result of a row."""
    return {
        "row": row,
        "row_key": f"K-{row:05d}",
        "location_id": "Lc4RtYw8KzPb2NcVx7Qm",
        "association_id": "63f0a1b2c3d4e5f6a7b8c9d0",
        "first_record_id": f"first{row:015d}",
        "second_record_id": f"{row:024x}",
        "outcome": outcome,
        "evidence": "answer" if outcome == "created" else None,
        "relation_id": f"{row + 2**64:024x}" if outcome == "created" else None,
        "status_code": 422 if outcome == "rejected" else None,
        "reason": None if outcome == "created" else "No record with id first000000000000001",
        "requests": 1,
        "try_number": 1,
        "trace_id": None,
        **values,
    }


def a_deletion(number: int, why: str = "mirror", outcome: str = "deleted", **values: Any) -> dict[str, Any]:
    """What became of a relation that was to be deleted."""
    return {
        "why": why,
        "at": NOW + number,
        "location_id": "Lc4RtYw8KzPb2NcVx7Qm",
        "association_id": "63f0a1b2c3d4e5f6a7b8c9d0",
        "first_record_id": f"first{number:015d}",
        "second_record_id": f"{number:024x}",
        "relation_id": f"{number + 2**64:024x}",
        "outcome": outcome,
        "status_code": 200 if outcome == "deleted" else None,
        "reason": None,
        **values,
    }


ROWS = [a_row(row) for row in range(9)] + [a_row(9, "rejected"), a_row(10, "rejected"), a_row(11, "invalid", row_key="=1+1")]


@dataclass
class FakeViews:
    """As ``LedgerViews``, over lists."""

    all_loads: list[LoadView] = field(default_factory=lambda: [a_load()])
    rows: list[dict[str, Any]] = field(default_factory=lambda: list(ROWS))
    removed: Sequence[Mapping[str, Any]] = field(default_factory=list)
    points: list[RatePoint] = field(default_factory=lambda: [RatePoint(NOW + 10 * at, 10.0, 90, at % 2) for at in range(30)])
    places: list[LocationView] = field(default_factory=list)
    failure: str | None = None
    asked: list[Any] = field(default_factory=list)

    def loads(self, wanted: ViewFilter, *, before: int | None = None, limit: int = 50) -> list[LoadView]:
        self._note(wanted)
        found = [load for load in self.all_loads if _matches(load, wanted) and (before is None or load.number < before)]
        return sorted(found, key=lambda load: -load.number)[:limit]

    def load(self, number: int) -> LoadView | None:
        self._note(number)
        return next((load for load in self.all_loads if load.number == number), None)

    def find(self, load_id: str) -> LoadView | None:
        self._note(load_id)
        return next((load for load in self.all_loads if load.load_id == load_id), None)

    def before(self, number: int, limit: int) -> list[EarlierLoad]:
        mine = next(load for load in self.all_loads if load.number == number)
        found = [load for load in self.all_loads if load.number < number and _task(load) == _task(mine)]
        newest = sorted(found, key=lambda load: -load.number)[:limit]
        return [EarlierLoad(load.number, load.state, load.began) for load in newest]

    def choices(self, dag_ids: frozenset[str] | None) -> Mapping[str, list[str]]:
        shown = [load for load in self.all_loads if dag_ids is None or load.dag_id in dag_ids]
        return {
            name: sorted({getattr(load, name) or "" for load in shown}) for name in ("dag_id", "location_id", "association")
        }

    def problems(self, number: int, first: int = 5) -> list[ProblemGroup]:
        groups = []
        for outcome in ("rejected", "invalid"):
            rows = tuple(row for row in self.rows if row["outcome"] == outcome)
            if rows:
                groups.append(ProblemGroup(outcome, rows[0]["status_code"], "No record with id <id>", len(rows), rows[:first]))
        return groups

    def results(
        self, number: int, *, search: str = "", outcome: str | None = None, after: int = -1, limit: int = 100
    ) -> ResultPage:
        self._note((number, search, outcome, after))
        found = [row for row in self.rows if _is_found(row, search, outcome) and row["row"] > after]
        return ResultPage(tuple(found[:limit]), found[limit - 1]["row"] if len(found) > limit else None)

    def all_results(self, number: int, *, search: str = "", outcome: str | None = None) -> Iterator[Mapping[str, object]]:
        self._note((number, search, outcome))
        yield from self.results(number, search=search, outcome=outcome, limit=10**9).rows

    def rate(self, number: int) -> list[RatePoint]:
        return self.points

    def outcomes_by_day(self, wanted: ViewFilter, days: int = 31) -> list[DayOutcomes]:
        shown = [load for load in self.all_loads if _matches(load, wanted)]
        dates = [(datetime.fromtimestamp(NOW, UTC) - timedelta(days=back)).date().isoformat() for back in reversed(range(days))]
        return [_day(day, [load for load in shown if _date(load) == day]) for day in dates]

    def locations(self, dag_ids: frozenset[str] | None) -> list[LocationView]:
        self._note(dag_ids)
        return self.places if dag_ids is None or dag_ids else []

    def deletions(self, number: int, limit: int = 1000, why: str | None = None) -> list[Mapping[str, object]]:
        return [one for one in self.removed if why in (None, one["why"])][:limit]

    def deletion_groups(self, number: int) -> list[DeletionGroup]:
        by_why: dict[str, list[Mapping[str, Any]]] = {}
        for one in sorted(self.removed, key=lambda one: str(one["why"])):
            by_why.setdefault(str(one["why"]), []).append(one)
        return [_deletion_group(why, of_why) for why, of_why in by_why.items()]

    def _note(self, what: Any) -> None:
        if self.failure:
            raise LedgerError(self.failure)
        self.asked.append(what)


@dataclass
class FakeLedger:
    """As a ledger that is read."""

    views: FakeViews = field(default_factory=FakeViews)
    is_closed: bool = False

    def overview(self) -> dict[str, Any]:
        numbers = {"loads": 1_500, "results": 2_000_000, "relations": 3_000_000, "keys": 40_000}
        moments = {"oldest_load": NOW - 10**6, "made_at": NOW - 10**7}
        return {"where": WHERE, "id": "a1b2", "schema_version": 3, "bytes": 5 * 1024**2, **numbers, **moments}

    def close(self) -> None:
        self.is_closed = True


def a_location() -> LocationView:
    """One that has spent most of its day."""
    this_hour = datetime.now(UTC).timestamp() // 3600 * 3600
    hours = tuple(RatePoint(this_hour - 3600 * back, 3600.0, 400 * (24 - back), 0) for back in range(23, -1, -1))
    return LocationView(
        "https://services.leadconnectorhq.com",
        "Lc4RtYw8KzPb2NcVx7Qm",
        185_000,
        hours,
        200_000,
        15_000,
        this_hour + 7200,
        this_hour,
        10,
        3,
        7,
    )


def a_page(ledger: FakeLedger | None = None, dag_ids: frozenset[str] = frozenset({"nightly"}), **opened: Any) -> TestClient:
    """A client of the page, as somebody who may read these DAGs; and a browser as far as it does not follow redirects."""
    there = Opened(WHERE, "ghl_ledger", ledger or FakeLedger())
    app = make_app(LedgerReaders(lambda conn_id: replace(there, **opened)), lambda: ["second"])
    app.dependency_overrides[viewer] = lambda: Viewer(dag_ids)
    outer = FastAPI()
    outer.mount("/ghl", app)
    return TestClient(outer, follow_redirects=False, headers={"Accept": "text/html"})


def text_of(html: str) -> str:
    """What a reader sees, more or less."""
    return (
        " ".join(re.sub(r"<[^>]+>", " ", html).split())
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&#39;", "'")
        .replace("&#34;", '"')
    )


def _matches(load: LoadView, wanted: ViewFilter) -> bool:
    chosen = ("dag_id", "location_id", "association", "state")
    return (
        (wanted.dag_ids is None or load.dag_id in wanted.dag_ids)
        and all(getattr(wanted, name) in (None, getattr(load, name)) for name in chosen)
        and (wanted.outcome is None or bool(load.outcomes.get(wanted.outcome)))
    )


def _task(load: LoadView) -> tuple[str, str, int]:
    return load.dag_id, load.task_id, load.map_index


def _deletion_group(why: str, removed: list[Mapping[str, Any]]) -> DeletionGroup:
    by_relation: dict[Any, str] = {}
    for one in removed:
        if by_relation.get(one["relation_id"]) not in ("deleted", "already_gone"):
            by_relation[one["relation_id"]] = one["outcome"]
    outcomes = Counter(by_relation.values())
    gone = outcomes["deleted"] + outcomes["already_gone"]
    return DeletionGroup(why, dict(outcomes.most_common()), gone, max(one["at"] for one in removed), len(removed))


def _is_found(row: Mapping[str, Any], search: str, outcome: str | None) -> bool:
    texts = (str(row["row"]), row["first_record_id"], row["second_record_id"], row["relation_id"])
    is_named = not search or search in texts or str(row["row_key"]).startswith(search)
    return is_named and outcome in (None, row["outcome"])


def _date(load: LoadView) -> str:
    return datetime.fromtimestamp(load.began, UTC).date().isoformat()


def _day(day: str, loads: list[LoadView]) -> DayOutcomes:
    outcomes: dict[str, int] = {}
    for load in loads:
        for name, count in load.outcomes.items():
            outcomes[name] = outcomes.get(name, 0) + count
    return DayOutcomes(day, len(loads), outcomes)
