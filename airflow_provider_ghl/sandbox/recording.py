"""One recorded answer, and short ways to write one down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

__all__ = ["TRACE", "Evidence", "Recorded", "html", "refused", "success", "unauthorized"]

Evidence = Literal["observed", "specified", "inferred"]


@dataclass(frozen=True, slots=True)
class Recorded:
    """One answer: its HTTP status, its body, and the exception that the client must raise for it.

    ``body`` is a JSON value, or a string for what is no JSON (``""``: empty). ``means`` names a class of
    ``airflow_provider_ghl.exceptions`` (``""``: a success); ``kind`` is that of ``Unauthorized``. ``headers`` are those that
    the meaning hangs on.
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
    """A 2xx."""
    return Recorded(name, status, body, "", evidence, source)


def unauthorized(name: str, kind: str, message: str, evidence: Evidence, source: str) -> Recorded:
    """A 401 about the token; ``kind`` as in ``Unauthorized``."""
    return Recorded(name, 401, {"statusCode": 401, "message": message}, "Unauthorized", evidence, source, kind)


def refused(name: str, status: int, message: object, means: str, evidence: Evidence, source: str) -> Recorded:
    """A definite no, in HighLevel's usual envelope."""
    body = {"statusCode": status, "message": message, "error": _ERRORS[status], **TRACE}
    return Recorded(name, status, body, means, evidence, source)


def html(name: str, status: int, title: str, evidence: Evidence, source: str) -> Recorded:
    """What the network in front says."""
    body = f"<html>\n<head><title>{title}</title></head>\n<body><center><h1>{title}</h1></center></body>\n</html>\n"
    return Recorded(name, status, body, "ServerError", evidence, source)


_ERRORS = {400: "Bad Request", 404: "Not Found", 422: "Unprocessable Entity"}
