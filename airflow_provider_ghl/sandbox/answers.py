"""Answers: a row of the recorded table, with its placeholders filled, as status and bytes."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass, field

from airflow_provider_ghl.sandbox.recorded import RECORDED, Recorded

__all__ = ["HTML", "JSON", "Reply", "fill", "render", "reply"]

_BY_NAME = {row.name: row for row in RECORDED}
JSON = "application/json; charset=utf-8"
HTML = "text/html; charset=utf-8"
_TRACE_BITS = 128


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer. ``name`` is that of its row in the recorded table."""

    name: str
    status: int
    body: bytes
    content_type: str = JSON
    headers: dict[str, str] = field(default_factory=dict)


def reply(name: str, /, **values: object) -> Reply:
    """The answer with this name, its placeholders filled. A ``traceId`` is generated unless one is given."""
    row = _BY_NAME[name]
    values.setdefault("traceId", _trace_id())
    content_type = JSON if not isinstance(row.body, str) or _placeholder(row.body) else HTML
    return Reply(row.name, row.status, render(row, values), content_type, dict(row.headers))


def fill(name: str, values: Mapping[str, object]) -> object:
    """The body with this name as a JSON value, to be part of another body."""
    return _fill(_BY_NAME[name].body, values)


def render(row: Recorded, values: Mapping[str, object] | None = None) -> bytes:
    """The body of a row as bytes. A placeholder without a value gets its own name."""
    body = _fill(row.body, values or {})
    if isinstance(body, str) and not _placeholder(str(row.body)):
        return body.encode()
    return json.dumps(body, separators=(",", ":")).encode()


def _fill(template: object, values: Mapping[str, object]) -> object:
    if isinstance(template, dict):
        return {key: _fill(value, values) for key, value in template.items()}
    if isinstance(template, list):
        return [_fill(value, values) for value in template]
    if isinstance(template, str) and "{" in template:
        return _fill_text(template, values)
    return template


def _fill_text(template: str, values: Mapping[str, object]) -> object:
    name = _placeholder(template)
    if name:
        return values.get(name, name)
    return template.format_map(_OrName(values))


class _OrName(dict[str, object]):
    """Values by name; a missing one is its own name."""

    def __missing__(self, name: str) -> str:
        return name


def _placeholder(template: str) -> str:
    """The name in a text that is nothing but a placeholder; else empty."""
    inner = template[1:-1]
    return inner if template == "{" + inner + "}" and inner.isidentifier() else ""


def _trace_id() -> str:
    digits = f"{random.getrandbits(_TRACE_BITS):032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
