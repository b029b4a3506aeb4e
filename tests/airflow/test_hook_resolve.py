"""``GHLHook.resolve``: a look-up through an Airflow connection."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from connecting import Connect

from airflow_provider_ghl.exceptions import ConfigurationError, Stopped, Unauthorized
from airflow_provider_ghl.hooks.ghl import GHLHook
from airflow_provider_ghl.lookups import Contact, CustomObject

URL = "https://services.leadconnectorhq.com"
LOCATION = "Xk2v7QpLr9TfBz4NwHd1"
ADA = {"id": "ZxT4kQ1nWc8RfPq2LbYs", "email": "ada@example.org", "phone": "+12025550143"}


@pytest.fixture
def connection(connect: Connect) -> Any:
    """Sets the connection, with further extras."""

    def set_one(**extra: Any) -> None:
        fields = {"conn_type": "ghl", "password": "pit-1", "extra": {"location_id": LOCATION, **extra}}
        connect(ghl_default=json.dumps(fields))

    set_one()
    return set_one


def test_a_key_becomes_an_id(connection: Any, requests_mock: Any) -> None:
    requests_mock.post(f"{URL}/contacts/search", json={"contacts": [ADA], "total": 1})
    requests_mock.get(f"{URL}/contacts/search/duplicate", json={"contact": None})
    found = GHLHook().resolve(Contact(by="email"), ["Ada@example.org", "bob@example.org"])
    assert found.record_ids == {"Ada@example.org": ADA["id"]}
    assert found.reasons == {"bob@example.org": "no contact has this e-mail"}
    assert requests_mock.request_history[0].json()["locationId"] == LOCATION


def test_it_is_the_hooks_location(connection: Any, requests_mock: Any) -> None:
    requests_mock.post(f"{URL}/contacts/search", json={"contacts": [ADA], "total": 1})
    GHLHook(location_id="another").resolve(Contact(by="email"), ["ada@example.org"])
    assert requests_mock.last_request.json()["locationId"] == "another"


@pytest.mark.parametrize(
    ("extra", "argument", "is_found"),
    [(None, None, False), ("", None, False), (" us ", None, True), (None, "US", True), ("DE", "US", True), ("US", "DE", False)],
)
def test_phone_region(connection: Any, requests_mock: Any, extra: Any, argument: Any, is_found: bool) -> None:
    requests_mock.post(f"{URL}/contacts/search", json={"contacts": [ADA], "total": 1})
    requests_mock.get(f"{URL}/contacts/search/duplicate", json={"contact": None})
    connection(phone_region=extra)
    found = GHLHook().resolve(Contact(by="phone"), ["(202) 555-0143"], phone_region=argument)
    assert (found["(202) 555-0143"].record_id is not None) == is_found


def test_a_region_that_is_none(connection: Any, requests_mock: Any) -> None:
    connection(phone_region="Germany")
    with pytest.raises(ConfigurationError, match="phone_region must be a country's code"):
        GHLHook().resolve(Contact(by="phone"), ["(202) 555-0143"])
    assert requests_mock.call_count == 0


def test_a_limit_is_waited_for_and_a_failure_asked_again(connection: Any, requests_mock: Any) -> None:
    answers = [{"status_code": 502, "text": "<html>"}, {"json": {"contacts": [ADA], "total": 1}}]
    requests_mock.post(f"{URL}/contacts/search", answers)
    assert GHLHook().resolve(Contact(by="email"), ["ada@example.org"]).record_ids
    assert requests_mock.call_count == 2


def test_a_stop_ends_the_wait_for_the_index(connection: Any, requests_mock: Any) -> None:
    hook = GHLHook()
    key = "custom_objects.policy"
    fields = [{"id": "f1", "fieldKey": f"{key}.policy_no", "dataType": "TEXT"}]
    requests_mock.get(f"{URL}/objects/{key}", json={"fields": fields})

    def answer(request: Any, context: Any) -> Any:
        hook.stop.set()
        return {"records": [], "total": 0}

    requests_mock.post(f"{URL}/objects/{key}/records/search", json=answer)
    with pytest.raises(Stopped):
        hook.resolve(CustomObject(key, by="policy_no"), ["A-1"])


def test_no_key_is_logged_or_raised(connection: Any, requests_mock: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    said = {"message": "The token is not authorized for this scope. canary@example.org"}
    requests_mock.post(f"{URL}/contacts/search", status_code=401, json=said)
    with pytest.raises(Unauthorized) as error:
        GHLHook().resolve(Contact(by="email"), ["canary@example.org"])
    assert error.value.explain().startswith("the token lacks the scope contacts.readonly")
    assert "canary" not in caplog.text + str(error.value) + repr(error.value)
