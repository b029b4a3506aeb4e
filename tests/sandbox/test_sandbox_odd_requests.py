"""Requests that are well formed and odd: each gets HighLevel's answer, and the connection lives on."""

from __future__ import annotations

import base64
import json
import logging
import socket
from collections.abc import Iterator

import pytest
from sandbox_client import CONTACT, EVENT, HttpClient, add_attends
from waits import TOO_LONG

from airflow_provider_ghl.sandbox import Sandbox

pytest_plugins = ["airflow_provider_ghl.sandbox.fixture"]

DEEP = 100_000
MANY_DIGITS = "1" * 5000


@pytest.fixture
def client(ghl_sandbox: Sandbox, caplog: pytest.LogCaptureFixture) -> Iterator[HttpClient]:
    with HttpClient(ghl_sandbox) as made:
        yield made
    # asyncio logs the traceback of what a connection raised.
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


def send_raw(sandbox: Sandbox, request: bytes, piece: int = 1 << 16) -> bytes:
    """The whole of what comes back; the request must end the connection."""
    with socket.create_connection(("127.0.0.1", int(sandbox.url.rpartition(":")[2])), timeout=TOO_LONG) as line:
        for start in range(0, len(request), piece):
            line.sendall(request[start : start + piece])
        received = b""
        while chunk := line.recv(65536):
            received += chunk
    return received


class TestChunkedBodies:
    def relate(self, client: HttpClient, chunks: list[bytes]) -> tuple[int, object]:
        """``requests`` sends what an iterator yields in chunks, without a length."""
        answer = client.send("POST", "/associations/relations", data=iter(chunks))
        assert answer.request.headers["Transfer-Encoding"] == "chunked"
        return answer.status_code, answer.json()

    def body(self, client: HttpClient, first: str = "ann") -> bytes:
        fields = {"locationId": client.sandbox.location_id, "firstRecordId": first, "secondRecordId": "party"}
        return json.dumps(fields | {"associationId": add_attends(client.sandbox)}).encode()

    def test_are_read(self, client: HttpClient) -> None:
        body = self.body(client)
        status, _ = self.relate(client, [body[:1], body[1:40], body[40:]])
        assert status == 201
        assert client.get("/associations/").status_code == 200

    def test_are_refused_for_what_is_in_them(self, client: HttpClient) -> None:
        status, body = self.relate(client, [b'{"locationId": ', json.dumps(client.sandbox.location_id).encode(), b"}"])
        assert status == 422
        assert isinstance(body, dict)
        assert "associationId should not be empty" in body["message"]

    @pytest.mark.parametrize("piece", [1, 7, 1000])
    def test_with_extensions_and_trailers_and_in_pieces(self, client: HttpClient, piece: int) -> None:
        body = self.body(client)
        head = f"POST /associations/relations HTTP/1.1\r\nversion: v3\r\nauthorization: Bearer {client.sandbox.token}\r\n"
        chunked = b"%X;name=value\r\n%s\r\n%x\r\n%s\r\n" % (20, body[:20], len(body) - 20, body[20:])
        ended = chunked + b"0\r\nx-trailer: 1\r\n\r\n"
        next_one = b"GET /nowhere HTTP/1.1\r\nconnection: close\r\n\r\n"
        received = send_raw(client.sandbox, head.encode() + b"Transfer-Encoding: Chunked\r\n\r\n" + ended + next_one, piece)
        assert [part[:3] for part in received.split(b"HTTP/1.1 ")[1:]] == [b"201", b"401"]

    @pytest.mark.parametrize(
        "chunked",
        [b"x\r\n", b"-1\r\n", b"+1\r\na\r\n", b"\r\n", b"1\r\nab\r\n0\r\n\r\n", b"fffffff\r\n", b"f" * 5000, b"0" * 300],
    )
    def test_that_are_no_chunks_end_the_connection(self, client: HttpClient, chunked: bytes) -> None:
        head = b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n"
        assert send_raw(client.sandbox, head + chunked).startswith(b"HTTP/1.1 400 ")

    @pytest.mark.parametrize(
        "headers",
        [
            b"transfer-encoding: gzip, chunked\r\n",
            b"transfer-encoding: chunked\r\ncontent-length: 5\r\n",
            b"content-length: %s\r\n" % MANY_DIGITS.encode(),
            b"content-length: -1\r\n",
        ],
    )
    def test_lengths_that_say_nothing_end_the_connection(self, client: HttpClient, headers: bytes) -> None:
        request = b"POST / HTTP/1.1\r\n" + headers + b"\r\n0\r\n\r\n"
        assert send_raw(client.sandbox, request).startswith(b"HTTP/1.1 400 ")


class TestDeepJson:
    @pytest.mark.parametrize("text", ["[" * DEEP, "[" * DEEP + "]" * DEEP, '{"a":' * DEEP, MANY_DIGITS])
    def test_in_a_body_is_refused(self, client: HttpClient, text: str) -> None:
        answer = client.send("POST", "/associations/relations", data=text)
        assert (answer.status_code, answer.json()["error"]) == (400, "Bad Request")

    def test_in_a_token_request_is_refused(self, client: HttpClient) -> None:
        answer = client.send("POST", "/oauth/token", data="[" * DEEP, headers={"Version": "v3"})
        assert answer.status_code == 400

    def test_in_a_page_token_is_refused(self, agency_client: HttpClient) -> None:
        token = base64.urlsafe_b64encode(b"[" * 30_000).decode()
        assert list_v3(agency_client, pageToken=token) == (400, "pageToken")


class TestNumbersInQueries:
    @pytest.mark.parametrize("number", [MANY_DIGITS, "٣", "3٣", "²", "1e3", "1.0", "-1", "+1", " 1", "1_0", "0x1", ""])
    def test_that_are_no_number_are_refused(self, client: HttpClient, number: str) -> None:
        for path in ("/associations/", "/associations/relations/ann"):
            for name in ("skip", "limit"):
                answer = client.get(path, **{name: number})
                assert (answer.status_code, answer.json()["message"]) == (422, [f"{name} must be a number string"])

    def test_large_ones_are_numbers(self, client: HttpClient) -> None:
        add_attends(client.sandbox)
        listed = client.get("/associations/", skip="0", limit="9" * 15).json()
        assert len(listed["associations"]) == 3
        assert client.get("/associations/", skip="9" * 15, limit="007").json()["associations"] == []

    @pytest.mark.parametrize("number", [MANY_DIGITS, "٣", "0", "101", ""])
    def test_of_an_agency_s_pages(self, agency_client: HttpClient, number: str) -> None:
        assert list_v3(agency_client, pageSize=number) == (400, "pageSize")

    @pytest.mark.parametrize("number", [MANY_DIGITS, "٣"])
    def test_of_an_agency_s_list(self, agency_client: HttpClient, number: str) -> None:
        app = next(iter(agency_client.sandbox.state.agencies.companies()))
        params = {"companyId": app, "appId": "app", "limit": number}
        answer = agency_client.send("GET", "/oauth/installedLocations", params=params)
        assert (answer.status_code, answer.json()["message"]) == (422, ["limit must be a number string"])

    @pytest.mark.parametrize("number", [MANY_DIGITS, "٣"])
    def test_of_a_refresh_token(self, client: HttpClient, number: str) -> None:
        app = client.sandbox.add_app()
        client.sandbox.keep_refresh_token(app, client.sandbox.add_company(), "chain")
        assert client.refresh(app, f"chain-{number}").status_code == 400
        assert client.refresh(app, "chain-7").status_code == 200


@pytest.fixture
def agency_client(client: HttpClient) -> Iterator[HttpClient]:
    """With the token of an agency whose app is ``app``."""
    sandbox = client.sandbox
    (company_id,) = sandbox.state.agencies.companies()
    tokens = sandbox.issue(sandbox.add_app("app-client"), company_id=company_id)
    with HttpClient(sandbox, token=tokens["access_token"]) as made:
        yield made


def list_v3(client: HttpClient, **params: str) -> tuple[int, str]:
    """The status, and which parameter was wrong."""
    (company_id,) = client.sandbox.state.agencies.companies()
    asked = {"companyId": company_id, "appId": "app", **params}
    answer = client.send("GET", "/oauth/installed-locations", params=asked, headers={"Version": "v3"})
    message = answer.json()["error"]["message"]
    return answer.status_code, next(name for name in ("pageSize", "pageToken") if name in message)


class TestDeletingRelations:
    @pytest.mark.parametrize("path", ["/associations/relations", "/associations/relations/"])
    def test_needs_an_id_in_the_path(self, client: HttpClient, path: str) -> None:
        """The vendor documents no other way: what stands in the body is not looked at, and nothing is deleted."""
        attends = add_attends(client.sandbox)
        relation = client.relate(attends, "ann", "party").json()["id"]
        body = {"locationId": client.sandbox.location_id, "associationId": attends, "id": relation}
        answer = client.send("DELETE", path, json=body)
        assert (answer.status_code, "IAM Service" in answer.text) == ((401, True) if path.endswith("s") else (404, False))
        assert client.sandbox.state.count_relations(attends) == 1

    def test_an_association_s_id_still_is_one(self, client: HttpClient) -> None:
        """Observed of GET: 'relations' is taken for an id."""
        assert client.send("GET", "/associations/relations").status_code == 400


class TestKeysInsteadOfIds:
    @pytest.mark.parametrize("key", ["ann@example.com", "+4915112345678", "+1 (555) 123-4567"])
    def test_name_no_record(self, client: HttpClient, key: str) -> None:
        attends = add_attends(client.sandbox)
        first = client.relate(attends, key, "party")
        assert (first.status_code, first.json()) == (400, {"error": f"Contact with id {key} not found", "status": 400})
        second = client.relate(attends, "ann", key)
        assert (second.status_code, second.json()) == (400, {"error": f"Record with id {key} not found", "status": 400})
        assert client.sandbox.state.count_relations(attends) == 0

    def test_a_record_that_a_test_has_added_is_there(self, client: HttpClient) -> None:
        attends = add_attends(client.sandbox)
        client.sandbox.state.add_record(CONTACT, "ann@example.com")
        client.sandbox.state.add_record(EVENT, "party+1")
        assert client.relate(attends, "ann@example.com", "party+1").status_code == 201
