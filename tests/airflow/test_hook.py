"""The hook: what its test says, every method, any endpoint."""

from __future__ import annotations

import json
import logging
import socket
from typing import Any

import pytest
from connecting import Connect
from running import PAIRS

from airflow_provider_ghl.exceptions import (
    ConfigurationError,
    DuplicateAssociation,
    DuplicateRelation,
    NotFound,
    RelationLimitReached,
    ServerError,
    Stopped,
    TransportError,
)
from airflow_provider_ghl.hooks.ghl import GHLHook
from airflow_provider_ghl.sandbox import Fault, Sandbox

ATTENDED = {
    "key": "attended",
    "first_object_key": "contact",
    "first_object_label": "Attendee",
    "second_object_key": "custom_objects.event",
    "second_object_label": "Event",
}


class TestTestConnection:
    def test_good(self, ghl: Sandbox) -> None:
        assert GHLHook().test_connection() == (True, f"HighLevel accepts the token for location {ghl.location_id}")
        assert ghl.stats()["requests"] == 1
        assert ghl.stats()["by_route"] == {"GET /associations/": 1}

    def test_no_such_connection(self) -> None:
        said = "Airflow has no connection 'ghl_typo': create it, or correct the id"
        assert GHLHook("ghl_typo").test_connection() == (False, said)

    def test_bad_token(self, ghl: Sandbox) -> None:
        ghl.revoke(ghl.token)
        assert GHLHook().test_connection() == (
            False,
            "HighLevel does not accept the token: it was rotated, deleted or mistyped, or it has expired; "
            "paste the current one (401: Invalid token: access token is invalid)",
        )
        assert ghl.stats()["requests"] == 1

    def test_missing_scope_is_named(self, ghl: Sandbox) -> None:
        ghl.set_scopes(ghl.token, {"associations/relation.write"})
        is_right, message = GHLHook().test_connection()
        assert not is_right
        assert message.startswith("the token lacks the scope associations.readonly: add it to the Private Integration")
        assert ghl.stats()["requests"] == 1

    def test_wrong_location(self, ghl: Sandbox) -> None:
        is_right, message = GHLHook(location_id="somebody-elses").test_connection()
        assert not is_right
        assert message.startswith("the token does not belong to this location: check location_id")
        assert ghl.stats()["requests"] == 1

    def test_no_location(self, sandbox: Sandbox, connect: Connect) -> None:
        connect(ghl_default=json.dumps({"conn_type": "ghl", "host": sandbox.url, "password": sandbox.token}))
        is_right, message = GHLHook().test_connection()
        assert not is_right
        assert "no sub-account: put location_id into the extra" in message
        assert sandbox.stats()["requests"] == 0

    def test_a_uri_that_says_no_scheme_is_told_how_to_be_written(self, connect: Connect) -> None:
        connect(ghl_default="ghl://:pit-1@127.0.0.1:4101/?location_id=L")
        is_right, message = GHLHook().test_connection()
        assert not is_right
        assert "write http://127.0.0.1:4101, in a connection's URI http%3A%2F%2F127.0.0.1:4101" in message

    def test_a_uri_with_one_works(self, sandbox: Sandbox, connect: Connect) -> None:
        port = sandbox.url.rpartition(":")[2]
        connect(ghl_default=f"ghl://:{sandbox.token}@http%3A%2F%2F127.0.0.1:{port}/?location_id={sandbox.location_id}")
        assert GHLHook().test_connection()[0]

    def test_two_ports_that_differ_are_refused(self, connect: Connect) -> None:
        extra = {"location_id": "L"}
        fields = {"conn_type": "ghl", "host": "https://example.com:8443", "port": 443, "password": "pit-1", "extra": extra}
        connect(ghl_default=json.dumps(fields))
        is_right, message = GHLHook().test_connection()
        assert (is_right, "the base URL names port 8443, the field Port 443" in message) == (False, True)

    @pytest.mark.parametrize(
        ("host", "port", "url"),
        [
            ("", 443, "https://services.leadconnectorhq.com"),
            ("https://example.com/base/", 8443, "https://example.com:8443/base"),
            ("example.com", 8443, "https://example.com:8443"),
            ("http://[::1]", 4101, "http://[::1]:4101"),
        ],
    )
    def test_the_port_is_part_of_the_base_url(self, connect: Connect, host: str, port: int, url: str) -> None:
        connect(ghl_default=json.dumps({"conn_type": "ghl", "host": host, "port": port, "password": "pit-1"}))
        assert GHLHook().get_conn().host == url

    def test_unreachable_host(self, connect: Connect) -> None:
        with socket.socket() as taken:  # bound and not listening: nobody answers there
            taken.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{taken.getsockname()[1]}"
            connect(
                ghl_default=json.dumps({"conn_type": "ghl", "host": url, "password": "pit-1", "extra": {"location_id": "L"}})
            )
            is_right, message = GHLHook().test_connection()
        assert not is_right
        assert message.startswith(f"HighLevel did not answer at {url}: the host cannot be reached")

    @pytest.mark.parametrize(
        "answer",
        [
            {"status_code": 404, "text": "<html>no such page</html>"},
            {"status_code": 404, "text": ""},
            {"status_code": 200, "text": "<html>a welcome page</html>"},
            {"status_code": 301, "text": "", "headers": {"Location": "https://elsewhere.example"}},
            {"status_code": 302, "text": "<html>moved</html>", "headers": {"Location": "https://elsewhere.example"}},
            {"status_code": 403, "text": "<html>no entry</html>"},
        ],
    )
    def test_a_host_that_is_another(self, sandbox: Sandbox, connect: Connect, requests_mock: Any, answer: Any) -> None:
        connect(ghl_default=sandbox.connection_json)
        requests_mock.get(f"{sandbox.url}/associations/", **answer)
        is_right, message = GHLHook().test_connection()
        assert not is_right
        assert message.startswith(f"what answers at {sandbox.url} is not HighLevel: check the base URL")
        assert requests_mock.call_count == 1

    @pytest.mark.parametrize("fault", ["error_before", "html_502", "reset_before", "timeout_401", "truncated_json"])
    def test_is_never_repeated(self, ghl: Sandbox, fault: Any) -> None:
        ghl.add_fault(Fault(fault))
        is_right, message = GHLHook().test_connection()
        assert (is_right, ghl.stats()["requests"]) == (False, 1)
        assert message

    @pytest.mark.parametrize("sandbox", [{"limit": 1, "interval": 60.0}], indirect=True)
    def test_a_full_window_is_told_and_not_waited_for(self, ghl: Sandbox) -> None:
        ghl.foreign(1)
        is_right, message = GHLHook().test_connection()
        assert (is_right, ghl.stats()["requests"]) == (False, 1)
        assert "Too Many Requests" in message

    def test_leaves_the_hooks_client_as_it_is(self, ghl: Sandbox) -> None:
        hook = GHLHook()
        client = hook.get_conn()
        hook.test_connection()
        assert hook.get_conn() is client
        ghl.add_fault(Fault("error_before", times=1))
        assert len(hook.list_associations()) == 2  # it repeats, as ever


class TestMethods:
    @pytest.fixture(params=["2021-07-28", "v3"])
    def hook(self, ghl: Sandbox, request: pytest.FixtureRequest) -> GHLHook:
        return GHLHook(api_version=request.param)

    def test_an_associations_life(self, ghl: Sandbox, hook: GHLHook) -> None:
        made = hook.create_association(**ATTENDED)
        assert hook.get_association(made["id"])["key"] == "attended"
        assert hook.get_association_by_key("attended")["id"] == made["id"]
        assert hook.find_association(association_key="attended")["id"] == made["id"]
        assert [a["id"] for a in hook.list_associations()] == [a["id"] for a in ghl.state.associations()]
        assert [a["key"] for a in hook.list_associations_by_object("custom_objects.event")] == ["attended"]
        assert hook.update_association(made["id"], "Guest", "Party")["secondObjectLabel"] == "Party"
        with pytest.raises(DuplicateAssociation):
            hook.create_association(**ATTENDED)
        assert hook.delete_association(made["id"])["deleted"] is True
        with pytest.raises(NotFound):
            hook.get_association_by_key("attended")
        with pytest.raises(NotFound):
            hook.delete_association(made["id"])

    def test_a_relations_life(self, ghl: Sandbox, hook: GHLHook, attended: str) -> None:
        made = hook.create_relation(attended, *PAIRS[0])
        assert made["id"] == ghl.state.relations()[0]["id"]
        with pytest.raises(DuplicateRelation):
            hook.create_relation(attended, *PAIRS[0])
        assert hook.find_relation(attended, *PAIRS[0]) == {**ghl.state.relations()[0]}
        assert hook.find_relation(attended, *reversed(PAIRS[0])) is None
        assert hook.delete_relation(made["id"])["id"] == made["id"]
        with pytest.raises(NotFound):
            hook.delete_relation(made["id"])

    def test_relations_over_all_pages_and_of_some_associations(self, ghl: Sandbox, hook: GHLHook, attended: str) -> None:
        other = ghl.state.add_association("other", "contact", "custom_objects.event", "A", "B")
        for number in range(230):
            ghl.state.add_relation(attended, "contact-1", f"event-{number}")
        ghl.state.add_relation(other, "contact-1", "event-1")
        assert len(list(hook.list_relations("contact-1"))) == 231
        assert len(list(hook.list_relations("contact-1", [attended]))) == 230
        assert [r["associationId"] for r in hook.list_relations("event-1", [other])] == [other]
        assert list(hook.list_relations("nobody")) == []

    def test_a_limit_is_told_from_a_pair_that_is_there(self, ghl: Sandbox, hook: GHLHook) -> None:
        one = ghl.state.add_association("attended", "contact", "event", "A", "B", max_per_first=1)
        hook.create_relation(one, *PAIRS[0])
        with pytest.raises(DuplicateRelation):
            hook.create_relation(one, *PAIRS[0])
        with pytest.raises(RelationLimitReached):
            hook.create_relation(one, *PAIRS[1])

    @pytest.mark.parametrize("odd", ["a/../b?x=1", "ä #%2F", "a b"])
    def test_an_id_stays_one_segment(self, ghl: Sandbox, hook: GHLHook, attended: str, odd: str) -> None:
        hook.create_relation(attended, odd, "event-1")
        assert [r["firstRecordId"] for r in hook.list_relations(odd)] == [odd]


class TestRun:
    def test_any_endpoint(self, ghl: Sandbox, attended: str) -> None:
        hook = GHLHook()
        assert hook.run("get", f"/associations/{attended}")["key"] == "attended"
        listed = hook.run("GET", "/associations/", params={"locationId": ghl.location_id, "skip": 0, "limit": 1})
        assert len(listed["associations"]) == 1
        pair = {"firstRecordId": "contact-1", "secondRecordId": "event-1"}
        made = hook.run(
            "POST", "/associations/relations", json={"locationId": ghl.location_id, "associationId": attended, **pair}
        )
        assert ghl.state.relations()[0]["id"] == made["id"]

    @pytest.mark.parametrize(
        ("method", "repeat_safe", "is_repeated"),
        [
            ("GET", None, True),
            ("PUT", None, True),
            ("DELETE", None, True),
            ("POST", None, False),
            ("PATCH", None, False),
            ("POST", True, True),
            ("GET", False, False),
        ],
    )
    @pytest.mark.parametrize("status", [500, 502])
    def test_what_is_sent_again_when_nobody_knows(
        self,
        sandbox: Sandbox,
        connect: Connect,
        requests_mock: Any,
        method: str,
        repeat_safe: Any,
        is_repeated: bool,
        status: int,
    ) -> None:
        connect(ghl_default=sandbox.connection_json)
        answers = [{"status_code": status, "text": "<html>"}, {"json": {"done": True}}]
        requests_mock.request(method, f"{sandbox.url}/conversations/messages", answers)
        hook = GHLHook()
        if is_repeated:
            assert hook.run(method, "/conversations/messages", repeat_safe=repeat_safe) == {"done": True}
        else:
            with pytest.raises(ServerError):
                hook.run(method, "/conversations/messages", repeat_safe=repeat_safe)
        assert requests_mock.call_count == 1 + is_repeated

    def test_a_post_that_was_never_sent_is_sent_again(self, connect: Connect) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            text = json.dumps({"conn_type": "ghl", "host": f"http://127.0.0.1:{taken.getsockname()[1]}", "password": "pit-1"})
            connect(ghl_default=text)
            hook = GHLHook()
            retry = hook.get_conn().retry
            hook.get_conn().retry = type(retry)(max_failures=3, draw=lambda: 0.0)
            with pytest.raises(TransportError) as raised:
                hook.run("POST", "/conversations/messages")
        assert raised.value.sent is False

    @pytest.mark.parametrize("path", ["contacts", "//evil.example/x", "/a?b=1", "/a#b", "", "/a/../b", "/./a", "/.."])
    def test_paths_that_would_lead_elsewhere(self, ghl: Sandbox, path: str) -> None:
        with pytest.raises(ConfigurationError, match="path must"):
            GHLHook().run("GET", path)
        assert ghl.stats()["requests"] == 0

    def test_no_answer_body_is_none(self, sandbox: Sandbox, connect: Connect, requests_mock: Any) -> None:
        connect(ghl_default=sandbox.connection_json)
        requests_mock.delete(f"{sandbox.url}/contacts/1", status_code=204, text="")
        assert GHLHook().run("DELETE", "/contacts/1") is None

    def test_stop_ends_a_wait(self, ghl: Sandbox) -> None:
        hook = GHLHook()
        ghl.add_fault(Fault("error_before"))
        hook.stop.set()
        with pytest.raises(Stopped):
            hook.list_associations()


def test_one_client_a_hook(ghl: Sandbox) -> None:
    hook = GHLHook()
    assert hook.get_conn() is hook.get_conn()
    assert GHLHook().get_conn() is not hook.get_conn()


def test_no_token_in_what_is_shown(ghl: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    hook = GHLHook()
    client = hook.get_conn()
    hook.list_associations()
    shown = [repr(hook), str(hook), repr(client), str(client), repr(vars(client)["_authorization"]), caplog.text]
    assert not [text for text in shown if ghl.token in text]
