"""Operators on relations: one at a time, and a whole table of record pairs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from numbers import Integral
from typing import TYPE_CHECKING, Any

from airflow_provider_ghl.exceptions import ConfigurationError, DuplicateRelation, NotFound
from airflow_provider_ghl.operators.base import GHLOperator, choice, given, one_of, required
from airflow_provider_ghl.operators.bulk import BulkCreateRelationsOperator
from airflow_provider_ghl.operators.errors import translated_errors

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_ghl.api.associations import Association
    from airflow_provider_ghl.api.relations import Relation

__all__ = ["BulkCreateRelationsOperator", "CreateRelationOperator", "DeleteRelationOperator"]

_PAIR = ("associationId", "firstRecordId", "secondRecordId")


class CreateRelationOperator(GHLOperator):
    """Makes sure that two records are linked, and returns the relation as HighLevel stores it.

    :param association_id: the association's id (templated). Give this or ``association_key``.
    :param association_key: the association's key (templated).
    :param first_record_id: the record of the association's first object (templated).
    :param second_record_id: the record of its second object (templated).
    :param first_object_key: the object of ``first_record_id``, such as ``contact`` (templated). HighLevel may store an
        association with its sides swapped. With an object key the records go to the right sides; without one they are taken in
        the order that HighLevel stores.
    :param second_object_key: the object of ``second_record_id`` (templated).
    :param if_exists: what to do where the relation exists: ``skip`` returns it; ``fail`` fails.
    """

    template_fields: Sequence[str] = (
        *GHLOperator.template_fields,
        "association_id",
        "association_key",
        "first_record_id",
        "second_record_id",
        "first_object_key",
        "second_object_key",
    )

    def __init__(
        self,
        *,
        association_id: str | None = None,
        association_key: str | None = None,
        first_record_id: str,
        second_record_id: str,
        first_object_key: str | None = None,
        second_object_key: str | None = None,
        if_exists: str = "skip",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.first_object_key = first_object_key
        self.second_object_key = second_object_key
        self.association_id = association_id
        self.association_key = association_key
        self.first_record_id = first_record_id
        self.second_record_id = second_record_id
        self.if_exists = choice("if_exists", if_exists, "skip", "fail")

    def execute(self, context: Context) -> Relation:
        """One request. One more for a key or for object keys, and one more where the relation exists."""
        with translated_errors():
            pair = _find_pair(self, self.hook.find_association)
            try:
                return self.hook.create_relation(*pair)
            except DuplicateRelation:
                if self.if_exists == "fail":
                    raise
                self.log.info("The relation is there")
                # HighLevel may not list yet a relation that it calls a duplicate.
                return self.hook.find_relation(*pair) or dict(zip(_PAIR, pair, strict=True))  # type: ignore[return-value]


class DeleteRelationOperator(GHLOperator):
    """Makes sure that two records are not linked. Returns whether they were.

    Name the relation by its id alone, or by its association (id or key) and both records.

    :param relation_id: the relation's id (templated).
    :param association_id: the association's id (templated).
    :param association_key: the association's key (templated).
    :param first_record_id: the record of the association's first object (templated).
    :param second_record_id: the record of its second object (templated).
    :param first_object_key: the object of ``first_record_id``, as in :class:`CreateRelationOperator` (templated).
    :param second_object_key: the object of ``second_record_id`` (templated).
    :param if_missing: what to do where the relation does not exist: ``skip`` returns False; ``fail`` fails.
    """

    template_fields: Sequence[str] = (
        *GHLOperator.template_fields,
        "relation_id",
        "association_id",
        "association_key",
        "first_record_id",
        "second_record_id",
        "first_object_key",
        "second_object_key",
    )

    def __init__(
        self,
        *,
        relation_id: str | None = None,
        association_id: str | None = None,
        association_key: str | None = None,
        first_record_id: str | None = None,
        second_record_id: str | None = None,
        first_object_key: str | None = None,
        second_object_key: str | None = None,
        if_missing: str = "skip",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.first_object_key = first_object_key
        self.second_object_key = second_object_key
        self.relation_id = relation_id
        self.association_id = association_id
        self.association_key = association_key
        self.first_record_id = first_record_id
        self.second_record_id = second_record_id
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
            return True

    def _delete(self) -> None:
        named = one_of(relation_id=self.relation_id, association_id=self.association_id, association_key=self.association_key)
        if named == "relation_id":
            others = (self.first_record_id, self.second_record_id, self.first_object_key, self.second_object_key)
            if any(given(other) is not None for other in others):
                raise ConfigurationError("give relation_id alone, or an association and both records")
            self.hook.delete_relation(str(self.relation_id))
            return
        association_id, *pair = _find_pair(self, self._find_association)
        found = self.hook.find_relation(association_id, *pair)
        if found is not None:
            self.hook.delete_relation(str(found["id"]))
        # The ledger may not know the relation's id.
        self.hook.forget(association_id=association_id, pair=tuple(pair))
        if found is None:
            raise NotFound("these records are not linked by this association", method="GET", path="/associations/relations")

    def _find_association(self, **named: str) -> Association:
        if self.if_missing == "skip" and "association_key" in named:
            return self.hook.get_association_by_key(named["association_key"])
        return self.hook.find_association(**named)


def _find_pair(
    operator: CreateRelationOperator | DeleteRelationOperator, find: Callable[..., Association]
) -> tuple[str, str, str]:
    """The association's id and both records, in the order in which HighLevel stores the sides.

    The association is read only where that is necessary.

    :param find: finds the association by its id or key.
    :raises ConfigurationError: no association has that key, or it links other objects. The message names what exists.
    """
    from airflow_provider_ghl.relations.orientation import Sides, is_swapped

    first, second = _record_id(operator, "first_record_id"), _record_id(operator, "second_record_id")
    sides = Sides(given(operator.first_object_key), given(operator.second_object_key))
    named = one_of(association_id=operator.association_id, association_key=operator.association_key)
    if named == "association_id" and not sides.is_given:
        return str(operator.association_id), first, second
    association = find(**{named: str(getattr(operator, named))})
    if is_swapped(association, sides):
        first, second = second, first
    return str(association["id"]), first, second


def _record_id(operator: CreateRelationOperator | DeleteRelationOperator, name: str) -> str:
    """A record's id: text or an int, as in a bulk load.

    :raises ConfigurationError: it has another type, or a template rendered to nothing.
    """
    value = required(name, getattr(operator, name))
    if isinstance(value, bool) or not isinstance(value, str | Integral):
        raise ConfigurationError(f"{name} must be text or an int, not a value of type {type(value).__name__}")
    return str(value).strip()
