"""Operators on associations: the types of link between two objects of a sub-account."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from airflow_provider_ghl.exceptions import DuplicateAssociation, NotFound
from airflow_provider_ghl.operators.base import GHLOperator, choice, given, one_of, required
from airflow_provider_ghl.operators.errors import translated_errors

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_ghl.api.associations import Association

__all__ = [
    "CreateAssociationOperator",
    "DeleteAssociationOperator",
    "GetAssociationOperator",
    "ListAssociationsOperator",
    "UpdateAssociationOperator",
]

_LABELS = ("first_object_label", "second_object_label")
_DEFINITION = ("key", "first_object_key", "second_object_key", *_LABELS)


class CreateAssociationOperator(GHLOperator):
    """Makes sure that an association exists, and returns it as HighLevel stores it.

    :param key: its unique key in the location, such as ``student_teacher`` (templated).
    :param first_object_key: object of the first records, such as ``custom_objects.student`` (templated).
    :param first_object_label: what the first record is to the second, such as ``Student`` (templated).
    :param second_object_key: object of the second records, such as ``contact`` (templated).
    :param second_object_label: what the second record is to the first, such as ``Teacher``; HighLevel refuses equal labels
        (templated).
    :param if_exists: what to do where the association exists. ``reuse`` returns it if it links the same objects, in either
        order, and fails if it links others; ``update_labels`` does the same and sets the labels; ``fail`` fails.

    HighLevel may store the key in lower case and the two sides swapped.
    """

    template_fields: Sequence[str] = (*GHLOperator.template_fields, *_DEFINITION)

    def __init__(
        self,
        *,
        key: str,
        first_object_key: str,
        first_object_label: str,
        second_object_key: str,
        second_object_label: str,
        if_exists: str = "reuse",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.key = key
        self.first_object_key = first_object_key
        self.first_object_label = first_object_label
        self.second_object_key = second_object_key
        self.second_object_label = second_object_label
        self.if_exists = choice("if_exists", if_exists, "reuse", "update_labels", "fail")

    def execute(self, context: Context) -> Association:
        """One request where the association exists, two where it does not."""
        with translated_errors():
            for name in _DEFINITION:
                required(name, getattr(self, name))
            if self.if_exists != "fail":
                with suppress(NotFound):
                    return self._use(self.hook.get_association_by_key(self.key))
            try:
                return self._create()
            except DuplicateAssociation:
                if self.if_exists == "fail":
                    raise
                # Another task created it after the first request.
                return self._use(self.hook.get_association_by_key(self.key))

    def _create(self) -> Association:
        created = self.hook.create_association(
            key=self.key,
            first_object_key=self.first_object_key,
            first_object_label=self.first_object_label,
            second_object_key=self.second_object_key,
            second_object_label=self.second_object_label,
        )
        self.log.info("Created association %s (id %s)", created.get("key", self.key), created.get("id"))
        return created

    def _use(self, found: Association) -> Association:
        """Use an association that exists. HighLevel may have stored it in lower case and with its sides swapped."""
        from airflow_provider_ghl.relations.orientation import Sides, is_swapped

        first, second = self.first_object_label, self.second_object_label
        there = found.get("firstObjectLabel"), found.get("secondObjectLabel")
        sides = Sides(self.first_object_key, self.second_object_key, self._first_label_in(there))
        labels = (second, first) if is_swapped(found, sides) else (first, second)
        if self.if_exists == "reuse" or labels == there:
            self.log.info("The association %s (id %s) is there", found.get("key", self.key), found.get("id"))
            return found
        updated = self.hook.update_association(str(found["id"]), *labels)
        self.log.info("The association %s (id %s) is there, and has new labels", found.get("key", self.key), found["id"])
        return updated

    def _first_label_in(self, there: tuple[str | None, str | None]) -> str | None:
        """The current label of the side that the user names first; ``None`` where neither of the user's labels is in use.

        Case is ignored.
        """
        labels = (self.first_object_label, self.second_object_label, *there)
        first, second, *folded = ((label or "").strip().casefold() for label in labels)
        if first in folded:
            return self.first_object_label
        return there[1 - folded.index(second)] if second in folded else None


class _OneAssociationOperator(GHLOperator):
    """An operator on one association, named by id or by key."""

    template_fields: Sequence[str] = (*GHLOperator.template_fields, "association_id", "association_key")

    def __init__(self, *, association_id: str | None = None, association_key: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.association_id = association_id
        self.association_key = association_key

    def _named(self) -> str:
        """The name of the argument that was given."""
        return one_of(association_id=self.association_id, association_key=self.association_key)

    def _find(self) -> Association:
        """Find the association.

        :raises ConfigurationError: it does not exist; the message names those that do.
        """
        named = self._named()
        return self.hook.find_association(**{named: str(getattr(self, named))})

    def _find_id(self) -> str:
        """The association's id. Needs no request where the user gave it."""
        return str(self.association_id) if self._named() == "association_id" else str(self._find()["id"])


class UpdateAssociationOperator(_OneAssociationOperator):
    """Sets an association's labels and returns it. HighLevel lets nothing else of an association change.

    :param association_id: its id (templated). Give this or ``association_key``.
    :param association_key: its key (templated).
    :param first_object_label: the new label of the first object (templated).
    :param second_object_label: the new label of the second object (templated).
    """

    template_fields: Sequence[str] = (*_OneAssociationOperator.template_fields, *_LABELS)

    def __init__(self, *, first_object_label: str, second_object_label: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.first_object_label = first_object_label
        self.second_object_label = second_object_label

    def execute(self, context: Context) -> Association:
        """One or two requests."""
        with translated_errors():
            labels = [required(name, getattr(self, name)) for name in _LABELS]
            return self.hook.update_association(self._find_id(), *labels)


class DeleteAssociationOperator(_OneAssociationOperator):
    """Deletes an association and all its relations. Returns whether it existed.

    :param association_id: its id (templated). Give this or ``association_key``.
    :param association_key: its key (templated).
    :param if_missing: what to do where it does not exist: ``skip`` returns False; ``fail`` fails.
    """

    def __init__(self, *, if_missing: str = "skip", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.if_missing = choice("if_missing", if_missing, "skip", "fail")

    def execute(self, context: Context) -> bool:
        """One or two requests."""
        with translated_errors():
            try:
                self.hook.delete_association(self._find_id())
            except NotFound:
                if self.if_missing == "fail":
                    raise
                self.log.info("There is no such association")
                return False
            return True

    def _find_id(self) -> str:
        if self.if_missing == "skip" and self._named() == "association_key":
            return str(self.hook.get_association_by_key(str(self.association_key))["id"])
        return super()._find_id()


class GetAssociationOperator(_OneAssociationOperator):
    """Returns an association as HighLevel stores it. Fails where it does not exist.

    :param association_id: its id (templated). Give this or ``association_key``.
    :param association_key: its key (templated).
    """

    def execute(self, context: Context) -> Association:
        """One request."""
        with translated_errors():
            return self._find()


class ListAssociationsOperator(GHLOperator):
    """Returns the location's associations as HighLevel stores them, including those that HighLevel defines itself.

    :param object_key: only those with this object on either side, such as ``contact`` (templated).
    """

    template_fields: Sequence[str] = (*GHLOperator.template_fields, "object_key")

    def __init__(self, *, object_key: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.object_key = object_key

    def execute(self, context: Context) -> list[Association]:
        """One request for each page of 100."""
        with translated_errors():
            object_key = given(self.object_key)
            return self.hook.list_associations_by_object(object_key) if object_key else self.hook.list_associations()
