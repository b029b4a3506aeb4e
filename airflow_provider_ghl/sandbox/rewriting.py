"""What HighLevel makes of a new association before it stores it.

Observed in the log of one client, October 2026: keys came back in lower case, and the two sides were swapped for some objects.
All its cases are in the order of the object keys; that this is the rule, and that labels go along, is inferred.
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["rewrite"]


def rewrite(fields: Mapping[str, str]) -> dict[str, str]:
    """The fields as they are stored. Two sides of one object keep their order."""
    sides = [(fields[f"{side}ObjectKey"], fields[f"{side}ObjectLabel"]) for side in ("first", "second")]
    (first_key, first_label), (second_key, second_label) = sorted(sides, key=lambda side: side[0])
    return {
        **fields,
        "key": fields["key"].lower(),
        "firstObjectKey": first_key,
        "firstObjectLabel": first_label,
        "secondObjectKey": second_key,
        "secondObjectLabel": second_label,
    }
