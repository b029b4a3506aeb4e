"""The API itself: turns a request that the gateway let through into an answer. Without clock, socket and limits."""

from __future__ import annotations

import logging
from collections.abc import Callable

from airflow_provider_ghl.sandbox import bodies
from airflow_provider_ghl.sandbox.answers import Reply, fill, reply
from airflow_provider_ghl.sandbox.exchange import Call, Exchange
from airflow_provider_ghl.sandbox.grants import Grant, Grants
from airflow_provider_ghl.sandbox.location import Refused
from airflow_provider_ghl.sandbox.oauth_api import OAuthApi
from airflow_provider_ghl.sandbox.records_api import RecordsApi
from airflow_provider_ghl.sandbox.rewriting import rewrite
from airflow_provider_ghl.sandbox.routes import VERSIONS, Route, find_route
from airflow_provider_ghl.sandbox.state import State

log = logging.getLogger(__name__)

__all__ = ["App"]

#: The vendor's own clients differ: the one for Python repeats the first, the one for JavaScript the second.
_ASSOCIATION_IDS = ("associationIds", "associationIds[]")


class App:
    """``answer`` is for one thread; other threads may change tokens meanwhile.

    :param oauth: answers requests about tokens and agencies.
    :param page_cap: the longest page, whatever ``limit`` asks for.
    :param single_object: whether the list by object key shows a single association as an object, not as an array of one.
    :param records: answers requests about records and their objects.
    :param rewrites_associations: whether a new association is stored with its key in lower case and its sides in order.
    """

    def __init__(
        self,
        state: State,
        grants: Grants,
        oauth: OAuthApi,
        records: RecordsApi,
        page_cap: int = 100,
        single_object: bool = False,
        rewrites_associations: bool = True,
    ):
        self.state = state
        self.grants = grants
        self.oauth = oauth
        self.page_cap = page_cap
        self.single_object = single_object
        self.rewrites_associations = rewrites_associations
        self._handlers: dict[str, Callable[[Call], Reply]] = {
            "create_relation": self._create_relation,
            "list_relations": self._list_relations,
            "delete_relation": self._delete_relation,
            "create_association": self._create_association,
            "list_associations": self._list_associations,
            "get_association_by_key": self._get_association_by_key,
            "list_associations_by_object": self._list_associations_by_object,
            "get_association": self._get_association,
            "update_association": self._update_association,
            "delete_association": self._delete_association,
            **records.handlers,
        }

    def limited_id(self, exchange: Exchange) -> str:
        """Whose limits the request counts against: the id of a location or, at an agency's endpoints, of the company.

        A request that names no location, or one that does not exist, counts against the location of its token.
        """
        if self.oauth.needs_no_token(exchange):
            return self.oauth.limited_id(exchange)
        is_for_agencies = self.oauth.is_for_agencies(exchange)
        if not is_for_agencies and exchange.location_id is not None and self.state.has_location(exchange.location_id):
            return exchange.location_id
        grant = self.grants.find(exchange.token or "")
        return (grant and (grant.company_id or grant.location_id)) or self.state.location_id

    def answer(self, exchange: Exchange) -> Reply:
        """Execute the request."""
        try:
            return self._answer(exchange)
        except Refused as refused:
            return reply(refused.name, **refused.values)
        except OSError:
            log.exception("The state file cannot be written")
            return reply("server_error")

    def _answer(self, exchange: Exchange) -> Reply:
        if self.oauth.needs_no_token(exchange):
            return self.oauth.answer_without_token(exchange)
        grant = self._authorise(exchange)
        if self.oauth.is_for_agencies(exchange):
            return self.oauth.answer(exchange, grant)
        route, parameter = exchange.matched or find_route(exchange.request.method, exchange.path)
        if grant.company_id is not None:
            raise Refused("wrong_class")
        if route.scope not in grant.scopes:
            raise Refused("missing_scope")
        location_id = self._locate(exchange, route, grant)
        return self._handlers[route.name](Call(exchange, parameter, location_id, self._reachable(grant)))

    def _authorise(self, exchange: Exchange) -> Grant:
        if exchange.token is None:
            raise Refused("missing_parameter")
        grant = self.grants.find(exchange.token)
        if grant is None:
            raise Refused("bad_token")
        version = exchange.version
        if version not in VERSIONS:
            raise Refused("version_missing" if version is None else "version_unknown")
        return grant

    def _reachable(self, grant: Grant) -> list[str]:
        return self.state.locations() if grant.location_id is None else [grant.location_id]

    def _locate(self, exchange: Exchange, route: Route, grant: Grant) -> str:
        named = exchange.location_id
        if named is None and not route.names_location:
            return grant.location_id or self.state.location_id
        if named is None or named not in self._reachable(grant):
            raise Refused("wrong_location")
        return named

    # Associations

    def _create_association(self, call: Call) -> Reply:
        fields = bodies.read(call.exchange.body, bodies.CREATE_ASSOCIATION)
        if self.rewrites_associations:
            fields = rewrite(fields)
        association_id = self.state.add_association(
            key=fields["key"],
            first_object_key=fields["firstObjectKey"],
            second_object_key=fields["secondObjectKey"],
            first_label=fields["firstObjectLabel"],
            second_label=fields["secondObjectLabel"],
            location_id=call.location_id,
        )
        return reply("association_created", **self.state.association(association_id, [call.location_id]))

    def _list_associations(self, call: Call) -> Reply:
        skip, limit = bodies.page(call.exchange.query, self.page_cap)
        found = self.state.associations(call.location_id)[skip : skip + limit]
        return reply("associations", associations=[fill("association_in_list", item) for item in found])

    def _list_associations_by_object(self, call: Call) -> Reply:
        found = self.state.associations_of(call.parameter, call.location_id)
        if self.single_object and len(found) == 1:
            return reply("association", **found[0])
        return reply("associations_by_object", associations=[fill("association_in_list", item) for item in found])

    def _get_association_by_key(self, call: Call) -> Reply:
        return reply("association", **self.state.association_by_key(call.parameter, call.location_id))

    def _get_association(self, call: Call) -> Reply:
        return reply("association", **self.state.association(call.parameter, call.reachable))

    def _update_association(self, call: Call) -> Reply:
        fields = bodies.read(call.exchange.body, bodies.UPDATE_ASSOCIATION)
        location_id = self._location_id(call)
        self.state.update_labels(
            call.parameter, fields["firstObjectLabel"], fields["secondObjectLabel"], location_id=location_id
        )
        return reply("association", **self.state.association(call.parameter, [location_id]))

    def _delete_association(self, call: Call) -> Reply:
        self.state.remove_association(call.parameter, self._location_id(call))
        return reply("association_deleted", id=call.parameter)

    def _location_id(self, call: Call) -> str:
        return str(self.state.association(call.parameter, call.reachable)["locationId"])

    # Relations

    def _create_relation(self, call: Call) -> Reply:
        fields = bodies.read_relation(call.exchange.body)
        relation_id = self.state.add_relation(
            fields["associationId"], fields["firstRecordId"], fields["secondRecordId"], call.location_id
        )
        return reply("relation_created", **self.state.relation(relation_id, call.location_id))

    def _list_relations(self, call: Call) -> Reply:
        skip, limit = bodies.page(call.exchange.query, self.page_cap)
        query = call.exchange.query
        association_ids = {one for name in _ASSOCIATION_IDS for one in query.get(name, ())}
        found, total = self.state.relations_of(call.parameter, association_ids, skip, limit, call.location_id)
        return reply("relations", relations=[fill("relation_in_list", item) for item in found], total=total)

    def _delete_relation(self, call: Call) -> Reply:
        self.state.remove_relation(call.parameter, call.location_id)
        return reply("relation_deleted", id=call.parameter)
