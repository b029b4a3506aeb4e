"""A simulated HighLevel with contacts and policies, and loads of tables of their keys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from remembering import server
from simulated_agency import Row, SimulatedAgency, row
from simulated_highlevel import LOCATION, SimulatedServer
from simulated_load import Load, load_pairs
from simulated_records import FIELDS, POLICY, HighLevel, Lies, contact, policy

from airflow_provider_ghl.lookups import Contact, CustomObject
from airflow_provider_ghl.relations.orientation import sides_of

__all__ = [
    "BY_EMAIL",
    "BY_NUMBER",
    "contact_id",
    "keyed_agency",
    "keyed_records",
    "keyed_rows",
    "keyed_server",
    "load_keys",
    "policy_id",
    "table",
]

BY_EMAIL = Contact(by="email")
BY_NUMBER = CustomObject(POLICY, by="policy_no")


def contact_id(number: int) -> str:
    """The id of the contact with the e-mail ``p<number>@example.org``."""
    return f"contact{number:013d}"


def policy_id(number: int) -> str:
    """The id of the policy ``P<number>``."""
    return f"{number:024x}"


def keyed_records(contacts: int = 20, policies: int = 20, lies: Lies | None = None, location_id: str = LOCATION) -> HighLevel:
    """Contacts and policies of one location."""
    return HighLevel(
        {
            "contact": [contact(contact_id(at), f"p{at}@example.org") for at in range(contacts)],
            POLICY: [policy(policy_id(at), f"P{at}") for at in range(policies)],
        },
        fields=FIELDS,
        lies=lies or Lies(),
        location_id=location_id,
        most_calls=100_000,
    )


def keyed_server(contacts: int = 20, policies: int = 20, lies: Lies | None = None, **options: Any) -> SimulatedServer:
    """HighLevel with contacts and policies, which it links with the contact first."""
    return server(records=keyed_records(contacts, policies, lies), object_keys=("contact", POLICY), **options)


def keyed_agency(locations: Sequence[str], contacts: int = 20, policies: int = 20, **options: Any) -> SimulatedAgency:
    """Several locations that have the same keys, and for them records of their own."""
    agency = SimulatedAgency.build(locations, object_keys=("contact", POLICY), **options)
    for name in locations:
        agency[name].records = records = keyed_records(contacts, policies, location_id=name)
        for record in [*records.records["contact"], *records.records[POLICY]]:
            record["id"] = f"{name}{record['id']}"
    return agency


def keyed_rows(location: str, *pairs: tuple[int, int]) -> list[Row]:
    """Rows of one of several locations."""
    return [row(location, *keys) for keys in table(*pairs)]


def table(*pairs: tuple[int, int]) -> list[tuple[str, str]]:
    """A table of policy numbers and e-mails: the other way round than HighLevel stores the sides."""
    return [(f"P{number}", f"p{person}@example.org") for number, person in pairs]


def load_keys(rows: Sequence[Any], world: SimulatedServer, *, first_label: str | None = None, **options: Any) -> Load:
    """Load a table of policy numbers and e-mails."""
    options.setdefault("lookups", (BY_NUMBER, BY_EMAIL))
    first, second = options["lookups"]
    return load_pairs(rows, world, sides=sides_of(first, second, first_object_label=first_label), **options)
