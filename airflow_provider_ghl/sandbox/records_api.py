"""The endpoints of records, put together: which of them answers which request."""

from __future__ import annotations

from collections.abc import Callable

from airflow_provider_ghl.sandbox.answers import Reply
from airflow_provider_ghl.sandbox.businesses import Businesses
from airflow_provider_ghl.sandbox.contacts import Contacts
from airflow_provider_ghl.sandbox.custom_fields import CustomFields
from airflow_provider_ghl.sandbox.custom_objects import CustomObjects
from airflow_provider_ghl.sandbox.exchange import Call
from airflow_provider_ghl.sandbox.objects import Objects
from airflow_provider_ghl.sandbox.opportunities import Opportunities
from airflow_provider_ghl.sandbox.search import Searcher
from airflow_provider_ghl.sandbox.searches import Searches

__all__ = ["RecordsApi"]


class RecordsApi:
    """``handlers`` are by the names of routes."""

    def __init__(self, objects: Objects, searches: Searches):
        searcher = Searcher(searches, objects.clock)
        contacts = Contacts(objects, searcher)
        custom_objects = CustomObjects(objects, searcher)
        self.handlers: dict[str, Callable[[Call], Reply]] = {
            "search_contacts": contacts.search,
            "find_duplicate_contact": contacts.find_duplicate,
            "get_contact": contacts.get,
            "list_custom_fields": CustomFields(objects).list,
            "search_records": custom_objects.search,
            "list_objects": custom_objects.list,
            "get_object": custom_objects.get,
            "list_businesses": Businesses(objects).list,
            "search_opportunities": Opportunities(objects, searcher).search,
        }
