"""The table of ends: whether a task is green, red and worth a retry, or red for good."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from simulated_highlevel import ASSOCIATION, KEY, SimulatedServer
from simulated_load import load_pairs
from simulated_time import FakeClock

from airflow_provider_ghl.exceptions import ConfigurationError, QuotaExhausted, ServerError, Unauthorized
from airflow_provider_ghl.load.results.failure import Failure
from airflow_provider_ghl.load.results.outcomes import End
from airflow_provider_ghl.load.tolerance import Tolerance

PAIRS = [(f"student{n:04d}", f"teacher{n:04d}") for n in range(100)]


def server_with(**world: Any) -> SimulatedServer:
    return SimulatedServer(FakeClock(), **world)


def test_all_rows_made_is_green() -> None:
    load = load_pairs(PAIRS, server_with())
    assert load.verdict.end is End.GREEN
    assert (load.verdict.warnings, load.verdict.cause, load.summary["stopped_by"]) == ([], None, None)
    assert load.summary["created"] == 100
    assert load.summary["requests"] == 101
    assert load.summary["daily_remaining"] == 199_899
    assert load.summary["results_cut"] is False


@pytest.mark.parametrize(
    ("tolerance", "bad", "green"),
    [(0, 0, True), (0, 1, False), (3, 3, True), (3, 4, False), (0.0, 1, False), (0.1, 10, True), (0.1, 11, False)],
)
def test_tolerance_is_rows_or_a_share_of_the_rows(tolerance: float, bad: int, green: bool) -> None:
    rows = [("", "teacher")] * bad + PAIRS[bad:]
    load = load_pairs(rows, server_with(), tolerance=tolerance)
    assert load.summary["invalid"] == bad
    assert load.verdict.end is (End.GREEN if green else End.FINAL)


@pytest.mark.parametrize("tolerance", [True, False, 1.0, 1.5, -1, -0.1, float("nan"), float("inf"), "0", None])
def test_a_tolerance_that_could_mean_two_things_is_refused(tolerance: Any) -> None:
    with pytest.raises(ValueError, match="failure_tolerance"):
        Tolerance(tolerance)


def test_tolerance_is_compared_exactly() -> None:
    assert not Tolerance(0.33).allows(1, 3)
    assert Tolerance(0.34).allows(1, 3)
    assert Tolerance(0.29).allows(29, 100)
    assert not Tolerance(0.29).allows(30, 100)
    assert Tolerance(1e-05).allows(1, 100_000)
    assert Tolerance(np.float64(0.07)).allows(7, 100)
    assert Tolerance(0).allows(0, 0)
    assert (str(Tolerance(5)), str(Tolerance(0.05))) == ("5", "0.05")


def test_repeats_of_failed_rows_count_as_failures() -> None:
    rows = [*PAIRS[:50], ("ghost", "teacher"), ("ghost", "teacher"), ("ghost", "teacher")]
    server = server_with(missing=frozenset({"ghost"}))
    assert load_pairs(rows, server, tolerance=2).verdict.end is End.FINAL
    assert load_pairs(rows, server_with(missing=frozenset({"ghost"})), tolerance=3).verdict.end is End.GREEN


def test_a_failed_row_makes_it_worth_a_retry() -> None:
    load = load_pairs([("", "x"), ("cursed", "x"), *PAIRS], server_with(failing=frozenset({"cursed"})))
    assert (load.summary["invalid"], load.summary["failed"], load.summary["created"]) == (1, 1, 100)
    assert load.results[1]["requests"] == 6
    assert load.verdict.end is End.RETRYABLE
    assert "1 × failed: 503: Service Unavailable" in load.verdict.message
    assert "1 × invalid: column 'first_record_id' is empty" in load.verdict.message


def test_definite_refusals_alone_are_final() -> None:
    load = load_pairs([*PAIRS, ("ghost0123456789", "t")], server_with(missing=frozenset({"ghost0123456789"})))
    assert (load.summary["rejected"], load.summary["created"]) == (1, 100)
    assert load.verdict.end is End.FINAL
    why = "all of them rejected: 400: Contact with id <id> not found"
    assert load.verdict.message == f"1 of 101 rows failed, {why}. 101 rows: 100 created, 1 rejected."


@pytest.mark.parametrize("refused_from", [0, 1])
@pytest.mark.parametrize(
    ("refusal", "explanation"),
    [
        ("Invalid JWT", "rotated, deleted or mistyped"),
        ("The token is not authorized for this scope.", "lacks the scope"),
        ("This route is not yet supported by the IAM Service.", "sub-account's token"),
    ],
)
def test_a_refused_token_is_final(refused_from: int, refusal: str, explanation: str) -> None:
    load = load_pairs(PAIRS * 50, server_with(refuse_token_from=refused_from, refusal=refusal))
    assert load.verdict.end is End.FINAL
    assert load.summary["stopped_by"] == "token"
    assert load.server.requests <= 25
    assert explanation in load.verdict.message
    assert isinstance(load.verdict.cause, Unauthorized)
    assert load.summary["created"] == 0
    assert load.summary["not_attempted"] >= 80
    assert load.summary["repeated"] == 4900


def test_results_before_a_refused_token_are_kept() -> None:
    load = load_pairs(PAIRS, server_with(refuse_token_from=60), abort_after=20)
    assert load.verdict.end is End.FINAL
    assert load.summary["created"] == 59
    assert load.summary["stopped_by"] == "token"


def test_a_wrong_key_names_the_existing_keys() -> None:
    keys = {f"key_{n:02d}": f"{n:024x}" for n in range(30)} | {KEY: "f" * 24}
    load = load_pairs(PAIRS, server_with(associations=keys), association_key="studentteacher")
    assert load.verdict.end is End.FINAL
    assert "no association of this location has the key 'studentteacher'; the keys there are: key_00, key_01" in (
        load.verdict.message
    )
    assert "and 11 more" in load.verdict.message
    assert load.server.requests <= 25
    assert load.summary["not_attempted"] == 100
    assert isinstance(load.verdict.cause, ConfigurationError)


def test_a_wrong_key_costs_few_requests_where_pages_are_small() -> None:
    keys = {f"key_{n:03d}": f"{n:024x}" for n in range(5000)}
    load = load_pairs(PAIRS, server_with(associations=keys, page_cap=20), association_key="studentteacher")
    assert load.server.requests <= 25
    assert load.verdict.end is End.FINAL


def test_an_association_of_another_location_is_refused() -> None:
    load = load_pairs(PAIRS, server_with(association_location="otherLocation0123456"))
    assert load.verdict.end is End.FINAL
    assert "belongs to location otherLocation0123456" in load.verdict.message
    assert (load.server.requests, load.summary["not_attempted"]) == (1, 100)


def test_an_association_that_cannot_be_read_now_is_worth_a_retry() -> None:
    load = load_pairs(PAIRS, server_with(faults={n: "503_before" for n in range(20)}))
    assert load.verdict.end is End.RETRYABLE
    assert isinstance(load.verdict.cause, ServerError)
    assert load.summary["not_attempted"] == 100
    assert load.summary["requests"] == load.server.requests == 6


class _Hiding(SimulatedServer):
    """Refuses to read an association by id, although its list has it. HighLevel may do this for its own associations."""

    def _association(self, call: Any) -> tuple[int, Any]:
        return super()._association(call) if call.template == "/associations/" else (404, {"message": "not found"})


def test_an_id_that_only_the_list_has_is_found() -> None:
    load = load_pairs(PAIRS, _Hiding(FakeClock()), association_id=ASSOCIATION)
    assert (load.verdict.end, load.summary["created"], load.summary["requests"]) == (End.GREEN, 100, 102)


def test_an_unknown_id_names_the_existing_keys() -> None:
    load = load_pairs(PAIRS, server_with(), association_id="0" * 24)
    assert load.verdict.end is End.FINAL
    assert f"has the id '{'0' * 24}'; the keys there are: {KEY}" in load.verdict.message


class _Refusing(SimulatedServer):
    def _association(self, call: Any) -> tuple[int, Any]:
        return 422, {"statusCode": 422, "message": ["associationId must be an id"]}


def test_a_malformed_association_id_is_final() -> None:
    load = load_pairs(PAIRS, _Refusing(FakeClock()), association_id="no id")
    assert load.verdict.end is End.FINAL
    assert load.summary["stopped_by"] == "abort"
    assert "associationId must be an id" in load.verdict.message


def test_many_equal_refusals_stop_it() -> None:
    ghosts = [(f"ghost{n:010d}", f"teacher{n:04d}") for n in range(100)]
    load = load_pairs(ghosts, server_with(missing=frozenset(pair[0] for pair in ghosts)), abort_after=20)
    assert load.verdict.end is End.FINAL
    assert load.summary["stopped_by"] == "abort"
    assert load.summary["rejected"] == 20
    assert load.summary["not_attempted"] == 80
    assert load.server.requests == 21
    assert load.workers.most_in_flight == 20


def test_a_refusal_that_names_a_record_counts_once_for_it() -> None:
    hub = "hub0123456789"
    rows = [(hub, f"teacher{n:04d}") for n in range(60)]
    load = load_pairs([*rows, *PAIRS], server_with(missing=frozenset({hub})), abort_after=20)
    assert load.summary["stopped_by"] is None
    assert (load.summary["rejected"], load.summary["created"]) == (60, 100)
    assert load.verdict.end is End.FINAL


def test_an_outage_stops_it_and_is_worth_a_retry() -> None:
    load = load_pairs(PAIRS, server_with(faults={n: "503_before" for n in range(1, 10_000)}))
    assert load.summary["stopped_by"] == "abort"
    assert load.verdict.end is End.RETRYABLE
    assert load.summary["failed"] >= 20
    assert load.summary["created"] == 0
    assert load.summary["failed"] + load.summary["not_attempted"] == 100


def test_refusals_stop_it_for_good_though_a_row_failed_too() -> None:
    ghosts = [(f"ghost{n:010d}", f"teacher{n:04d}") for n in range(100)]
    faults = {1: "hang_before"} | {21 + n: "hang_before" for n in range(6)}
    server = server_with(missing=frozenset(pair[0] for pair in ghosts), faults=faults)
    load = load_pairs(ghosts, server, abort_after=19)
    assert load.summary["stopped_by"] == "abort"
    assert load.summary["failed"] > 0
    assert load.verdict.end is End.FINAL


def test_until_a_row_succeeds_few_are_in_flight_and_then_many() -> None:
    server = server_with()
    load = load_pairs(PAIRS, server, abort_after=7)
    begun = server.sent_at[1]
    assert sum(moment == begun for moment in server.sent_at) == 7
    assert load.workers.most_in_flight > 90


def test_a_spent_quota_is_worth_a_retry_and_names_the_reset() -> None:
    load = load_pairs(PAIRS, server_with(daily_limit=41))
    assert load.verdict.end is End.RETRYABLE
    assert load.summary["stopped_by"] == "quota"
    assert (load.summary["created"], load.summary["not_attempted"]) == (40, 60)
    assert load.summary["daily_remaining"] == 0
    # The simulated clock shows 00:16:40 and some seconds; the quota is back in two hours.
    assert "The day's requests are spent; they are back in 2 h " in load.verdict.message
    assert "(at 1970-01-01 02:16 UTC)" in load.verdict.message
    assert isinstance(load.verdict.cause, QuotaExhausted)


@pytest.mark.parametrize("at", [1, 50, 100])
def test_a_quota_that_others_spend(at: int) -> None:
    load = load_pairs(PAIRS, server_with(faults={at: "day_spent"}))
    assert (load.verdict.end, load.summary["stopped_by"]) == (End.RETRYABLE, "quota")
    assert load.summary["not_attempted"] >= 1
    assert load.summary["created"] + load.summary["not_attempted"] == 100
    assert "they are back in 2 h " in load.verdict.message


def test_a_quota_that_is_spent_before_the_first_row() -> None:
    load = load_pairs(PAIRS, server_with(daily_limit=1))
    assert (load.verdict.end, load.summary["stopped_by"]) == (End.RETRYABLE, "quota")
    assert load.summary["not_attempted"] == 100
    assert load.server.requests == 1


@pytest.mark.parametrize("most", [0, 1, 2, 37, 100])
def test_max_requests_is_green_with_a_warning(most: int) -> None:
    load = load_pairs(PAIRS, server_with(), max_requests=most)
    assert load.verdict.end is End.GREEN
    assert load.summary["stopped_by"] == "max_requests"
    assert load.server.requests == load.summary["requests"] == most
    assert load.summary["not_attempted"] == 100 - max(most - 1, 0)
    assert load.verdict.warnings == [f"max_requests is spent: {101 - max(most, 1)} rows were not attempted"]
    assert load.verdict.cause is None


def test_failures_of_a_load_whose_max_requests_is_spent_are_its_rows() -> None:
    load = load_pairs([("", "teacher"), *PAIRS], server_with(), max_requests=10)
    assert load.summary["stopped_by"] == "max_requests"
    assert (load.verdict.end, load.verdict.failure) == (End.FINAL, Failure.ROWS_REFUSED)


def test_max_requests_that_just_suffices_stops_nothing() -> None:
    load = load_pairs(PAIRS, server_with(), max_requests=101)
    assert (load.summary["stopped_by"], load.summary["created"]) == (None, 100)
    assert load.verdict.warnings == []


def test_max_requests_spent_while_a_limit_is_settled_is_green_too() -> None:
    server = server_with(relations_per_record=1)
    server.add(("hub", "a"), ("hub", "b"))
    load = load_pairs([("hub", "a")], server, max_requests=2)
    assert (load.verdict.end, load.outcomes) == (End.GREEN, ["not_attempted"])
    assert load.results[0]["requests"] == 1


@pytest.mark.parametrize(("rows", "was_stopped"), [(20, False), (60, True)])
def test_a_load_with_no_row_left_is_not_said_to_be_stopped(rows: int, was_stopped: bool) -> None:
    server = SimulatedServer(FakeClock(), missing=frozenset(f"s{number}" for number in range(rows)))
    load = load_pairs([(f"s{number}", "t") for number in range(rows)], server)
    assert load.verdict.headline.startswith("The same answer again and again with no success between")
    assert ("so that the load was stopped" in load.verdict.headline) is was_stopped is bool(load.summary["not_attempted"])
