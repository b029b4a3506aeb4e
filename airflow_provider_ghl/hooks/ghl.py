"""The HighLevel connection."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, nullcontext
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from airflow.sdk import BaseHook

from airflow_provider_ghl.api.app_pages import app_url
from airflow_provider_ghl.api.clock import Stop
from airflow_provider_ghl.exceptions import ConfigurationError, NotFound
from airflow_provider_ghl.hooks.settings import Settings, get_connection

if TYPE_CHECKING:
    from airflow_provider_ghl.api.associations import Association, Associations
    from airflow_provider_ghl.api.client import Client
    from airflow_provider_ghl.api.relations import Relation, Relations
    from airflow_provider_ghl.hooks.access import Access
    from airflow_provider_ghl.load.ledger.ledger import Ledger
    from airflow_provider_ghl.lookups import Lookup
    from airflow_provider_ghl.lookups.outcomes import Resolutions
    from airflow_provider_ghl.relations.undo import Undone

__all__ = ["GHLHook"]

#: What a DELETE of it makes the ledger forget, by id.
_REMEMBERED = re.compile(r"/associations/(?P<relation>relations/)?(?P<id>[^/]+)/?")


class GHLHook(BaseHook):
    """Sends requests to HighLevel, with an Airflow connection of type ``ghl``.

    Requests keep to the location's limits and are sent again where that is safe. The errors are those of
    :mod:`airflow_provider_ghl.exceptions`; none of them carries a token, a header or a body.

    :param ghl_conn_id: the connection.
    :param location_id: the sub-account, instead of the connection's.
    :param api_version: ``2021-07-28`` or ``v3``, instead of the connection's.
    """

    conn_name_attr = "ghl_conn_id"
    default_conn_name = "ghl_default"
    conn_type = "ghl"
    hook_name = "HighLevel"

    def __init__(
        self, ghl_conn_id: str = default_conn_name, location_id: str | None = None, api_version: str | None = None
    ) -> None:
        super().__init__()
        self.ghl_conn_id = ghl_conn_id
        self._location_id = location_id
        self._api_version = api_version
        self._client: Client | None = None
        #: Ends every wait of this hook's client.
        self.stop = Stop()

    def get_conn(self) -> Client:
        """The client, made once. Airflow's connection is read here, on the calling thread.

        :raises ConfigurationError: the connection cannot be right; the message says what would be.
        """
        if self._client is None:
            self._client = self._access.client(self._location_id)
        return self._client

    @property
    def location_id(self) -> str:
        """The sub-account that this hook speaks to.

        :raises ConfigurationError: neither the connection nor the hook names one.
        """
        location_id = self.get_conn().location_id
        if not location_id:
            raise ConfigurationError(
                f"no sub-account: put location_id into the extra of connection {self.ghl_conn_id!r}, or pass location_id="
            )
        return location_id

    @property
    def has_access(self) -> bool:
        """Whether the connection was read, and can be right."""
        return "_access" in vars(self)

    @property
    def app_url(self) -> str:
        """The address of HighLevel's own app, as the connection says, without a slash at its end."""
        return app_url(self._access.settings.app_url)

    @cached_property
    def ledger(self) -> Ledger:
        """The ledger of loads, opened once.

        :raises ConfigurationError: it cannot be where it is configured to be; the message says where it could be.
        :raises LedgerError: its database fails.
        """
        from airflow_provider_ghl.hooks.ledger import open_ledger

        return open_ledger(Settings.of(get_connection(self.ghl_conn_id)).ledger_conn_id)

    def ledger_warnings(self) -> list[str]:
        """Warnings about where the ledger is."""
        from airflow_provider_ghl.hooks.ledger import warnings_about

        return warnings_about(self.ledger)

    def test_connection(self) -> tuple[bool, str]:
        """Whether token, scope and location are right, and a message. Repeats and changes nothing, spends no refresh token."""
        from airflow_provider_ghl.hooks.connection_test import try_connection

        return try_connection(self.ghl_conn_id, self._location_id, self._api_version, self.stop)

    def list_locations(self) -> list[dict[str, Any]]:
        """The sub-accounts in which an agency's app is installed, as HighLevel gives them plus ``location_id``.

        :raises ConfigurationError: the connection is no agency's.
        """
        return self._access.locations()

    def run(
        self,
        method: str,
        path: str,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        repeat_safe: bool | None = None,
    ) -> Any:
        """Send a request to any endpoint, with the same limits, retries and errors.

        The ledger forgets an association or a relation that this deletes.

        :param path: below the base URL, such as ``/contacts/abc``; a query goes into ``params``.
        :param repeat_safe: whether to send it again when it is not known whether it took effect. By default GET, PUT and DELETE
            are: a repeated ``POST /conversations/messages`` would text a person twice.
        :return: the answer's JSON; ``None`` where it has none.
        """
        from airflow_provider_ghl.api.calls import Call

        if not path.startswith("/") or path.startswith("//") or "?" in path or "#" in path:
            raise ConfigurationError("path must begin with one / and hold no query: put that into params")
        if {".", ".."} & set(path.split("/")):
            raise ConfigurationError("path must not hold the steps . or ..: they would lead to another endpoint")
        method = method.upper()
        safe = method in {"GET", "PUT", "DELETE"} if repeat_safe is None else repeat_safe
        deleted = _REMEMBERED.fullmatch(path) if method == "DELETE" else None
        location_id = self.location_id if deleted else self.get_conn().location_id  # needed to know what the ledger forgets
        call = Call(method, path, path, location_id, params, json, safe)
        name = "relation_id" if deleted and deleted["relation"] else "association_id"
        with self._forgetting(**{name: unquote(deleted["id"])}) if deleted else nullcontext():
            return self.get_conn().request(call).data

    def phone_region(self, given: str | None = None) -> str | None:
        """The country of phone numbers without a country code.

        :param given: instead of the connection's.
        :raises ConfigurationError: it is no country's code.
        """
        from airflow_provider_ghl.lookups.normal_forms import check_region

        return check_region(given or self._access.settings.phone_region)

    def resolve(self, lookup: Lookup, keys: Iterable[Any], phone_region: str | None = None) -> Resolutions:
        """The ids of the records that have these keys, or why not, for each key.

        Keys that no record has are looked for twice: contacts one by one, by e-mail and phone; others after a minute.

        :param lookup: what the keys are, such as ``Contact(by="email")``, from ``airflow_provider_ghl.lookups``.
        :param keys: texts, whole numbers, UUIDs or dates.
        :param phone_region: the country of phone numbers without a country code, instead of the connection's.
        :raises ConfigurationError: there is no such object, property or custom field; the message names near ones.
        """
        from airflow_provider_ghl.api.conversation import converse
        from airflow_provider_ghl.lookups.resolve import resolve

        client, region = self.get_conn(), self.phone_region(phone_region)
        return converse(resolve(lookup, keys, self.location_id, phone_region=region), client.request, client.sleep)

    def create_association(
        self, *, key: str, first_object_key: str, first_object_label: str, second_object_key: str, second_object_label: str
    ) -> Association:
        """Create an association. Where the answer is lost, it is read by key before it is sent again.

        :raises DuplicateAssociation: the key is taken.
        """
        return self._associations.create(
            key=key,
            first_object_key=first_object_key,
            first_object_label=first_object_label,
            second_object_key=second_object_key,
            second_object_label=second_object_label,
        )

    def get_association(self, association_id: str) -> Association:
        """An association by id.

        :raises NotFound: there is none.
        """
        return self._associations.get(association_id)

    def get_association_by_key(self, key: str) -> Association:
        """An association by key.

        :raises NotFound: there is none.
        """
        return self._associations.get_by_key(key)

    def find_association(self, *, association_id: str | None = None, association_key: str | None = None) -> Association:
        """An association by id or by key, HighLevel's own ones too.

        :raises ConfigurationError: there is none; the message names the keys there are.
        """
        from airflow_provider_ghl.api.find_association import find_association

        return find_association(self._associations, association_id=association_id, association_key=association_key)

    def list_associations(self) -> list[Association]:
        """All associations of the location, HighLevel's own included."""
        return list(self._associations.iterate())

    def list_associations_by_object(self, object_key: str) -> list[Association]:
        """Those with this object on either side, such as ``contact`` or ``custom_objects.car``."""
        return self._associations.list_by_object(object_key)

    def update_association(self, association_id: str, first_object_label: str, second_object_label: str) -> Association:
        """Change an association's labels. Nothing else of it can be changed."""
        return self._associations.update_labels(
            association_id, first_object_label=first_object_label, second_object_label=second_object_label
        )

    def delete_association(self, association_id: str) -> dict[str, Any]:
        """Delete an association, and with it its relations. The ledger forgets them.

        :raises NotFound: there is none.
        """
        with self._forgetting(association_id=association_id):
            return self._associations.delete(association_id)

    def create_relation(self, association_id: str, first_record_id: str, second_record_id: str) -> Relation:
        """Link two records. Where only the answer was lost, the relation is read and returned.

        :raises DuplicateRelation: they were linked before.
        :raises RelationLimitReached: they are not linked, and one of them has no room left.
        """
        return self._relations.create(association_id, first_record_id, second_record_id)

    def list_relations(self, record_id: str, association_ids: Sequence[str] | None = None) -> Iterator[Relation]:
        """A record's relations, on either side, over all pages."""
        return self._relations.iterate(record_id, association_ids)

    def find_relation(self, association_id: str, first_record_id: str, second_record_id: str) -> Relation | None:
        """The relation of a pair, order and case as given; ``None`` where there is none."""
        return self._relations.find(association_id, first_record_id, second_record_id)

    def delete_relation(self, relation_id: str) -> dict[str, Any]:
        """Delete a relation. The ledger forgets it.

        :raises NotFound: there is none.
        """
        with self._forgetting(relation_id=relation_id):
            return self._relations.delete(relation_id)

    def undo_load(self, load_id: str, *, max_deletes: int | None = None, plan_only: bool = False) -> Undone:
        """Delete exactly the relations that one load created, unless a later load's table names them.

        :param load_id: the load's id, or its number in the ledger as text.
        :param max_deletes: with more than that to be deleted nothing is deleted.
        :param plan_only: count them; send nothing.
        :raises ConfigurationError: there is no such load, it has not ended, or its rows are not kept any more.
        :raises GuardTripped: there are more than ``max_deletes``.
        """
        from airflow_provider_ghl.relations.undo import Undo

        with closing(self.ledger) as ledger:  # it is opened again where it is needed again
            undo = Undo(load_id, ledger, self.get_conn())
            return undo.plan() if plan_only else undo.run(max_deletes)

    def forget(self, **what: Any) -> int:
        """Make the ledger forget relations of this location, chosen as in
        :class:`airflow_provider_ghl.load.ledger.upkeep.RelationFilter`. They are asked of HighLevel again.
        """
        from airflow_provider_ghl.load.ledger.upkeep import RelationFilter

        with closing(self.ledger) as ledger:  # it is opened again where it is needed again
            return ledger.forget(RelationFilter(host=self.get_conn().host, location_id=self.location_id, **what))

    @contextmanager
    def _forgetting(self, **what: Any) -> Iterator[None]:
        """Forget what was deleted, or is not there: loads would go on to take it for there."""
        self.ledger.close()  # fails before anything is deleted, where the ledger cannot be opened
        try:
            yield
        except NotFound:
            self._forget(what)
            raise
        self._forget(what)

    def _forget(self, what: dict[str, Any]) -> None:
        if not self.forget(**what) and "relation_id" in what:
            self.forget(is_unnamed=True)  # it may be one of which only the records are known

    @property
    def _associations(self) -> Associations:
        from airflow_provider_ghl.api.associations import Associations

        return Associations(self.get_conn(), self.location_id)

    @property
    def _relations(self) -> Relations:
        from airflow_provider_ghl.api.relations import Relations

        return Relations(self.get_conn(), self.location_id)

    @cached_property
    def _access(self) -> Access:
        from airflow_provider_ghl.hooks.access import Access, Manner

        settings = Settings.of(get_connection(self.ghl_conn_id))
        return Access.by_connection(self.ghl_conn_id, settings, Manner(self._api_version, self.stop))
