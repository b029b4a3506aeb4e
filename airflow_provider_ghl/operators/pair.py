"""The base of operators on one pair of records, each of which is named by its id or by a key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import TYPE_CHECKING, Any

from airflow_provider_ghl.exceptions import ConfigurationError, UnresolvedKey
from airflow_provider_ghl.lookups import Lookup
from airflow_provider_ghl.operators.base import GHLOperator, given, lookup, one_of, required, unless_template
from airflow_provider_ghl.operators.key_argument import Key, KeyArgument
from airflow_provider_ghl.operators.links import GHLFirstContactLink, GHLSecondContactLink
from airflow_provider_ghl.relations.orientation import is_swapped, sides_of

if TYPE_CHECKING:
    import jinja2
    from airflow.sdk import Context

    from airflow_provider_ghl.api.associations import Association
    from airflow_provider_ghl.lookups.outcomes import Resolution

__all__ = ["PairOperator"]

_SIDES = ("first", "second")


class PairOperator(GHLOperator):
    """An operator on one pair of records. Its subclasses describe the arguments."""

    template_fields: Sequence[str] = (
        *GHLOperator.template_fields,
        "association_id",
        "association_key",
        "first_record_id",
        "second_record_id",
        "first_object_key",
        "second_object_key",
    )
    operator_extra_links = (*GHLOperator.operator_extra_links, GHLFirstContactLink(), GHLSecondContactLink())
    #: The ids of the sides that are known to be contacts, by side, as soon as they are known.
    contacts: Mapping[str, str] = {}

    def __init__(
        self,
        *,
        association_id: str | None = None,
        association_key: str | None = None,
        first_record_id: str | None = None,
        second_record_id: str | None = None,
        first_lookup: Lookup | None = None,
        second_lookup: Lookup | None = None,
        first_object_key: str | None = None,
        second_object_key: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.association_id = association_id
        self.association_key = association_key
        self.first_lookup = lookup("first_lookup", first_lookup)
        self.second_lookup = lookup("second_lookup", second_lookup)
        self.first_record_id: Any = _hidden(first_record_id, first_lookup)
        self.second_record_id: Any = _hidden(second_record_id, second_lookup)
        self.first_object_key = first_object_key
        self.second_object_key = second_object_key
        # A contradiction is an error where the DAG is parsed, unless it stands in a template.
        sides_of(self.first_lookup, self.second_lookup, unless_template(first_object_key), unless_template(second_object_key))

    def render_template(
        self, content: Any, context: Context, jinja_env: jinja2.Environment | None = None, seen_oids: set[int] | None = None
    ) -> Any:
        """As Airflow does, except that a key stays hidden."""
        if not isinstance(content, KeyArgument):
            return super().render_template(content, context, jinja_env, seen_oids)
        dag = self.get_dag()
        env = dag.get_template_env(force_sandboxed=True) if dag else jinja_env or self.get_template_env()
        return content.render(context, env, seen_oids or ())

    def find_pair(self) -> tuple[str, str, str]:
        """The association's id and both records' ids, in the order in which HighLevel stores the sides.

        The association is read only where that is necessary. Then keys are looked up.

        :raises ConfigurationError: no association has that key, or it links other objects: the message names what exists. Or an
            argument cannot be right.
        :raises UnresolvedKey: no record has a key, or several have it.
        """
        records = [self._record(side) for side in _SIDES]
        keys = given(self.first_object_key), given(self.second_object_key)
        sides = sides_of(self.first_lookup, self.second_lookup, *keys)
        named = one_of(association_id=self.association_id, association_key=self.association_key)
        objects: tuple[str | None, ...] = ()
        if named == "association_id" and not sides.is_given:
            association_id, swapped = str(self.association_id), False
        else:
            association = self.find_association(**{named: str(getattr(self, named))})
            association_id, swapped = str(association["id"]), is_swapped(association, sides)
            objects = association.get("firstObjectKey"), association.get("secondObjectKey")
        first, second = self._look_up(records)
        self.contacts = _contacts(objects[::-1] if swapped else objects, (first, second))
        return (association_id, second, first) if swapped else (association_id, first, second)

    def find_association(self, **named: str) -> Association:
        """The association, by its id or key.

        :raises ConfigurationError: there is none; the message names the keys there are.
        """
        return self.hook.find_association(**named)

    def _record(self, side: str) -> str | Key:
        """A record's id (text or an int, as in a bulk load), or its key.

        :raises ConfigurationError: it has another type, or is an e-mail address without a look-up, or a template rendered to
            nothing.
        """
        name = f"{side}_record_id"
        value = getattr(self, name)
        if isinstance(value, Key):
            required(name, value.value)
            return value
        value = required(name, value)
        if isinstance(value, bool) or not isinstance(value, str | Integral):
            raise ConfigurationError(f"{name} must be text or an int, not a value of type {type(value).__name__}")
        text = str(value).strip()
        if "@" in text:  # no id contains one
            raise ConfigurationError(f"{name} looks like an e-mail address; keys need a look-up: see {side}_lookup")
        return text

    def _look_up(self, records: Sequence[str | Key]) -> list[str]:
        """The ids of both records. Keys of one kind are looked up together."""
        keys: dict[Lookup, dict[str, Any]] = {}
        for side, record in zip(_SIDES, records, strict=True):
            if isinstance(record, Key):
                keys.setdefault(getattr(self, f"{side}_lookup"), {})[side] = record.value
        found: dict[str, Resolution] = {}
        for one, by_side in keys.items():
            found.update(zip(by_side, self.hook.resolve(one, by_side.values()).in_order, strict=True))
        _refuse_unresolved(found)
        return [str(found[side].record_id if side in found else record) for side, record in zip(_SIDES, records, strict=True)]


def _contacts(objects: Sequence[str | None], records: Sequence[str]) -> dict[str, str]:
    """The ids of the records that are contacts, by side. What cannot be an id is left out: it may be an e-mail address.

    :param objects: the object of each; empty where they are not known.
    """
    sides = zip(_SIDES, objects, records, strict=False)
    return {side: record for side, key, record in sides if key == "contact" and record.isalnum()}


def _hidden(record: Any, lookup: Lookup | None) -> Any:
    """A record as the argument keeps it: hidden, if it is a key. Ids may be seen."""
    is_key = record is not None and lookup is not None and lookup.by != "id"
    return KeyArgument(record) if is_key else record


def _refuse_unresolved(found: Mapping[str, Resolution]) -> None:
    """Check that each side has its record.

    :raises ConfigurationError: a key cannot be one.
    :raises UnresolvedKey: no record has a key, or several have it.
    """
    unresolved = {side: verdict for side, verdict in found.items() if verdict.record_id is None}
    if not unresolved:
        return
    message = "; ".join(f"{side}_record_id: {verdict.reason}" for side, verdict in unresolved.items())
    if any(verdict.is_invalid for verdict in unresolved.values()):
        raise ConfigurationError(message)
    raise UnresolvedKey(message, is_missing=all(map(_names_none, unresolved.values())))


def _names_none(verdict: Resolution) -> bool:
    """Whether no record has the key, after the last look at it. Else several have it, or HighLevel refused to search."""
    return not verdict.candidates and str(verdict.reason).startswith("no ")
