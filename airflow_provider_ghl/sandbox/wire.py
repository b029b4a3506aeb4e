"""HTTP/1.1 as bytes: as much of it as a client of the API sends."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus

__all__ = ["BadRequest", "Request", "response", "take"]

#: Bytes; more than any request to this API.
LONGEST_HEAD = 64 * 1024
LONGEST_BODY = 4 * 1024 * 1024
LONGEST_CHUNK_LINE = 256
_LENGTH = re.compile("[0-9]{1,15}")
_CHUNK_SIZE = re.compile(rb"[0-9a-fA-F]{1,15}")


class BadRequest(Exception):
    """The bytes are not an HTTP request, or one that is too large: the connection cannot be used any longer."""


@dataclass(frozen=True, slots=True)
class Request:
    """``target``: path and query as received, not decoded. Header names are lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    keep_alive: bool


def take(buffer: bytearray) -> Request | None:
    """Remove the first request from the buffer and return it; ``None`` while it is incomplete.

    :raises BadRequest: the buffer does not begin with a request.
    """
    end = buffer.find(b"\r\n\r\n")
    if end < 0:
        if len(buffer) > LONGEST_HEAD:
            raise BadRequest
        return None
    method, target, version, headers = _head(bytes(buffer[:end]))
    found = _take_body(buffer, end + 4, headers)
    if found is None:
        return None
    body, stop = found
    del buffer[:stop]
    return Request(method, target, headers, body, _keeps_alive(version, headers))


def _head(head: bytes) -> tuple[str, str, str, dict[str, str]]:
    first, *lines = head.decode("latin-1").split("\r\n")
    parts = first.split(" ")
    if len(parts) != 3 or not parts[2].startswith("HTTP/1.") or not parts[1].startswith("/"):
        raise BadRequest
    headers = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon:
            raise BadRequest
        headers[name.lower()] = value.strip()
    return parts[0], parts[1], parts[2], headers


def _take_body(buffer: bytearray, start: int, headers: dict[str, str]) -> tuple[bytes, int] | None:
    """The body and where it stops; ``None`` while it is incomplete."""
    encoding, length = headers.get("transfer-encoding"), headers.get("content-length")
    if encoding is not None:
        if encoding.lower() != "chunked" or length is not None:
            raise BadRequest
        return _take_chunks(buffer, start)
    length = length or "0"
    if not _LENGTH.fullmatch(length) or int(length) > LONGEST_BODY:
        raise BadRequest
    stop = start + int(length)
    return (bytes(buffer[start:stop]), stop) if len(buffer) >= stop else None


def _take_chunks(buffer: bytearray, start: int) -> tuple[bytes, int] | None:
    body = bytearray()
    while True:
        line_end = buffer.find(b"\r\n", start, start + LONGEST_CHUNK_LINE)
        if line_end < 0:
            if len(buffer) >= start + LONGEST_CHUNK_LINE:
                raise BadRequest
            return None
        size = _chunk_size(bytes(buffer[start:line_end]))
        if size == 0:
            return _take_trailers(buffer, line_end, bytes(body))
        start, stop = line_end + 2, line_end + 2 + size
        if len(body) + size > LONGEST_BODY:
            raise BadRequest
        if len(buffer) < stop + 2:
            return None
        if buffer[stop : stop + 2] != b"\r\n":
            raise BadRequest
        body += buffer[start:stop]
        start = stop + 2


def _chunk_size(line: bytes) -> int:
    size = line.partition(b";")[0].strip(b" \t")
    if not _CHUNK_SIZE.fullmatch(size):
        raise BadRequest
    return int(size, 16)


def _take_trailers(buffer: bytearray, start: int, body: bytes) -> tuple[bytes, int] | None:
    """Skip the headers after the last chunk, up to the empty line."""
    stop = buffer.find(b"\r\n\r\n", start)
    if stop < 0:
        if len(buffer) - start > LONGEST_HEAD:
            raise BadRequest
        return None
    return body, stop + 4


def _keeps_alive(version: str, headers: dict[str, str]) -> bool:
    connection = headers.get("connection", "").lower()
    return connection == "keep-alive" if version == "HTTP/1.0" else connection != "close"


def response(status: int, headers: Iterable[tuple[str, str]], body: bytes, content_type: str, keep_alive: bool) -> bytes:
    """An answer as bytes."""
    lines = [f"HTTP/1.1 {status} {_phrase(status)}"]
    lines += [f"{name}: {value}" for name, value in headers]
    if body:
        lines.append(f"content-type: {content_type}")
    lines.append(f"content-length: {len(body)}")
    if not keep_alive:
        lines.append("connection: close")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


_PHRASES = {status.value: status.phrase for status in HTTPStatus}


def _phrase(status: int) -> str:
    return _PHRASES.get(status, "")
