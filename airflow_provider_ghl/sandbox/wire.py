"""HTTP/1.1 as bytes: as much of it as a client of the API sends."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus

__all__ = ["BadRequest", "Request", "response", "take"]

#: Bytes; more than any request to this API.
LONGEST_HEAD = 64 * 1024
LONGEST_BODY = 4 * 1024 * 1024


class BadRequest(Exception):
    """What came is no HTTP request that this server reads; the connection is of no use any more."""


@dataclass(frozen=True, slots=True)
class Request:
    """``target`` is raw: path and query as they came. Header names are lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    keep_alive: bool


def take(buffer: bytearray) -> Request | None:
    """Take the first request out of the buffer; ``None`` when it is not there in full.

    :raises BadRequest: see there.
    """
    end = buffer.find(b"\r\n\r\n")
    if end < 0:
        if len(buffer) > LONGEST_HEAD:
            raise BadRequest
        return None
    method, target, version, headers = _head(bytes(buffer[:end]))
    start = end + 4
    stop = start + _length(headers)
    if len(buffer) < stop:
        return None
    body = bytes(buffer[start:stop])
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


def _length(headers: dict[str, str]) -> int:
    length = headers.get("content-length", "0")
    if "transfer-encoding" in headers or not length.isdecimal() or int(length) > LONGEST_BODY:
        raise BadRequest
    return int(length)


def _keeps_alive(version: str, headers: dict[str, str]) -> bool:
    connection = headers.get("connection", "").lower()
    return connection == "keep-alive" if version == "HTTP/1.0" else connection != "close"


def response(status: int, headers: Iterable[tuple[str, str]], body: bytes, content_type: str, keep_alive: bool) -> bytes:
    """The bytes of an answer."""
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
