"""A key that is no id is a person's: Airflow stores it nowhere, and shows it nowhere."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
import requests_mock
from airflow.models.renderedtifields import RenderedTaskInstanceFields
from airflow.sdk import DAG, task, task_group
from airflow.sdk.exceptions import AirflowException
from airflow.serialization.serialized_objects import DagSerialization
from airflow.utils.session import create_session
from canaries import files_with, kept
from dag_runs import run_dag
from sqlalchemy import select

from airflow_provider_ghl.lookups import Contact, CustomObject
from airflow_provider_ghl.operators.errors import GHLRetryable
from airflow_provider_ghl.operators.key_argument import Key
from airflow_provider_ghl.operators.relations import CreateRelationOperator, DeleteRelationOperator
from airflow_provider_ghl.sandbox import Sandbox

#: Drawn, since Airflow keeps the source of a DAG's file, which this is.
BIRD = uuid4().hex
CANARY, OTHER = f"{BIRD}@example.org", "other.bird@example.org"
HIDDEN = "a key (hidden)"
MACROS = {"read_email": lambda: CANARY, "quote": lambda: int(CANARY)}
BY_EMAIL: dict[str, Any] = {"association_key": "attended", "second_record_id": "event-1", "first_lookup": Contact(by="email")}


def create(email: Any, **arguments: Any) -> CreateRelationOperator:
    return CreateRelationOperator(task_id="link", **{**BY_EMAIL, "first_record_id": email, **arguments})


def test_its_text_is_constant() -> None:
    for email in (CANARY, "{{ params.email }}"):
        operator = create(email)
        assert str(operator.first_record_id) == repr(operator.first_record_id) == HIDDEN
        assert str(operator.second_record_id) == "event-1"
    assert str(Key(CANARY)) == repr(Key(CANARY)) == f"{Key(CANARY)}" == HIDDEN


@pytest.mark.parametrize("lookup", [None, Contact(by="id")])
def test_an_id_is_as_it_was(lookup: Any) -> None:
    operator = create("{{ params.id }}", first_lookup=lookup)
    assert operator.first_record_id == "{{ params.id }}"
    operator.render_template_fields({"params": {"id": "contact-1"}})
    assert operator.first_record_id == "contact-1"


def test_the_serialised_dag_does_not_hang_on_the_key() -> None:
    texts = set()
    for email in (CANARY, OTHER, "{{ params.email }}"):
        with DAG(dag_id="with_a_key", schedule=None) as dag:
            create(email)
        texts.add(json.dumps(DagSerialization.serialize_dag(dag)["tasks"], sort_keys=True))
    assert len(texts) == 1
    assert BIRD not in texts.pop()


def test_an_upstream_task_is_kept() -> None:
    with DAG(dag_id="upstream", schedule=None):

        @task
        def read() -> str:
            return CANARY

        operator = create(read())
    assert operator.upstream_task_ids == {"read"}


@pytest.mark.parametrize("native", [False, True])
@pytest.mark.parametrize(
    "key",
    ["+3225551234", "00123", "1_000", "0x1F", "[1, 2]", "{{ 6*7 }}"],
)
def test_a_template_gives_the_text_that_is_there(native: bool, key: str) -> None:
    """Native types would make numbers of texts: another person's phone number, another policy."""
    with DAG(dag_id="native", schedule=None, render_template_as_native_obj=native, user_defined_macros={"key": lambda: key}):
        operator = create("{{ key() }}", association_key="{{ key() }}")
    operator.render_template_fields({})
    assert type(operator.first_record_id) is Key
    assert operator.first_record_id.value == key


@pytest.mark.parametrize(
    "template",
    ["{{ quote() }}", "{{ unknown }}", "{{ read_email( }}" + CANARY, "{{ {}[read_email()] }}"],
    ids=["quoted", "unknown", "not a template", "a name"],
)
def test_a_template_that_fails_tells_nothing_of_the_key(shown: Callable[[], str], template: str) -> None:
    with DAG(dag_id="failing_template", schedule=None, user_defined_macros=MACROS):
        operator = create(template)
    with pytest.raises(GHLRetryable, match="the template of a key fails: ") as raised:
        operator.render_template_fields({})
    assert raised.value.__cause__ is raised.value.__context__ is None
    assert BIRD not in shown() + str(raised.value)


def test_what_airflow_says_of_a_template_passes() -> None:
    def skip() -> None:
        raise AirflowException("not today")

    with DAG(dag_id="skipping_template", schedule=None, user_defined_macros={"skip": skip}):
        operator = create("{{ skip() }}")
    with pytest.raises(AirflowException, match="not today"):
        operator.render_template_fields({})


def rendered(dag_id: str) -> list[str]:
    """What the field rendered to, in each of the tasks that link."""
    table = RenderedTaskInstanceFields
    with create_session() as session:
        fields = session.scalars(select(table).where(table.dag_id == dag_id, table.task_id.like("%link"))).all()
        return [each.rendered_fields["first_record_id"] for each in fields]


@pytest.mark.usefixtures("database")
class TestInARun:
    @pytest.fixture(autouse=True)
    def ada(self, ghl: Sandbox, attended: str) -> str:
        return ghl.add("contact", email=CANARY)

    @pytest.mark.parametrize(
        "end",
        ["linked", "linked natively", "linked literally", "nobody", "several", "scope", "repeated by HighLevel", "template"],
    )
    def test_it_is_nowhere(self, ghl: Sandbox, attended: str, ada: str, shown: Callable[[], str], end: str) -> None:
        dag_id, native = f"canary_{end.replace(' ', '_')}", end.endswith("natively")
        with DAG(
            dag_id=dag_id, schedule=None, user_defined_macros=MACROS, render_template_as_native_obj=native, catchup=False
        ) as dag:
            template = "{{ quote() }}" if end == "template" else "{{ read_email() }}"
            create(CANARY if end == "linked literally" else template)
        if end == "nobody":
            ghl.remove("contact", ada)
        elif end == "several":
            ghl.add("contact", email=CANARY)
        elif end == "scope":
            ghl.set_scopes(ghl.token, {"associations.readonly"})
        with requests_mock.Mocker(real_http=True) as http:
            if end == "repeated by HighLevel":
                http.post(f"{ghl.url}/contacts/search", status_code=403, json={"message": f"{CANARY} is none of yours"})
            finished = run_dag(dag)
        assert finished.state == ("success" if end.startswith("linked") else "failed")
        assert ghl.state.pairs(attended) == ({(ada, "event-1")} if end.startswith("linked") else set())
        text = shown()
        assert "link" in text
        assert BIRD not in text + kept(dag_id)
        assert files_with(BIRD) == []

    def test_another_key_than_an_email(self, ghl: Sandbox, attended: str, ada: str, shown: Callable[[], str]) -> None:
        """What no mask of ours would know for a person's."""
        event = ghl.add("custom_objects.event", event_no=f"No {BIRD}")
        with DAG(dag_id="canary_event", schedule=None, user_defined_macros={"number": lambda: f"No {BIRD}"}) as dag:
            lookup = CustomObject("custom_objects.event", by="event_no")
            create(ada, first_lookup=None, second_record_id="{{ number() }}", second_lookup=lookup)
        assert run_dag(dag).state == "success"
        assert ghl.state.pairs(attended) == {(ada, event)}
        assert BIRD not in shown() + kept("canary_event")
        assert files_with(BIRD) == []

    @pytest.mark.parametrize(
        "where", ["params", "conf", "another task", "mapped", "mapped from a task", "mapped kwargs", "group"]
    )
    def test_where_it_may_come_from(self, ghl: Sandbox, attended: str, ada: str, shown: Callable[[], str], where: str) -> None:
        """What these keep of it is the user's own: it is in none of what the operator's task leaves."""
        dag_id = f"key_from_{where.replace(' ', '_')}"
        other = ghl.add("contact", email=OTHER)
        operator, partial = CreateRelationOperator, {"task_id": "link", **BY_EMAIL}
        with DAG(dag_id=dag_id, schedule=None, params={"email": "nobody"}, catchup=False) as dag:

            @task
            def read(what: Any) -> Any:
                return what

            if where in ("params", "conf"):
                create("{{ params.email }}" if where == "params" else "{{ dag_run.conf['email'] }}")
            elif where == "another task":
                create(read(CANARY))
            elif where == "mapped":
                operator.partial(**partial).expand(
                    first_record_id=["{{ dag_run.conf['email'] }}", "{{ dag_run.conf['other'] }}"]
                )
            elif where == "mapped from a task":
                operator.partial(**partial).expand(first_record_id=read([CANARY, OTHER]))
            elif where == "mapped kwargs":
                operator.partial(**partial).expand_kwargs(read([{"first_record_id": CANARY}, {"first_record_id": OTHER}]))
            else:

                @task_group
                def each(email: Any) -> None:
                    create(email)

                each.expand(email=read([CANARY, OTHER]))
        finished = run_dag(dag, {"email": CANARY, "other": OTHER})
        assert finished.state == "success", finished.states
        both = "mapped" in where or where == "group"
        assert ghl.state.pairs(attended) == {(ada, "event-1"), *({(other, "event-1")} if both else ())}
        assert rendered(dag_id) == [HIDDEN] * (2 if both else 1)
        if where in ("params", "conf", "mapped"):
            assert BIRD not in shown() + kept(dag_id)

    def test_what_another_task_returned_is_no_template(self, ghl: Sandbox, attended: str) -> None:
        person = ghl.add("contact", email="{{6*7}}@example.org")
        with DAG(dag_id="no_template", schedule=None, catchup=False) as dag:

            @task
            def read() -> list[str]:
                return ["{{6*7}}@example.org"]

            CreateRelationOperator.partial(task_id="link", **BY_EMAIL).expand(first_record_id=read())
        assert run_dag(dag).state == "success"
        assert ghl.state.pairs(attended) == {(person, "event-1")}

    def test_each_try_finds_it(self, ghl: Sandbox, attended: str, ada: str) -> None:
        """And so does the operator that undoes it."""
        ghl.state.add_relation(attended, ada, "event-2")
        with DAG(dag_id="tries", schedule=None, user_defined_macros=MACROS, default_args={"retries": 1}) as dag:
            again = {**BY_EMAIL, "first_record_id": "{{ read_email() }}", "second_record_id": "event-2"}
            unlink = DeleteRelationOperator(task_id="unlink", **again, retry_delay=0)
            create("{{ quote() if ti.try_number == 1 else read_email() }}", retry_delay=0) >> unlink
        assert run_dag(dag).state == "success"
        assert ghl.state.pairs(attended) == {(ada, "event-1")}
