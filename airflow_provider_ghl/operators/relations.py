"""Operators on relations: one at a time, and a whole table of record pairs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_ghl.exceptions import ConfigurationError, DuplicateRelation, NotFound, UnresolvedKey
from airflow_provider_ghl.operators.base import choice, given, one_of
from airflow_provider_ghl.operators.bulk import BulkCreateRelationsOperator
from airflow_provider_ghl.operators.errors import translated_errors
from airflow_provider_ghl.operators.key_argument import Key
from airflow_provider_ghl.operators.pair import PairOperator
from airflow_provider_ghl.operators.sync import SyncRelationsOperator
from airflow_provider_ghl.operators.undo import UndoLoadOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_ghl.api.associations import Association
    from airflow_provider_ghl.api.relations import Relation

__all__ = [
    "BulkCreateRelationsOperator",
    "CreateRelationOperator",
    "DeleteRelationOperator",
    "SyncRelationsOperator",
    "UndoLoadOperator",
]

_PAIR = ("associationId", "firstRecordId", "secondRecordId")


class CreateRelationOperator(PairOperator):
    """Makes sure that two records are linked, and returns the relation as HighLevel stores it.

    :param association_id: the association's id (templated). Give this or ``association_key``.
    :param association_key: the association's key (templated).
    :param first_record_id: the record of the association's first object (templated): its id, or with ``first_lookup`` its key,
        which is then in no rendered field, log or exception.
    :param second_record_id: the record of its second object (templated).
    :param first_lookup: what ``first_record_id`` holds, such as ``Contact(by="email")``, from ``airflow_provider_ghl.lookups``.
        The default is a record id.
    :param second_lookup: what ``second_record_id`` holds.
    :param first_object_key: the object of ``first_record_id``, such as ``contact`` (templated). HighLevel may store an
        association with its sides swapped. With an object key the records go to the right sides; without one they are taken in
        the order that HighLevel stores. A look-up says it already.
    :param second_object_key: the object of ``second_record_id`` (templated).
    :param if_exists: what to do where the relation exists: ``skip`` returns it; ``fail`` fails.
    """

    def __init__(self, *, first_record_id: str, second_record_id: str, if_exists: str = "skip", **kwargs: Any) -> None:
        super().__init__(first_record_id=first_record_id, second_record_id=second_record_id, **kwargs)
        self.if_exists = choice("if_exists", if_exists, "skip", "fail")

    def execute(self, context: Context) -> Relation:
        """One request. One more for a key of the association or for object keys, those of look-ups, and one where the relation
        exists.
        """
        with translated_errors():
            pair = self.find_pair()
            try:
                return self.hook.create_relation(*pair)
            except DuplicateRelation:
                if self.if_exists == "fail":
                    raise
                self.log.info("The relation is there")
                # HighLevel may not list yet a relation that it calls a duplicate.
                return self.hook.find_relation(*pair) or dict(zip(_PAIR, pair, strict=True))  # type: ignore[return-value]


class DeleteRelationOperator(PairOperator):
    """Makes sure that two records are not linked. Returns whether they were.

    Name the relation by its id alone, or by its association (id or key) and both records.

    :param relation_id: the relation's id (templated).
    :param association_id: the association's id (templated).
    :param association_key: the association's key (templated).
    :param first_record_id: the record of the association's first object (templated): its id, or with ``first_lookup`` its key,
        which is then in no rendered field, log or exception.
    :param second_record_id: the record of its second object (templated).
    :param first_lookup: what ``first_record_id`` holds, as in :class:`CreateRelationOperator`.
    :param second_lookup: what ``second_record_id`` holds.
    :param first_object_key: the object of ``first_record_id``, as in :class:`CreateRelationOperator` (templated).
    :param second_object_key: the object of ``second_record_id`` (templated).
    :param if_missing: what to do where the relation does not exist, or no record has a key: ``skip`` returns False; ``fail``
        fails. Where several records have a key, it fails in any case.
    """

    template_fields: Sequence[str] = (*PairOperator.template_fields, "relation_id")

    def __init__(self, *, relation_id: str | None = None, if_missing: str = "skip", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.relation_id = relation_id
        self.if_missing = choice("if_missing", if_missing, "skip", "fail")

    def execute(self, context: Context) -> bool:
        """One request. Two or more where the relation is found by its records."""
        with translated_errors():
            try:
                self._delete()
            except NotFound as error:
                if self.if_missing == "fail":
                    raise
                self.log.info("There is no such relation: %s", error.message)
                return False
            except UnresolvedKey as error:
                if self.if_missing == "fail" or not error.is_missing:
                    raise
                self.log.info("There is no such relation: %s", error)
                return False
            return True

    def _delete(self) -> None:
        named = one_of(relation_id=self.relation_id, association_id=self.association_id, association_key=self.association_key)
        if named == "relation_id":
            records = [
                record.value if isinstance(record, Key) else record for record in (self.first_record_id, self.second_record_id)
            ]
            others = (*records, self.first_object_key, self.second_object_key, self.first_lookup, self.second_lookup)
            if any(given(other) is not None for other in others):
                raise ConfigurationError("give relation_id alone, or an association and both records")
            self.hook.delete_relation(str(self.relation_id))
            return
        association_id, *pair = self.find_pair()
        found = self.hook.find_relation(association_id, *pair)
        if found is not None:
            self.hook.delete_relation(str(found["id"]))
        # The ledger may not know the relation's id.
        self.hook.forget(association_id=association_id, pair=tuple(pair))
        if found is None:
            raise NotFound("these records are not linked by this association", method="GET", path="/associations/relations")

    def find_association(self, **named: str) -> Association:
        """Where a missing one is no mistake, its absence is no mistake of the arguments either."""
        if self.if_missing == "skip" and "association_key" in named:
            return self.hook.get_association_by_key(named["association_key"])
        return super().find_association(**named)
