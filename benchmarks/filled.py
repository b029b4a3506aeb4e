"""A sandbox with contacts, as a process of its own: ``python benchmarks/filled.py CONTACTS AGENCY OPTIONS``.

Each of the agency's sub-accounts gets as many contacts; with 0 of them, the first location does.
"""

from __future__ import annotations

import json
import signal
import sys
import urllib.request

from known_keys import contact_id, email
from server import Server

__all__ = ["Filled"]


class Filled(Server):
    """``with Filled(50_000, latency=0.3) as server``; the options are those of :class:`airflow_provider_ghl.sandbox.Sandbox`.

    :param agency: sub-accounts of an agency.
    """

    def __init__(self, contacts: int, agency: int = 0, **options: object) -> None:
        super().__init__()
        self._command = [sys.executable, __file__, str(contacts), str(agency), json.dumps(options)]


def serve(contacts: int, agency: int, options: dict[str, object]) -> None:
    """Serve until the process is ended."""
    from airflow_provider_ghl.sandbox import Sandbox
    from airflow_provider_ghl.sandbox.fixed_agency import FixedAgency

    with Sandbox(**options) as sandbox:  # type: ignore[arg-type]
        fixed = FixedAgency.of(sandbox, agency) if agency else None
        locations = fixed.location_ids if fixed else [sandbox.location_id]
        for location_id in locations:
            for number in range(contacts):
                sandbox.add("contact", id=contact_id(number), location_id=location_id, email=email(number))
        if not fixed:
            build_index(sandbox.url, sandbox.token, sandbox.location_id)
        print(f"AIRFLOW_CONN_GHL_DEFAULT='{sandbox.connection_json}'")
        if fixed:
            print(f"AIRFLOW_CONN_GHL_AGENCY='{fixed.connection_json}'")
        print("Ctrl-C ends it.", flush=True)
        signal.pause()


def build_index(url: str, token: str, location_id: str) -> None:
    """The first search by a field takes seconds among a million contacts, which HighLevel's would not."""
    headers = {"Authorization": f"Bearer {token}", "Version": "2021-07-28", "Content-Type": "application/json"}
    filters = [{"field": "email", "operator": "eq", "value": "nobody@example.org"}]
    body = json.dumps({"locationId": location_id, "pageLimit": 1, "filters": filters})
    request = urllib.request.Request(f"{url}/contacts/search", body.encode(), headers)
    with urllib.request.urlopen(request) as answer:
        answer.read()


if __name__ == "__main__":
    serve(int(sys.argv[1]), int(sys.argv[2]), json.loads(sys.argv[3]))
