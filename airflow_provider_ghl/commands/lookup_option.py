"""What a column of keys holds, as it is typed: ``contact:email``."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Mapping

from airflow_provider_ghl.exceptions import ConfigurationError
from airflow_provider_ghl.lookups import Business, Contact, CustomObject, Lookup, Opportunity

__all__ = ["lookup"]

_STANDARD: Mapping[str, Callable[[str], Lookup]] = {"contact": Contact, "business": Business, "opportunity": Opportunity}
_CUSTOM = "custom_objects."
#: A field as the values' errors name it.
_FIELD = re.compile(r"by='([^']*)'")


def lookup(text: str) -> Lookup:
    """An object and its field: ``contact:email``, ``contact:custom_field:member_no``, ``custom_objects.policy:policy_no``."""
    name, _, by = (part.strip() for part in text.partition(":"))
    if not name or not by:
        raise argparse.ArgumentTypeError(f"must be an object and its field, such as contact:email, not {text!r}")
    standard = _STANDARD.get(name.lower())
    if standard is None and not name.startswith(_CUSTOM):
        objects = ", ".join(_STANDARD)
        custom = f"{_CUSTOM}{name.rpartition('.')[2]}"
        raise argparse.ArgumentTypeError(f"the object must be {objects}, or a custom object such as {custom}, not {name!r}")
    try:
        return CustomObject(name, by) if standard is None else standard(by)
    except ConfigurationError as error:
        raise argparse.ArgumentTypeError(_FIELD.sub(rf"{name}:\1", str(error))) from error
