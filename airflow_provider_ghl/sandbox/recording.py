"""What one row of the table of answers is, and functions that make rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

__all__ = ["TRACE", "Evidence", "Recorded", "html", "refused", "success", "unauthorized"]

Evidence = Literal["observed", "specified", "inferred"]


@dataclass(frozen=True, slots=True)
class Recorded:
    """One answer of HighLevel, and the exception that the client must raise for it.

    :param body: a JSON value, or a string if it is not JSON (``""``: empty).
    :param means: the name of a class in ``airflow_provider_ghl.exceptions``; ``""``: a success.
    :param evidence: how it is known.
    :param source: where it was seen or specified.
    :param kind: the ``kind`` of ``Unauthorized``.
    :param headers: those that its meaning depends on.
    """

    name: str
    status: int
    body: object
    means: str
    evidence: Evidence
    source: str
    kind: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


TRACE = {"traceId": "{traceId}"}


def success(name: str, status: int, body: object, evidence: Evidence, source: str) -> Recorded:
    """An answer 2xx."""
    return Recorded(name, status, body, "", evidence, source)


def unauthorized(name: str, kind: str, message: str, evidence: Evidence, source: str) -> Recorded:
    """An answer 401 about the token.

    :param kind: as in ``Unauthorized``.
    """
    return Recorded(name, 401, {"statusCode": 401, "message": message}, "Unauthorized", evidence, source, kind)


def refused(name: str, status: int, message: object, means: str, evidence: Evidence, source: str) -> Recorded:
    """A refusal, in the usual form of HighLevel's errors."""
    body = {"statusCode": status, "message": message, "error": _ERRORS[status], **TRACE}
    return Recorded(name, status, body, means, evidence, source)


def html(name: str, status: int, title: str, evidence: Evidence, source: str) -> Recorded:
    """An error page of the network in front of HighLevel."""
    body = f"<html>\n<head><title>{title}</title></head>\n<body><center><h1>{title}</h1></center></body>\n</html>\n"
    return Recorded(name, status, body, "ServerError", evidence, source)


_ERRORS = {400: "Bad Request", 404: "Not Found", 422: "Unprocessable Entity"}
