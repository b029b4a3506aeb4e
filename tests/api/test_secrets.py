"""Nothing that the client says holds the token, a person, or a body."""

from __future__ import annotations

import logging
import traceback

import pytest
import requests
from api_fakes import LOCATION, TOKEN
from waits import TOO_LONG

from airflow_provider_ghl.api.associations import Associations
from airflow_provider_ghl.api.authorization import BearerToken
from airflow_provider_ghl.api.calls import Answer, Call
from airflow_provider_ghl.api.client import Client
from airflow_provider_ghl.api.relations import Relations
from airflow_provider_ghl.api.retry import Retry
from airflow_provider_ghl.exceptions import GHLError
from airflow_provider_ghl.sandbox import Fault, Sandbox

PERSON = "ada.lovelace@example.com"


def everything_said(client: Client) -> list[str]:
    """Texts of the errors of a few calls, the way a log shows them, and reprs."""
    calls = [
        Call("GET", "/nowhere", "/nowhere", LOCATION, params={"email": PERSON}),
        Call("POST", "/associations/relations", "/associations/relations", LOCATION, json={"email": PERSON}),
    ]
    said = [repr(calls), repr(client), repr(Answer(200, {"email": PERSON}))]
    for call in calls:
        try:
            client.request(call)
        except GHLError as error:
            said += [str(error), repr(error), repr(vars(error)), *traceback.format_exception(error)]
    for use in (lambda: Relations(client, LOCATION).delete("r1"), lambda: Associations(client, LOCATION).get("a1")):
        try:
            use()
        except GHLError as error:
            said += traceback.format_exception(error)
    return said


@pytest.mark.parametrize("fault", [None, "reset_before", "error_before", "html_502", "truncated_json", "timeout_401"])
@pytest.mark.parametrize("is_known", [True, False], ids=["known token", "unknown token"])
def test_the_token_and_people_are_never_told(fault: str | None, is_known: bool, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    faults = [Fault(fault)] if fault else []  # type: ignore[arg-type]  # a name of a fault
    with Sandbox(tokens={TOKEN: frozenset()} if is_known else None, location_id=LOCATION, faults=faults, seed=7) as sandbox:
        client = Client(BearerToken(TOKEN), location_id=LOCATION, host=sandbox.url, retry=Retry(first=0.0))
        said = "\n".join(everything_said(client))
        client.close()
    assert "Traceback" in said
    if not fault or "before" not in fault:
        assert "GET /nowhere?… HTTP/1.1" in caplog.text  # what urllib3 logs
    for secret in (TOKEN, TOKEN[4:], "Bearer p", PERSON, PERSON.partition("@")[0]):
        assert secret not in said
        assert secret not in caplog.text


def test_an_authorisation_does_not_show_itself() -> None:
    assert TOKEN not in repr(BearerToken(TOKEN))
    assert TOKEN not in str(BearerToken(TOKEN))


def test_what_urllib3_logs_of_others_stays(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with Sandbox() as sandbox:
        requests.get(f"{sandbox.url}/nowhere?page=2", timeout=TOO_LONG)
    assert "GET /nowhere?page=2 HTTP/1.1" in caplog.text
