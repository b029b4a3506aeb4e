"""``plan`` of a file that holds keys."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pytest
from cli_runs import OPTIONS, relate, run_command, write_csv

from airflow_provider_ghl.commands.lookup_option import lookup
from airflow_provider_ghl.lookups import Business, Contact, CustomObject, Lookup, Opportunity
from airflow_provider_ghl.sandbox import Sandbox

Capture = pytest.CaptureFixture[str]
KEY = ("--association-key", "attended")
BY_KEYS = ("--first-lookup", "contact:email", "--second-lookup", "custom_objects.event:event_no")
LOOKUPS = Contact(by="email"), CustomObject("custom_objects.event", by="event_no")
NAMES = ("ann", "bob", "cyd")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the ledger is by default: empty yet."""
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def rows(ghl: Sandbox, attended: str) -> list[dict[str, Any]]:
    """Seven rows: three good ones; nobody's e-mail; one that two contacts have; no event's number; and what is no e-mail."""
    ghl.add("custom_objects.event", event_no="E-1")
    for name in (*NAMES, "two", "two"):
        ghl.add("contact", email=f"{name}@example.org")
    keys = [(f"{name}@example.org", "E-1") for name in (*NAMES, "nobody", "two")]
    keys += [("ann@example.org", "E-9"), ("ann", "E-1")]
    return [{"id": f"R{at}", "contact_id": email, "event_id": number} for at, (email, number) in enumerate(keys)]


@pytest.fixture
def path(rows: list[dict[str, Any]], tmp_path: Path) -> str:
    """They as a file."""
    return write_csv(rows, tmp_path / "rows.csv")


def test_text(path: str, home: Path, ghl: Sandbox, capsys: Capture) -> None:
    result = run_command(capsys, "plan", path, *KEY, *OPTIONS, *BY_KEYS)
    spent = ghl.stats()["requests"]
    lines = result.text.splitlines()
    assert lines[:4] == ["outcome     rows", "invalid        1", "unresolved     3", "to be sent     3"]
    assert lines[5:7] == [
        f"look-ups        7 keys with {spent - 1} requests",
        f"requests        {spent + 3} at most, look-ups included",
    ]
    assert "1 row unresolved: column 'contact_id': no contact has this e-mail\n" in result.out
    assert "1 row unresolved: column 'contact_id': … contacts have it\n" in result.out
    assert "column 'contact_id': 2 contacts have it: " in result.out
    assert "1 row unresolved: column 'event_id': no record of custom_objects.event has this event_no\n" in result.out
    assert "1 row invalid: column 'contact_id': no e-mail address\n" in result.out
    assert "R4" in result.out
    for secret in ("@", "E-1", "E-9"):
        assert secret not in result.out + result.err
    assert ghl.state.count_relations() == 0
    assert not home.exists()


def test_json(path: str, ghl: Sandbox, capsys: Capture) -> None:
    result = run_command(capsys, "plan", path, *KEY, *OPTIONS, *BY_KEYS, "--json").json
    spent = ghl.stats()["requests"]
    assert (result["looked_up"], result["lookup_requests"], result["requests"]) == (7, spent - 1, spent + 3)
    assert (result["counts"]["unresolved"], result["counts"]["not_attempted"]) == (3, 3)
    assert sorted(one["outcome"] for one in result["failures"]) == ["invalid", *["unresolved"] * 3]


def test_without_look_ups_there_is_no_word_of_them(path: str, capsys: Capture) -> None:
    result = run_command(capsys, "plan", path, *KEY, *OPTIONS, "--json").json
    assert "looked_up" not in result
    assert "look-ups" not in run_command(capsys, "plan", path, *KEY, *OPTIONS).text


def test_rows_of_one_reason_are_told_together(ghl: Sandbox, attended: str, tmp_path: Path, capsys: Capture) -> None:
    event = ghl.add("custom_objects.event", event_no="E-1")
    for name in NAMES:
        ghl.add("contact", email=f"{name}@example.org")
        ghl.add("contact", email=f"{name}@example.org")
    rows = [{"id": name, "contact_id": f"{name}@example.org", "event_id": event} for name in NAMES]
    words = ("plan", write_csv(rows, tmp_path / "several.csv"), *KEY, *OPTIONS, *BY_KEYS[:2])
    result = run_command(capsys, *words).text
    assert "3 rows unresolved: column 'contact_id': … contacts have it\n" in result


def test_known_keys_need_no_request(rows: list[dict[str, Any]], path: str, ghl: Sandbox, capsys: Capture) -> None:
    relate(rows[:3], lookups=LOOKUPS)
    known = write_csv(rows[:3], Path(path))
    before = ghl.stats()["requests"]
    words = ("plan", known, *KEY, *OPTIONS, *BY_KEYS)
    result = run_command(capsys, *words, "--json").json
    assert (result["looked_up"], result["lookup_requests"], result["counts"]["already_exists"]) == (0, 0, 3)
    assert ghl.stats()["requests"] == before + 1
    assert "look-ups        0 keys with 0 requests\n" in run_command(capsys, *words).text
    assert run_command(capsys, *words, "--lookup-max-age", "0d", "--json").json["looked_up"] == 4


@pytest.mark.parametrize("stored", [("contact", "custom_objects.event"), ("custom_objects.event", "contact")])
def test_the_sides_follow_from_the_look_ups(
    rows: list[dict[str, Any]], path: str, ghl: Sandbox, stored: tuple[str, str], capsys: Capture
) -> None:
    association = ghl.state.add_association("either", *stored, "A", "B")
    relate(rows[:1], association_id=association, lookups=LOOKUPS)
    result = run_command(capsys, "plan", path, "--association-id", association, *OPTIONS, *BY_KEYS, "--json").json
    assert (result["counts"]["already_exists"], result["counts"]["not_attempted"]) == (1, 2)


def test_one_look_up_and_ids(ghl: Sandbox, attended: str, tmp_path: Path, capsys: Capture) -> None:
    event = ghl.add("custom_objects.event", event_no="E-1")
    ghl.add("contact", phone="+12015550123")
    path = write_csv([{"id": 1, "contact_id": "(201) 555-0123", "event_id": event}], tmp_path / "rows.csv")
    words = ("plan", path, *KEY, *OPTIONS, "--first-lookup", "contact:phone")
    counts = run_command(capsys, *words, "--phone-region", "US", "--json").json["counts"]
    assert counts["not_attempted"] == 1
    assert run_command(capsys, *words, "--json").json["counts"]["invalid"] == 1
    wrong = run_command(capsys, *words, "--phone-region", "Belgium")
    assert (wrong.status, wrong.out) == (1, "")
    assert "phone_region" in wrong.err


@pytest.mark.parametrize(("by", "searches"), [("page", 2), ("search", 1), ("cheaper", 1)])
def test_the_way_can_be_chosen(rows: Any, path: str, ghl: Sandbox, by: str, searches: int, capsys: Capture) -> None:
    for at in range(500):
        ghl.add("contact", email=f"other{at}@example.org")
    write_csv(rows[:3], Path(path))
    run_command(capsys, "plan", path, *KEY, *OPTIONS, *BY_KEYS, "--lookup-by", by)
    assert ghl.stats()["by_route"]["POST /contacts/search"] == searches


@pytest.mark.parametrize("sandbox", [{"any_location": True}], indirect=True)
def test_each_sub_account_has_its_own_keys(ghl: Sandbox, attended: str, tmp_path: Path, capsys: Capture) -> None:
    there = ghl.state.add_location()
    ghl.state.add_association("attended", "custom_objects.event", "contact", "E", "A", location_id=there)
    for location_id in (ghl.location_id, there):
        ghl.add("custom_objects.event", event_no="E-1", location_id=location_id)
    ghl.add("contact", email="ann@example.org", location_id=there)
    path = tmp_path / "rows.csv"
    lines = [f"{at},ann@example.org,E-1,{place}" for at, place in enumerate((ghl.location_id, there))]
    path.write_text("\n".join(["id,contact_id,event_id,place", *lines]))
    words = ("plan", str(path), *KEY, *OPTIONS, *BY_KEYS, "--location-column", "place")
    result = run_command(capsys, *words, "--json").json
    assert (result["counts"]["not_attempted"], result["counts"]["unresolved"], result["looked_up"]) == (1, 1, 4)
    (failure,) = result["failures"]
    assert failure["first_rows"][0]["location_id"] == ghl.location_id
    assert "look-ups        4 keys with " in run_command(capsys, *words).text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--second-lookup", "custom_objects.event:event_nr"], "did you mean 'event_no'?"),
        (["--first-object-key", "opportunity"], "leave first_object_key out"),
        (["--second-lookup", "business:name"], "links contact to custom_objects.event, not contact to business"),
        (["--lookup-max-age", "91d"], "lookup_max_age must be 90 days or less, not 91 days"),
        (["--row-key-column", "contact_id"], "row_key_column='contact_id' holds keys"),
    ],
)
def test_errors(path: str, words: list[str], message: str, capsys: Capture) -> None:
    result = run_command(capsys, "plan", path, *KEY, *OPTIONS, *BY_KEYS, *words)
    assert (result.status, result.out) == (1, "")
    assert message in result.err
    assert "Traceback" not in result.err


def test_wrong_look_ups_are_wrong_usage(path: str, ghl: Sandbox, capsys: Capture) -> None:
    before = ghl.stats()["requests"]
    result = run_command(capsys, "plan", path, *KEY, *OPTIONS, "--first-lookup", "contact:mail")
    assert (result.status, result.out) == (2, "")
    assert "contact:email" in result.err
    assert ghl.stats()["requests"] == before


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("contact:email", Contact(by="email")),
        ("Contact: phone", Contact(by="phone")),
        ("contact:id", Contact(by="id")),
        ("contact:custom_field:member_no", Contact(by="custom_field:member_no")),
        ("business:name", Business(by="name")),
        ("opportunity:custom_field:deal_no", Opportunity(by="custom_field:deal_no")),
        ("custom_objects.policy:policy_no", CustomObject("custom_objects.policy", by="policy_no")),
    ],
)
def test_what_is_typed(text: str, expected: Lookup) -> None:
    assert lookup(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("email", "must be an object and its field, such as contact:email, not 'email'"),
        ("contact:", "must be an object and its field, such as contact:email, not 'contact:'"),
        (
            "contact:member_no",
            "Contact is looked up with contact:email, contact:phone, contact:id, contact:custom_field:<key>, not 'member_no'; "
            "a custom field is contact:custom_field:member_no",
        ),
        (
            "policy:policy_no",
            "the object must be contact, business, opportunity, or a custom object such as custom_objects.policy, not 'policy'",
        ),
        ("custom_objects.:no", "CustomObject needs the object's key, such as 'custom_objects.policy', not 'custom_objects.'"),
        (
            "custom_objects.policy:custom_objects.policy.policy_no",
            "CustomObject is looked up by a property's short key or 'id', such as custom_objects.policy:policy_no, "
            "not 'custom_objects.policy.policy_no'",
        ),
    ],
)
def test_what_would_be_right(text: str, message: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError) as raised:
        lookup(text)
    assert str(raised.value) == message
