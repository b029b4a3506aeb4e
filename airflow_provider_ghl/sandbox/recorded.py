"""HighLevel's answers: one table of what the sandbox sends and the client must understand.

``{name}`` in a body is a placeholder. A value that is nothing but a placeholder takes the type of what fills it.

``evidence``: ``observed`` live by a third party, ``specified`` by the vendor, or ``inferred`` from either. ``source`` is where:
a numbered issue is one of ``GoHighLevel/highlevel-api-docs``; RR is ``rocketride-org/rocketride-server``
(``tool_gohighlevel``, tested against a trial sub-account); LS is ``losched16/growth-suite-dashboards``
(``lib/ghl/associations.ts``); spec is ``apps/associations.json`` of the docs repository.
"""

from __future__ import annotations

from airflow_provider_ghl.sandbox.recorded_oauth import OAUTH
from airflow_provider_ghl.sandbox.recorded_records import RECORDS
from airflow_provider_ghl.sandbox.recording import TRACE, Recorded, html, refused, success, unauthorized

__all__ = ["RECORDED", "Recorded"]

_ASSOCIATION = {
    "locationId": "{locationId}",
    "id": "{id}",
    "key": "{key}",
    "firstObjectLabel": "{firstObjectLabel}",
    "firstObjectKey": "{firstObjectKey}",
    "secondObjectLabel": "{secondObjectLabel}",
    "secondObjectKey": "{secondObjectKey}",
    "associationType": "{associationType}",
}
_RELATION = {
    "id": "{id}",
    "associationId": "{associationId}",
    "firstObjectKey": "{firstObjectKey}",
    "firstRecordId": "{firstRecordId}",
    "secondObjectKey": "{secondObjectKey}",
    "secondRecordId": "{secondRecordId}",
    "locationId": "{locationId}",
}
_EQUAL_LABELS = "Both object labels can not be same"
_LIMIT_REACHED = "Max relation limit[{limit}] reached for record[{recordId}] for association[{associationId}]"
_NOT_IN_VERSION = (
    "Endpoint {path} not available in API version v3. This endpoint was removed in version v3. Please use a version before v3."
)
_TOO_MANY = {"statusCode": 429, "message": "Too Many Requests"}
_PROBES = "live probes of 2026-08-03, reported in the public documentation of a client"

_SUCCESSES = (
    success("association", 200, _ASSOCIATION | TRACE, "specified", "spec: GET by id, by key, PUT; flat (LS)"),
    success(
        "association_created",
        201,
        _ASSOCIATION | TRACE,
        "observed",
        "spec: POST; strings, not objects (LS). A client's log of 2026-10-06: the key in lower case, the sides swapped "
        "for some objects; that they are sorted by object key is inferred",
    ),
    success("association_in_list", 200, _ASSOCIATION, "specified", "spec: an item of the lists"),
    success("associations", 200, {"associations": "{associations}"} | TRACE, "observed", "client code; spec's DTO is wrong"),
    success(
        "associations_by_object",
        200,
        "{associations}",
        "observed",
        "an array in one network capture, one object in another client: both must be understood",
    ),
    success(
        "relation_created",
        201,
        _RELATION | TRACE,
        "inferred",
        "LS reads the id; the other fields are those of the RelationCreate webhook; the spec's DTO is wrong. That pipelineId "
        "is taken beside the specified fields for opportunities and contacts: three public clients send it",
    ),
    success("relation_in_list", 200, _RELATION, "observed", "capture of 2026-07-02 in public client code"),
    success(
        "relations",
        200,
        {"relations": "{relations}", "total": "{total}"} | TRACE,
        "observed",
        "capture of 2026-07-02 in public client code; that total counts all pages is inferred, and that associationIds and "
        "associationIds[] are the same: the vendor's clients differ",
    ),
    success(
        "association_deleted",
        200,
        {"deleted": True, "id": "{id}", "message": "Association deleted successfully"},
        "specified",
        "spec: DeleteAssociationsResponseDTO; its relations go too",
    ),
    success(
        "relation_deleted",
        200,
        {"deleted": True, "id": "{id}", "message": "Relation deleted successfully"},
        "inferred",
        "after the answer for associations; the spec's DTO is wrong and the real body unknown",
    ),
)

_TOKENS = (
    Recorded(
        "bad_token",
        401,
        {"statusCode": 401, "message": "Invalid token: access token is invalid", "error": "Unauthorized"},
        "Unauthorized",
        "specified",
        "common-schemas.json: UnauthorizedDTO",
        kind="token",
    ),
    unauthorized("bad_private_token", "token", "Invalid Private Integration token", "inferred", "another imitation"),
    unauthorized("bad_jwt", "token", "Invalid JWT", "observed", "#213"),
    unauthorized("missing_scope", "scope", "The token is not authorized for this scope.", "observed", "RR, #245"),
    unauthorized(
        "route_not_public",
        "route",
        "This route is not yet supported by the IAM Service. Please update your IAM config.",
        "observed",
        "#74, #165; RR for the 401 of a mis-cased path, whose body is inferred",
    ),
    unauthorized("version_missing", "route", "version header was not found.", "observed", _PROBES),
    unauthorized("version_unknown", "route", "version header is invalid", "observed", _PROBES),
    Recorded(
        "missing_parameter",
        401,
        {"statusCode": 401, "message": "E01 - Unauthorized request"},
        "RequestRejected",
        "observed",
        "RR: a parameter is missing; that the Authorization header is one of them is inferred",
    ),
    Recorded(
        "wrong_location",
        403,
        {"statusCode": 403, "message": "The token does not have access to this location."},
        "Unauthorized",
        "observed",
        "RR, #213: locationId is wrong or missing",
        kind="location",
    ),
    Recorded(
        "forbidden",
        403,
        {"message": "Forbidden resource", "error": "Forbidden", "statusCode": 403},
        "Unauthorized",
        "observed",
        "RR: an endpoint for agencies",
        kind="route",
    ),
)

_REFUSALS = (
    refused(
        "invalid_fields",
        422,
        "{messages}",
        "RequestRejected",
        "observed",
        "a list: #262 (property … should not exist), n8n-io/n8n#12689 (… should not be empty); UnprocessableDTO",
    ),
    refused("equal_labels", 422, _EQUAL_LABELS, "RequestRejected", "observed", "LS; a string: inferred"),
    refused("equal_labels_in_list", 422, [_EQUAL_LABELS], "RequestRejected", "inferred", "UnprocessableDTO"),
    refused(
        "duplicate_association",
        400,
        "Duplicate Association key",
        "DuplicateAssociation",
        "observed",
        "public client code that looks for this text; the status is inferred",
    ),
    refused(
        "association_not_found",
        404,
        "Association not found",
        "NotFound",
        "observed",
        "LS: by key, 404 or 400; that the case of the key counts is inferred",
    ),
    refused(
        "association_not_found_400",
        400,
        "Association not found",
        "NotFound",
        "observed",
        "LS; GET of the id 'relations' is answered 400 in public client code",
    ),
    refused(
        "system_association",
        400,
        "System defined associations can not be deleted",
        "RequestRejected",
        "inferred",
        "spec: only USER_DEFINED can be deleted; the text is invented",
    ),
    refused(
        "duplicate_relation",
        400,
        "Could not create relation: duplicate relation of object Ids for given association",
        "DuplicateRelation",
        "observed",
        "#73, LS",
    ),
    refused(
        "relation_limit",
        400,
        _LIMIT_REACHED,
        "RelationLimitReached",
        "observed",
        "tests of public client code; also what a repeat of a 1:1 link gets",
    ),
    refused("relation_not_found", 404, "Relation not found", "NotFound", "inferred", "real answer unknown"),
    Recorded(
        "contact_not_found",
        400,
        {"error": "Contact with id {recordId} not found", "status": 400},
        "NotFound",
        "observed",
        "RR: the answer to a read; that creating a relation is answered alike is inferred. Note the keys",
    ),
    Recorded(
        "record_not_found",
        400,
        {"error": "Record with id {recordId} not found", "status": 400},
        "NotFound",
        "inferred",
        "after the one for contacts; which ids the real API checks here is unknown",
    ),
    Recorded("unknown_path", 404, "", "NotFound", "observed", "RR: an unknown path, with an empty body"),
    refused("unknown_route", 404, "Cannot {method} {path}", "NotFound", "observed", _PROBES + ": a path of another version"),
    refused("not_in_version", 400, _NOT_IN_VERSION, "RequestRejected", "observed", "#304"),
    Recorded(
        "other_status_in_body",
        400,
        {"statusCode": 422, "message": ["{message}"], "error": "Unprocessable Entity"},
        "RequestRejected",
        "observed",
        "RR: HTTP 400 with 422 in the body",
    ),
    refused("not_json", 400, "Unexpected token in JSON at position 0", "RequestRejected", "inferred", "the text of Nest"),
)

_FAILURES = (
    Recorded("too_many_requests", 429, _TOO_MANY, "RateLimited", "observed", "RR: no error key, no Retry-After"),
    Recorded(
        "day_spent",
        429,
        _TOO_MANY,
        "QuotaExhausted",
        "observed",
        "RR: differs by a header only",
        headers={"x-ratelimit-daily-remaining": "0"},
    ),
    Recorded(
        "gateway_timeout_401",
        401,
        {"statusCode": 401, "message": "Command timed out"},
        "ServerError",
        "observed",
        "RR: the text; its place in a body is inferred",
    ),
    Recorded("gateway_timeout_text", 401, "Command timed out", "ServerError", "inferred", "RR, if it is plain text"),
    Recorded(
        "server_error",
        500,
        {"statusCode": 500, "message": "Internal server error"} | TRACE,
        "ServerError",
        "inferred",
        "the body of Nest; undeclared in the spec",
    ),
    html("bad_gateway", 502, "502 Bad Gateway", "observed", "RR: HTML of the network in front"),
    html("gateway_timeout", 504, "504 Gateway Time-out", "inferred", "RR: as 502"),
)

#: Every answer that is known; names are unique.
RECORDED: tuple[Recorded, ...] = _SUCCESSES + _TOKENS + _REFUSALS + _FAILURES + RECORDS + OAUTH
