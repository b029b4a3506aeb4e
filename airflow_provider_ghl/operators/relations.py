"""Operators on relations: one at a time, and a whole table of record pairs."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import TYPE_CHECKING, Any

from airflow_provider_ghl.exceptions import ConfigurationError, DuplicateRelation, NotFound
from airflow_provider_ghl.operators.base import GHLOperator, choice, given, one_of, required
from airflow_provider_ghl.operators.bulk import BulkCreateRelationsOperator
from airflow_provider_ghl.operators.errors import translated

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_ghl.api.relations import Relation

__all__ = ["BulkCreateRelationsOperator", "CreateRelationOperator", "DeleteRelationOperator"]

_PAIR = ("associationId", "firstRecordId", "secondRecordId")


class CreateRelationOperator(GHLOperator):
    """Makes sure that two records are linked, and returns the relation as HighLevel gives it.

    :param association_id: the association's id (templated). Give this or ``association_key``.
    :param association_key: the association's key (templated).
    :param first_record_id: record of the association's first object (templated).
    :param second_record_id: record of its second object (templated).
    :param if_exists: ``skip`` returns the relation that is there; ``fail`` fails.
    """

    template_fields: Sequence[str] = (
        *GHLOperator.template_fields,
        "association_id",
        "association_key",
        "first_record_id",
        "second_record_id",
    )

    def __init__(
        self,
        *,
        association_id: str | None = None,
        association_key: str | None = None,
        first_record_id: str,
        second_record_id: str,
        if_exists: str = "skip",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.association_id = association_id
        self.association_key = association_key
        self.first_record_id = first_record_id
        self.second_record_id = second_record_id
        self.if_exists = choice("if_exists", if_exists, "skip", "fail")

    def execute(self, context: Context) -> Relation:
        """One request, and one more for a key or for a relation that is there."""
        with translated():
            records = (_record_id(self, "first_record_id"), _record_id(self, "second_record_id"))
            pair = (_association_id_of(self), *records)
            try:
                return self.hook.create_relation(*pair)
            except DuplicateRelation:
                if self.if_exists == "fail":
                    raise
                self.log.info("The relation is there")
                # HighLevel may not list yet what it says is there.
                return self.hook.find_relation(*pair) or dict(zip(_PAIR, pair, strict=True))  # type: ignore[return-value]


class DeleteRelationOperator(GHLOperator):
    """Makes sure that two records are not linked. Returns whether they were.

    Name the relation by its id alone, or by its association (id or key) and both records.

    :param relation_id: the relation's id (templated).
    :param association_id: the association's id (templated).
    :param association_key: the association's key (templated).
    :param first_record_id: record of the association's first object (templated).
    :param second_record_id: record of its second object (templated).
    :param if_missing: where there is no such relation: ``skip`` returns False; ``fail`` fails.
    """

    template_fields: Sequence[str] = (
        *GHLOperator.template_fields,
        "relation_id",
        "association_id",
        "association_key",
        "first_record_id",
        "second_record_id",
    )

    def __init__(
        self,
        *,
        relation_id: str | None = None,
        association_id: str | None = None,
        association_key: str | None = None,
        first_record_id: str | None = None,
        second_record_id: str | None = None,
        if_missing: str = "skip",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.relation_id = relation_id
        self.association_id = association_id
        self.association_key = association_key
        self.first_record_id = first_record_id
        self.second_record_id = second_record_id
        self.if_missing = choice("if_missing", if_missing, "skip", "fail")

    def execute(self, context: Context) -> bool:
        """One request; two or more where the relation is looked up by its records."""
        with translated():
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
            if given(self.first_record_id) is not None or given(self.second_record_id) is not None:
                raise ConfigurationError("give relation_id alone, or an association and both records")
            self.hook.delete_relation(str(self.relation_id))
            return
        pair = (_record_id(self, "first_record_id"), _record_id(self, "second_record_id"))
        association_id = self._association_id()
        found = self.hook.find_relation(association_id, *pair)
        if found is not None:
            self.hook.delete_relation(str(found["id"]))
        self.hook.forget(association_id=association_id, pair=pair)  # the ledger may not know the relation's id
        if found is None:
            raise NotFound("these records are not linked by this association", method="GET", path="/associations/relations")

    def _association_id(self) -> str:
        if self.if_missing == "skip" and given(self.association_key) is not None:
            return str(self.hook.get_association_by_key(str(self.association_key))["id"])
        return _association_id_of(self)


def _association_id_of(operator: CreateRelationOperator | DeleteRelationOperator) -> str:
    """The association's id, looked up where its key was given.

    :raises ConfigurationError: no association has that key; the message names the keys there are.
    """
    if one_of(association_id=operator.association_id, association_key=operator.association_key) == "association_id":
        return str(operator.association_id)
    return str(operator.hook.find_association(association_key=str(operator.association_key))["id"])


def _record_id(operator: CreateRelationOperator | DeleteRelationOperator, name: str) -> str:
    """A record's id: text or an int, as in a bulk load.

    :raises ConfigurationError: it is something else, or a template rendered to nothing.
    """
    value = required(name, getattr(operator, name))
    if isinstance(value, bool) or not isinstance(value, str | Integral):
        raise ConfigurationError(f"{name} must be text or an int, not a value of type {type(value).__name__}")
    return str(value).strip()
