"""How long a key is remembered that HighLevel does not confirm."""

from __future__ import annotations

from datetime import timedelta

from airflow_provider_ghl.exceptions import ConfigurationError

__all__ = ["KEYS_KEPT", "check_lookup_age"]

#: After this time the ledger deletes it. So no load can believe a key for longer.
KEYS_KEPT = timedelta(days=90)


def check_lookup_age(age: timedelta) -> timedelta:
    """Return a ``lookup_max_age`` if it can have an effect.

    :raises ConfigurationError: the ledger keeps no key for so long.
    """
    if age > KEYS_KEPT:
        raise ConfigurationError(
            f"lookup_max_age must be {KEYS_KEPT.days} days or less, not {age}: keys that HighLevel has not confirmed for "
            f"{KEYS_KEPT.days} days are deleted from the ledger"
        )
    return age
