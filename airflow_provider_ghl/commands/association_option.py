"""Which association a command is about."""

from __future__ import annotations

from contextlib import closing

from airflow_provider_ghl.exceptions import GHLError, Unauthorized
from airflow_provider_ghl.hooks.ghl import GHLHook
from airflow_provider_ghl.load.ledger.ledger import Ledger
from airflow_provider_ghl.load.ledger.load_ids import SEVERAL

__all__ = ["association_ids"]


def association_ids(ledger: Ledger, name: str, conn_id: str, location_id: str | None) -> list[str]:
    """The ids of an association that is named by its id or its key. A key stands for another id in each sub-account.

    The ledger is asked first: it knows ids, and which of them earlier loads found under a key. HighLevel is asked about
    sub-accounts whose id is not known that way.

    :param conn_id: the connection to HighLevel.
    :param location_id: only in this sub-account.
    :raises GHLError: neither the ledger nor HighLevel knows the association.
    """
    if any(target["association_id"] == name for target in ledger.statistics()["targets"]):
        return [name]
    by_location: dict[str | None, set[str]] = {}
    for found_in, association_id in ledger.loads.associations_by_key(name):
        if found_in != SEVERAL and location_id in (None, found_in):
            by_location.setdefault(found_in, set()).update([association_id] if association_id else [])
    if not by_location:
        by_location[location_id] = set()
    for asked_in, ids in by_location.items():
        if not ids:
            ids.add(_ask_highlevel(name, conn_id, asked_in))
    return sorted(set().union(*by_location.values()))


def _ask_highlevel(key: str, conn_id: str, location_id: str | None) -> str:
    try:
        hook = GHLHook(conn_id, location_id=location_id)
        with closing(hook.get_conn()):
            return str(hook.find_association(association_key=key)["id"])
    except GHLError as error:
        reason = error.explain() if isinstance(error, Unauthorized) else str(error)
        place = f" in location {location_id}" if location_id else ""
        raise GHLError(
            f"the ledger knows no association {key!r}{place}, neither by its id nor by its key, and asking HighLevel for "
            f"the key did not help: {reason}. Nothing was forgotten; 'ledger show' lists the ids that the ledger knows."
        ) from error
