"""The table of recorded bodies, and that the sandbox answers from it."""

from __future__ import annotations

import json
import re
from pathlib import Path

from airflow_provider_ghl import exceptions
from airflow_provider_ghl.sandbox import RECORDED, answers

PACKAGE = Path(answers.__file__).parent


def test_names_are_unique() -> None:
    names = [row.name for row in RECORDED]
    assert len(names) == len(set(names))


def test_rows_are_whole() -> None:
    for row in RECORDED:
        assert row.evidence in ("observed", "specified", "inferred"), row.name
        assert row.source, row.name
        assert (row.means == "") == (200 <= row.status < 300), row.name
        assert not row.means or issubclass(getattr(exceptions, row.means), exceptions.APIError), row.name
        assert bool(row.kind) == (row.means == "Unauthorized"), row.name


def test_all_kinds_of_refusal_are_in_the_table() -> None:
    assert {row.kind for row in RECORDED} == {"", "token", "scope", "location", "route"}
    raised = {row.means for row in RECORDED}
    assert raised >= {
        "DuplicateAssociation",
        "DuplicateRelation",
        "NotFound",
        "QuotaExhausted",
        "RateLimited",
        "RelationLimitReached",
        "RequestRejected",
        "ServerError",
        "Unauthorized",
    }


def test_no_placeholder_is_left_in_an_answer() -> None:
    for row in RECORDED:
        body = answers.reply(row.name).body
        assert not re.search(rb"\{\w+\}", body), row.name
        assert isinstance(row.body, str) or json.loads(body), row.name


def test_values_are_never_read_as_templates() -> None:
    body = json.loads(answers.reply("contact_not_found", recordId="{status} {0} {").body)
    assert body["error"] == "Contact with id {status} {0} { not found"


def test_lists_and_numbers_keep_their_type() -> None:
    body = json.loads(answers.reply("relations", relations=[{"id": "1"}], total=7).body)
    assert (body["relations"], body["total"]) == ([{"id": "1"}], 7)


def test_every_answer_the_code_names_is_in_the_table() -> None:
    names = {row.name for row in RECORDED}
    named = set()
    for path in PACKAGE.glob("*.py"):
        named |= set(re.findall(r'(?:Refused|reply|fill)\(\s*"(\w+)"', path.read_text()))
    assert len(named) > 15
    assert named <= names
