"""Over a real socket, and with requests-mock: what reaches the wire, and what becomes of failures."""

from __future__ import annotations

import http.server
import pickle
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests_mock
from api_fakes import LOCATION, TOKEN

from airflow_provider_ghl.api.calls import Call, Endpoint
from airflow_provider_ghl.api.transport import RequestsTransport
from airflow_provider_ghl.exceptions import ConfigurationError, TransportError
from airflow_provider_ghl.sandbox import Fault, Sandbox

HEADERS = {"Authorization": f"Bearer {TOKEN}", "Version": "v3", "Accept": "application/json"}
SECRET = "ada@example.com"
GET = Endpoint("GET", "/associations/{associationId}", "associations.readonly")
POST = Call("POST", "/associations/relations", "/associations/relations", LOCATION, json={"a": [1, "ü"]})


class Recorder(http.server.BaseHTTPRequestHandler):
    """Answers 200 and remembers requests and connections."""

    protocol_version = "HTTP/1.1"
    seen: list[tuple[str, str, dict[str, str], bytes]]
    status = 200
    extra: dict[str, str]

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.seen.append((self.command, self.path, headers | {"from": str(self.client_address[1])}, body))
        self.send_response(self.status)
        for name, value in {"Content-Length": "2", **self.extra}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(b"{}")

    do_GET = do_POST = do_PUT = do_DELETE = answer

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def recorder() -> Iterator[tuple[type[Recorder], str]]:
    """A handler class of this test's own, and the URL where it answers."""
    handler = type("Handler", (Recorder,), {"seen": [], "extra": {}})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield handler, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def url_without_a_listener() -> str:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        return f"http://127.0.0.1:{closed.getsockname()[1]}"


def failure(transport: RequestsTransport, call: Call = POST) -> TransportError:
    with pytest.raises(TransportError) as caught:
        transport.send(call, HEADERS)
    transport.close()
    return caught.value


def sent(recorder: tuple[type[Recorder], str], *calls: Call) -> list[tuple[str, str, dict[str, str], bytes]]:
    handler, url = recorder
    transport = RequestsTransport(url)
    for call in calls:
        assert transport.send(call, HEADERS)[0] == handler.status
    transport.close()
    return handler.seen


@pytest.mark.parametrize(
    ("segment", "on_the_wire"),
    [("a/../b?x=1", "a%2F..%2Fb%3Fx%3D1"), ("%2e%2e", "%252e%252e"), ("a b#c", "a%20b%23c"), ("ü", "%C3%BC"), ("...", "...")],
)
def test_a_path_segment_stays_one(recorder: tuple[type[Recorder], str], segment: str, on_the_wire: str) -> None:
    (request,) = sent(recorder, GET.call(LOCATION, segment))
    assert request[1] == f"/associations/{on_the_wire}"


@pytest.mark.parametrize("segment", ["", "  ", ".", "..", None, 7])
def test_what_cannot_be_one_is_refused(segment: Any) -> None:
    with pytest.raises(ConfigurationError, match="associationId"):
        GET.call(LOCATION, segment)


@pytest.mark.parametrize("path", ["/a/../b", "/a/.", "/.."])
def test_a_path_that_climbs_is_refused(recorder: tuple[type[Recorder], str], path: str) -> None:
    transport = RequestsTransport(recorder[1])
    with pytest.raises(ConfigurationError, match="segments"):
        transport.send(Call("GET", path, path), HEADERS)
    assert recorder[0].seen == []


def test_any_path_is_quoted_once(recorder: tuple[type[Recorder], str]) -> None:
    paths = [request[1] for request in sent(recorder, Call("GET", "a b/ü", "x"), Call("GET", "/a%20b/%C3%BC", "x"))]
    assert paths == ["/a%20b/%C3%BC"] * 2


def test_parameters(recorder: tuple[type[Recorder], str]) -> None:
    params = {"locationId": "L&x", "skip": 0, "associationIds": ["a", "b"], "none": None, "text": "ü +"}
    (request,) = sent(recorder, Call("GET", "/x", "/x", params=params))
    assert request[1] == "/x?locationId=L%26x&skip=0&associationIds=a&associationIds=b&text=%C3%BC+%2B"


def test_the_body_is_json(recorder: tuple[type[Recorder], str]) -> None:
    with_body, without = sent(recorder, POST, Call("POST", "/x", "/x"))
    assert with_body[2]["content-type"] == "application/json"
    assert with_body[3] == b'{"a": [1, "\\u00fc"]}'
    assert (without[2].get("content-type"), without[2]["content-length"], without[3]) == (None, "0", b"")


@pytest.mark.parametrize("body", [{"a": float("nan")}, {"a": object()}, {"a": {1, 2}}])
def test_a_body_that_is_no_json_is_refused_without_being_shown(recorder: tuple[type[Recorder], str], body: Any) -> None:
    transport = RequestsTransport(recorder[1])
    with pytest.raises(ConfigurationError, match="is no JSON"):
        transport.send(Call("POST", "/x", "/x", json=body), HEADERS)
    assert recorder[0].seen == []


def test_only_our_headers_are_sent(recorder: tuple[type[Recorder], str]) -> None:
    (request,) = sent(recorder, Call("GET", "/x", "/x"))
    names = set(request[2]) - {"from"}
    assert names <= {"host", "authorization", "version", "accept", "accept-encoding", "user-agent", "connection"}
    assert request[2]["authorization"] == f"Bearer {TOKEN}"


def test_a_connection_is_kept(recorder: tuple[type[Recorder], str]) -> None:
    requests = sent(recorder, *[POST] * 5)
    assert len({request[2]["from"] for request in requests}) == 1


def test_connecting_is_timed_and_a_kept_connection_takes_none(recorder: tuple[type[Recorder], str]) -> None:
    transport = RequestsTransport(recorder[1])
    first, second = transport.send(POST, HEADERS), transport.send(POST, HEADERS)
    transport.close()
    assert len(first) == len(second) == 4
    assert first[3] > 0.0
    assert second[3] == 0.0


def test_cookies_are_not_sent_back(recorder: tuple[type[Recorder], str]) -> None:
    recorder[0].extra = {"Set-Cookie": "session=1; Path=/"}
    for request in sent(recorder, POST, POST):
        assert "cookie" not in request[2]


@pytest.mark.parametrize("status", [301, 302, 307])
def test_redirects_are_not_followed(recorder: tuple[type[Recorder], str], status: int) -> None:
    recorder[0].status = status
    recorder[0].extra = {"Location": "/elsewhere"}
    assert len(sent(recorder, POST, POST)) == 2


def test_the_name_of_a_header_may_be_in_any_case(recorder: tuple[type[Recorder], str]) -> None:
    recorder[0].extra = {"X-RateLimit-Max": "25"}
    transport = RequestsTransport(recorder[1])
    headers = transport.send(POST, HEADERS)[1]
    transport.close()
    assert headers.get("x-ratelimit-max") == headers.get("X-RATELIMIT-MAX") == "25"


def test_a_proxy_of_the_environment_is_used(recorder: tuple[type[Recorder], str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", recorder[1])
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setenv("http_proxy", recorder[1])
    transport = RequestsTransport("http://127.9.9.9:9")
    assert transport.send(POST, HEADERS)[0] == 200
    transport.close()
    assert recorder[0].seen[0][1] == "http://127.9.9.9:9/associations/relations"


def test_a_proxy_for_https_is_asked_and_its_refusal_is_never_sent(
    recorder: tuple[type[Recorder], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("https_proxy", recorder[1])
    error = failure(RequestsTransport("https://example.invalid"))
    assert (error.sent, "proxy" in error.message) == (False, True)


def test_no_proxy_is_minded(recorder: tuple[type[Recorder], str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", url_without_a_listener())
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert sent(recorder, POST)[0][1] == "/associations/relations"


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_a_ca_bundle_of_the_environment_is_used(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for other in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(other, raising=False)
    monkeypatch.setenv(name, str(tmp_path / "bundle.pem"))
    with requests_mock.Mocker() as mock:
        mock.post(requests_mock.ANY, json={})
        RequestsTransport().send(POST, HEADERS)
        assert mock.last_request.verify == str(tmp_path / "bundle.pem")
    error = failure(RequestsTransport())
    assert str(tmp_path) not in str(error)


def test_netrc_never_replaces_the_token(
    recorder: tuple[type[Recorder], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login other password other\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    assert sent(recorder, POST)[0][2]["authorization"] == f"Bearer {TOKEN}"


def test_a_refused_connection_was_never_sent() -> None:
    error = failure(RequestsTransport(url_without_a_listener()))
    assert (error.sent, error.method, error.path) == (False, "POST", "/associations/relations")
    assert "cannot be reached" in error.message


def test_a_name_that_is_not_known_was_never_sent() -> None:
    assert failure(RequestsTransport("https://name.invalid")).sent is False


@pytest.mark.parametrize("kind", ["reset_before", "reset_after"])
def test_a_reset_may_have_taken_effect(kind: Any) -> None:
    with Sandbox(faults=[Fault(kind)], seed=1) as sandbox:
        error = failure(RequestsTransport(sandbox.url))
    assert error.sent
    assert "broke" in error.message


def test_silence_ends_with_the_timeout_and_may_have_taken_effect() -> None:
    with Sandbox(faults=[Fault("hang")], seed=1) as sandbox:
        error = failure(RequestsTransport(sandbox.url, timeout=(60.0, 0.05)))
    assert error.sent
    assert "within the time allowed" in error.message


def test_tls_to_what_speaks_none_fails_in_plain_words(recorder: tuple[type[Recorder], str]) -> None:
    error = failure(RequestsTransport(recorder[1].replace("http:", "https:"), timeout=(60.0, 60.0)))
    assert "TLS" in error.message


def test_requests_mock_works_with_it() -> None:
    with requests_mock.Mocker() as mock:
        mock.post("https://services.leadconnectorhq.com/associations/relations?x=1", json={"id": "1"}, headers={"X-A": "b"})
        call = Call("POST", POST.path, POST.template, params={"x": 1}, json={"a": 1})
        raw = RequestsTransport().send(call, HEADERS)
    assert (raw[0], raw[1].get("x-a"), raw[2]) == (200, "b", b'{"id": "1"}')
    assert mock.last_request.json() == {"a": 1}
    assert mock.last_request.headers["authorization"] == f"Bearer {TOKEN}"
    assert mock.last_request.qs == {"x": ["1"]}


def failures() -> list[Callable[[], RequestsTransport]]:
    return [
        lambda: RequestsTransport(url_without_a_listener()),
        lambda: RequestsTransport("https://name.invalid"),
    ]


@pytest.mark.parametrize("make", failures())
def test_no_error_tells_a_secret(make: Callable[[], RequestsTransport]) -> None:
    call = Call("GET", "/contacts/", "/contacts/", params={"email": SECRET}, json={"email": SECRET})
    error = failure(make(), call)
    assert error.__cause__ is None
    assert error.__suppress_context__
    for text in (str(error), repr(error), repr(error.args), repr(vars(error)), repr(call)):
        assert TOKEN not in text
        assert SECRET not in text
    assert SECRET.encode() not in pickle.dumps(error)
