"""The list of an agency's locations in which the app is installed, over all pages, in both forms."""

from __future__ import annotations

from typing import Any

import pytest
from api_fakes import FakeTransport, answer, refusal
from simulated_oauth import APP, COMPANY
from simulated_time import FakeClock

from airflow_provider_ghl.api.oauth import OAuth, token_client
from airflow_provider_ghl.exceptions import NotFound, Unauthorized


def locations(*numbers: int, **more: Any) -> list[dict[str, Any]]:
    return [{"_id": f"loc-{number}", "name": f"Name {number}", "isInstalled": True, **more} for number in numbers]


def listed(transport: Any, version: str = "2021-07-28") -> list[str]:
    client = token_client(api_version=version, transport=transport, clock=FakeClock())
    return [item["location_id"] for item in OAuth(client, APP, version).iterate_locations("c-token", COMPANY)]


def test_locations_are_listed_to_the_last_page() -> None:
    """``count`` counts all of the agency's, with and without the app (observed): it ends nothing."""
    pages = [locations(1, 2), locations(3), []]
    transport = FakeTransport(*[answer({"locations": page, "count": 1}) for page in pages])
    assert listed(transport) == ["loc-1", "loc-2", "loc-3"]
    assert {call.path for call in transport.calls} == {"/oauth/installedLocations"}
    assert [dict(call.params or {}) for call in transport.calls] == [
        {"companyId": COMPANY, "appId": "6578278e879ad2646715ba9c", "isInstalled": "true", "skip": skip, "limit": "100"}
        for skip in ("0", "2", "3")
    ]


def test_locations_are_listed_to_the_last_page_in_v3() -> None:
    pages = [
        {"items": locations(1, 2), "pagination": {"hasNextPage": True, "nextPageToken": "t-2"}},
        {"items": [], "pagination": {"hasNextPage": True, "nextPageToken": "t-3"}},
        {"items": locations(3), "pagination": {"hasNextPage": False, "nextPageToken": "t-4"}},
    ]
    transport = FakeTransport(*map(answer, pages))
    assert listed(transport, "v3") == ["loc-1", "loc-2", "loc-3"]
    assert {call.path for call in transport.calls} == {"/oauth/installed-locations"}
    assert [(call.params or {}).get("pageToken") for call in transport.calls] == [None, "t-2", "t-3"]
    assert all((call.params or {})["pageSize"] == "100" for call in transport.calls)


@pytest.mark.parametrize(
    ("version", "page"),
    [
        ("2021-07-28", {"locations": locations(1, 2), "count": 2}),
        ("v3", {"items": locations(1, 2), "pagination": {"hasNextPage": True, "nextPageToken": "same"}}),
    ],
)
def test_a_server_that_gives_the_same_page_for_ever_ends(version: str, page: dict[str, Any]) -> None:
    transport = FakeTransport(answer(page))
    assert listed(transport, version) == ["loc-1", "loc-2"]
    assert len(transport.calls) == 2


def test_locations_without_the_app_are_left_out() -> None:
    page = [*locations(1), *locations(2, isInstalled=False), {"_id": "loc-3"}, {"name": "no id"}, "nothing"]
    assert listed(FakeTransport(answer({"locations": page}), answer({"locations": []}))) == ["loc-1", "loc-3"]


def test_listing_with_a_locations_token_is_refused_in_plain_words() -> None:
    with pytest.raises(Unauthorized, match="only an agency's OAuth token"):
        listed(FakeTransport(refusal(403, "Forbidden resource")))


def test_listing_for_an_unknown_app_says_so() -> None:
    envelope = {"error": {"code": "RESOURCE_NOT_FOUND", "message": "The requested App 'abc' was not found."}}
    with pytest.raises(NotFound, match="App 'abc' was not found"):
        listed(FakeTransport(answer(envelope, 404)), "v3")
