"""What HighLevel's OpenAPI documents say of the endpoints that the sandbox has; as much of it as tests ask.

Copied from https://github.com/GoHighLevel/highlevel-api-docs (CC0), commit 0af86a4 of June 2026: the documents of associations
and of OAuth for the API versions ``2021-07-28`` and ``v3``, and the schemas that they share. On associations both versions say
the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = [
    "AIP_ERROR",
    "ASSOCIATION",
    "BODIES",
    "DELETED_ASSOCIATION",
    "ENDPOINTS",
    "ERRORS",
    "NUMBER",
    "OAUTH",
    "TOKEN_ERRORS",
    "VERSIONS",
    "Endpoint",
    "OAuthVersion",
    "Schema",
    "problems_of",
]

VERSIONS = ("2021-07-28", "v3")
NUMBER = (int, float)


@dataclass(frozen=True)
class Schema:
    """An object of JSON: a field's kind is a class, :data:`NUMBER`, another schema, or a list with the kind of its items."""

    fields: dict[str, Any]
    required: tuple[str, ...] = ()


def problems_of(value: Any, kind: Any, where: str = "the body") -> list[str]:
    """Why a value is not of a kind; fields that the schema does not name are none of it."""
    if isinstance(kind, Schema):
        if not isinstance(value, dict):
            return [f"{where} is no object"]
        missing = [f"{where} has no {name}" for name in kind.required if name not in value]
        known = [(name, of) for name, of in kind.fields.items() if name in value]
        return missing + [problem for name, of in known for problem in problems_of(value[name], of, name)]
    if isinstance(kind, list):
        if not isinstance(value, list):
            return [f"{where} is no list"]
        return [problem for one in value for problem in problems_of(one, kind[0], f"an item of {where}")]
    is_of_kind = isinstance(value, kind) and (kind is bool or not isinstance(value, bool))
    return [] if is_of_kind else [f"{where} is {value!r}"]


@dataclass(frozen=True)
class Endpoint:
    """The scope that a token needs, and whether the query must name the location."""

    scope: str
    names_location: bool


#: Of associations and relations, by method and path.
ENDPOINTS = {
    ("GET", "/associations/"): Endpoint("associations.readonly", names_location=True),
    ("POST", "/associations/"): Endpoint("associations.write", names_location=False),
    ("GET", "/associations/{associationId}"): Endpoint("associations.readonly", names_location=False),
    ("PUT", "/associations/{associationId}"): Endpoint("associations.write", names_location=False),
    ("DELETE", "/associations/{associationId}"): Endpoint("associations.write", names_location=False),
    ("GET", "/associations/key/{key_name}"): Endpoint("associations.readonly", names_location=True),
    ("GET", "/associations/objectKey/{objectKey}"): Endpoint("associations.readonly", names_location=False),
    ("POST", "/associations/relations"): Endpoint("associations/relation.write", names_location=False),
    ("GET", "/associations/relations/{recordId}"): Endpoint("associations/relation.readonly", names_location=True),
    ("DELETE", "/associations/relations/{relationId}"): Endpoint("associations/relation.write", names_location=True),
}
_LABELS = {"firstObjectLabel", "secondObjectLabel"}
_OBJECTS = {*_LABELS, "firstObjectKey", "secondObjectKey"}
#: The fields of request bodies, of which each is required.
BODIES = {
    "create_association": {"locationId", "key", *_OBJECTS},
    "update_association": _LABELS,
    "create_relation": {"locationId", "associationId", "firstRecordId", "secondRecordId"},
}
#: The fields of an association in an answer, of which each is required.
ASSOCIATION = {"locationId", "id", "key", *_OBJECTS, "associationType"}
DELETED_ASSOCIATION = Schema({"deleted": bool, "id": str, "message": str}, required=("deleted", "id", "message"))
#: Bodies of refusals, by status.
ERRORS = {
    400: Schema({"statusCode": NUMBER, "message": str}),
    401: Schema({"statusCode": NUMBER, "message": str, "error": str}),
    422: Schema({"statusCode": NUMBER, "message": [str], "error": str}),
}


@dataclass(frozen=True)
class OAuthVersion:
    """OAuth in one version of the API: paths, the fields of a token request in their order, and answers."""

    mint_path: str
    list_path: str
    token_fields: tuple[str, ...]
    token: Schema
    minted: Schema
    listed: Schema
    #: What a request for a location's token and one for the list of locations cannot do without.
    mint_required: frozenset[str] = frozenset({"companyId", "locationId"})
    list_required: frozenset[str] = frozenset({"companyId", "appId"})


_INSTALLED = Schema(
    {"_id": str, "name": str, "address": str, "isInstalled": bool, "versionId": str, "installedAt": str},
    required=("_id", "name", "address"),
)
_OF_TOKEN = {
    "scope": str,
    "userType": str,
    "locationId": str,
    "companyId": str,
    "approvedLocations": [str],
    "userId": str,
    "planId": str,
    "isBulkInstallation": bool,
    "installToFutureLocations": bool,
    "approveAllLocations": bool,
}
_OF_MINTED = {"scope": str, "locationId": str, "planId": str, "userId": str, "appId": str, "versionId": str}
_PAGE = Schema(
    {
        "totalRecords": NUMBER,
        "hasNextPage": bool,
        "hasPrevPage": bool,
        "nextPageToken": str,
        "prevPageToken": str,
        "currentPageSize": NUMBER,
        "estimatedTotalRecords": NUMBER,
    },
    required=("hasNextPage", "hasPrevPage", "currentPageSize"),
)
_SNAKE = {"access_token": str, "token_type": str, "expires_in": NUMBER}
_CAMEL = {"accessToken": str, "tokenType": str, "expiresIn": NUMBER, "refreshToken": str}
OAUTH = {
    "2021-07-28": OAuthVersion(
        mint_path="/oauth/locationToken",
        list_path="/oauth/installedLocations",
        token_fields=("client_id", "client_secret", "grant_type", "code", "refresh_token", "user_type", "redirect_uri"),
        token=Schema({**_SNAKE, "refresh_token": str, **_OF_TOKEN}, required=("userId",)),
        minted=Schema({**_SNAKE, **_OF_MINTED}, required=("userId",)),
        listed=Schema({"locations": [_INSTALLED], "count": NUMBER, "installToFutureLocations": bool}),
    ),
    "v3": OAuthVersion(
        mint_path="/oauth/location-token",
        list_path="/oauth/installed-locations",
        token_fields=("clientId", "clientSecret", "grantType", "code", "refreshToken", "userType", "redirectUri"),
        token=Schema({**_CAMEL, **_OF_TOKEN}, required=("userId",)),
        minted=Schema({**_CAMEL, **_OF_MINTED}, required=("userId",)),
        listed=Schema(
            {
                "items": [_INSTALLED],
                "pagination": _PAGE,
                "metadata": Schema({"filterApplied": dict, "sortApplied": dict}),
                "installToFutureLocations": bool,
            },
            required=("items", "pagination"),
        ),
    ),
}
#: The envelope of refusals of the third version's list of locations.
AIP_ERROR = Schema(
    {"error": Schema({"code": str, "message": str, "details": dict, "resolution": str}, required=("code", "message"))},
    required=("error",),
)
#: The messages that the examples of the third version's token endpoint say with 400.
TOKEN_ERRORS = {
    "Invalid parameter: grantType",
    "Missing parameter: clientId",
    "Invalid grant: refresh token is invalid",
    "Location is not active",
}
