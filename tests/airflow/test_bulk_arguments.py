"""The bulk operator's arguments: what is judged at once, and what when it runs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from connecting import Connect
from running import PAIRS, fail, run

from airflow_provider_ghl.exceptions import ConfigurationError
from airflow_provider_ghl.operators.errors import (
    GHLFailed,
    GHLMisconfigured,
    GHLQuotaSpent,
    GHLRetryable,
    GHLRowsFailed,
    GHLRowsRefused,
    GHLStopped,
    GHLTokenRefused,
    GHLTooFewRows,
)
from airflow_provider_ghl.operators.relations import BulkCreateRelationsOperator
from airflow_provider_ghl.sandbox import Sandbox


def bulk(rows: Any = PAIRS, **arguments: Any) -> BulkCreateRelationsOperator:
    arguments = {"association_key": "attended", **arguments}
    return BulkCreateRelationsOperator(task_id="load", rows=rows, **arguments)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"batch_size": 0}, "batch_size must be a whole number, 1 or more, not 0"),
        ({"batch_size": "1000"}, "batch_size must be a whole number"),
        ({"min_rows": -1}, "min_rows must be a whole number, 0 or more"),
        ({"min_rows": True}, "min_rows must be a whole number"),
        ({"outage_timeout": 300}, "outage_timeout must be a datetime.timedelta of 0 or more"),
        ({"abort_after": 0}, "abort_after must be a whole number, 1 or more"),
        ({"max_requests": 0}, "max_requests must be a whole number, 1 or more"),
        ({"max_requests": 2.0}, "max_requests must be a whole number"),
        ({"xcom_results_limit": -1}, "xcom_results_limit must be a whole number, 0 or more"),
        ({"diff_against": "HIGHLEVEL"}, "diff_against must be one of 'ledger', 'highlevel', 'none', not 'HIGHLEVEL'"),
        ({"ledger_max_age": 30}, "ledger_max_age must be a datetime.timedelta"),
        ({"lookup_max_age": timedelta(days=90, seconds=1)}, "lookup_max_age must be 90 days or less, not 90 days, 0:00:01"),
        ({"defer_timeout": "7d"}, "defer_timeout must be a datetime.timedelta"),
        ({"plan_only": "yes"}, "plan_only must be True or False"),
        ({"separator": "::"}, "separator must be one character, no quote and no line end, not '::'"),
        ({"encoding": "utf-99"}, "encoding must be one that Python has for text, such as"),
    ],
)
def test_numbers_and_choices_are_judged_at_once(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        bulk(**given)
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"association_key": None}, "given: none"),
        ({"association_id": "a"}, "given: association_id and association_key"),
        ({"association_key": "", "association_id": "None"}, "given: none"),
    ],
)
def test_templates_are_judged_when_it_runs(ghl: Sandbox, given: dict[str, Any], message: str) -> None:
    assert fail(bulk(**given), GHLMisconfigured) == f"give exactly one of association_id, association_key; {message}"


def test_numbers_and_choices_are_no_templates() -> None:
    assert set(BulkCreateRelationsOperator.template_fields) == {
        *("ghl_conn_id", "location_id", "association_id", "association_key", "rows", "sql", "source_conn_id", "parameters"),
        *("path", "path_conn_id", "first_record_column", "second_record_column", "row_key_column", "location_column"),
        *("results_path", "results_table", "results_conn_id", "first_object_key", "second_object_key", "first_object_label"),
    }


def test_a_connection_without_a_location(sandbox: Sandbox, connect: Connect) -> None:
    connect(ghl_default=sandbox.connection_json.replace("location_id", "unused"))
    assert "put location_id into the extra of connection 'ghl_default'" in fail(bulk(), GHLMisconfigured)


@pytest.mark.parametrize("sandbox", [{"any_location": True}], indirect=True)
def test_location_id_wins_over_the_connections(ghl: Sandbox) -> None:
    other = ghl.state.add_location()
    association = ghl.state.add_association("attended", "contact", "event", "A", "B", location_id=other)
    run(bulk(location_id=other))
    assert ghl.state.pairs(association, other) == set(PAIRS)


def test_every_red_end_is_one_of_two_kinds() -> None:
    final = [GHLRowsRefused, GHLTokenRefused, GHLMisconfigured]
    again = [GHLRowsFailed, GHLQuotaSpent, GHLTooFewRows, GHLStopped]
    assert all(issubclass(kind, GHLFailed) and not issubclass(kind, GHLRetryable) for kind in final)
    assert all(issubclass(kind, GHLRetryable) and not issubclass(kind, GHLFailed) for kind in again)
