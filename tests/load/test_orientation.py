"""Which column holds which side. HighLevel may store an association swapped, and sub-accounts may differ."""

from __future__ import annotations

from typing import Any

import pytest
from simulated_agency import SimulatedAgency, check_sums, load_rows, make_rows
from simulated_highlevel import SimulatedServer
from simulated_load import load_pairs
from simulated_time import FakeClock

from airflow_provider_ghl.api.associations import Association
from airflow_provider_ghl.exceptions import ConfigurationError
from airflow_provider_ghl.load.ledger.ledger import Ledger
from airflow_provider_ghl.load.results.failure import Failure
from airflow_provider_ghl.load.results.outcomes import End
from airflow_provider_ghl.load.spec import DiffAgainst
from airflow_provider_ghl.relations.orientation import Sides, is_swapped

STUDENT, TEACHER = "custom_objects.student", "custom_objects.teacher"
PAIRS = [(f"s{n}", f"t{n % 3}") for n in range(30)]
TURNED = [(second, first) for first, second in PAIRS]


def turned_server(**settings: Any) -> SimulatedServer:
    """A location that stores the teacher as the first side."""
    return SimulatedServer(FakeClock(), object_keys=(TEACHER, STUDENT), labels=("Teacher", "Student"), **settings)


def association(first: str = STUDENT, second: str = TEACHER, labels: tuple[str, str] = ("Pupil", "Tutor")) -> Association:
    return {
        "id": "a1",
        "key": "taught_by",
        "firstObjectKey": first,
        "firstObjectLabel": labels[0],
        "secondObjectKey": second,
        "secondObjectLabel": labels[1],
    }


class TestSides:
    @pytest.mark.parametrize(
        ("sides", "swapped"),
        [
            (Sides(), False),
            (Sides(STUDENT, TEACHER), False),
            (Sides(TEACHER, STUDENT), True),
            (Sides(STUDENT), False),
            (Sides(TEACHER), True),
            (Sides(None, STUDENT), True),
            (Sides(" CUSTOM_OBJECTS.Teacher "), True),
        ],
    )
    def test_the_description_decides_the_order(self, sides: Sides, swapped: bool) -> None:
        assert is_swapped(association(), sides) is swapped

    @pytest.mark.parametrize(
        ("sides", "message"),
        [(Sides("contact"), "not anything to contact"), (Sides(STUDENT, "contact"), f"not {STUDENT} to contact")],
    )
    def test_other_objects_are_an_error_that_names_the_linked_ones(self, sides: Sides, message: str) -> None:
        with pytest.raises(ConfigurationError, match=message) as raised:
            is_swapped(association(), sides)
        assert str(raised.value).startswith(f"association 'taught_by' links {STUDENT} to {TEACHER}, ")

    @pytest.mark.parametrize(("label", "swapped"), [(None, False), ("pupil", False), ("Tutor", True)])
    def test_between_two_records_of_one_object_the_label_decides(self, label: str | None, swapped: bool) -> None:
        assert is_swapped(association("contact", "contact"), Sides("contact", None, label)) is swapped

    def test_a_label_that_is_none_of_them(self) -> None:
        with pytest.raises(ConfigurationError, match="labels of association 'taught_by' are 'Pupil' and 'Tutor', not 'Boss'"):
            is_swapped(association("contact", "contact"), Sides(first_object_label="Boss"))


@pytest.mark.parametrize("diff_against", DiffAgainst)
def test_columns_are_swapped_where_the_association_is_stored_swapped(ledger: Ledger, diff_against: DiffAgainst) -> None:
    server = turned_server()
    sides = Sides(STUDENT, TEACHER)
    load = load_pairs(PAIRS, server, ledger=ledger, sides=sides, diff_against=diff_against)
    assert (load.verdict.end, load.summary["created"]) == (End.GREEN, 30)
    assert set(server.relations) == set(TURNED)
    results = [(result["first_record_id"], result["second_record_id"]) for result in load.results]
    assert results == PAIRS, "results keep the table's order"
    again = load_pairs(PAIRS, server, ledger=ledger, load_id="again", sides=sides, diff_against=diff_against)
    assert again.summary["already_exists"] == 30
    assert sum(server.creations.values()) == 30


def test_the_ledger_knows_a_pair_in_either_order_of_columns(ledger: Ledger) -> None:
    server = turned_server()
    load_pairs(PAIRS, server, ledger=ledger, sides=Sides(STUDENT))
    again = load_pairs(TURNED, server, ledger=ledger, load_id="turned", sides=Sides(TEACHER))
    assert (again.summary["already_exists"], again.summary["requests"]) == (30, 1)


def test_reasons_use_the_names_and_order_of_the_table(ledger: Ledger) -> None:
    rows = [("s1", "t1"), ("s1", "t1"), ("s1", "t2"), ("s1", "t3")]
    load = load_pairs(rows, turned_server(), ledger=ledger, sides=Sides(STUDENT), max_per_first=2)
    assert load.outcomes == ["created", "repeated", "created", "invalid"]
    assert load.results[3]["reason"].startswith("column 'first_record_id': max_per_first=2 is reached")


def test_sub_accounts_may_differ_within_one_load() -> None:
    agency = SimulatedAgency.build(["a", "b", "c"])
    agency["b"].object_keys = (TEACHER, STUDENT)
    load = load_rows(make_rows(["a", "b", "c"], 20), agency, sides=Sides(STUDENT, TEACHER))
    check_sums(load, 60)
    assert load.summary["created"] == 60
    as_named, turned = set(agency["a"].relations), set(agency["b"].relations)
    assert turned == {(second, first) for first, second in as_named}


def test_a_sub_account_with_other_objects_is_stopped_before_a_write() -> None:
    agency = SimulatedAgency.build(["a", "b"])
    agency["b"].object_keys = ("contact", STUDENT)
    load = load_rows(make_rows(["a", "b"], 20), agency, sides=Sides(STUDENT, TEACHER))
    assert load.summary["created"] == 20
    assert agency["b"].creations.total() == 0
    assert load.verdict.failure is Failure.MISCONFIGURED
    assert f"b: association 'student_teacher' links contact to {STUDENT}, not {STUDENT} to {TEACHER}" in load.verdict.message


CONTACTS = [f"zxVbGp0Qq4nM1c9LrT{n:02d}" for n in range(40)]
RECORDS = [f"6758b5c1f5e2a1d3c4b5{n:04x}" for n in range(40)]


@pytest.mark.parametrize("is_planned", [False, True])
def test_ids_that_look_like_the_other_sides_end_the_load_before_a_write(is_planned: bool) -> None:
    server = SimulatedServer(FakeClock(), object_keys=("contact", STUDENT))
    rows = list(zip(RECORDS, CONTACTS, strict=True))
    load = load_pairs(rows, server, plan_only=is_planned)
    assert (load.verdict.end, load.verdict.failure) == (End.FINAL, Failure.MISCONFIGURED)
    assert (server.creations.total(), server.requests) == (0, 1)
    assert load.summary["not_attempted"] == 40
    assert "swap the two column arguments, or pass first_object_key='custom_objects.student'" in load.verdict.headline
    right = load_pairs(rows, server, plan_only=is_planned, sides=Sides(STUDENT))
    assert right.verdict.end is End.GREEN


def test_ids_that_look_right_or_like_nothing_are_sent() -> None:
    server = SimulatedServer(FakeClock(), object_keys=("contact", STUDENT))
    assert load_pairs(list(zip(CONTACTS, RECORDS, strict=True)), server).summary["created"] == 40
    assert load_pairs(PAIRS, server).summary["created"] == 30
