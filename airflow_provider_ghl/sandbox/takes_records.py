"""The part of a sandbox that takes records in a line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_ghl.sandbox.schemas import Definition
from airflow_provider_ghl.sandbox.state import State

__all__ = ["TakesRecords"]


class TakesRecords:
    """Of :class:`Sandbox`."""

    state: State

    def add(self, object_key: str, /, *, id: str | None = None, location_id: str | None = None, **values: Any) -> str:
        """Add a record and return its id.

        ::

            sandbox.add("contact", email="ann@example.org", first_name="Ann", custom_fields={"tier": "gold"})
            sandbox.add("custom_objects.policy", policy_no="A-1")
            sandbox.add("business", name="Example Ltd")
            sandbox.add("opportunity", name="Roof", contact_id=ann)

        Custom objects and fields that are missing are made: text or number, as the first value is. :meth:`add_object` makes
        others. Nothing is unique: several records may have the same e-mail or the same policy number.

        Once an object has a record, relations to other ids of that object are refused.

        :param id: default: a new one. Contacts and opportunities have 20 letters and digits, others 24 hex digits.
        :param location_id: default: the first location.
        :raises ValueError: a field is unknown or cannot hold its value, or the id is taken.
        """
        return self.state.objects.add(object_key, values, id, location_id)

    def add_object(
        self, object_key: str, properties: Mapping[str, Definition] | None = None, location_id: str | None = None
    ) -> None:
        """Add a custom object, or properties to an object that is there.

        ::

            sandbox.add_object(
                "custom_objects.policy",
                properties={"policy_no": "TEXT", "state": ("SINGLE_OPTIONS", {"active": "In force", "ended": "Ended"})},
            )

        A record holds the key of an option. For ``contact`` and ``opportunity`` the properties are custom fields, and a record
        holds the label. The first property of a custom object is the name of its records.

        :param properties: a type by short key, or a type and its options.
        :raises ValueError: there is no such type, or the key is no object's.
        """
        self.state.objects.add_object(object_key, properties or {}, location_id)

    def remove(self, object_key: str, record_id: str, location_id: str | None = None) -> None:
        """Remove a record and its relations.

        :raises ValueError: there is none.
        """
        self.state.objects.remove(object_key, record_id, location_id)
