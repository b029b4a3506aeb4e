"""Reads the source and feeds its rows to the locations of a load."""

from __future__ import annotations

from collections.abc import Callable

from airflow_provider_ghl.load.plan.partition import Partition
from airflow_provider_ghl.load.results.row_results import LocationResults
from airflow_provider_ghl.load.results.stoppage import NOT_REACHED, Stoppage
from airflow_provider_ghl.load.send.journal import Journal
from airflow_provider_ghl.load.send.location import Location
from airflow_provider_ghl.load.spec import LoadSpec

__all__ = ["Feeder"]


class Feeder:
    """Decides when to read on, and feeds the rows to their locations.

    :param open_location: makes the :class:`Location` of these results.
    """

    def __init__(
        self,
        spec: LoadSpec,
        partition: Partition,
        journal: Journal,
        open_location: Callable[[LocationResults], Location],
    ) -> None:
        self._spec = spec
        self._partition = partition
        self._journal = journal
        self._open_location = open_location
        self._by_number: dict[int, Location] = {}
        #: The locations that the source has named so far, in that order.
        self.locations: list[Location] = []
        self._open_new()

    @property
    def wants_more(self) -> bool:
        """Whether to read on. A single location reads when all its rows are sent; several locations read ahead."""
        if self._partition.is_read or not self._partition.has_room:
            return False
        if self._spec.has_several_locations:
            return True
        (location,) = self.locations
        return location.is_stopped or location.steps.needs_rows

    def read_on(self) -> list[Location]:
        """Read another batch. Returns the locations that may have something to send: those with new rows; all at the end."""
        fed = self._read()
        return [location for location in self.locations if not location.is_over] if self._partition.is_read else fed

    def skip_rest(self, stoppage: Stoppage | None) -> None:
        """Mark all remaining rows as not attempted, including those that are not read yet.

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
