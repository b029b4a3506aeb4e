"""Tables of keys become relations: the bulk operator against the sandbox."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import pandas
import pytest
from agencies import Agency
from airflow.sdk import DAG, task
from airflow.serialization.serialized_objects import DagSerialization
from connecting import Connect
from dag_runs import run_dag
from keyed_tables import BY_EMAIL, BY_NUMBER, POLICY, Eager, add_people, bulk, empty_postgresql, ended, holds, read_results
from running import TaskInstance, fail, run

from airflow_provider_ghl.exceptions import ConfigurationError
from airflow_provider_ghl.lookups import Business, Contact, CustomObject, Opportunity
from airflow_provider_ghl.operators.errors import (
    GHLMisconfigured,
    GHLRowsRefused,
    GHLTokenRefused,
)
from airflow_provider_ghl.operators.relations import BulkCreateRelationsOperator
from airflow_provider_ghl.sandbox import Sandbox, Searches

COLUMNS = {"first_record_column": "policy", "second_record_column": "email"}
TABLE = [("P-0", "p0@example.org"), (" P-1", "P1@Example.org "), ("P-2", "p0@example.org")]


@pytest.fixture
def association(ghl: Sandbox) -> str:
    return holds(ghl)


@pytest.fixture
def people(ghl: Sandbox, association: str) -> list[tuple[str, str]]:
    """Three policies and contacts."""
    return add_people(ghl, 3)


def stored(people: list[tuple[str, str]]) -> set[tuple[str, str]]:
    """The relations of ``TABLE``, as HighLevel stores them."""
    return {(people[0][1], people[0][0]), (people[1][1], people[1][0]), (people[0][1], people[2][0])}


def one(row: tuple[Any, Any], **arguments: Any) -> dict[str, Any]:
    """The result of a load of one row."""
    _, (result,) = ended(bulk([row], **arguments))
    return result


class TestSources:
    @pytest.fixture
    def source(self, request: pytest.FixtureRequest, tmp_path: Path, connect: Connect) -> dict[str, Any]:
        """Arguments for ``TABLE``, however it is kept."""
        frame = pandas.DataFrame(TABLE, columns=["policy", "email"])
        match request.param:
            case "dicts":
                return {"rows": frame.to_dict("records"), **COLUMNS}
            case "frame":
                return {"rows": frame, **COLUMNS}
            case "csv":
                frame.to_csv(tmp_path / "table.csv", index=False)
                return {"path": tmp_path / "table.csv", **COLUMNS}
            case "parquet":
                frame.to_parquet(tmp_path / "table.parquet")
                return {"path": tmp_path / "table.parquet", **COLUMNS}
            case "sql":
                connect(warehouse=json.dumps({"conn_type": "sqlite", "host": str(tmp_path / "warehouse.db")}))
                with closing(sqlite3.connect(tmp_path / "warehouse.db")) as database:
                    frame.to_sql("sold", database, index=False)
                return {"sql": "SELECT policy, email FROM sold", "source_conn_id": "warehouse", **COLUMNS}
        return {"rows": TABLE}

    @pytest.mark.parametrize("source", ["pairs", "dicts", "frame", "csv", "parquet", "sql"], indirect=True)
    def test_its_rows_become_relations(
        self, ghl: Sandbox, association: str, people: list[tuple[str, str]], source: dict[str, Any]
    ) -> None:
        summary, results = ended(bulk(**source))
        assert summary["created"] == 3
        assert (summary["looked_up"], summary["lookup_requests"]) == (5, 3)
        assert summary["requests"] == ghl.stats()["requests"] == 1 + 3 + 3
        assert ghl.state.pairs(association) == stored(people)
        assert [(one["first_record_id"], one["second_record_id"]) for one in results] == [
            (people[0][0], people[0][1]),
            (people[1][0], people[1][1]),
            (people[2][0], people[0][1]),
        ], "results keep the table's order"

    def test_values_that_are_no_text(self, ghl: Sandbox) -> None:
        """Numbers and days are compared by what they are."""
        holds(ghl, POLICY, "custom_objects.day")
        ghl.add_object(POLICY, {"policy_no": "NUMERICAL"})
        ghl.add_object("custom_objects.day", {"day": "DATE"})
        ghl.add(POLICY, policy_no=7)
        ghl.add("custom_objects.day", day="2026-11-27")
        rows = [(7, date(2026, 11, 27)), ("7.0", "2026-11-27"), (7.0, "2026-11-27")]
        _, results = ended(bulk(rows, second_lookup=CustomObject("custom_objects.day", by="day")))
        assert [result["outcome"] for result in results] == ["created", "repeated", "invalid"]
        assert results[2]["reason"] == "column 'first_record_id': a value of type float: cast it to text in the query"


class TestSides:
    @pytest.mark.parametrize("sides", [("contact", POLICY), (POLICY, "contact")])
    @pytest.mark.parametrize("diff_against", ["ledger", "highlevel", "none"])
    def test_whichever_way_round_highlevel_stores_them(self, ghl: Sandbox, sides: Any, diff_against: str) -> None:
        association = holds(ghl, *sides)
        pairs = set(add_people(ghl, 3))
        rows = [(f"P-{at}", f"p{at}@example.org") for at in range(3)]
        ghl.state.add_relation(association, *(min(pairs) if sides[0] == POLICY else min(pairs)[::-1]))
        summary, _ = ended(bulk(rows, diff_against=diff_against))
        assert (summary["created"], summary["already_exists"]) == (2, 1)
        assert ghl.state.pairs(association) == (pairs if sides[0] == POLICY else {pair[::-1] for pair in pairs})

    def test_one_column_may_hold_ids(self, ghl: Sandbox, association: str, people: list[tuple[str, str]]) -> None:
        """Which object these are of follows from the other column's look-up."""
        contact = people[2][1]
        for second in (None, Contact(by="id")):
            summary, _ = ended(bulk([("P-1", contact)], second_lookup=second))
            assert summary["created"] + summary["already_exists"] == 1
        assert ghl.state.pairs(association) == {(contact, people[1][0])}

    def test_between_two_contacts_a_label_tells(self, ghl: Sandbox) -> None:
        association = ghl.state.add_association("teaches", "contact", "contact", "Student", "Teacher")
        zoe, ada = (ghl.add("contact", email=f"{name}@example.org") for name in ("zoe", "ada"))
        said: dict[str, Any] = {"association_key": "teaches", "first_lookup": BY_EMAIL, "first_object_label": "Teacher"}
        assert one(("ada@example.org", "zoe@example.org"), **said)["outcome"] == "created"
        assert ghl.state.pairs(association) == {(zoe, ada)}

    def test_a_look_up_for_the_wrong_side(self, ghl: Sandbox, people: Any) -> None:
        message = fail(bulk(TABLE, second_lookup=Opportunity(by="name")), GHLMisconfigured)
        assert f"association 'holds' links contact to {POLICY}, not {POLICY} to opportunity" in message
        assert (ghl.stats()["requests"], ghl.stats()["writes"]) == (1, 0)


class TestOtherRecords:
    """Whatever a key may name."""

    @pytest.fixture
    def other(self, ghl: Sandbox, request: pytest.FixtureRequest) -> tuple[Any, str, str]:
        """A look-up, a key, and the record's id."""
        match request.param:
            case "company by name":
                return Business(by="name"), "Example & Söhne", ghl.add("business", name="Example & Söhne")
            case "opportunity by name":
                return Opportunity(by="name"), "Roof", ghl.add("opportunity", name="Roof")
            case "opportunity by custom field":
                record = ghl.add("opportunity", name="Roof", custom_fields={"order_no": "00123"})
                return Opportunity(by="custom_field:order_no"), "00123", record
        record = ghl.add("contact", email="ada@example.org", custom_fields={"crm_id": "x-1"})
        return Contact(by="custom_field:crm_id"), "x-1", record

    @pytest.mark.parametrize(
        "other",
        ["company by name", "opportunity by name", "opportunity by custom field", "contact by custom field"],
        indirect=True,
    )
    def test_it_is_found(self, ghl: Sandbox, other: tuple[Any, str, str]) -> None:
        lookup, key, record = other
        association = holds(ghl, POLICY, lookup.object_key)
        policy = ghl.add(POLICY, policy_no="P-0")
        _, results = ended(bulk([("P-0", key), ("P-0", f"{key}?")], second_lookup=lookup))
        assert [result["outcome"] for result in results] == ["created", "unresolved"]
        assert "has this" in results[1]["reason"]
        assert key not in results[1]["reason"]
        assert ghl.state.pairs(association) == {(policy, record)}

    @pytest.mark.parametrize(
        ("extra", "argument", "outcome"),
        [("US", None, "created"), ("DE", "US", "created"), (None, "US", "created"), (None, None, "invalid")],
    )
    def test_a_phone_number_without_a_country(
        self, ghl: Sandbox, association: str, connect: Connect, extra: Any, argument: Any, outcome: str
    ) -> None:
        ghl.add(POLICY, policy_no="P-0")
        ghl.add("contact", phone="+12025550143")
        said = json.loads(ghl.connection_json)
        said["extra"]["phone_region"] = extra
        connect(ghl_default=json.dumps(said))
        arguments = {"second_lookup": Contact(by="phone"), "phone_region": argument}
        result = one(("P-0", "(202) 555-0143"), **arguments)
        assert result["outcome"] == outcome
        assert one(("P-0", "+1 202 555 0143"), **arguments)["outcome"] in ("created", "already_exists")
        if outcome == "invalid":
            assert "country" in result["reason"]

    def test_a_region_that_is_none(self, ghl: Sandbox, people: Any) -> None:
        assert "phone_region must be a country's code" in fail(bulk(TABLE, phone_region="Germany"), GHLMisconfigured)
        assert ghl.stats()["requests"] == 0

    @pytest.mark.parametrize("sandbox", [{"searches": Searches(misses_phones=True)}], indirect=True)
    def test_phone_numbers_that_no_filter_finds(self, ghl: Sandbox, association: str) -> None:
        """Then all contacts are read, where that takes fewer requests than to ask for each."""
        ghl.add(POLICY, policy_no="P-0")
        contacts = [ghl.add("contact", phone=f"+1202555{at:04d}") for at in range(100, 140)]
        rows = [("P-0", f"202-555-{at:04d}") for at in range(100, 140)]
        summary, _ = ended(bulk(rows, second_lookup=Contact(by="phone"), phone_region="US"))
        assert summary["created"] == 40
        assert summary["lookup_requests"] < 20
        assert {first for first, _ in ghl.state.pairs(association)} == set(contacts)


class TestFound:
    def test_several_contacts_with_one_address(self, ghl: Sandbox, people: list[tuple[str, str]], association: str) -> None:
        twin = ghl.add("contact", email="p0@example.org")
        summary, results = ended(bulk(TABLE))
        assert (summary["created"], summary["unresolved"]) == (1, 2)
        assert results[0]["reason"].startswith("column 'second_record_id': 2 contacts have it: ")
        assert {people[0][1], twin} == set(results[0]["reason"].rpartition(": ")[2].split(", "))
        assert (results[0]["first_record_id"], results[0]["second_record_id"]) == (people[0][0], None)

    @pytest.mark.parametrize(("lookup_by", "outcome"), [("search", "unresolved"), ("page", "created")])
    def test_a_second_address(self, ghl: Sandbox, association: str, lookup_by: str, outcome: str) -> None:
        """No filter finds it: only who reads all contacts does."""
        ghl.add(POLICY, policy_no="P-0")
        ghl.add("contact", email="ada@example.org", additional_emails=["lovelace@example.org"])
        assert one(("P-0", "Lovelace@example.org"), lookup_by=lookup_by)["outcome"] == outcome

    @pytest.mark.parametrize("sandbox", [{"searches": Searches(largest_group=7)}], indirect=True)
    def test_a_largest_group(self, ghl: Sandbox, association: str) -> None:
        add_people(ghl, 60)
        rows = [(f"P-{at}", f"p{at}@example.org") for at in range(60)]
        summary, _ = ended(bulk(rows, lookup_by="search"))
        assert summary["created"] == 60
        assert summary["lookup_requests"] < 60

    @pytest.mark.parametrize("lookup_by", ["search", "page"])
    def test_either_way(self, ghl: Sandbox, association: str, people: list[tuple[str, str]], lookup_by: str) -> None:
        summary, _ = ended(bulk(TABLE, lookup_by=lookup_by))
        assert summary["created"] == 3
        assert ghl.state.pairs(association) == stored(people)

    @pytest.mark.parametrize("sandbox", [{"searches": Searches(index_lag=0.3)}], indirect=True)
    def test_new_records_are_found_when_the_index_has_caught_up(
        self, ghl: Sandbox, association: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        pairs = add_people(ghl, 1)
        _, results = ended(bulk([("P-0", "p0@example.org"), ("P-9", "p0@example.org")]))
        assert [result["outcome"] for result in results] == ["created", "unresolved"]
        assert ghl.state.pairs(association) == {pairs[0][::-1]}
        assert capsys.readouterr().out.count("2 rows: ") == 1, "what is ahead is said once"

    @pytest.mark.parametrize("lie", ["filter_ignored", "strangers", "page_twice", "cursor_stands"])
    def test_a_search_that_lies_links_nobody_else(
        self, ghl: Sandbox, association: str, people: list[tuple[str, str]], lie: Any
    ) -> None:
        ghl.searches.lies = frozenset({lie})
        ended(bulk([*TABLE, ("P-9", "p9@example.org")]))
        assert ghl.state.pairs(association) <= stored(people)


class TestUnresolved:
    def test_a_load_that_skips_them_is_green(self, ghl: Sandbox, people: Any, capsys: pytest.CaptureFixture[str]) -> None:
        ti = TaskInstance()
        summary = run(bulk([*TABLE, ("P-0", "nobody@example.org")], on_unresolved="skip"), ti)
        assert (summary["created"], summary["unresolved"]) == (3, 1)
        assert ti.xcoms["results"][0]["outcome"] == "unresolved"
        logged = capsys.readouterr().out
        assert "1 of 4 rows was skipped:" in logged
        assert "nobody" not in logged

    def test_one_that_does_not_is_red(self, ghl: Sandbox, people: Any) -> None:
        message = fail(bulk([*TABLE, ("P-0", "nobody@example.org")]), GHLRowsRefused)
        assert message.startswith(
            "1 of 4 rows failed, all of them unresolved: column 'second_record_id': no contact has this e-mail."
        )
        assert ghl.stats()["writes"] == 3
        summary = run(bulk([*TABLE, ("P-0", "nobody@example.org")], failure_tolerance=1))
        assert (summary["created"], summary["unresolved"], ghl.stats()["writes"]) == (3, 1, 3)

    @pytest.mark.parametrize(
        ("lookup", "key", "reason"),
        [
            (Contact(by="email"), "a@b@c", "more than one e-mail address, or no plain one"),
            (Contact(by="email"), "a@example.org;b@example.org", "more than one e-mail address, or no plain one"),
            (Contact(by="email"), "ada", "no e-mail address"),
            (Contact(by="email"), f"{'a' * 288}@example.org", "longer than an e-mail address can be (254 characters)"),
            (Contact(by="phone"), "+12025550143 / +12025550144", "more than one phone number"),
            (Contact(by="phone"), "2025550143", "without a country code, and no phone_region says whose it is"),
            (Contact(by="email"), " ", "is empty"),
        ],
    )
    def test_what_can_be_no_key_costs_no_request(self, ghl: Sandbox, people: Any, lookup: Any, key: str, reason: str) -> None:
        result = one(("P-0", key), second_lookup=lookup)
        assert result["outcome"] == "invalid", result
        assert reason in result["reason"]
        assert key.strip() not in result["reason"] or not key.strip()
        assert not {"POST /contacts/search", "GET /contacts/search/duplicate"} & set(ghl.stats()["by_route"])
        assert ghl.stats()["writes"] == 0

    def test_keys_of_300_characters(self, ghl: Sandbox) -> None:
        long = "x" * 300
        holds(ghl, POLICY, "opportunity")
        ghl.add(POLICY, policy_no=long)
        ghl.add("opportunity", name=f"{long}!")
        result = one((long, f"{long}!"), second_lookup=Opportunity(by="name"))
        assert result["outcome"] == "created"


class TestMisconfigured:
    @pytest.mark.parametrize(
        ("first", "second", "said"),
        [
            (CustomObject(POLICY, by="policy_nr"), BY_EMAIL, "did you mean 'policy_no'?"),
            (BY_NUMBER, Contact(by="custom_field:teir"), "did you mean 'tier'?"),
        ],
    )
    def test_names_that_are_not_there(
        self, ghl: Sandbox, association: str, people: Any, first: Any, second: Any, said: str
    ) -> None:
        ghl.add_object("contact", {"tier": "TEXT"})
        ti = TaskInstance()
        message = fail(bulk(TABLE, first_lookup=first, second_lookup=second), GHLMisconfigured, ti)
        assert said in message
        assert ti.xcoms["return_value"]["not_attempted"] == 3
        assert (ghl.stats()["writes"], ghl.state.count_relations()) == (0, 0)

    def test_an_object_that_is_not_there(self, ghl: Sandbox, people: Any) -> None:
        """An association may outlive its object."""
        holds_for = ghl.state.add_association("holds_for", "contact", "custom_objects.polcy", "A", "B")
        said = {"association_key": None, "association_id": holds_for}
        message = fail(bulk(TABLE, first_lookup=CustomObject("custom_objects.polcy", by="policy_no"), **said), GHLMisconfigured)
        assert f"this location has no object 'custom_objects.polcy': did you mean '{POLICY}'?" in message
        assert ghl.stats()["writes"] == 0

    @pytest.mark.parametrize(
        ("lacking", "named"),
        [
            ("contacts.readonly", "contacts.readonly"),
            ("objects/schema.readonly", "objects/schema.readonly"),
            ("objects/record.readonly", "objects/record.readonly"),
        ],
    )
    def test_a_missing_scope_is_named_before_a_write(self, ghl: Sandbox, people: Any, lacking: str, named: str) -> None:
        from airflow_provider_ghl.sandbox.routes import ALL_SCOPES

        ghl.set_scopes(ghl.token, ALL_SCOPES - {lacking})
        ti = TaskInstance()
        message = fail(bulk(TABLE), GHLTokenRefused, ti)
        assert f"the token lacks the scope {named}: add it to the Private Integration" in message
        assert ti.xcoms["return_value"]["not_attempted"] == 3
        assert ghl.stats()["writes"] == 0

    @pytest.mark.parametrize(
        ("wrong", "said"),
        [
            ({"first_lookup": "email"}, "first_lookup must be a Contact, CustomObject, Business or Opportunity, not a str"),
            ({"second_lookup": Contact}, "second_lookup must be a Contact, CustomObject, Business or Opportunity, not a type"),
            ({"first_object_key": "contact"}, "finds records of 'custom_objects.policy', and first_object_key is 'contact'"),
            ({"on_unresolved": "ignore"}, "on_unresolved must be one of 'fail', 'skip', not 'ignore'"),
            ({"lookup_by": "guess"}, "lookup_by must be one of 'cheaper', 'search', 'page', not 'guess'"),
            ({"lookup_max_age": 7}, "lookup_max_age must be a datetime.timedelta of 0 or more, not 7"),
            ({"results_include_keys": "yes"}, "results_include_keys must be True or False, not 'yes'"),
        ],
    )
    def test_arguments_are_judged_when_the_dag_is_parsed(self, wrong: dict[str, Any], said: str) -> None:
        with pytest.raises(ConfigurationError) as raised:
            bulk(TABLE, **wrong)
        assert said in str(raised.value)

    def test_an_object_key_in_a_template_is_judged_when_the_task_runs(self, ghl: Sandbox, people: Any) -> None:
        operator = bulk(TABLE, first_object_key="{{ which }}")
        operator.render_template_fields({"which": "business"})  # type: ignore[typeddict-unknown-key]
        assert "and first_object_key is 'business'" in fail(operator, GHLMisconfigured)
        assert ghl.stats()["requests"] == 0

    def test_keys_are_no_row_keys(self, ghl: Sandbox, people: Any) -> None:
        rows = [{"policy": "P-0", "email": "p0@example.org"}]
        message = fail(bulk(rows, row_key_column="email", **COLUMNS), GHLMisconfigured)
        assert message == (
            "row_key_column='email' holds keys, which stand in no XCom: for the results file pass "
            "results_include_keys=True, or name another column"
        )
        assert ghl.stats()["requests"] == 0

    def test_ids_may_be(self, ghl: Sandbox, people: list[tuple[str, str]]) -> None:
        rows = [{"policy": "P-0", "email": people[0][1]}]
        _, (result,) = ended(bulk(rows, row_key_column="email", second_lookup=Contact(by="id"), **COLUMNS))
        assert (result["outcome"], result["row_key"]) == ("created", people[0][1])


class TestRequests:
    @pytest.mark.parametrize(("most", "written"), [(1, 0), (2, 0), (3, 0), (4, 0), (6, 2)])
    def test_look_ups_spend_max_requests(self, ghl: Sandbox, people: Any, most: int, written: int) -> None:
        """The association, the policies' schema, a search for each column; then the writes."""
        summary, _ = ended(bulk(TABLE, max_requests=most))
        assert (summary["stopped_by"], summary["requests"]) == ("max_requests", most)
        assert ghl.stats()["writes"] == written
        assert (summary["created"], summary["not_attempted"]) == (written, 3 - written)

    def test_a_plan_looks_up_and_writes_nothing(self, ghl: Sandbox, people: Any, ledger: Path) -> None:
        summary, _ = ended(bulk([*TABLE, ("P-0", "nobody@example.org")], plan_only=True))
        assert (summary["not_attempted"], summary["unresolved"], summary["looked_up"]) == (3, 1, 6)
        assert (ghl.stats()["writes"], ghl.state.count_relations()) == (0, 0)
        assert ended(bulk(TABLE))[0]["looked_up"] == 5, "a plan remembers nothing"


@pytest.fixture(params=["SQLite", "PostgreSQL"])
def any_ledger(request: pytest.FixtureRequest, connect: Connect, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A ledger of each kind."""
    if request.param == "SQLite":
        request.getfixturevalue("ledger")
        yield
        return
    with empty_postgresql(request.getfixturevalue("postgresql")) as said:
        connect(ledger=said)
        monkeypatch.setenv("AIRFLOW__GHL__LEDGER_CONN_ID", "ledger")
        yield


@pytest.mark.usefixtures("any_ledger")
class TestRemembered:
    def test_the_next_load_looks_nothing_up(self, ghl: Sandbox, association: str, people: list[tuple[str, str]]) -> None:
        assert ended(bulk(TABLE))[0]["created"] == 3
        before = ghl.stats()["requests"]
        summary, results = ended(bulk(TABLE))
        assert (summary["already_exists"], summary["looked_up"], summary["lookup_requests"]) == (3, 0, 0)
        assert ghl.stats()["requests"] == before + 1
        assert results[1]["first_record_id"] == people[1][0]

    def test_a_record_that_is_gone_is_looked_up_once_more(
        self, ghl: Sandbox, association: str, people: list[tuple[str, str]]
    ) -> None:
        ended(bulk(TABLE[:1]))
        ghl.remove("contact", people[0][1])
        again = ghl.add("contact", email="p0@example.org")
        summary, results = ended(bulk(TABLE))
        assert ghl.state.pairs(association) >= {(again, people[2][0])}
        assert results[2]["second_record_id"] == again
        assert summary["rejected"] == summary["failed"] == 0


class TestLocations:
    @pytest.fixture
    def three(self, agency: Agency) -> list[str]:
        """Sub-accounts that have the same keys, for other records, and one whose policies have another property."""
        state, sandbox = agency.sandbox.state, agency.sandbox
        third = state.add_location(company_id=agency.company_id)
        sandbox.install(agency.app, third)
        for at, location in enumerate([*agency.installed, third]):
            holds(sandbox, *(("contact", POLICY) if at else (POLICY, "contact")), location_id=location)
        for location in agency.installed:
            add_people(sandbox, 2, location)
        sandbox.add(POLICY, policy_number="P-0", location_id=third)
        sandbox.add("contact", email="p0@example.org", location_id=third)
        return [*agency.installed, third]

    @pytest.fixture
    def rows(self, three: list[str]) -> list[dict[str, str]]:
        return [{"sub": location, "policy": f"P-{at}", "email": f"p{at}@example.org"} for at in range(2) for location in three]

    def test_each_has_its_own_records(self, agency: Agency, three: list[str], rows: list[dict[str, str]]) -> None:
        whole = [row for row in rows if row["sub"] != three[2]]
        summary, results = ended(bulk(whole, location_column="sub", ghl_conn_id="ghl_agency", **COLUMNS))
        assert summary["created"] == 4
        assert {(line["looked_up"], line["lookup_requests"]) for line in summary["locations"].values()} == {(4, 3)}
        for location in three[:2]:
            pairs = {(r["first_record_id"], r["second_record_id"]) for r in results if r["location_id"] == location}
            association = next(r["association_id"] for r in results if r["location_id"] == location)
            there = agency.sandbox.state.pairs(association, location)
            assert there in (pairs, {pair[::-1] for pair in pairs})
            assert len(there) == 2

    def test_one_that_lacks_the_property_is_stopped_and_named(
        self, agency: Agency, three: list[str], rows: list[dict[str, str]]
    ) -> None:
        ti = TaskInstance()
        operator = bulk(rows, location_column="sub", ghl_conn_id="ghl_agency", **COLUMNS)
        message = fail(operator, GHLMisconfigured, ti)
        assert message.startswith(
            f"1 of 3 locations was stopped: {three[2]}: there is no property of {POLICY} with the key 'policy_no': "
            "did you mean 'policy_number'?"
        )
        summary = ti.xcoms["return_value"]
        assert (summary["created"], summary["not_attempted"]) == (4, 2)
        assert summary["locations"][three[2]]["stopped_by"] == "abort"


class TestResults:
    @pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
    def test_the_file_has_the_keys_where_that_is_said(
        self, ghl: Sandbox, people: list[tuple[str, str]], tmp_path: Path, form: str
    ) -> None:
        path = tmp_path / f"results.{form}"
        rows = [*TABLE, ("P-0", "nobody@example.org"), ("", "p0@example.org")]
        ti = TaskInstance()
        fail(bulk(rows, results_path=path, results_include_keys=True), GHLRowsRefused, ti)
        frame = read_results(path)
        assert frame["first_key"].fillna("").tolist() == ["P-0", "P-1", "P-2", "P-0", ""]
        emails = ["p0@example.org", "P1@Example.org", "p0@example.org", "nobody@example.org", "p0@example.org"]
        assert frame["second_key"].tolist() == emails
        assert frame["first_record_id"].tolist()[:3] == [policy for policy, _ in people]
        assert "example.org" not in json.dumps(ti.xcoms).lower()
        assert not {"first_key", "second_key"} & {name for result in ti.xcoms["results"] for name in result}

    @pytest.mark.parametrize("included", [True, False])
    def test_only_columns_with_keys_have_one(
        self, ghl: Sandbox, people: list[tuple[str, str]], tmp_path: Path, included: bool
    ) -> None:
        path = tmp_path / "results.csv"
        run(bulk([("P-0", people[1][1])], second_lookup=None, results_path=path, results_include_keys=included))
        frame = read_results(path)
        assert [name for name in frame.columns if name.endswith("_key")] == ["row_key", *(["first_key"] if included else [])]

    def test_no_lookup_no_key(self, ghl: Sandbox, people: list[tuple[str, str]], tmp_path: Path) -> None:
        path = tmp_path / "results.csv"
        run(
            bulk(
                [people[0]],
                first_lookup=None,
                second_lookup=None,
                first_object_key=POLICY,
                results_path=path,
                results_include_keys=True,
            )
        )
        assert not {"first_key", "second_key"} & set(read_results(path).columns)


class TestInADag:
    def test_it_serialises_without_keys_and_with_look_ups_that_a_person_can_read(self) -> None:
        with DAG(dag_id="holds_policies", schedule=None) as dag:
            bulk(TABLE)
            Eager.partial(task_id="loads", first_lookup=BY_NUMBER, second_lookup=BY_EMAIL).expand(path=["a.csv", "b.csv"])
        text = json.dumps(DagSerialization.serialize_dag(dag))
        assert "example.org" not in text.lower()
        assert "P-0" not in text
        assert "Contact(by='email')" in text  # of the mapped task: Airflow keeps its arguments
        assert "CustomObject(object_key='custom_objects.policy', by='policy_no')" in text
        again = DagSerialization.deserialize_dag(json.loads(text))
        assert set(again.task_dict) == {"load", "loads"}
        assert again.task_dict["loads"].partial_kwargs["second_lookup"] == "Contact(by='email')"

    @pytest.mark.usefixtures("database")
    @pytest.mark.parametrize("over", ["rows", "kwargs"])
    def test_mapped_tasks(self, ghl: Sandbox, association: str, people: list[tuple[str, str]], over: str) -> None:
        said: dict[str, Any] = {"association_key": "holds", "first_lookup": BY_NUMBER, "second_lookup": BY_EMAIL}
        with DAG(dag_id=f"mapped_over_{over}", schedule=None) as dag:

            @task
            def tables() -> list[Any]:
                each = [[list(row)] for row in TABLE]
                return each if over == "rows" else [{"rows": rows} for rows in each]

            partial = BulkCreateRelationsOperator.partial(task_id="load", **said)
            if over == "rows":
                partial.expand(rows=tables())
            else:
                partial.expand_kwargs(tables())
        assert "Contact(by='email')" in json.dumps(DagSerialization.serialize_dag(dag))
        finished = run_dag(dag)
        assert finished.state == "success", finished.states
        assert ghl.state.pairs(association) == stored(people)

    def test_the_region_is_no_template(self) -> None:
        assert not {"phone_region", "lookup_by", "first_lookup"} & set(BulkCreateRelationsOperator.template_fields)
