"""Everything that the sandbox holds, of all locations; kept in a journal if there is one."""

from __future__ import annotations

import os
import random
import string
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import asdict
from typing import Any

from airflow_provider_ghl.sandbox.agencies import DEFAULT_COMPANY, Agencies
from airflow_provider_ghl.sandbox.journal import Journal
from airflow_provider_ghl.sandbox.location import Association, Location, Refused, Relation
from airflow_provider_ghl.sandbox.objects import Objects

__all__ = ["State"]

_LETTERS = string.ascii_letters + string.digits


class State:
    """Thread-safe: tests may read and change it while the server runs. Methods without ``location_id`` use the first location.

    Changes obey HighLevel's rules: what the API would refuse raises :class:`Refused`.

    :param state_path: the file that keeps the state; ``None``: nothing is kept.
    :param location_id: the first location; default: that of the file, else ``otherwise``, else a new id.
    :param seed: the same seed gives the same ids, so that a run can be repeated.
    :param otherwise: the first location where neither ``location_id`` nor the file gives one.
    :param clock: seconds since 1970; searches compare it with the time at which a record was added.
    :raises StateFileError: the file cannot be used.
    """

    def __init__(
        self,
        state_path: str | os.PathLike[str] | None = None,
        location_id: str | None = None,
        seed: int = 0,
        otherwise: str | None = None,
        clock: Callable[[], float] = time.time,
    ):
        self._lock = threading.RLock()
        self._locations: dict[str, Location] = {}
        self._journal: Journal | None = None
        self.agencies = Agencies(self._lock, self._commit, self._new_code)
        self.objects = Objects(self._lock, self._commit, self._at, self._new_code, self._new_id, clock)
        replayed = 0 if state_path is None else self._load(Journal(state_path))
        self._random = random.Random(f"{seed}:{replayed}")  # the same seed must not give the same ids twice in one file
        self.location_id = location_id or next(iter(self._locations), None) or otherwise or self._new_code()
        self.add_location(self.location_id)

    # Locations and records

    def add_location(self, location_id: str | None = None, company_id: str | None = None) -> str:
        """Add a sub-account, with the system associations. Returns its id (20 characters). An existing one stays as it is."""
        with self._lock:
            self.agencies.check(company_id or DEFAULT_COMPANY)
            location_id = location_id or self._new_code()
            if location_id not in self._locations:
                self._commit("location", location_id, *([company_id] if company_id else []))
            return location_id

    def locations(self) -> list[str]:
        """The ids of all locations, oldest first."""
        with self._lock:
            return list(self._locations)

    def has_location(self, location_id: str) -> bool:
        """Whether there is a location with this id."""
        return location_id in self._locations

    def add_record(self, object_key: str, record_id: str | None = None, location_id: str | None = None) -> str:
        """Add a record and return its id.

        Once an object has a record, relations to other ids of that object are refused.
        """
        with self._lock:
            if record_id is not None and record_id in self._at(location_id).records(object_key):
                return record_id
            return self.objects.add(object_key, {}, record_id, location_id)

    def records(self, object_key: str, location_id: str | None = None) -> set[str]:
        """The ids of an object's records."""
        with self._lock:
            return set(self._at(location_id).records(object_key))

    # Associations

    def add_association(
        self,
        key: str,
        first_object_key: str,
        second_object_key: str,
        first_label: str,
        second_label: str,
        max_per_first: int | None = None,
        max_per_second: int | None = None,
        id: str | None = None,
        location_id: str | None = None,
    ) -> str:
        """Add an association as it is given, and return its id (24 hex digits).

        :param max_per_first: how many of its relations one first record may have; ``None``: any number.
        :param max_per_second: how many of them one second record may have.
        """
        with self._lock:
            location = self._at(location_id)
            association = Association(
                id=id or self._new_id(),
                key=key,
                first_object_key=first_object_key,
                second_object_key=second_object_key,
                first_label=first_label,
                second_label=second_label,
                max_per_first=max_per_first,
                max_per_second=max_per_second,
            )
            location.check_association(association)
            self._commit("association", location.id, asdict(association))
            return association.id

    def update_labels(self, association_id: str, first_label: str, second_label: str, location_id: str | None = None) -> None:
        """Change the labels of an association."""
        with self._lock:
            location = self._at(location_id)
            location.association(association_id)
            if first_label == second_label:
                raise Refused("equal_labels")
            self._commit("labels", location.id, association_id, first_label, second_label)

    def remove_association(self, association_id: str, location_id: str | None = None) -> None:
        """Remove an association and its relations.

        :raises Refused: it is one of the system's.
        """
        with self._lock:
            location = self._at(location_id)
            if location.association(association_id).system:
                raise Refused("system_association")
            self._commit("association-", location.id, association_id)

    def associations(self, location_id: str | None = None) -> list[dict[str, object]]:
        """All associations of a location as the API shows them, the system's first."""
        with self._lock:
            location = self._at(location_id)
            return [association.as_answer(location.id) for association in location.associations.values()]

    def associations_of(self, object_key: str, location_id: str | None = None) -> list[dict[str, object]]:
        """The associations that have this object on either side."""
        with self._lock:
            location = self._at(location_id)
            return [association.as_answer(location.id) for association in location.by_object(object_key)]

    def association(self, association_id: str, location_ids: Collection[str] | None = None) -> dict[str, object]:
        """One association, looked for in these locations; default: in all."""
        with self._lock:
            for location_id in location_ids or self._locations:
                location = self._locations[location_id]
                if association_id in location.associations:
                    return location.associations[association_id].as_answer(location_id)
        raise Refused("association_not_found_400")

    def association_by_key(self, key: str, location_id: str | None = None) -> dict[str, object]:
        """The association with this key."""
        with self._lock:
            location = self._at(location_id)
            found = location.by_key(key)
            if found is None:
                raise Refused("association_not_found")
            return found.as_answer(location.id)

    # Relations

    def add_relation(self, association_id: str, first: str, second: str, location_id: str | None = None) -> str:
        """Add a relation and return its id (24 hex digits)."""
        with self._lock:
            location = self._at(location_id)
            location.check_relation(association_id, first, second)
            relation_id = self._new_id()
            self._commit("relation", location.id, relation_id, association_id, first, second)
            return relation_id

    def remove_relation(self, relation_id: str, location_id: str | None = None) -> None:
        """Remove a relation."""
        with self._lock:
            location = self._at(location_id)
            if relation_id not in location.relations:
                raise Refused("relation_not_found")
            self._commit("relation-", location.id, relation_id)

    def relation(self, relation_id: str, location_id: str | None = None) -> dict[str, object]:
        """One relation as the API shows it."""
        with self._lock:
            location = self._at(location_id)
            if relation_id not in location.relations:
                raise Refused("relation_not_found")
            return location.as_answer(location.relations[relation_id])

    def relations(self, location_id: str | None = None) -> list[dict[str, object]]:
        """All relations of a location as the API shows them, oldest first."""
        with self._lock:
            location = self._at(location_id)
            return [location.as_answer(relation) for relation in location.relations.values()]

    def relations_of(
        self,
        record_id: str,
        association_ids: Collection[str] = (),
        skip: int = 0,
        limit: int | None = None,
        location_id: str | None = None,
    ) -> tuple[list[dict[str, object]], int]:
        """A page of the relations that have a record on either side, oldest first; and their number on all pages."""
        with self._lock:
            location = self._at(location_id)
            found = location.relations_of(record_id, association_ids)
            page = found[skip:] if limit is None else found[skip : skip + limit]
            return [location.as_answer(relation) for relation in page], len(found)

    def pairs(self, association_id: str, location_id: str | None = None) -> set[tuple[str, str]]:
        """The pairs (first record, second record) of an association."""
        with self._lock:
            return set(self._at(location_id).pairs(association_id))

    def count_relations(self, association_id: str | None = None, location_id: str | None = None) -> int:
        """How many relations a location has: of one association, or of all."""
        with self._lock:
            location = self._at(location_id)
            return len(location.relations if association_id is None else location.pairs(association_id))

    def count_all(self) -> int:
        """How many relations all locations have."""
        with self._lock:
            return sum(len(location.relations) for location in self._locations.values())

    def close(self) -> None:
        """Close the state file. What is in memory can still be read."""
        with self._lock:
            if self._journal:
                self._journal.close()

    # Changes: all of them are written to the journal, then applied

    def _commit(self, *event: Any) -> None:
        if self._journal:
            self._journal.append(list(event))
        self._apply(*event)

    def _apply(self, event: str, location_id: str, *values: Any) -> None:
        if event == "location":
            self._locations[location_id] = Location(location_id)
            self.agencies.apply("owner", location_id, *(values or [DEFAULT_COMPANY]))
            return
        if event in ("company", "owner", "install", "uninstall"):
            self.agencies.apply(event, location_id, *values)
            return
        location = self._locations[location_id]
        match event, values:
            case "relation", _:
                location.put_relation(Relation._make(values))
            case "relation-", (relation_id,):
                location.drop_relation(relation_id)
            case "record" | "record-" | "fields", (object_key, *rest):
                location.apply_to_records(event, object_key, *rest)
            case "association", (fields,):
                location.put_association(Association(**fields))
            case "association-", (association_id,):
                location.drop_association(association_id)
            case "labels", (association_id, first_label, second_label):
                association = location.associations[association_id]
                association.first_label, association.second_label = first_label, second_label

    def _load(self, journal: Journal) -> int:
        events = 0
        try:
            for event in journal.replay():
                self._apply(*event)
                events += 1
        except BaseException:
            journal.close()
            raise
        self._journal = journal
        return events

    def _at(self, location_id: str | None) -> Location:
        return self._locations[location_id or self.location_id]

    def _new_id(self) -> str:
        return f"{self._random.getrandbits(96):024x}"

    def _new_code(self) -> str:
        return "".join(self._random.choices(_LETTERS, k=20))
