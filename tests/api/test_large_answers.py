"""An answer that is too large: an error, a connection that is dropped, and memory that stays bounded."""

from __future__ import annotations

import gzip
import http.server
import threading
import tracemalloc
import zlib
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
from api_fakes import LOCATION, TOKEN

from airflow_provider_ghl.api.calls import Call
from airflow_provider_ghl.api.transport import LARGEST_ANSWER, RequestsTransport
from airflow_provider_ghl.exceptions import ServerError

GET = Call("GET", "/associations/", "/associations/", LOCATION)
HEADERS = {"Authorization": f"Bearer {TOKEN}", "Accept-Encoding": "gzip, deflate"}
MIB = 2**20
PIECE = b" " * MIB


class Server(http.server.BaseHTTPRequestHandler):
    """Sends ``pieces`` under ``headers``, and counts what it could send."""

    protocol_version = "HTTP/1.1"
    status = 200
    sent_headers: ClassVar[dict[str, str]] = {}
    pieces: ClassVar[list[bytes]] = []
    #: Bytes of bodies that were taken, and ports that requests came from.
    taken = 0
    ports: ClassVar[list[int]] = []

    def do_GET(self) -> None:
        kind = type(self)
        kind.ports.append(self.client_address[1])
        self.send_response(self.status)
        for name, value in self.sent_headers.items():
            self.send_header(name, value)
        self.end_headers()
        is_chunked = "Transfer-Encoding" in self.sent_headers
        try:
            for piece in self.pieces:
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece) if is_chunked else piece)
                kind.taken += len(piece)
            self.wfile.write(b"0\r\n\r\n" if is_chunked else b"")
        except OSError:
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[type[Server]]:
    """A handler class of this test's own; ``url`` is where it answers."""
    kind: Any = type("Handler", (Server,), {"ports": []})
    listening = http.server.ThreadingHTTPServer(("127.0.0.1", 0), kind)
    listening.daemon_threads = True
    kind.url = f"http://127.0.0.1:{listening.server_port}"
    threading.Thread(target=listening.serve_forever, args=(0.01,), daemon=True).start()
    yield kind
    listening.shutdown()
    listening.server_close()


def too_large(transport: RequestsTransport) -> ServerError:
    """The error, after a look at the memory that it took."""
    tracemalloc.start()
    try:
        with pytest.raises(ServerError) as caught:
            transport.send(GET, HEADERS)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * LARGEST_ANSWER
    return caught.value


@pytest.mark.parametrize(
    "headers",
    [{"Content-Length": str(256 * MIB)}, {"Transfer-Encoding": "chunked"}, {"Connection": "close"}],
    ids=["length", "chunked", "until it closes"],
)
def test_a_body_without_end_is_not_read_to_its_end(server: Any, headers: dict[str, str]) -> None:
    server.sent_headers, server.pieces, server.status = headers, [PIECE] * 256, 502
    error = too_large(RequestsTransport(server.url))
    assert str(error) == "GET /associations/ answered 502: the answer is larger than 8 MiB"
    assert server.taken < 64 * MIB


def bomb(encoding: str) -> bytes:
    """256 MiB, small on the wire."""
    if encoding == "deflate":
        packing = zlib.compressobj()
        return b"".join(packing.compress(PIECE) for _ in range(256)) + packing.flush()
    packed = gzip.compress(b"") + gzip.compress(PIECE) * 256  # many members
    return gzip.compress(packed) if encoding == "gzip, gzip" else packed


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "gzip, gzip"])
def test_a_body_is_measured_as_it_is_unpacked(server: Any, encoding: str) -> None:
    packed = bomb(encoding)
    server.sent_headers, server.pieces = {"Content-Encoding": encoding, "Content-Length": str(len(packed))}, [packed]
    assert too_large(RequestsTransport(server.url)).status == 200


def test_the_next_request_goes_over_another_connection(server: Any) -> None:
    transport = RequestsTransport(server.url)
    server.sent_headers, server.pieces = {"Content-Length": str(64 * MIB)}, [PIECE] * 64
    too_large(transport)
    for headers, body in (({"Content-Length": "2"}, b"{}"), ({"Transfer-Encoding": "chunked"}, b"[]")):
        server.sent_headers, server.pieces = headers, [body]
        assert transport.send(GET, HEADERS)[2] == body
    before, *after = server.ports
    assert len(set(after)) == 1
    assert before not in after


@pytest.mark.parametrize("encoding", ["", "gzip", "deflate"])
@pytest.mark.parametrize("is_chunked", [False, True], ids=["length", "chunked"])
def test_the_largest_answer_is_taken_whole(server: Any, encoding: str, is_chunked: bool) -> None:
    whole = b'"' + b"x" * (LARGEST_ANSWER - 2) + b'"'
    body = {"": whole, "gzip": gzip.compress(whole, 1), "deflate": zlib.compress(whole, 1)}[encoding]
    length = {"Transfer-Encoding": "chunked"} if is_chunked else {"Content-Length": str(len(body))}
    server.sent_headers, server.pieces = {"Content-Encoding": encoding, **length}, [body]
    transport = RequestsTransport(server.url)
    assert [transport.send(GET, HEADERS)[2] == whole for _ in range(2)] == [True, True]
    assert len(set(server.ports)) == 1
