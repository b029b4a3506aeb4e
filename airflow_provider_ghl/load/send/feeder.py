"""The locations of a load, and the source that feeds them."""

from __future__ import annotations

from collections.abc import Callable

from airflow_provider_ghl.load.plan.partition import Partition
from airflow_provider_ghl.load.results.report import Report
from airflow_provider_ghl.load.results.row_results import LocationResults
from airflow_provider_ghl.load.results.stoppage import NOT_REACHED, Stoppage
from airflow_provider_ghl.load.send.journal import Journal
from airflow_provider_ghl.load.send.location import Location
from airflow_provider_ghl.load.spec import LoadSpec

__all__ = ["Feeder"]

#: Rows of a single location that are held, from the first that has no outcome yet to the last that was read.
_HELD = 50_000


class Feeder:
    """Reads on when it is time to, and hands the rows to their locations.

    :param open_location: makes the location of a results.
    """

    def __init__(
        self,
        spec: LoadSpec,
        partition: Partition,
        report: Report,
        journal: Journal,
        open_location: Callable[[LocationResults], Location],
    ) -> None:
        self._spec = spec
        self._partition = partition
        self._report = report
        self._journal = journal
        self._open_location = open_location
        self._by_number: dict[int, Location] = {}
        #: Those that came up, in that order.
        self.locations: list[Location] = []
        self._open_new()

    @property
    def wants_more(self) -> bool:
        """Whether it is time to read on: a single location reads when it has sent all, several read ahead."""
        if self._partition.is_read:
            return False
        if self._spec.is_about_several:
            return self._report.waiting < self._spec.rows_ahead
        (location,) = self.locations
        is_idle = location.is_stopped or location.steps.needs_rows
        return is_idle and self._report.waiting <= max(_HELD, 2 * self._partition.largest)

    def read_on(self) -> list[Location]:
        """Read a batch more. Locations that may have something to send now: those that got rows, at the end all."""
        fed = self._read()
        return [location for location in self.locations if not location.is_over] if self._partition.is_read else fed

    def skip_rest(self, stoppage: Stoppage | None) -> None:
        """Account for all rows that were not reached, those too that were not read yet.

        :param stoppage: what stopped the load.
        """
        while True:
            for location in self.locations:
                why = location.stoppage or stoppage
                location.steps.skip_rest(NOT_REACHED if why is None else why.reason)
            if self._partition.is_read:
                return
            self._read()

    def _read(self) -> list[Location]:
        chunks, refused = self._partition.read_on()
        self._journal.keep(refused)
        self._open_new()
        fed = []
        for results, chunk in chunks:
            location = self._by_number[results.number]
            location.steps.feed(chunk)
            fed.append(location)
        return fed

    def _open_new(self) -> None:
        for results in self._partition.locations[len(self.locations) :]:
            location = self._by_number[results.number] = self._open_location(results)
            self.locations.append(location)
