"""The client of the sandbox's tests: plain ``requests``, nothing of the package's own client."""

from __future__ import annotations

from typing import Any, Self

import requests
from waits import TOO_LONG

from airflow_provider_ghl.sandbox import Application, Sandbox

CONTACT, EVENT = "contact", "custom_objects.event"


class HttpClient:
    """Sends requests as a well-behaved client does. ``token`` and ``version`` may be ``None``, to leave out the header."""

    def __init__(self, sandbox: Sandbox, token: str | None = "", version: str | None = "2021-07-28"):
        self.sandbox = sandbox
        self.session = requests.Session()
        self.session.trust_env = False
        if token is not None:
            self.session.headers["Authorization"] = f"Bearer {token or sandbox.token}"
        if version is not None:
            self.session.headers["Version"] = version

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.session.close()

    def send(self, method: str, path: str, timeout: float = TOO_LONG, **kwargs: Any) -> requests.Response:
        return self.session.request(method, self.sandbox.url + path, timeout=timeout, allow_redirects=False, **kwargs)

    def refresh(self, app: Application, refresh_token: str, **changes: str | None) -> requests.Response:
        fields = {"client_id": app.client_id, "client_secret": app.client_secret}
        fields |= {"grant_type": "refresh_token", "refresh_token": refresh_token}
        return self.send("POST", "/oauth/token", data=without_none(fields | changes))

    def mint(self, company_id: str, location_id: str, path: str = "/oauth/locationToken") -> requests.Response:
        return self.send("POST", path, data={"companyId": company_id, "locationId": location_id})

    def get(self, path: str, **params: Any) -> requests.Response:
        return self.send("GET", path, params={"locationId": self.sandbox.location_id, **params})

    def delete_relation(self, relation_id: str) -> requests.Response:
        return self.send("DELETE", f"/associations/relations/{relation_id}", params={"locationId": self.sandbox.location_id})

    def search(self, path: str, **body: Any) -> requests.Response:
        """POST a search. ``None`` leaves a field out."""
        return self.send("POST", path, json=without_none({"locationId": self.sandbox.location_id, **body}))

    def create_association(self, **changes: Any) -> requests.Response:
        body = {
            "locationId": self.sandbox.location_id,
            "key": "attends",
            "firstObjectLabel": "Guest",
            "firstObjectKey": CONTACT,
            "secondObjectLabel": "Event",
            "secondObjectKey": EVENT,
        }
        return self.send("POST", "/associations/", json=without_none(body | changes))

    def relate(self, association_id: str, first: str, second: str, **changes: Any) -> requests.Response:
        body = {
            "locationId": self.sandbox.location_id,
            "associationId": association_id,
            "firstRecordId": first,
            "secondRecordId": second,
        }
        return self.send("POST", "/associations/relations", json=without_none(body | changes))


def without_none(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if value is not None}


def add_attends(sandbox: Sandbox, **limits: int | None) -> str:
    return sandbox.state.add_association("attends", CONTACT, EVENT, "Guest", "Event", **limits)  # type: ignore[arg-type]
