"""Reads an HTTP answer: it becomes an :class:`Answer` or an error. The one place where a status becomes an error's class.

The evidence for each rule is the table of recorded bodies that the sandbox speaks from (``sandbox/recorded.py``).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any, TypeVar

from airflow_provider_ghl.api.calls import Answer, Call
from airflow_provider_ghl.api.rate_headers import RateHeaders
from airflow_provider_ghl.exceptions import (
    APIError,
    DuplicateAssociation,
    DuplicateRelation,
    NotFound,
    PossibleDuplicate,
    QuotaExhausted,
    RateLimited,
    RelationLimitReached,
    RequestRejected,
    ServerError,
    Unauthorized,
)

E = TypeVar("E", bound=APIError)

__all__ = ["LONGEST_MESSAGE", "mask", "read_answer"]

#: Characters of HighLevel's message that are kept.
LONGEST_MESSAGE = 200

#: Characters of a message that are masked at all, since that takes time; and how long an address or a number may be: a half of
#: one may be left at the end of them.
_MOST_MASKED = 2_000
_LONGEST_SECRET = 320

_ADDRESS_PART = r"[^\s@<>\"'\[\]():,;]"
_EMAIL = re.compile(rf"(?<!{_ADDRESS_PART}){_ADDRESS_PART}++@{_ADDRESS_PART}++")
_PHONE = re.compile(r"(?<![\w-])\+?\(?\d[\d ()./-]{6,}\d(?![\w-])")
#: Characters that neither XCom nor PostgreSQL can hold.
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_TRACE_ID = re.compile(r"[A-Za-z0-9_.:-]{1,100}")

#: Phrases of definite refusals (observed), all lower case; the first that is in the message decides.
_REJECTED: tuple[tuple[str, type[RequestRejected]], ...] = (
    ("duplicate relation", DuplicateRelation),
    ("max relation limit", RelationLimitReached),
    ("duplicate association key", DuplicateAssociation),
)
#: What the refusal of a new relation may say instead of "duplicate relation" one day, all lower case. Never seen so far.
_POSSIBLE_DUPLICATE = ("already exists", "duplicate")
_CREATE_RELATION = ("POST", "/associations/relations")

#: Phrases of a 401 for a good token of the wrong kind (observed), all lower case.
_ROUTE = ("iam service", "iam configuration", "not yet supported", "version header", "user type mismatch")


def read_answer(call: Call, status: int, body: bytes, rate: RateHeaders, secrets: Iterable[str] = ()) -> Answer:
    """Read one HTTP answer.

    :param secrets: texts that an error's message must not contain.
    :raises APIError: it is not a success; the class says what to do next.
    """
    data, is_json = _parse(body)
    if not 200 <= status < 300:
        data = _without(secrets, data)
    if 200 <= status < 300:
        if is_json or not body.strip():
            return Answer(status, data, _trace_id(data))
        raise _error(ServerError, call, status, data, "the answer is not JSON")
    if status == 429:
        raise _limited(call, status, data, rate)
    is_foreign = bool(body.strip()) and not is_json
    if is_foreign and (300 <= status < 400 or status == 404):
        raise _error(RequestRejected, call, status, data, "what answers is not HighLevel's API: is the host right?")
    if status >= 500 or is_foreign:
        # HighLevel's refusals are JSON (or empty): HTML with another 4xx comes from the network in front of it.
        raise _error(ServerError, call, status, data, "HighLevel or its gateway failed")
    if status == 401:
        raise _unauthorized(call, data)
    if status == 403:
        raise _forbidden(call, data)
    raise _rejected(call, status, data)


def mask(text: str) -> str:
    """The text without e-mail addresses and phone numbers, on one line, cut to :data:`LONGEST_MESSAGE` characters."""
    plain = " ".join(_CONTROL.sub(" ", text).encode(errors="backslashreplace").decode().split())
    masked = _PHONE.sub("<phone>", _EMAIL.sub("<e-mail>", plain[:_MOST_MASKED]))
    if len(plain) > _MOST_MASKED:
        masked = masked[:-_LONGEST_SECRET] + "…"
    return masked if len(masked) <= LONGEST_MESSAGE else masked[: LONGEST_MESSAGE - 1] + "…"


def _parse(body: bytes) -> tuple[Any, bool]:
    try:
        return json.loads(body), True
    except (ValueError, RecursionError):
        return None, False


def _without(secrets: Iterable[str], data: Any) -> Any:
    """The body with the secrets in its message replaced. Before the message is cut, which could leave half of one."""
    text = _message(data)
    for secret in secrets:
        text = text.replace(secret, "***")
    return {**data, "message": text} if text else data


def _message(data: Any) -> str:
    """``message`` as a string or a list of them, or ``error_description`` (observed); or nested under ``error`` (specified)."""
    if not isinstance(data, dict):
        return ""
    error = data.get("error")
    found = (
        data.get("message")
        or data.get("error_description")
        or (error.get("message") if isinstance(error, dict) else error)
        or ""
    )
    return "; ".join(map(str, found)) if isinstance(found, list) else str(found)


def _trace_id(data: Any) -> str | None:
    trace_id = data.get("traceId") if isinstance(data, dict) else None
    return str(trace_id) if trace_id and _TRACE_ID.fullmatch(str(trace_id)) else None


def _error(kind: type[E], call: Call, status: int, data: Any, otherwise: str) -> E:
    message = _message(data)
    if call.private and _repeats(message, call.private):
        message = ""
    return kind(
        mask(message) or otherwise,
        method=call.method,
        path=call.template,
        status=status,
        trace_id=_trace_id(data),
    )


def _repeats(message: str, private: Iterable[str]) -> bool:
    """Whether the message holds one of these texts, in any case."""
    folded = message.casefold()
    return any(text.casefold() in folded for text in private)


def _limited(call: Call, status: int, data: Any, rate: RateHeaders) -> APIError:
    if rate.day_is_spent:
        spent = _error(QuotaExhausted, call, status, data, "the day's requests are spent")
        spent.resets_in = rate.daily_resets_in
        return spent
    return _error(RateLimited, call, status, data, "too many requests")


def _unauthorized(call: Call, data: Any) -> APIError:
    text = _message(data).lower()
    if "timed out" in text:  # a gateway timeout that comes as 401 (observed)
        return _error(ServerError, call, 401, data, "the gateway timed out")
    if text.startswith("e01"):  # a parameter is missing (observed): a refusal of the request, not of the token
        return _error(RequestRejected, call, 401, data, "unauthorized request")
    error = _error(Unauthorized, call, 401, data, "unauthorized")
    if any(phrase in text for phrase in _ROUTE):
        error.kind = "route"
    elif "scope" in text:
        error.kind, error.scope = "scope", call.scope
    elif "location" in text:
        error.kind = "location"
    return error


def _forbidden(call: Call, data: Any) -> APIError:
    error = _error(Unauthorized, call, 403, data, "forbidden")
    error.kind = "location" if "location" in _message(data).lower() else "route"
    return error


def _rejected(call: Call, status: int, data: Any) -> APIError:
    text = _message(data).lower()
    for phrase, kind in _REJECTED:
        if phrase in text:
            return _error(kind, call, status, data, phrase)
    if _is_possible_duplicate(call, status, text):
        return _error(PossibleDuplicate, call, status, data, "the relation may be there")
    if status == 404 or "not found" in text:
        return _error(NotFound, call, status, data, "not found")
    if 300 <= status < 400:
        return _error(RequestRejected, call, status, data, "a redirect, which is not followed: is the host right?")
    return _error(RequestRejected, call, status, data, "refused without a message")


def _is_possible_duplicate(call: Call, status: int, text: str) -> bool:
    if (call.method, call.template) != _CREATE_RELATION:
        return False
    return status == 409 or (status in {400, 422} and any(phrase in text for phrase in _POSSIBLE_DUPLICATE))
