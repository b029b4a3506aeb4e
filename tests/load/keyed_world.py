"""A simulated HighLevel with contacts and policies, and loads of tables of their keys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from remembering import server
from simulated_highlevel import LOCATION, SimulatedServer
from simulated_load import Load, load_pairs
from simulated_records import FIELDS, POLICY, HighLevel, Lies, contact, policy

from airflow_provider_ghl.lookups import Contact, CustomObject
from airflow_provider_ghl.relations.orientation import sides_of

__all__ = ["BY_EMAIL", "BY_NUMBER", "contact_id", "keyed_server", "load_keys", "policy_id", "table"]

BY_EMAIL = Contact(by="email")
BY_NUMBER = CustomObject(POLICY, by="policy_no")


def contact_id(number: int) -> str:
    """The id of the contact with the e-mail ``p<number>@example.org``."""
    return f"contact{number:013d}"


def policy_id(number: int) -> str:
    """The id of the policy ``P<number>``."""
    return f"{number:024x}"


def keyed_server(contacts: int = 20, policies: int = 20, lies: Lies | None = None, **options: Any) -> SimulatedServer:
    """HighLevel with contacts and policies, which it links with the policy first."""
    records = HighLevel(
        {
            "contact": [contact(contact_id(at), f"p{at}@example.org") for at in range(contacts)],
            POLICY: [policy(policy_id(at), f"P{at}") for at in range(policies)],
        },
        fields=FIELDS,
        lies=lies or Lies(),
        location_id=LOCATION,
        most_calls=100_000,
    )
    return server(records=records, object_keys=("contact", POLICY), **options)


def table(*pairs: tuple[int, int]) -> list[tuple[str, str]]:
    """A table of policy numbers and e-mails: the other way round than HighLevel stores the sides."""
    return [(f"P{number}", f"p{person}@example.org") for number, person in pairs]


def load_keys(rows: Sequence[Any], world: SimulatedServer, **options: Any) -> Load:
    """Load a table of policy numbers and e-mails."""
    options.setdefault("lookups", (BY_NUMBER, BY_EMAIL))
    return load_pairs(rows, world, sides=sides_of(*options["lookups"]), **options)
