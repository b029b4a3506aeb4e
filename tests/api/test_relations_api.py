"""The three endpoints of relations, their paging and their lost replies."""

from __future__ import annotations

from typing import Any

import pytest
from api_fakes import LOCATION, FakeTransport, answer, client_of, lost, refusal, sent_by
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_ghl.api.calls import Call
from airflow_provider_ghl.api.paging import PAGE_SIZE, Pages, iterate_pages
from airflow_provider_ghl.api.relations import Relations, read_relation_id
from airflow_provider_ghl.api.transport import RawAnswer
from airflow_provider_ghl.exceptions import ConfigurationError, DuplicateRelation, NotFound, RequestRejected, ServerError

ASSOCIATION, FIRST, SECOND = "669e5795add2094075906c65", "67a3aaaaaaaaaaaaaaaaaaaa", "emqfAb12Cd34Ef56Gh78"
RELATION = {
    "id": "67ae0d741119d218c9d0c477",
    "associationId": ASSOCIATION,
    "firstObjectKey": "custom_objects.mad",
    "firstRecordId": FIRST,
    "secondObjectKey": "contact",
    "secondRecordId": SECOND,
    "locationId": LOCATION,
}
DUPLICATE = refusal(400, "Could not create relation: duplicate relation of object Ids for given association")
MISSING = refusal(404, "Relation not found")


def relations(transport: FakeTransport) -> Relations:
    return Relations(client_of(transport), LOCATION)


def others(count: int, start: int = 0) -> list[dict[str, Any]]:
    return [{**RELATION, "id": f"r{number}", "secondRecordId": f"s{number}"} for number in range(start, start + count)]


def page(found: list[dict[str, Any]], total: int | None) -> RawAnswer:
    return answer({"relations": found, "traceId": "t"} | ({} if total is None else {"total": total}))


def server(all_of_them: list[dict[str, Any]], cap: int = 100, *, says_total: bool = True) -> Any:
    """Answers a list call as a server with so many relations does."""

    def say(call: Call) -> RawAnswer:
        assert call.params is not None
        skip, limit = call.params["skip"], min(cap, call.params["limit"])
        return page(all_of_them[skip : skip + limit], len(all_of_them) if says_total else None)

    return say


def test_creating() -> None:
    transport = FakeTransport(answer(RELATION, 201))
    assert relations(transport).create(ASSOCIATION, FIRST, SECOND) == RELATION
    (call,) = transport.calls
    assert (call.method, call.path, call.params) == ("POST", "/associations/relations", None)
    assert call.json == {
        "locationId": LOCATION,
        "associationId": ASSOCIATION,
        "firstRecordId": FIRST,
        "secondRecordId": SECOND,
    }


def test_listing() -> None:
    transport = FakeTransport(page([RELATION], 1))
    assert list(relations(transport).iterate("a/b", [ASSOCIATION, "x"])) == [RELATION]
    (call,) = transport.calls
    assert (call.method, call.path) == ("GET", "/associations/relations/a%2Fb")
    assert call.params == {"locationId": LOCATION, "skip": 0, "limit": 100, "associationIds": [ASSOCIATION, "x"]}


def test_listing_all_associations_names_none() -> None:
    transport = FakeTransport(page([], 0))
    assert list(relations(transport).iterate(FIRST)) == []
    assert "associationIds" not in (transport.calls[0].params or {})


def test_deleting() -> None:
    transport = FakeTransport(answer({"deleted": True, "id": "r"}))
    assert relations(transport).delete("r") == {"deleted": True, "id": "r"}
    (call,) = transport.calls
    assert (call.method, call.path, call.params) == ("DELETE", "/associations/relations/r", {"locationId": LOCATION})


@pytest.mark.parametrize("data", [None, [], {}, {"relations": None}, {"relations": {"a": 1}}, {"message": "ok"}])
def test_what_is_no_page_is_not_taken_for_an_empty_one(data: Any) -> None:
    with pytest.raises(ServerError, match="no relations"):
        list(relations(FakeTransport(answer(data))).iterate(FIRST))


@pytest.mark.parametrize("count", [0, 1, 99, 100, 101, 200, 250])
@pytest.mark.parametrize("cap", [20, 100])
@pytest.mark.parametrize("says_total", [True, False])
def test_every_relation_comes_once(count: int, cap: int, says_total: bool) -> None:
    transport = FakeTransport(server(others(count), cap, says_total=says_total))
    assert [found["id"] for found in relations(transport).iterate(FIRST)] == [f"r{number}" for number in range(count)]
    least = max(1, -(-count // cap))
    assert least <= len(transport.calls) <= least + (0 if says_total else 1)


def test_a_server_that_ignores_skip_does_not_keep_us() -> None:
    transport = FakeTransport(page(others(100), 250))
    assert len(list(relations(transport).iterate(FIRST))) == 100
    assert len(transport.calls) == 2


def test_a_total_that_shrinks_meanwhile_ends_it() -> None:
    transport = FakeTransport(page(others(100), 300), page(others(50, 100), 150))
    assert len(list(relations(transport).iterate(FIRST))) == 150
    assert len(transport.calls) == 2


def test_a_total_that_is_too_large_ends_at_the_empty_page() -> None:
    transport = FakeTransport(page(others(100), 900), page([], 900))
    assert len(list(relations(transport).iterate(FIRST))) == 100


def test_pages_that_overlap_give_each_once() -> None:
    transport = FakeTransport(page(others(100), 150), page(others(60, 90), 150))
    assert len(list(relations(transport).iterate(FIRST))) == 150


@given(total=st.integers(0, 450), cap=st.integers(1, 130), says_total=st.booleans())
def test_paging_ends_rightly_for_any_server(total: int, cap: int, says_total: bool) -> None:
    asked: list[int] = []

    def ask(skip: int, limit: int) -> tuple[list[dict[str, Any]], int | None]:
        asked.append(skip)
        found = [{"id": str(number)} for number in range(total)][skip : skip + min(limit, cap)]
        return found, total if says_total else None

    assert [item["id"] for item in iterate_pages(ask)] == [str(number) for number in range(total)]
    assert len(asked) <= total // min(cap, PAGE_SIZE) + 2


@given(total=st.integers(0, 450), cap=st.integers(1, 130), says_total=st.booleans())
def test_pages_that_overlap_end_rightly_too(total: int, cap: int, says_total: bool) -> None:
    pages, found, asked = Pages(overlap=True), list[str](), 0
    while pages.skip is not None:
        items = [{"id": str(number)} for number in range(total)][pages.skip : pages.skip + min(PAGE_SIZE, cap)]
        found += [item["id"] for item in pages.take(items, total if says_total else None)]
        asked += 1
    assert found == [str(number) for number in range(total)]
    assert (pages.is_whole, pages.lacks_some) == (says_total, False)
    assert asked <= total // max(1, min(cap, PAGE_SIZE) - 1) + 2


@pytest.mark.parametrize("total", [250, None])
def test_pages_that_ought_to_overlap_and_do_not_lack_some(total: int | None) -> None:
    """Two items were deleted and two added at the end, then two added at the front: as many were seen as there are."""
    pages = Pages(overlap=True)
    for there in (range(100), range(101, 201), range(199, 251)):
        pages.take([{"id": str(number)} for number in there], total)
    assert (pages.is_whole, pages.lacks_some) == (False, True)


def test_finding_minds_order_case_and_association() -> None:
    near = [
        {**RELATION, "id": "swapped", "firstRecordId": SECOND, "secondRecordId": FIRST},
        {**RELATION, "id": "case", "secondRecordId": SECOND.lower()},
        {**RELATION, "id": "other", "associationId": "other"},
    ]
    assert relations(FakeTransport(page(near, 3))).find(ASSOCIATION, FIRST, SECOND) is None
    found = relations(FakeTransport(page([*near, RELATION], 4))).find(ASSOCIATION, FIRST, SECOND)
    assert found == RELATION


HUB = others(150)


class TestAbsence:
    """While others write, pages may miss a relation. That is no evidence that it is not there."""

    def test_a_relation_that_moved_up_meanwhile_is_found(self) -> None:
        left = [*HUB[:104], RELATION, *HUB[104:]]

        def say(call: Call) -> RawAnswer:
            said: RawAnswer = server(left)(call)
            if len(left) > len(HUB):
                del left[:10]  # it is on the first page now
            return said

        assert relations(FakeTransport(say)).find(ASSOCIATION, FIRST, SECOND) == RELATION

    def test_as_many_that_were_added_do_not_hide_it(self) -> None:
        """Every page has the same total, and so many are seen."""
        left = [*HUB[:100], RELATION, *HUB[100:]]

        def say(call: Call) -> RawAnswer:
            said: RawAnswer = server(left)(call)
            if left[0] == HUB[0]:
                left[:] = [*left[2:], *others(2, 200)]
            return said

        assert relations(FakeTransport(say)).find(ASSOCIATION, FIRST, SECOND) == RELATION

    def test_the_other_record_settles_it_with_one_page(self) -> None:
        transport = FakeTransport(page(HUB[:100], 150), page(HUB[109:], 140), page(others(1), 1))
        assert relations(transport).find(ASSOCIATION, FIRST, SECOND) is None
        assert [path.rpartition("/")[2] for _, path in sent_by(transport)] == [FIRST, FIRST, SECOND]

    @pytest.mark.parametrize("count", [100, 150, 200])
    def test_pages_that_overlap_are_believed(self, count: int) -> None:
        transport = FakeTransport(server(others(count)))
        assert relations(transport).find(ASSOCIATION, FIRST, SECOND) is None
        assert [(call.params or {})["skip"] for call in transport.calls] == [0, 99, 198][: 1 + (count > 100) + (count > 199)]

    @pytest.mark.parametrize(
        "unclear",
        [page([], 4), page(others(3), 4), page(others(100), 500), page(others(100), None)],
        ids=["an empty page", "a page that lacks one", "skip is ignored", "skip is ignored, no total"],
    )
    def test_pages_that_do_not_agree_are_no_evidence(self, unclear: RawAnswer) -> None:
        transport = FakeTransport(unclear)
        with pytest.raises(ServerError, match="the pages do not agree"):
            relations(transport).find(ASSOCIATION, FIRST, SECOND)
        assert len(transport.calls) <= 8

    @pytest.mark.parametrize("count", [0, 3, 150])
    def test_without_totals_it_is_read_twice(self, count: int) -> None:
        transport = FakeTransport(server(others(count), says_total=False))
        assert relations(transport).find(ASSOCIATION, FIRST, SECOND) is None
        assert {path.rpartition("/")[2] for _, path in sent_by(transport)} == {FIRST, SECOND}

    def test_where_the_other_record_is_gone_the_first_one_is_read_again(self) -> None:
        left, gone = list(HUB), refusal(404, "Record not found")

        def say(call: Call) -> RawAnswer:
            said: RawAnswer = server(left)(call)
            if len(left) == len(HUB):
                del left[0]
            return said if call.path.endswith(FIRST) else gone

        transport = FakeTransport(say)
        assert relations(transport).find(ASSOCIATION, FIRST, SECOND) is None
        assert len(transport.calls) == 5


UNREADABLE = [
    {"id": "r", "associationId": ASSOCIATION, "records": [FIRST, SECOND]},
    {**RELATION, "secondRecordId": None},
    {**RELATION, "firstRecordId": {"id": FIRST}},
    {name: value for name, value in RELATION.items() if name != "associationId"},
]


@pytest.mark.parametrize("unreadable", UNREADABLE)
def test_a_relation_that_cannot_be_read_may_be_the_one(unreadable: dict[str, Any]) -> None:
    with pytest.raises(ServerError, match="whose records cannot be read"):
        relations(FakeTransport(page([unreadable], 1))).find(ASSOCIATION, FIRST, SECOND)
    found = relations(FakeTransport(page([unreadable, RELATION], 2))).find(ASSOCIATION, FIRST, SECOND)
    assert found == RELATION


def test_one_that_is_another_pairs_for_sure_is_not() -> None:
    another = {"id": "r", "associationId": ASSOCIATION, "firstRecordId": "another"}
    assert relations(FakeTransport(page([another], 1))).find(ASSOCIATION, FIRST, SECOND) is None


def test_a_page_of_something_else_is_no_empty_page() -> None:
    with pytest.raises(ServerError, match="holds no relations"):
        relations(FakeTransport(page(["r1"], 1))).find(ASSOCIATION, FIRST, SECOND)  # type: ignore[list-item]


def test_a_relation_that_was_there_is_a_duplicate() -> None:
    transport = FakeTransport(DUPLICATE)
    with pytest.raises(DuplicateRelation):
        relations(transport).create(ASSOCIATION, FIRST, SECOND)
    assert len(transport.calls) == 1


@pytest.mark.parametrize("failure", [lost(), refusal(500, "x")], ids=["no answer", "500"])
def test_a_create_whose_answer_was_lost_is_read_and_returned(failure: Any) -> None:
    transport = FakeTransport(failure, DUPLICATE, page([RELATION], 1))
    assert relations(transport).create(ASSOCIATION, FIRST, SECOND) == RELATION
    assert [method for method, _ in sent_by(transport)] == ["POST", "POST", "GET"]


def test_a_create_that_was_never_sent_before_the_duplicate_is_no_creation() -> None:
    transport = FakeTransport(lost(sent=False), DUPLICATE)
    with pytest.raises(DuplicateRelation):
        relations(transport).create(ASSOCIATION, FIRST, SECOND)


UNCLEAR = [refusal(409, "Relation already exists"), refusal(400, "Max relation limit[1] reached")]


@pytest.mark.parametrize("unclear", UNCLEAR, ids=["possible duplicate", "limit"])
class TestARefusalThatMayMeanThatItIsThere:
    def test_is_a_duplicate_where_the_pair_is_read(self, unclear: RawAnswer) -> None:
        transport = FakeTransport(unclear, page([RELATION], 1))
        with pytest.raises(DuplicateRelation) as caught:
            relations(transport).create(ASSOCIATION, FIRST, SECOND)
        assert caught.value.status == unclear[0]
        assert [method for method, _ in sent_by(transport)] == ["POST", "GET"]

    def test_stays_what_it_is_where_it_is_not(self, unclear: RawAnswer) -> None:
        with pytest.raises(RequestRejected, match=r"already exists|Max relation limit") as caught:
            relations(FakeTransport(unclear, page([], 0))).create(ASSOCIATION, FIRST, SECOND)
        assert not isinstance(caught.value, DuplicateRelation)

    def test_is_our_own_where_an_answer_was_lost_before(self, unclear: RawAnswer) -> None:
        transport = FakeTransport(lost(), unclear, page([RELATION], 1))
        assert relations(transport).create(ASSOCIATION, FIRST, SECOND) == RELATION


def test_a_delete_whose_answer_was_lost_succeeded() -> None:
    assert relations(FakeTransport(lost(), MISSING)).delete("r")["id"] == "r"


def test_deleting_what_is_not_there_is_an_error() -> None:
    with pytest.raises(NotFound):
        relations(FakeTransport(MISSING)).delete("r")


@pytest.mark.parametrize("bad", ["", " ", ".", ".."])
def test_what_cannot_be_a_path_segment_is_refused(bad: str) -> None:
    transport = FakeTransport(page([], 0))
    with pytest.raises(ConfigurationError):
        relations(transport).delete(bad)
    assert not transport.calls


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (RELATION, RELATION["id"]),
        ({"relationId": "x"}, "x"),
        ({"relation": {"id": "y"}}, "y"),
        ({}, None),
        (None, None),
        ([], None),
        ({"relation": None}, None),
    ],
)
def test_the_id_in_a_creates_answer(data: Any, expected: str | None) -> None:
    assert read_relation_id(data) == expected
