"""The Test button of Airflow's list of connections, as a browser presses it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import Mock

import pytest
from airflow.utils.session import create_session

from airflow_provider_ghl.get_provider_info import get_provider_info
from airflow_provider_ghl.sandbox import Sandbox

pytestmark = [pytest.mark.usefixtures("database"), pytest.mark.filterwarnings("ignore")]  # Airflow's own

CONN_ID = "ghl_of_the_form"
BAD_REQUEST = "The host or port to test differs from the stored connection"


@pytest.fixture
def press(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """Stores a connection as the form does, and presses Test: what the UI of Airflow 3.3 sends, to its own route."""
    from airflow.api_fastapi.core_api.datamodels.connections import ConnectionBody
    from airflow.api_fastapi.core_api.routes.public.connections import test_connection as route
    from airflow.models.connection import Connection

    monkeypatch.setenv("AIRFLOW__CORE__TEST_CONNECTION", "Enabled")
    stored: dict[str, Any] = json.loads(sandbox.connection_json)

    def delete() -> None:
        with create_session() as session:
            session.query(Connection).filter_by(conn_id=CONN_ID).delete()

    def press_test(**fields: Any) -> Any:
        delete()
        fields = {"host": stored["host"], "port": None, **fields}
        with create_session() as session:
            extra = json.dumps(stored["extra"])
            session.add(Connection(conn_id=CONN_ID, conn_type="ghl", password=stored["password"], extra=extra, **fields))
        body = {
            "connection_id": CONN_ID,
            "conn_type": "ghl",
            "description": "",
            "extra": json.dumps(stored["extra"]),
            "host": fields["host"] or "",
            "login": "",
            "password": "***",
            "port": int(fields["port"] or 0),  # JavaScript's Number(null)
            "schema": "",
        }
        return route(ConnectionBody.model_validate_json(json.dumps(body)), Mock(), Mock())

    yield press_test
    delete()


@pytest.mark.parametrize("is_in_both", [False, True], ids=["in the field", "in the URL as well"])
def test_a_connection_with_a_port_passes(sandbox: Sandbox, press: Callable[..., Any], is_in_both: bool) -> None:
    host, _, port = sandbox.url.rpartition(":")
    answer = press(host=sandbox.url if is_in_both else host, port=int(port))
    assert (answer.status, answer.message) == (True, f"HighLevel accepts the token for location {sandbox.location_id}")


def test_one_without_a_port_meets_airflows_own_mistake(press: Callable[..., Any]) -> None:
    """Should this fail one day, Airflow has mended it: then the form may hide the port again."""
    from fastapi import HTTPException

    with pytest.raises(HTTPException, match=BAD_REQUEST):
        press()


def test_the_form_asks_for_the_port() -> None:
    (form,) = get_provider_info()["connection-types"]
    behaviour = form["ui-field-behaviour"]
    assert "port" not in behaviour["hidden-fields"]
    assert behaviour["placeholders"]["port"] == "443"
