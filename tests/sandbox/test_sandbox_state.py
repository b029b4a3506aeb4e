"""What is remembered over restarts, kills and torn lines."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import requests
from sandbox_client import CONTACT, EVENT, HttpClient, add_attends
from waits import TOO_LONG

from airflow_provider_ghl.sandbox import Refused, Sandbox, State, StateFileError
from airflow_provider_ghl.sandbox.sandbox import DEFAULT_LOCATION, DEFAULT_TOKEN


def everything(state: State) -> object:
    return [
        (location, state.associations(location), state.relations(location), state.records(CONTACT, location))
        for location in state.locations()
    ]


def filled(path: Path) -> State:
    state = State(path, seed=1)
    attends = state.add_association("attends", CONTACT, EVENT, "Guest", "Event", max_per_first=3)
    doomed = state.add_association("doomed", CONTACT, CONTACT, "a", "b")
    state.add_relation(doomed, "x", "y")
    ann, bob = state.add_record(CONTACT), state.add_record(CONTACT, "böb \ud800")
    state.add_relation(attends, ann, "party")
    state.remove_relation(state.add_relation(attends, bob, "party"))
    state.add_relation(attends, bob, "party")
    state.update_labels(attends, "Member", "Meeting")
    state.remove_association(doomed)
    elsewhere = state.add_location()
    state.add_association("attends", CONTACT, CONTACT, "a", "b", id="f" * 24, location_id=elsewhere)
    return state


def test_a_state_file_remembers_it_all(tmp_path: Path) -> None:
    state = filled(tmp_path / "state")
    before = everything(state)
    attends = str(state.association_by_key("attends")["id"])
    state.close()
    again = State(tmp_path / "state")
    assert everything(again) == before
    assert again.location_id == state.location_id
    with pytest.raises(Refused, match="contact_not_found"):
        again.add_relation(attends, "nobody", "party")
    for number in range(2):
        again.add_relation(attends, "böb \ud800", f"event {number}")
    with pytest.raises(Refused, match="relation_limit"):
        again.add_relation(attends, "böb \ud800", "one more")
    again.close()


def test_what_is_refused_is_not_written(tmp_path: Path) -> None:
    state = filled(tmp_path / "state")
    size = (tmp_path / "state").stat().st_size
    with pytest.raises(Refused, match="duplicate_association"):
        state.add_association("attends", CONTACT, EVENT, "a", "b")
    with pytest.raises(Refused, match="system_association"):
        state.remove_association("BUSINESSES_CONTACTS_ASSOCIATION")
    with pytest.raises(Refused, match="relation_not_found"):
        state.remove_relation("none")
    state.close()
    assert (tmp_path / "state").stat().st_size == size


def test_a_file_torn_anywhere_in_its_last_line_loads_without_that_line(tmp_path: Path) -> None:
    path = tmp_path / "state"
    filled(path).close()
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-1]))
    shorter = State(path)
    expected = everything(shorter)
    shorter.close()
    for cut in range(len(lines[-1])):
        path.write_bytes(whole[: len(whole) - len(lines[-1]) + cut])
        state = State(path)
        assert everything(state) == expected
        state.add_record(CONTACT, "after")
        state.close()
        again = State(path)
        assert "after" in again.records(CONTACT)
        again.close()


def test_a_file_killed_in_its_first_line_is_an_empty_one(tmp_path: Path) -> None:
    for torn in (b"", b'{"ghl_sand'):
        (tmp_path / "state").write_bytes(torn)
        state = State(tmp_path / "state")
        assert state.count_relations() == 0
        state.close()


@pytest.mark.parametrize(
    "content", [b"id,name\n1,2\n", b"id,name\n1,2", b'{"a": 1}\n', b"x", b'{"ghl_sandbox":1}\nnonsense\n["a"]\n']
)
def test_other_files_are_refused_and_left_as_they_are(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "state"
    path.write_bytes(content)
    with pytest.raises(StateFileError, match=r"not a state file|damaged in line 2"):
        State(path)
    assert path.read_bytes() == content


def test_two_sandboxes_cannot_share_a_file(tmp_path: Path) -> None:
    state = State(tmp_path / "state")
    with pytest.raises(StateFileError, match="in use"):
        State(tmp_path / "state")
    state.close()
    State(tmp_path / "state").close()


def test_the_same_seed_makes_the_same_ids_but_never_an_id_again(tmp_path: Path) -> None:
    def ids(path: Path | None) -> list[str]:
        state = State(path, "L", seed=9)
        made = [state.add_record(CONTACT), state.add_association(f"k{state.count_all()}", CONTACT, EVENT, "a", "b")]
        made.append(state.add_relation(made[1], made[0], "party"))
        state.close()
        return made

    assert ids(None) == ids(tmp_path / "state")
    assert not set(ids(tmp_path / "state")) & set(ids(None))


KILLED = """
import sys
from airflow_provider_ghl.sandbox import Sandbox

with Sandbox(state_path=sys.argv[1], limit=None) as sandbox:
    print(sandbox.url, sandbox.state.add_association("attends", "contact", "custom_objects.event", "a", "b"), flush=True)
    sys.stdin.read()
"""


def test_a_killed_sandbox_has_lost_nothing_that_it_answered(tmp_path: Path) -> None:
    path = tmp_path / "state"
    command = [sys.executable, "-c", KILLED, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        url, attends = process.stdout.readline().split()
        answered = write_until_killed(url, attends, process)
    assert process.returncode == -signal.SIGKILL
    state = State(path)
    there = state.pairs(attends)
    state.close()
    assert len(answered) >= 100
    assert answered <= there
    assert len(there - answered) <= 1


def write_until_killed(url: str, attends: str, process: subprocess.Popen[str]) -> set[tuple[str, str]]:
    answered: set[tuple[str, str]] = set()
    kill = threading.Timer(0.5, process.kill)
    body = {"locationId": DEFAULT_LOCATION, "associationId": attends, "secondRecordId": "party"}
    with requests.Session() as session:
        session.headers.update({"Authorization": f"Bearer {DEFAULT_TOKEN}", "Version": "v3"})
        for number in range(1_000_000):
            pair = (f"c{number}", "party")
            path = f"{url}/associations/relations"
            try:
                answer = session.post(path, json=body | {"firstRecordId": pair[0]}, timeout=TOO_LONG)
            except requests.ConnectionError:
                break
            assert answer.status_code == 201
            answered.add(pair)
            if number == 100:
                kill.start()
        kill.join()
    return answered


def test_many_threads_may_write(tmp_path: Path) -> None:
    state = State(tmp_path / "state")
    attends = state.add_association("attends", CONTACT, EVENT, "a", "b")

    def write(worker: int) -> None:
        for number in range(200):
            state.add_relation(attends, f"c{worker}", f"e{number}")

    threads = [threading.Thread(target=write, args=(worker,)) for worker in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    state.close()
    again = State(tmp_path / "state")
    assert again.count_relations(attends) == 1600
    again.close()


def test_a_restarted_sandbox_answers_as_before(tmp_path: Path) -> None:
    path = tmp_path / "state"
    with Sandbox(state_path=path, limit=None) as first, HttpClient(first) as client:
        attends = add_attends(first)
        relation = client.relate(attends, "ann", "party").json()["id"]
    with Sandbox(state_path=path, limit=None) as second, HttpClient(second) as client:
        assert client.relate(attends, "ann", "party").status_code == 400
        assert client.get("/associations/relations/party").json()["relations"][0]["id"] == relation
        assert second.stats()["relations"] == 1
        assert client.delete_relation(relation).status_code == 200
    with Sandbox(state_path=path, limit=None) as third:
        assert third.state.count_relations() == 0


FULL_DISK = """
import resource, sys
from sandbox_client import HttpClient, add_attends
from airflow_provider_ghl.sandbox import Sandbox

with Sandbox(state_path=sys.argv[1], limit=None) as sandbox, HttpClient(sandbox) as client:
    attends = add_attends(sandbox)
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, unlimited[1]))
    answers = [client.relate(attends, "ann", f"event {number}").status_code for number in range(30)]
    resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
    answers.append(client.relate(attends, "ann", "after").status_code)
    print(attends, *answers)
"""


def test_a_full_disk_is_answered_500_and_leaves_a_file_that_loads(tmp_path: Path) -> None:
    command = [sys.executable, "-c", FULL_DISK, str(tmp_path / "state")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    attends, *answers = done.stdout.split()
    assert set(answers[:30]) == {"201", "500"}
    assert answers[30] == "201"
    state = State(tmp_path / "state")
    assert state.count_relations(attends) == answers.count("201")
    state.close()
