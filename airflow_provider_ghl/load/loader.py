"""Runs one load, from its rows to its verdict: read, plan, send, report."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from airflow_provider_ghl.api.budget import Budget
from airflow_provider_ghl.exceptions import LedgerError, ResultsError
from airflow_provider_ghl.load.columns import Chunk
from airflow_provider_ghl.load.ledger.approved import NOTHING, ApprovedLocation
from airflow_provider_ghl.load.ledger.ledger import Ledger
from airflow_provider_ghl.load.ledger.memory import Memories
from airflow_provider_ghl.load.mirror.mirror import Mirror, MirrorEnd
from airflow_provider_ghl.load.mirror.plan import MirrorPlan
from airflow_provider_ghl.load.mirror.ports import MirrorPorts
from airflow_provider_ghl.load.noted import NotedLoad
from airflow_provider_ghl.load.plan.partition import Partition
from airflow_provider_ghl.load.plan.price import Estimate, estimate
from airflow_provider_ghl.load.ports import Ports
from airflow_provider_ghl.load.quota_wait import QuotaWait
from airflow_provider_ghl.load.results.destinations import Destinations
from airflow_provider_ghl.load.results.effort import Effort, share_of_limits
from airflow_provider_ghl.load.results.outcomes import Outcome
from airflow_provider_ghl.load.results.progress import LocationStatus
from airflow_provider_ghl.load.results.report import Report
from airflow_provider_ghl.load.results.row_results import LocationResults
from airflow_provider_ghl.load.results.stoppage import Stoppage
from airflow_provider_ghl.load.results.verdict import Ending, StoppedLocation, Verdict, judge
from airflow_provider_ghl.load.send.dispatch import Dispatch
from airflow_provider_ghl.load.send.feeder import Feeder
from airflow_provider_ghl.load.send.journal import Journal
from airflow_provider_ghl.load.send.location import Location
from airflow_provider_ghl.load.send.outage import Outage
from airflow_provider_ghl.load.send.spending import SpendingNotes
from airflow_provider_ghl.load.send.steps import LocationSteps
from airflow_provider_ghl.load.send.workers import ThreadWorkers
from airflow_provider_ghl.load.spec import DiffAgainst, LoadSpec
from airflow_provider_ghl.load.summary import summarize

__all__ = ["run", "run_plan"]


#: How many requests each of several locations may have in flight until one of its rows has succeeded.
_CAUTIOUS = 3
#: With more locations than this, delays are logged with the progress only, and not at once.
_MOST_WATCHED = 20


def run(spec: LoadSpec, ports: Ports) -> Verdict:
    """Run a load: create in HighLevel what the rows name and what is not there yet.

    :raises ConfigurationError: the load is misconfigured, and that shows before any request. Other errors are in the verdict.
    """
    return _Load(spec, ports).run()


def run_plan(spec: LoadSpec, ports: Ports) -> tuple[Verdict, MirrorPlan | None]:
    """Run a load that only plans. Returns what its mirror would do, too; ``None`` where that could not be found out.

    :raises ConfigurationError: as :func:`run`.
    """
    load = _Load(spec, ports)
    verdict = load.run()
    return verdict, load.mirror_plan


class _Load:
    """The state of one :func:`run`."""

    def __init__(self, spec: LoadSpec, ports: Ports) -> None:
        self._spec = spec
        self._client = ports.client
        self._workers = ports.workers or ThreadWorkers()
        self._progress = ports.progress
        self._destinations = ports.results or Destinations()
        self._deliver = ports.deliver
        self._ledger = ports.ledger or Ledger.in_memory()
        self._is_remembered = ports.ledger is not None
        self._ledger.end_waits_when(lambda: ports.client.stop.is_set)
        self._noted = NotedLoad(spec, self._ledger)
        self._began = ports.client.clock.monotonic()
        self._is_announced = False
        self._budget = ports.budget or Budget(spec.max_requests)
        #: Whether every row of the source was read, and nothing stopped the load as a whole.
        self._is_all_reached = False
        self._spending: SpendingNotes | None = None
        #: What a mirror would do, where nothing is to be sent.
        self.mirror_plan: MirrorPlan | None = None
        self._report = Report(
            spec.kind.fields,
            spec.keep_results,
            self._destinations,
            try_number=spec.try_number,
            fails_unresolved=spec.fails_unresolved,
        )
        self._partition = Partition(spec, iter(ports.batches), self._report, ports.client.stop)

    def run(self) -> Verdict:
        """See :func:`run`."""
        try:
            has_enough = self._partition.has_enough()
            is_to_run = has_enough and not self._client.stop.is_set
            is_to_send = is_to_run and not self._spec.plan_only
            journal = self._noted.begin(self._budget, self._client.clock, is_to_send=is_to_send)
            feeder = Feeder(self._spec, self._partition, journal, self._location_opener(journal))
            self._spending = SpendingNotes(self._client, journal, feeder.locations)
            stoppage = self._send(feeder, journal) if is_to_run and journal.failure is None else None
            feeder.skip_rest(stoppage)
            journal.commit()
            is_stopped = stoppage is not None or self._client.stop.is_set or journal.failure is not None
            self._is_all_reached = self._partition.is_complete and not is_stopped
            mirror = self._mirror(feeder.locations, stoppage, journal, is_to_run=is_to_run)
            if mirror is not None:
                stoppage = stoppage or mirror.stoppage
                self._report.add_deletions(mirror.deletions)
                journal.commit()
            self._spending.write()
            self._partition.close()  # its database may be that of the results, and locked
            unpublished = self._destinations.publish()  # before the task can fail
            plan = self._price(feeder.locations, mirror) if is_to_run and self._spec.plan_only else None
            ending = self._ending(
                feeder.locations, stoppage, journal.failure, unpublished, plan, mirror, too_few=not has_enough
            )
            return self._conclude(ending, feeder.locations, plan, mirror)
        except BaseException:
            self._end(
                "retryable", f"It was broken off when {self._report.done:,} rows had a result. The others were not reached.", {}
            )
            raise
        finally:
            self._workers.close()
            self._destinations.discard()

    def _location_opener(self, journal: Journal) -> Callable[[LocationResults], Location]:
        spec, clock = self._spec, self._client.clock
        max_age = spec.ledger_max_age.total_seconds() if spec.diff_against is DiffAgainst.LEDGER else None
        memories = Memories(self._ledger, self._noted.attempt, self._client.host, max_age, spec.lookup_max_age.total_seconds())
        cautious = _CAUTIOUS if spec.has_several_locations else spec.abort_after
        approved = self._approved()

        def open_location(results: LocationResults) -> Location:
            may_send = None if approved is None else approved.get(results.location_id or "", NOTHING).unsent
            steps = LocationSteps(
                spec, results, self._report, journal, self._partition, memories, clock, self._announce, may_send
            )
            outage = Outage(spec.outage_timeout, self._client.retry.draw)
            return Location(results, steps, outage, spec.abort_after, cautious)

        return open_location

    def _approved(self) -> Mapping[str, ApprovedLocation] | None:
        """The plan that was reviewed, by location; ``None`` where everything may be done."""
        mirror = self._spec.mirror
        if mirror is None or mirror.apply_plan is None or self._spec.plan_only:
            return None
        return self._ledger.approved.of(self._spec.load_id, mirror.apply_plan)

    def _send(self, feeder: Feeder, journal: Journal) -> Stoppage | None:
        """Send the rows. Returns what stopped the load before its last row, if anything did."""
        dispatch = Dispatch(self._client, self._workers, self._budget, self._spec.abort_after, feeder)
        for settled in dispatch.run():
            for location, send, result in settled:
                location.steps.take_result(send, result)
            self._tick_ledger(journal)
            if journal.failure is not None:
                dispatch.halt()
            if self._budget.spent > len(feeder.locations):  # until then, only associations are read
                self._tick(feeder.locations)
        return dispatch.stoppage

    def _tick_ledger(self, journal: Journal) -> None:
        journal.tick()
        if self._spending is not None:
            self._spending.tick()

    def _announce(self, chunk: Chunk, requests: int) -> None:
        """Log the number of rows and their cost before the first row is sent.

        Only for a single location, and where the size of the source is known.

        :param requests: how many requests the first chunk may take.
        """
        spec, is_read = self._spec, self._partition.is_read
        total = len(chunk.earlier) if is_read else spec.total
        is_first, self._is_announced = not self._is_announced, True  # rows of the first chunk may come late once more
        if not is_first or chunk.start or spec.has_several_locations or not total or self._progress is None:
            return
        share = requests / len(chunk.earlier)
        # Earlier attempts spent their requests on another day.
        spent = self._budget.spent - (self._noted.attempt.spent_before[0] if self._noted.attempt is not None else 0)
        price = estimate([(spent + round(share * total), self._client.limit(spec.location_id))])
        self._progress.announce(total, str(price), is_exact=is_read)

    def _tick(self, locations: Sequence[Location]) -> None:
        if self._progress is None:
            return
        now = self._client.clock.monotonic()
        for location in locations if len(locations) <= _MOST_WATCHED else ():
            if not location.is_stopped:  # its trouble is not over: the load's end says so
                self._progress.log_trouble(location.id, location.trouble(now))
        if self._progress.is_due and not all(location.is_over for location in locations):
            statuses = [LocationStatus(one.id, self._client.limit(one.id), one.is_over, one.trouble(now)) for one in locations]
            looked_up = sum(location.steps.looked_up for location in locations)
            self._progress.tick(self._report.done, self._report.rows, self._budget.spent, statuses, looked_up)

    def _ending(
        self,
        locations: Sequence[Location],
        stoppage: Stoppage | None,
        ledger_error: LedgerError | None,
        unpublished: ResultsError | None,
        plan: Estimate | None,
        mirror: MirrorEnd | None,
        *,
        too_few: bool,
    ) -> Ending:
        now, spec = self._client.clock.monotonic(), self._spec
        stopped = [_stopped(location, now) for location in locations if location.stoppage is not None]
        stopped += [StoppedLocation(*one) for one in (mirror.stopped.items() if mirror is not None else ())]
        unread: Exception | None = None
        if stopped and not spec.has_several_locations:
            # With a single location, what stopped the location stopped the load.
            only, stopped = stopped[0].stoppage, []
            unread = only.error if only.by is None else None
            stoppage = stoppage or (only if only.by is not None else None)
        broken_by = ledger_error or unread or unpublished or self._partition.broken_by or (mirror.error if mirror else None)
        is_hidden = unpublished is not None and (broken_by is not unpublished or (stoppage is not None and stoppage.is_final))
        # A stop that comes after the last row has stopped nothing.
        counts = self._report.counts()
        is_done = self._partition.is_complete and not counts[Outcome.NOT_ATTEMPTED] and not counts[Outcome.FAILED]
        is_done = is_done and (mirror is None or mirror.is_complete)
        return Ending(
            too_few=too_few,
            is_stop_requested=self._client.stop.is_set and not is_done,
            stoppage=stoppage,
            broken_by=broken_by,
            deletes=mirror.counts if mirror is not None else None,
            locations=stopped,
            quota_wait=self._quota_wait(),
            plan=None if plan is None else str(plan),
            warnings=[
                *self._ledger.warnings,
                *(warning for location in locations for warning in location.steps.warnings),
                *(mirror.notes if mirror is not None else ()),
                *([str(unpublished)] if is_hidden else []),
            ],
            load_number=self._noted.attempt.load_number if self._noted.attempt is not None and self._is_remembered else None,
            effort=self._effort(locations),
            at=self._client.clock.utc_now(),
            draw=self._client.retry.draw,
        )

    def _effort(self, locations: Sequence[Location]) -> Effort:
        """What this attempt took. The budget has what was spent before a wait for quota as well."""
        spent, retries, rate_limited = self._noted.attempt.spent_before if self._noted.attempt is not None else (0, 0, 0)
        requests, seconds = self._budget.spent - spent, self._client.clock.monotonic() - self._began
        share = share_of_limits(requests, seconds, [self._client.limit(location.id) for location in locations])
        return Effort(requests, self._budget.retries - retries, self._budget.rate_limited - rate_limited, seconds, share)

    def _quota_wait(self) -> QuotaWait | None:
        spec, attempt = self._spec, self._noted.attempt
        if spec.defer_timeout is None or attempt is None:
            return None
        waited = attempt.began - attempt.deferred_since if attempt.deferred_since is not None else 0.0
        return QuotaWait(spec.defer_timeout, waited, spec.shortest_wait)

    def _price(self, locations: Sequence[Location], mirror: MirrorEnd | None) -> Estimate:
        """What the load would cost."""
        deletes = mirror.price if mirror is not None else {}
        prices = [(one.steps.price + one.requests + deletes.get(one.id, 0), self._client.limit(one.id)) for one in locations]
        return estimate(prices)

    def _mirror(
        self, locations: Sequence[Location], stoppage: Stoppage | None, journal: Journal, *, is_to_run: bool
    ) -> MirrorEnd | None:
        """Delete what the table does not name, once every row of it is decided; ``None`` where that is not asked for."""
        if (mirror := self._spec.mirror) is None:
            return None
        if not is_to_run:
            return MirrorEnd(is_complete=not self._client.stop.is_set)
        if not self._is_all_reached:
            return MirrorEnd(notes=["Nothing was deleted, since not all rows of the table were reached."], is_complete=False)
        if self._report.has_rows_without_location:
            return MirrorEnd(notes=["Nothing was deleted, since the location of a row is not known."])
        reached = [one.steps.mirrored for one in locations if not one.is_stopped]
        ports = MirrorPorts(
            client=self._client,
            workers=self._workers,
            budget=self._budget,
            watch=partial(self._watch, journal),
            abort_after=self._spec.abort_after,
            outage_timeout=self._spec.outage_timeout,
        )
        of_load = Mirror(self._spec, mirror, self._noted.attempt, self._ledger, ports)
        return of_load.run([one for one in reached if one is not None], self._report.codes)

    def _watch(self, journal: Journal, location_ids: Sequence[str], what: str, total: int) -> Callable[[int], None]:
        """See :class:`~airflow_provider_ghl.load.mirror.ports.MirrorPorts`."""
        progress = self._progress.of_part(what, total) if self._progress is not None else None
        before = self._budget.spent

        def watch(done: int) -> None:
            self._tick_ledger(journal)
            if progress is not None and progress.is_due:
                statuses = [LocationStatus(one, self._client.limit(one)) for one in location_ids]
                progress.tick(done, total, self._budget.spent - before, statuses)

        return watch

    def _conclude(
        self, ending: Ending, locations: Sequence[Location], plan: Estimate | None, mirror: MirrorEnd | None
    ) -> Verdict:
        summary = summarize(self._spec, self._client, self._budget, self._report, locations, ending, mirror)
        summary["seconds"] = round(self._client.clock.monotonic() - self._began, 3)
        summary |= {"results_path": None} | self._destinations.summary()
        if plan is not None:
            summary["plan"] = plan.as_dict()
        self.mirror_plan = mirror.plan if mirror is not None else None
        verdict = judge(self._report, ending, summary, self._spec.tolerance, self._spec.min_rows)
        if self._deliver is not None:
            self._deliver(verdict)
        self._noted.note_tables(locations, verdict, is_all_reached=self._is_all_reached)
        ended = {"is_well": verdict.is_green, "is_deferred": verdict.wait is not None}
        counts = verdict.summary | {"evidence": self._report.evidence()}
        if error := self._end(str(verdict.end), verdict.message, counts, **ended):
            verdict.warnings.append(f"how the load ended could not be noted: {error}")
        return verdict

    def _end(self, end: str, message: str, counts: dict[str, Any], **ended: bool) -> LedgerError | None:
        if self._spending is not None:
            self._spending.write()
        return self._noted.end(end, message, counts, **ended)


def _stopped(location: Location, now: float) -> StoppedLocation:
    stoppage, spent = location.stoppage or Stoppage(None), location.quota_error
    is_known = spent is not None and spent.resets_in is not None
    return StoppedLocation(location.id, stoppage, max(0.0, location.asleep_until - now) if is_known else None)
