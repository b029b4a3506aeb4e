"""What one sub-account holds: associations, records and relations, and the rules about them."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, NamedTuple

from airflow_provider_ghl.sandbox.records import Records
from airflow_provider_ghl.sandbox.schemas import STANDARD, Schema

__all__ = ["SYSTEM_ASSOCIATIONS", "Association", "Location", "Refused", "Relation"]


class Refused(Exception):
    """HighLevel refuses the request.

    :param name: the answer's row in the recorded table.
    :param values: fill the placeholders of its body.
    """

    def __init__(self, name: str, /, **values: object):
        super().__init__(name, values)
        self.name = name
        self.values = values

    def __str__(self) -> str:
        return self.name


@dataclass(slots=True)
class Association:
    """An association.

    :param max_per_first: how many of its relations one first record may have; ``None``: any number.
    :param max_per_second: how many of them one second record may have.
    """

    id: str
    key: str
    first_object_key: str
    second_object_key: str
    first_label: str
    second_label: str
    max_per_first: int | None = None
    max_per_second: int | None = None
    system: bool = False

    def as_answer(self, location_id: str) -> dict[str, object]:
        """The fields as HighLevel names them. The limits are not among them (observed)."""
        return {
            "locationId": location_id,
            "id": self.id,
            "key": self.key,
            "firstObjectLabel": self.first_label,
            "firstObjectKey": self.first_object_key,
            "secondObjectLabel": self.second_label,
            "secondObjectKey": self.second_object_key,
            "associationType": "SYSTEM_DEFINED" if self.system else "USER_DEFINED",
        }


class Relation(NamedTuple):
    """A link between two records, in the order of its association."""

    id: str
    association_id: str
    first: str
    second: str


def _system(key: str, first: str, second: str, most: tuple[int, int]) -> Association:
    labels = first.capitalize(), second.capitalize()
    return Association(key, key, first, second, *labels, max_per_first=most[0], max_per_second=most[1], system=True)


def SYSTEM_ASSOCIATIONS() -> list[Association]:
    """Those that every location has. Ids and limits were observed in a live sub-account, labels are inferred."""
    return [
        _system("OPPORTUNITIES_CONTACTS_ASSOCIATION", "opportunity", "contact", (25, 1000)),
        _system("BUSINESSES_CONTACTS_ASSOCIATION", "business", "contact", (10_000, 1)),
    ]


#: An e-mail address or a phone number, which no record has for its id. Ids are 20 letters and digits, or 24 hex digits
#: (specified, by examples); that others are answered like ids of records that do not exist is inferred.
_KEY = re.compile(r".*@.*|\+[0-9 ().-]+", re.DOTALL)


class Location:
    """One sub-account. Not thread-safe: :class:`State` has the lock."""

    def __init__(self, location_id: str):
        self.id = location_id
        self.associations = {association.id: association for association in SYSTEM_ASSOCIATIONS()}
        self.relations: dict[str, Relation] = {}
        self.schemas = {object_key: Schema.new(object_key, location_id) for object_key in STANDARD}
        self._records: dict[str, Records] = {}
        self._pairs: dict[str, dict[tuple[str, str], Relation]] = {}
        self._by_record: dict[str, list[Relation]] = {}

    def association(self, association_id: str) -> Association:
        """The association with this id.

        :raises Refused: there is none.
        """
        found = self.associations.get(association_id)
        if found is None:
            raise Refused("association_not_found_400")
        return found

    def by_key(self, key: str) -> Association | None:
        """The association with this key; case counts."""
        return next((a for a in self.associations.values() if a.key == key), None)

    def by_object(self, object_key: str) -> list[Association]:
        """The associations that have this object on either side."""
        return [a for a in self.associations.values() if object_key in (a.first_object_key, a.second_object_key)]

    def pairs(self, association_id: str) -> Collection[tuple[str, str]]:
        """The pairs (first record, second record) of an association."""
        return self._pairs.get(association_id, {}).keys()

    def relations_of(self, record_id: str, association_ids: Collection[str]) -> list[Relation]:
        """The relations that have a record on either side, oldest first; without association ids, of all associations."""
        found = self._by_record.get(record_id, [])
        return [r for r in found if r.association_id in association_ids] if association_ids else found

    def as_answer(self, relation: Relation) -> dict[str, object]:
        """The fields as HighLevel names them."""
        association = self.associations[relation.association_id]
        return {
            "id": relation.id,
            "associationId": relation.association_id,
            "firstObjectKey": association.first_object_key,
            "firstRecordId": relation.first,
            "secondObjectKey": association.second_object_key,
            "secondRecordId": relation.second,
            "locationId": self.id,
        }

    def records(self, object_key: str) -> Records:
        """The records of an object."""
        return self._records.get(object_key) or Records()

    def has_record(self, object_key: str, record_id: str) -> bool:
        """Whether it was added."""
        return record_id in self.records(object_key)

    def check_association(self, association: Association) -> None:
        """Check a new association.

        :raises Refused: its labels are equal, or its key is taken.
        """
        if association.first_label == association.second_label:
            raise Refused("equal_labels")
        if self.by_key(association.key):
            raise Refused("duplicate_association")

    def check_relation(self, association_id: str, first: str, second: str) -> None:
        """Check a new relation.

        :raises Refused: by the first rule that it breaks. The limit is checked before the duplicate (observed).
        """
        association = self.association(association_id)
        self._check_record(association.first_object_key, first)
        self._check_record(association.second_object_key, second)
        self._check_limit(association, first, 2, association.max_per_first)
        self._check_limit(association, second, 3, association.max_per_second)
        if (first, second) in self._pairs.get(association_id, ()):
            raise Refused("duplicate_relation")

    def _check_record(self, object_key: str, record_id: str) -> None:
        known = self._records.get(object_key)
        is_unknown = _KEY.fullmatch(record_id) if known is None else record_id not in known
        if is_unknown:
            raise Refused("contact_not_found" if object_key == "contact" else "record_not_found", recordId=record_id)

    def _check_limit(self, association: Association, record_id: str, side: int, most: int | None) -> None:
        if most is None:
            return
        there = self._by_record.get(record_id, ())
        if sum(1 for r in there if r.association_id == association.id and r[side] == record_id) >= most:
            raise Refused("relation_limit", limit=most, recordId=record_id, associationId=association.id)

    def put_association(self, association: Association) -> None:
        self.associations[association.id] = association

    def apply_to_records(self, event: str, object_key: str, *values: Any) -> None:
        """Apply a change of an object or its records that the journal has."""
        match event:
            case "fields":
                self.put_fields(object_key, *values)
            case "record":  # old files have no more of a record than its id
                self.put_record(object_key, *values)
            case "record-":
                self.drop_record(object_key, *values)

    def put_fields(self, object_key: str, fields: list[Any]) -> None:
        """Add fields to an object, which is made where it is missing."""
        if object_key not in self.schemas:
            self.schemas[object_key] = Schema.new(object_key, self.id)
        for key, data_type, options in fields:
            self.schemas[object_key].put(key, data_type, options)

    def put_record(self, object_key: str, record_id: str, values: Any = None, custom: Any = None, added: int = 0) -> None:
        self.put_fields(object_key, [])
        self._records.setdefault(object_key, Records()).put(record_id, values or {}, custom or {}, added)

    def drop_record(self, object_key: str, record_id: str) -> None:
        """Remove a record and its relations (inferred)."""
        self._records[object_key].drop(record_id)
        for relation in list(self._by_record.get(record_id, ())):
            association = self.associations[relation.association_id]
            sides = (association.first_object_key, relation.first), (association.second_object_key, relation.second)
            if (object_key, record_id) in sides:
                self.drop_relation(relation.id)

    def put_relation(self, relation: Relation) -> None:
        self.relations[relation.id] = relation
        self._pairs.setdefault(relation.association_id, {})[relation.first, relation.second] = relation
        for record_id in {relation.first, relation.second}:
            self._by_record.setdefault(record_id, []).append(relation)

    def drop_relation(self, relation_id: str) -> None:
        relation = self.relations.pop(relation_id)
        del self._pairs[relation.association_id][relation.first, relation.second]
        for record_id in {relation.first, relation.second}:
            self._by_record[record_id].remove(relation)

    def drop_association(self, association_id: str) -> None:
        """Remove an association and its relations (specified)."""
        for relation in list(self._pairs.get(association_id, {}).values()):
            self.drop_relation(relation.id)
        del self.associations[association_id]
