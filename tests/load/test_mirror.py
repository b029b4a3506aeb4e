"""What left the table leaves HighLevel, behind guards; and nothing else ever does."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from keyed_world import contact_id, keyed_server, load_keys, policy_id, table
from mirrors import FREE, HAND, TABLE, deletes, killed_at_the_end, mirror, mirrored_once
from remembering import DAY, Time, server
from simulated_highlevel import SimulatedServer
from simulated_load import load_pairs

from airflow_provider_ghl.api.clock import Stop
from airflow_provider_ghl.exceptions import ConfigurationError, LedgerError
from airflow_provider_ghl.load.ledger.ledger import Ledger
from airflow_provider_ghl.load.ledger.upkeep import RelationFilter
from airflow_provider_ghl.load.results.failure import Failure
from airflow_provider_ghl.load.results.outcomes import End
from airflow_provider_ghl.load.spec import MirrorSpec, Owned
from airflow_provider_ghl.relations.kind import RelationHandler

Pair = tuple[str, str]


@pytest.fixture
def world(ledger: Ledger, time: Time) -> SimulatedServer:
    """See :func:`mirrors.mirrored_once`."""
    return mirrored_once(ledger, time)


class TestDeletes:
    def test_what_left_the_table_is_deleted_last_and_the_rest_stays(self, world: SimulatedServer, ledger: Ledger) -> None:
        load = mirror([*TABLE[2:], ("student0", "new")], world, ledger, "second")
        assert load.verdict.is_green
        assert set(world.relations) == {*TABLE[2:], ("student0", "new"), HAND}
        assert deletes(load) == {"planned": 2, "deleted": 2}
        assert load.summary["requests"] == 4
        assert load.verdict.message.endswith("2 to be deleted: 2 deleted.")
        assert [one["outcome"] for one in load.verdict.results[-2:]] == ["deleted", "deleted"]
        assert {(one["first_record_id"], one["second_record_id"]) for one in load.verdict.results[-2:]} == set(TABLE[:2])
        assert load.verdict.results[-1]["row"] is None

    def test_an_unchanged_table_costs_nothing(self, world: SimulatedServer, ledger: Ledger) -> None:
        load = mirror(TABLE, world, ledger, "second")
        assert (deletes(load), load.summary["requests"], load.summary["baseline"]) == ({}, 1, False)
        assert load.verdict.message.endswith("Nothing to be deleted.")

    def test_a_parent_that_left_the_table_altogether_keeps_everything(self, world: SimulatedServer, ledger: Ledger) -> None:
        load = mirror([pair for pair in TABLE if pair[0] != "student3"], world, ledger, "second")
        assert deletes(load) == {}
        assert set(world.relations) == {*TABLE, HAND}

    def test_unless_the_association_is_the_parent(self, world: SimulatedServer, ledger: Ledger) -> None:
        load = mirror([pair for pair in TABLE if pair[0] != "student3"], world, ledger, "second", parent=None)
        assert deletes(load) == {"planned": 4, "deleted": 4}
        assert HAND in world.relations

    def test_the_second_column_may_hold_the_parents(self, ledger: Ledger) -> None:
        highlevel = server()
        turned = [(b, a) for a, b in TABLE]
        mirror(turned, highlevel, ledger, "first", parent=1)
        assert deletes(mirror(turned[1:], highlevel, ledger, "second", parent=1)) == {"planned": 1, "deleted": 1}

    def test_what_another_tasks_table_names_is_kept(self, world: SimulatedServer, ledger: Ledger) -> None:
        load_pairs(TABLE[:1], world, ledger=ledger, load_id="another", series="another table")
        load = mirror(TABLE[3:], world, ledger, "second")
        assert deletes(load) == {"planned": 2, "deleted": 2, "kept": 1}
        assert TABLE[0] in world.relations
        assert "some of what left the table stays, since load 2 may name it or have just made it" in load.verdict.warnings

    def test_but_not_for_ever(self, world: SimulatedServer, ledger: Ledger, time: Time) -> None:
        load_pairs(TABLE[:1], world, ledger=ledger, load_id="another", series="another table")
        for night in range(2):
            time.now += 60 * DAY
            mirror(TABLE, world, ledger, f"night {night}")
        load = mirror(TABLE[1:], world, ledger, "after")
        assert deletes(load) == {"planned": 1, "deleted": 1}

    @pytest.mark.parametrize("owned", Owned)
    def test_what_another_task_makes_is_kept_until_its_table_is_known(
        self, world: SimulatedServer, ledger: Ledger, owned: Owned
    ) -> None:
        """While it runs, and after it was killed, nobody knows what its table names."""
        del world.relations[HAND]
        made = [("student2", "theirs"), ("student3", "theirs")]
        load_pairs(made[:1], world, ledger=ledger, load_id="another", series="another table")
        killed_at_the_end(made, world, ledger, load_id="another, later", series="another table")
        assert set(world.relations) == {*TABLE, *made}
        load = mirror(TABLE[1:], world, ledger, "second", owned=owned)
        assert deletes(load) == {"planned": 1, "deleted": 1, "kept": 2}
        load_pairs(made[:1], world, ledger=ledger, load_id="another, again", series="another table")
        load = mirror(TABLE[1:], world, ledger, "third", owned=owned)
        assert deletes(load) == {"planned": 1, "deleted": 1, "kept": 1}

    @pytest.mark.parametrize("owned", Owned)
    def test_an_old_run_of_the_same_task_deletes_nothing_of_a_newer_one(
        self, world: SimulatedServer, ledger: Ledger, owned: Owned
    ) -> None:
        del world.relations[HAND]
        made = [("student2", "newer"), ("student3", "newest")]
        world.faults = {world.requests + 1: "day_spent"}
        assert not mirror([*TABLE[1:], ("student1", "old")], world, ledger, "second", owned=owned).verdict.is_green
        world.used_of_day = 0
        mirror([*TABLE, made[0]], world, ledger, "third", owned=owned)
        killed_at_the_end([*TABLE, *made], world, ledger, load_id="fourth", series="table", parent=0, **FREE)
        load = mirror(TABLE[1:], world, ledger, "second", owned=owned)
        assert deletes(load) == {"kept": 3}
        assert set(world.relations) == {*TABLE, *made}
        for night in ("one", "another"):
            options = {"owned": owned, "series": "another table", "parent": None if owned is Owned.LEDGER else 0}
            load = mirror([(f"student{number}", "theirs") for number in range(4)], world, ledger, night, **options)
        assert deletes(load)["kept"] == (22 if owned is Owned.LEDGER else 18)

    def test_with_all_owned_what_was_made_by_hand_goes_too(self, world: SimulatedServer, ledger: Ledger) -> None:
        load = mirror(TABLE, world, ledger, "second", owned=Owned.ALL)
        assert deletes(load) == {"planned": 1, "deleted": 1}
        assert set(world.relations) == set(TABLE)
        assert load.summary["requests"] == 1 + 5 + 1

    def test_a_relation_whose_id_is_not_known_is_found_among_the_others(self, world: SimulatedServer, ledger: Ledger) -> None:
        """The answer to its create was lost: it is presumed to be the load's."""
        late = ("student0", "late")
        world.faults = {world.requests + 1: "html_502_after"}
        load = mirror([*TABLE, late], world, ledger, "second")
        assert [one["evidence"] for one in load.verdict.results if one["second_record_id"] == "late"] == ["presumed"]
        load = mirror(TABLE, world, ledger, "third")
        assert (load.verdict.end, deletes(load)) == (End.GREEN, {"planned": 1, "deleted": 1})
        assert set(world.relations) == {*TABLE, HAND}

    def test_records_that_are_parents_and_children_are_read_and_deleted_once(self, ledger: Ledger) -> None:
        """Between records of one object HighLevel lists each relation twice: for either record."""
        highlevel = server(object_keys=("contact", "contact"))
        family = [("ann", "bob"), ("bob", "ann"), ("bob", "eve"), ("eve", "ann")]
        mirror(family, highlevel, ledger, "first")
        highlevel.add(("ann", "eve"), ("zoe", "ann"))
        options = {"owned": Owned.ALL, "max_deletes": 2}
        load = mirror([*family[:3], ("eve", "bob")], highlevel, ledger, "second", **options)
        assert load.verdict.is_green, load.verdict.message
        assert deletes(load) == {"planned": 2, "deleted": 2}
        assert set(highlevel.relations) == {*family[:3], ("eve", "bob"), ("zoe", "ann")}

    def test_keys_and_swapped_sides(self, ledger: Ledger, time: Time) -> None:
        highlevel = keyed_server()
        options = {"parent": 0, "series": "table", **FREE}
        load_keys(table((1, 1), (1, 2), (2, 3)), highlevel, ledger=ledger, load_id="first", **options)
        time.now += 3_600
        load = load_keys(table((1, 1), (2, 3)), highlevel, ledger=ledger, load_id="second", **options)
        assert deletes(load) == {"planned": 1, "deleted": 1}
        assert set(highlevel.relations) == {(contact_id(1), policy_id(1)), (contact_id(3), policy_id(2))}
        assert load.verdict.results[-1]["first_record_id"] == policy_id(1)

    def test_it_counts_towards_max_requests(self, world: SimulatedServer, ledger: Ledger) -> None:
        load = mirror(TABLE[4:], world, ledger, "second", max_requests=3)
        assert load.verdict.is_green
        assert deletes(load) == {"planned": 4, "deleted": 2, "not_attempted": 2}
        assert "max_requests is spent: 0 rows were not attempted, and 2 deletes" in load.verdict.warnings
        assert deletes(mirror(TABLE[4:], world, ledger, "third")) == {"planned": 2, "deleted": 2}

    def test_a_parent_of_which_highlevel_gives_only_some_relations_keeps_everything(self, ledger: Ledger) -> None:
        """A server that ignores ``skip`` gives the same page again and again. The guard would not see the rest."""
        highlevel = server(ignores_skip=True)
        rows = [("student", f"teacher{number}") for number in range(150)]
        mirror(rows[:1], highlevel, ledger, "first", owned=Owned.ALL)
        highlevel.add(*rows[1:])
        load = mirror(rows[:1], highlevel, ledger, "second", owned=Owned.ALL, max_deletes=100)
        assert deletes(load) == {}
        assert any("could not be read" in warning for warning in load.verdict.warnings)
        assert set(highlevel.relations) == set(rows)


class TestKeptParents:
    @pytest.mark.parametrize(
        ("bad", "why"),
        [
            (("student1", ""), "1 parent keeps everything"),
            (("", "teacher1"), "the parent of a row is not known"),
            (("student1", "failing"), "1 parent keeps everything"),
        ],
    )
    def test_a_row_that_is_not_accounted_for_keeps_its_parents_relations(
        self, world: SimulatedServer, ledger: Ledger, bad: Pair, why: str
    ) -> None:
        world.failing = frozenset({"failing"})
        load = mirror([*TABLE[2:], bad], world, ledger, "second", tolerance=1)
        kept = 2 if bad[0] == "" else 1
        assert deletes(load) == {"planned": 2 - kept, "deleted": 2 - kept, "kept": kept} if kept < 2 else {"kept": 2}
        assert TABLE[1] in world.relations
        assert any(why in warning for warning in load.verdict.warnings)

    def test_a_refused_row_is_accounted_for(self, world: SimulatedServer, ledger: Ledger) -> None:
        world.missing = frozenset({"nobody"})
        load = mirror([*TABLE[2:], ("student1", "nobody")], world, ledger, "second", tolerance=1)
        assert deletes(load) == {"planned": 2, "deleted": 2}

    def test_a_key_without_a_record_keeps_its_parents_relations_or_all(self, ledger: Ledger, time: Time) -> None:
        highlevel = keyed_server()
        options = {"parent": 0, "series": "table", "tolerance": 1, **FREE}
        load_keys(table((1, 1), (1, 2), (2, 3)), highlevel, ledger=ledger, load_id="first", **options)
        time.now += 3_600
        load = load_keys(table((1, 1), (1, 99), (2, 4)), highlevel, ledger=ledger, load_id="second", **options)
        assert deletes(load) == {"planned": 1, "deleted": 1, "kept": 1}
        load = load_keys(table((1, 1), (99, 1)), highlevel, ledger=ledger, load_id="third", **options)
        assert "planned" not in deletes(load)

    def test_a_broken_or_stopped_load_deletes_nothing(self, world: SimulatedServer, ledger: Ledger) -> None:
        load = mirror([*TABLE[2:], ("x", "y")], world, ledger, "second", max_requests=1)
        assert deletes(load) == {}
        assert "Nothing was deleted, since not all rows of the table were reached." in load.verdict.warnings
        assert set(world.relations) == {*TABLE, HAND}

    def test_an_empty_table_deletes_nothing(self, world: SimulatedServer, ledger: Ledger) -> None:
        load = mirror([], world, ledger, "second", parent=None)
        assert (deletes(load), load.verdict.message) == ({}, "0 rows: none.")
        assert set(world.relations) == {*TABLE, HAND}
        assert load.verdict.is_green

    def test_an_answer_that_cannot_be_read_deletes_nothing(self, world: SimulatedServer, ledger: Ledger, time: Time) -> None:
        world.garbles_relations = True
        load = mirror(TABLE[2:], world, ledger, "second", owned=Owned.ALL)
        assert deletes(load) == {}
        assert "5 parents could not be read, and keep everything" in load.verdict.warnings
        load = mirror(TABLE[2:], world, ledger, "third", ledger_max_age=timedelta(0))
        assert deletes(load) == {"planned": 2, "failed": 2}
        assert load.verdict.end is End.RETRYABLE
        assert set(world.relations) == {*TABLE, HAND}


class TestBaseline:
    def test_a_first_run_deletes_nothing_whoever_owns_what(self, ledger: Ledger) -> None:
        highlevel = server()
        highlevel.add(*TABLE)
        load = mirror(TABLE[2:], highlevel, ledger, "first", owned=Owned.ALL)
        assert set(highlevel.relations) == set(TABLE)
        assert load.summary["requests"] <= 1 + 18
        assert deletes(mirror(TABLE[2:], highlevel, ledger, "second", owned=Owned.ALL)) == {"planned": 2, "deleted": 2}

    @pytest.mark.parametrize("owned", Owned)
    def test_so_does_the_next_try_of_the_first_run(self, ledger: Ledger, owned: Owned) -> None:
        highlevel = server(failing=frozenset({"failing"}))
        load_pairs(TABLE, highlevel, ledger=ledger, load_id="bulk")
        highlevel.add(HAND)
        for number in (1, 2):
            load = mirror([*TABLE[2:], ("new", "failing")], highlevel, ledger, "first", owned=owned, try_number=number)
            assert load.verdict.end is End.RETRYABLE
            assert deletes(load) == {}
        highlevel.failing = frozenset()
        load = mirror([*TABLE[2:], ("new", "failing")], highlevel, ledger, "first", owned=owned, try_number=3)
        assert (load.verdict.end, deletes(load)) == (End.GREEN, {})
        assert set(highlevel.relations) == {*TABLE, HAND, ("new", "failing")}
        left = 2 if owned is Owned.LEDGER else 3
        assert deletes(mirror(TABLE[2:], highlevel, ledger, "second", owned=owned)) == {"planned": left, "deleted": left}

    @pytest.mark.parametrize("what", [{"everything": True}, {"location_id": "ve9EPM428h8vShlRW1KT"}])
    def test_so_does_one_whose_ledger_was_forgotten(self, world: SimulatedServer, ledger: Ledger, what: dict[str, Any]) -> None:
        ledger.forget(RelationFilter(**what))
        load = mirror(TABLE[2:], world, ledger, "second", owned=Owned.ALL)
        assert "is the baseline" in load.verdict.warnings[0]
        assert set(world.relations) == {*TABLE, HAND}

    def test_a_table_of_bad_rows_alone_is_no_baseline(self, ledger: Ledger) -> None:
        highlevel = server()
        highlevel.add(HAND)
        mirror([("student1", "")], highlevel, ledger, "first", owned=Owned.ALL)
        mirror(TABLE, highlevel, ledger, "second", owned=Owned.ALL)
        assert HAND in highlevel.relations

    def test_a_bad_row_every_night_does_not_put_it_off_for_ever(self, ledger: Ledger) -> None:
        highlevel = server()
        for night in ("first", "second"):
            load = mirror([*TABLE[2 * (night == "second") :], ("student4", "")], highlevel, ledger, night, tolerance=1)
        assert deletes(load) == {"planned": 2, "deleted": 2}


class TestGuards:
    def test_more_than_max_deletes_deletes_nothing(self, world: SimulatedServer, ledger: Ledger) -> None:
        load = mirror([*TABLE[10:], ("student1", "new")], world, ledger, "second", max_deletes=9, max_delete_share=None)
        assert load.verdict.failure is Failure.GUARD_TRIPPED
        assert load.verdict.end is End.FINAL
        assert load.verdict.headline == ("10 relations would be deleted, more than max_deletes=9 allows: nothing was deleted.")
        assert deletes(load) == {"planned": 10}
        assert set(world.relations) == {*TABLE, ("student1", "new"), HAND}

    def test_a_share_is_compared_exactly(self, world: SimulatedServer, ledger: Ledger) -> None:
        options = {"max_deletes": None, "max_delete_share": 0.1}
        assert deletes(mirror(TABLE[2:], world, ledger, "second", **options)) == {"planned": 2, "deleted": 2}
        load = mirror(TABLE[4:], world, ledger, "third", **options)
        assert load.verdict.failure is Failure.GUARD_TRIPPED
        assert "2 of 18 relations (11.1%) would be deleted, more than max_delete_share=0.1 allows" in load.verdict.headline

    def test_one_of_three_is_more_than_a_tenth(self, ledger: Ledger) -> None:
        highlevel = server()
        mirror(TABLE[:3], highlevel, ledger, "first", parent=None)
        load = mirror(TABLE[1:3], highlevel, ledger, "second", parent=None, max_delete_share=0.1)
        assert load.verdict.failure is Failure.GUARD_TRIPPED

    def test_half_of_the_rows_lost(self, world: SimulatedServer, ledger: Ledger) -> None:
        load = mirror(TABLE[:10], world, ledger, "second", max_deletes=100, max_delete_share=0.1)
        assert load.verdict.failure is Failure.GUARD_TRIPPED
        assert set(world.relations) == {*TABLE, HAND}

    @pytest.mark.parametrize("wrong", [{"parent": None, "owned": Owned.ALL}, {"max_delete_share": 1.1}])
    def test_arguments_that_cannot_be(self, wrong: dict[str, Any]) -> None:
        with pytest.raises(ConfigurationError):
            MirrorSpec(**wrong)


class TestTrouble:
    def test_a_refused_delete_is_red_and_not_tried_again(self, world: SimulatedServer, ledger: Ledger) -> None:
        world.refuse_deletes = True
        load = mirror(TABLE[2:], world, ledger, "second")
        assert deletes(load) == {"planned": 2, "rejected": 2}
        assert (load.verdict.end, load.verdict.headline) == (End.FINAL, "2 of 2 deletes failed.")
        assert load.verdict.failure is Failure.ROWS_REFUSED

    def test_a_delete_without_a_clear_answer_is_worth_a_retry(self, world: SimulatedServer, ledger: Ledger) -> None:
        world.garbles_relations = True
        load = mirror(TABLE[2:], world, ledger, "second", ledger_max_age=timedelta(0))
        assert (load.verdict.end, load.verdict.failure) == (End.RETRYABLE, Failure.ROWS_FAILED)

    def test_deletes_have_room_in_the_results_before_rows_that_are_well(self, world: SimulatedServer, ledger: Ledger) -> None:
        load = mirror(TABLE[2:], world, ledger, "second", keep_results=5)
        assert [one["outcome"] for one in load.verdict.results] == ["already_exists"] * 3 + ["deleted"] * 2
        assert load.summary["results_cut"]

    def test_a_token_that_may_not_read_ends_it_at_once(self, ledger: Ledger) -> None:
        highlevel, rows = server(), [(f"student{number}", "teacher") for number in range(200)]
        mirror(rows, highlevel, ledger, "first", owned=Owned.ALL)
        highlevel.refuse_reads = True
        load = mirror(rows, highlevel, ledger, "second", owned=Owned.ALL)
        assert load.verdict.failure is Failure.TOKEN_REFUSED
        assert load.summary["requests"] <= 25

    def test_a_spent_quota_is_waited_for(self, world: SimulatedServer, ledger: Ledger) -> None:
        world.faults = {world.requests + 2: "day_spent"}
        options = {"defer_timeout": timedelta(days=2)}
        load = mirror(TABLE[4:], world, ledger, "second", **options)
        assert load.verdict.end is End.DEFERRED
        world.used_of_day = 0
        load = mirror(TABLE[4:], world, ledger, "second", is_resumed=True, **options)
        assert load.verdict.is_green
        assert set(world.relations) == {*TABLE[4:], HAND}

    def test_a_ledger_that_fails_while_parents_are_read_deletes_nothing(
        self, world: SimulatedServer, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Else the guards would look at the parents that came before."""

        def fail(columns: Any) -> Any:
            monkeypatch.undo()
            raise LedgerError("the database is locked")

        before = len(world.relations)
        world.add(*(("student0", f"byhand{number}") for number in range(30)))
        handler = RelationHandler.read_parent
        reads: list[str] = []

        def read_parent(self: RelationHandler, parent: str) -> Any:
            reads.append(parent)
            if len(reads) == 3:
                monkeypatch.setattr(ledger, "identity", fail)
            return handler(self, parent)

        monkeypatch.setattr(RelationHandler, "read_parent", read_parent)
        load = mirror(TABLE, world, ledger, "second", owned=Owned.ALL, max_deletes=15)
        assert load.verdict.end is End.RETRYABLE
        assert "the database is locked" in load.verdict.headline
        assert len(world.relations) == before + 30

    def test_a_stop_amid_the_reading_deletes_nothing(self, world: SimulatedServer, ledger: Ledger) -> None:
        """Else the guards would look at a part of what is there, and every night let a part of it go."""
        load = mirror(TABLE[1:], world, ledger, "second", owned=Owned.ALL, max_requests=4, max_deletes=1)
        assert set(world.relations) == {*TABLE, HAND}
        assert deletes(load) == {}
        assert any("not all parents could be read" in note for note in load.verdict.warnings)

    @pytest.mark.parametrize("owned", Owned)
    def test_an_old_run_that_is_cleared_is_old_still(self, world: SimulatedServer, ledger: Ledger, owned: Owned) -> None:
        """Its table is that of its own morning. What newer ones name, and what they made, stays."""
        mirror(TABLE[2:], world, ledger, "second", owned=Owned.LEDGER)
        newer = [*TABLE[2:], ("student0", "newer"), ("student1", "newer")]
        mirror(newer, world, ledger, "third", owned=Owned.LEDGER)
        load = mirror(TABLE[2:], world, ledger, "second", owned=owned)
        assert load.verdict.is_green
        assert set(newer) <= set(world.relations)
        load = mirror(newer[1:], world, ledger, "fourth")
        assert deletes(load) == {"planned": 1, "deleted": 1}

    def test_a_baseline_that_is_cleared_is_one_still(self, world: SimulatedServer, ledger: Ledger) -> None:
        load = mirror(TABLE[2:], world, ledger, "first")
        assert deletes(load) == {}
        assert "is the baseline" in load.verdict.warnings[0]

    @pytest.mark.parametrize("rows", [TABLE[1:], [TABLE[0], *TABLE[2:]]])
    def test_a_pair_linked_anew_by_hand_stays(
        self, world: SimulatedServer, ledger: Ledger, time: Time, rows: list[Pair]
    ) -> None:
        (left,) = set(TABLE) - set(rows)
        del world.relations[left]
        world.add(left)
        time.now += 40 * DAY
        load = mirror(rows, world, ledger, "second", ledger_max_age=timedelta(days=30))
        assert "deleted" not in deletes(load)
        assert left in world.relations

    @pytest.mark.parametrize("fault", ["reset_after", "truncated_after", "500_after"])
    def test_a_delete_whose_answer_is_lost_for_good_is_not_taken_for_there(
        self, world: SimulatedServer, ledger: Ledger, fault: str
    ) -> None:
        """The next night's table names it again, and it is created: the ledger does not say that it is there."""
        world.faults = dict.fromkeys(range(world.requests + 1, world.requests + 500), fault)
        load = mirror(TABLE[1:], world, ledger, "second", max_requests=2)
        assert TABLE[0] not in world.relations
        assert deletes(load)["planned"] == 1
        world.faults = {}
        load = mirror(TABLE, world, ledger, "third")
        assert (load.summary["created"], set(world.relations)) == (1, {*TABLE, HAND})
        assert deletes(mirror(TABLE[1:], world, ledger, "fourth")) == {"planned": 1, "deleted": 1}

    def test_the_ledger_hears_that_it_is_alive_while_it_reads_and_deletes(self, world: SimulatedServer, ledger: Ledger) -> None:
        world.latencies = iter(lambda: 15.0, None)
        beats: list[float] = []
        ledger.loads.beat = lambda *args: beats.append(world.clock.now)  # type: ignore[method-assign]
        began = world.clock.now
        mirror(TABLE[1:], world, ledger, "second", owned=Owned.ALL)
        assert len(beats) >= (world.clock.now - began) // 15

    @pytest.mark.parametrize("owned", Owned)
    def test_a_stop_after_the_last_row_is_red(self, world: SimulatedServer, ledger: Ledger, owned: Owned) -> None:
        """Else a timeout that comes every night would leave everything there, and nobody would notice."""
        stop = Stop()
        began = world.clock.now
        options = {"owned": owned, "stop": stop, "prepare": lambda workers: workers.at(began + 0.5, stop.set)}
        load = mirror(TABLE[2:], world, ledger, "second", **options)
        assert (load.verdict.end, load.verdict.headline) == (End.RETRYABLE, "The load was told to stop.")
        assert load.summary["not_attempted"] == 0
