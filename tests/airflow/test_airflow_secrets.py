"""No token, header or person's data in logs, exceptions, XComs, results files or reprs."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from connecting import Connect
from running import PAIRS, TaskInstance, run

from airflow_provider_ghl.exceptions import GHLError
from airflow_provider_ghl.operators.associations import (
    CreateAssociationOperator,
    DeleteAssociationOperator,
    GetAssociationOperator,
    ListAssociationsOperator,
    UpdateAssociationOperator,
)
from airflow_provider_ghl.operators.relations import (
    BulkCreateRelationsOperator,
    CreateRelationOperator,
    DeleteRelationOperator,
)
from airflow_provider_ghl.sandbox import Fault, Sandbox

EMAIL, PHONE, PERSON = "ada.lovelace@example.com", "+44 20 7946 0958", "Ada Lovelace"
#: What HighLevel says of a person, in the shapes that its errors have.
SAID = {
    "statusCode": 400,
    "message": [f"contact {EMAIL} is a duplicate", f"call {PHONE} first"],
    "error": "Bad Request",
    "meta": {"contactName": PERSON, "contactId": "contact-1"},
    "traceId": "trace-1",
}
BY_KEY: dict[str, Any] = {"association_key": "attended"}
PAIR = {"first_record_id": "contact-1", "second_record_id": "event-1"}
LABELS = {"first_object_label": "A", "second_object_label": "B"}
OPERATORS: dict[str, Callable[[], Any]] = {
    "create_association": lambda: CreateAssociationOperator(
        task_id="t", key="new", first_object_key="contact", second_object_key="event", **LABELS
    ),
    "update": lambda: UpdateAssociationOperator(task_id="t", **BY_KEY, **LABELS),
    "delete_association": lambda: DeleteAssociationOperator(task_id="t", **BY_KEY),
    "get": lambda: GetAssociationOperator(task_id="t", **BY_KEY),
    "list": lambda: ListAssociationsOperator(task_id="t"),
    "create_relation": lambda: CreateRelationOperator(task_id="t", **BY_KEY, **PAIR),
    "delete_relation": lambda: DeleteRelationOperator(task_id="t", **BY_KEY, **PAIR),
    "bulk": lambda: BulkCreateRelationsOperator(task_id="t", rows=PAIRS, row_key_column=None, **BY_KEY),
}


def everything(operator: Any, shown: Callable[[], str]) -> str:
    """Run it; all that anyone could see of that."""
    ti = TaskInstance()
    try:
        ended = repr(run(operator, ti))
    except Exception as error:  # noqa: BLE001 - whatever it is, it must not tell
        ended = (
            "".join(traceback.format_exception(error))
            + repr(error)
            + repr([vars(cause) for cause in [error.__cause__] if isinstance(cause, GHLError)])
        )
    return "\n".join([shown(), ended, json.dumps(ti.xcoms), repr(operator), repr(operator.hook), repr(vars(operator.hook))])


def assert_tells_nothing(text: str, *more: str) -> None:
    for secret in (EMAIL, PHONE, PERSON, "7946 0958", "Bearer ", "Authorization", *more):
        assert secret not in text, f"{secret!r} is shown"


@pytest.mark.parametrize("name", OPERATORS)
@pytest.mark.parametrize("how", ["good", "refused token", "missing scopes", "lost replies", "wrong location"])
def test_the_token(ghl: Sandbox, attended: str, shown: Callable[[], str], name: str, how: str) -> None:
    operator = OPERATORS[name]()
    if how == "refused token":
        ghl.revoke(ghl.token)
    elif how == "missing scopes":
        ghl.set_scopes(ghl.token, ())
    elif how == "lost replies":
        ghl.add_fault(Fault("reset_after", times=1))
    elif how == "wrong location":
        operator.location_id = "another"
    text = everything(operator, shown)
    assert_tells_nothing(text, ghl.token, ghl.token.removeprefix("pit-"))


@pytest.mark.parametrize("name", OPERATORS)
@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
def test_what_highlevel_says_of_people(
    sandbox: Sandbox, connect: Connect, requests_mock: Any, shown: Callable[[], str], name: str, status: int
) -> None:
    connect(ghl_default=sandbox.connection_json)
    requests_mock.register_uri("GET", f"{sandbox.url}/associations/key/attended", json={"id": "A", "key": "attended"})
    requests_mock.register_uri("POST", f"{sandbox.url}/associations/relations", status_code=status, json=SAID)
    for method in ("POST", "PUT", "DELETE"):
        requests_mock.register_uri(method, f"{sandbox.url}/associations/", status_code=status, json=SAID)
        requests_mock.register_uri(method, f"{sandbox.url}/associations/A", status_code=status, json=SAID)
    requests_mock.register_uri("GET", f"{sandbox.url}/associations/key/new", status_code=status, json=SAID)
    requests_mock.register_uri("GET", f"{sandbox.url}/associations/", status_code=status, json=SAID)
    requests_mock.register_uri("POST", f"{sandbox.url}/associations/relations", status_code=status, json=SAID)
    requests_mock.register_uri("GET", f"{sandbox.url}/associations/relations/contact-1", status_code=status, json=SAID)
    text = everything(OPERATORS[name](), shown)
    assert_tells_nothing(text, sandbox.token)
    if status == 400 and name not in {"get", "delete_association"}:
        assert "<e-mail>" in text  # so it was there to be hidden


def test_cells_of_the_source(ghl: Sandbox, attended: str, shown: Callable[[], str], tmp_path: Path) -> None:
    """People stand in the rows, in the columns that are not asked for, in bad cells and in broken lines."""
    path = tmp_path / "rows.csv"
    path.write_text(
        "first_record_id,second_record_id,email,phone\n"
        f"contact-1,event-1,{EMAIL},{PHONE}\n"
        f",event-2,{EMAIL},{PHONE}\n"
        f"contact-2,event-1,{EMAIL},{PHONE},{PERSON}\n"
        f'"contact-3"x,event-1,{EMAIL},{PHONE}\n'
    )
    results = tmp_path / "results.csv"
    operator = BulkCreateRelationsOperator(task_id="t", path=str(path), results_path=str(results), **BY_KEY)
    text = everything(operator, shown)
    assert "3 of 4 rows failed" in text
    assert_tells_nothing(text + results.read_text(), ghl.token)


def test_column_names_that_are_data(ghl: Sandbox, attended: str, shown: Callable[[], str], tmp_path: Path) -> None:
    """A file without a header: its first row is taken for names."""
    path = tmp_path / "rows.csv"
    path.write_text(f"contact-1,{EMAIL},{PHONE}\n")
    text = everything(BulkCreateRelationsOperator(task_id="t", path=str(path), **BY_KEY), shown)
    assert "no column 'first_record_id'" in text
    assert_tells_nothing(text, ghl.token)


def test_parameters_of_a_query(ghl: Sandbox, attended: str, shown: Callable[[], str], warehouse: Callable[..., None]) -> None:
    warehouse([])
    sql = "SELECT contact_id AS first_record_id, event_id AS second_record_id FROM attendance WHERE no_such_column = ?"
    operator = BulkCreateRelationsOperator(task_id="t", sql=sql, source_conn_id="warehouse", parameters=[EMAIL], **BY_KEY)
    text = everything(operator, shown)
    assert "no such column" in text
    assert_tells_nothing(text, ghl.token)
