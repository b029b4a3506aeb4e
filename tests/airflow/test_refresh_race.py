"""Many processes, one refresh token, and access tokens that are over in seconds: no refresh is refused, no row is lost."""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from agencies import Agency, agency_in
from cli_runs import copy_database
from cryptography.fernet import Fernet
from racing import Forks, Race, forks, wait_until
from soak import LONGER
from waits import TOO_LONG

from airflow_provider_ghl.sandbox import Fault, Sandbox
from airflow_provider_ghl.sandbox.faults import FaultKind

pytestmark = pytest.mark.slow

IS_SOAK = LONGER > 1
PROCESSES = 8 if IS_SOAK else 5
#: Seconds that access tokens last, and in which HighLevel answers equal refreshes alike (specified).
LIFETIME, GRACE = (2.5 if IS_SOAK else 2.0), 30.0
#: Shares of the refreshes whose answers get lost; all but the last take place.
LOST: tuple[tuple[FaultKind, float], ...] = (
    ("reset_after", 0.1),
    ("error_after", 0.05),
    ("truncated_json", 0.05),
    ("reset_before", 0.05),
)
KILLED = -signal.SIGKILL

Begin = Callable[..., Race]


@pytest.fixture(scope="module")
def program(database: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    """With an Airflow that encrypts, and writes what it can into its logs."""
    home = tmp_path_factory.mktemp("home")
    copy_database(Path(os.environ["AIRFLOW_HOME"]) / "airflow.db", home / "airflow.db")
    settings = {
        "AIRFLOW__CORE__FERNET_KEY": Fernet.generate_key().decode(),
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "DEBUG",
    }
    with forks(home, settings) as started:
        yield started


@pytest.fixture
def begin(program: Forks, tmp_path: Path) -> Iterator[Begin]:
    """Makes a race: ``begin(is_agencys=True, grace=30.0)``."""
    sandboxes: list[Sandbox] = []

    def make(*, is_agencys: bool = True, grace: float = GRACE) -> Race:
        sandbox = Sandbox(
            limit=None, interval=1.0, latency=0.12, latency_spread=0.6, token_lifetime=LIFETIME, refresh_grace=grace
        )
        sandbox.start()
        sandboxes.append(sandbox)
        sys.stdout.write(f"{sandbox!r}\n")
        agency = agency_in(sandbox)
        if is_agencys:
            return Race(agency, program, tmp_path, agency.connection(), agency.refresh_token, locations_of(agency))
        location_id = agency.installed[0]
        token = agency.issue(location_id=location_id)["refresh_token"]
        connection = agency.connection(company_id=None, refresh_token=token)
        return Race(agency, program, tmp_path, connection, token, [location_id])

    yield make
    for sandbox in sandboxes:
        sandbox.stop()


def locations_of(agency: Agency) -> list[str]:
    """One for each process. In every second one a load takes longer than its tokens last."""
    sandbox = agency.sandbox
    there = [sandbox.state.add_location(company_id=agency.company_id) for _ in range(PROCESSES)]
    for location_id in there:
        sandbox.install(agency.app, location_id)
    for location_id in there[::2]:
        sandbox.set_limit(4, location_id)
    return there


def lose_answers(race: Race) -> None:
    for kind, share in LOST:
        race.agency.sandbox.add_fault(Fault(kind, share, path="/oauth/token"))


def go_on(race: Race, seconds: float, refreshes: int) -> None:
    """For so long, and until the token was refreshed so often."""
    until = time.monotonic() + seconds
    wait_until(
        "the token is refreshed", lambda: time.monotonic() > until and race.generation() >= refreshes, seconds + TOO_LONG
    )


def check_alive(race: Race, after: float = LIFETIME) -> None:
    """When no process is left and no access token is good, the next load finds a refresh token that is."""
    race.agency.sandbox.clear_faults()
    time.sleep(after)
    before = race.generation()
    race.start("last", loads=1)
    assert race.forks.ended() == [0]
    assert race.generation() > before


@pytest.mark.parametrize(("whose", "seconds"), [("location", 60.0), ("agency", 600.0)] if IS_SOAK else [("location", 0.0)])
def test_all_share_one_refresh_token(begin: Begin, whose: str, seconds: float) -> None:
    """The other tests' is an agency's."""
    race = begin(is_agencys=whose == "agency")
    lose_answers(race)
    began = time.monotonic()
    for number in range(PROCESSES):
        race.start(f"process{number}", seconds=seconds + TOO_LONG)
    go_on(race, seconds, refreshes=3)
    ended = race.stop()
    sys.stdout.write(f"{race.figures(began)}\n")
    assert ended == [0] * PROCESSES
    check_alive(race, GRACE if IS_SOAK else LIFETIME)
    race.check()
    assert race.refused == 0


@pytest.mark.parametrize("kills", [100 if IS_SOAK else 2])
def test_one_is_killed_again_and_again(begin: Begin, kills: int) -> None:
    """A pair that it took with it is had again by the others; what it had loaded is there, and the rest is loaded after it."""
    race = begin()
    lose_answers(race)
    seed = random.randrange(10_000)
    draw = random.Random(seed)
    began = time.monotonic()
    to_kill: dict[str, Any] = {"rows": 5, "location_id": race.locations[0]}
    for number in range(PROCESSES - 2):
        race.start(f"process{number}")
    for number in range(kills):
        victim = race.start("victim", try_number=number + 1, is_one_process=True, **to_kill)
        if draw.random() < 0.5:
            wait_until_asked(race)
        time.sleep(draw.uniform(0.0, draw.choice([0.3, 1.5])))
        os.kill(victim, signal.SIGKILL)
    loads = len(race.told("victim"))
    race.start("victim", loads=1, try_number=kills + 1, **to_kill)
    wait_until("its last load is done", lambda: len(race.told("victim")) > loads)
    ended = race.stop()
    sys.stdout.write(f"seed {seed}, {kills} killed; {race.figures(began)}\n")
    assert sorted(ended) == [KILLED] * kills + [0] * (PROCESSES - 1)
    check_alive(race)
    race.check()
    assert race.refused == 0


def test_one_sleeps_between_two_requests(begin: Begin) -> None:
    """Its tokens are over, the refresh token too; it takes the stored one."""
    race = begin(grace=1.5)
    sleeper = race.start("sleeper", loads=1, location_id=race.locations[0], is_one_process=True)
    wait_until("rows are there", lambda: race.related() >= 2)
    sleep(race, sleeper, 1.5)
    assert race.stop() == [0, 0]
    race.check()
    assert race.refused == 0


def test_one_sleeps_in_the_midst_of_a_refresh(begin: Begin) -> None:
    """HighLevel's answer was lost. By the time it asks again, that is one time too late; then it takes the stored pair."""
    race = begin(grace=3.0)
    race.agency.sandbox.add_fault(Fault("reset_after", path="/oauth/token"))
    sleeper = race.start("sleeper", loads=1, location_id=race.locations[0], is_one_process=True)
    wait_until("an answer is lost", lambda: sum(race.agency.sandbox.stats()["faults"].values()) > 0)
    sleep(race, sleeper, 3.0)
    assert race.stop() == [0, 0]
    race.check()
    assert race.refused == 1


def wait_until_asked(race: Race) -> None:
    before = race.refreshes
    wait_until("somebody asks for a refresh", lambda: race.refreshes > before)


def sleep(race: Race, sleeper: int, grace: float) -> None:
    """Stop it until another one has spent its refresh token, and nobody gets anything for that any more."""
    os.kill(sleeper, signal.SIGSTOP)
    time.sleep(0.3)  # what it sent before that is answered or lost by then
    race.agency.sandbox.clear_faults()
    before = race.refreshes
    race.start("other", location_id=race.locations[1])
    wait_until("another one refreshes", lambda: race.refreshes > before)
    time.sleep(grace + 0.3)
    os.kill(sleeper, signal.SIGCONT)
    wait_until("it ends its load", lambda: bool(race.told("sleeper")))
