"""What HighLevel answers about tokens and agencies: the part of the recorded table that belongs to OAuth.

Sources beside those of ``recorded.py``: oauth is the vendor's ``apps/oauth.json``, oauth-v3 its ``apps/v3/oauth-v3.json``; TB
is ``Exalt24/ghl-tenant-bridge`` (``docs/INTEGRATION_CONTRACT.md``: an app, installed and driven live in August 2026).
"""

from __future__ import annotations

from airflow_provider_ghl.sandbox.recording import TRACE, Recorded, refused, success, unauthorized

__all__ = ["OAUTH"]

_V3_NAMES = {
    "access_token": "accessToken",
    "token_type": "tokenType",
    "expires_in": "expiresIn",
    "refresh_token": "refreshToken",
}


def _v3(body: dict[str, object]) -> dict[str, object]:
    return {_V3_NAMES.get(name, name): value for name, value in body.items()}


_TOKEN: dict[str, object] = {
    "access_token": "{access_token}",
    "token_type": "Bearer",
    "expires_in": "{expires_in}",
    "refresh_token": "{refresh_token}",
    "scope": "{scope}",
    "userType": "{userType}",
    "userId": "{userId}",
}
_COMPANY_TOKEN = _TOKEN | {"companyId": "{companyId}", "isBulkInstallation": True}
_LOCATION_TOKEN = _TOKEN | {"companyId": "{companyId}", "locationId": "{locationId}"}
_MINTED = _TOKEN | {"locationId": "{locationId}", "appId": "{appId}"}

_INSTALLED_LOCATION = {"_id": "{_id}", "name": "{name}", "address": "{address}", "isInstalled": "{isInstalled}"}
_PAGE_V3 = {
    "items": "{items}",
    "pagination": {
        "totalRecords": "{totalRecords}",
        "hasNextPage": "{hasNextPage}",
        "hasPrevPage": "{hasPrevPage}",
        "nextPageToken": "{nextPageToken}",
        "currentPageSize": "{currentPageSize}",
    },
}
_MINT_SOURCE = "oauth; status 201 and the added scopes oauth.*: observed (TB); the refresh token: #285"

_SUCCESSES = (
    success("company_token", 200, _COMPANY_TOKEN | TRACE, "observed", "oauth; no locationId: TB"),
    success("company_token_v3", 200, _v3(_COMPANY_TOKEN) | TRACE, "specified", "oauth-v3"),
    success("location_token", 200, _LOCATION_TOKEN | TRACE, "specified", "oauth"),
    success("location_token_v3", 200, _v3(_LOCATION_TOKEN) | TRACE, "specified", "oauth-v3"),
    success("minted_token", 201, _MINTED | TRACE, "observed", _MINT_SOURCE),
    success("minted_token_v3", 201, _v3(_MINTED) | TRACE, "inferred", "oauth-v3; the spec says 200"),
    success("installed_location", 200, _INSTALLED_LOCATION, "specified", "oauth, oauth-v3: an item of the lists"),
    success(
        "installed_locations",
        200,
        {"locations": "{locations}", "count": "{count}", "installToFutureLocations": False} | TRACE,
        "observed",
        "oauth; without isInstalled all locations of the agency are listed, and count is always theirs (client code)",
    ),
    success("installed_locations_v3", 200, _PAGE_V3 | TRACE, "specified", "oauth-v3"),
)


def _unauthorized_client(name: str, description: str, evidence: str) -> Recorded:
    body = {"error": "UnAuthorized!", "error_description": description}
    return Recorded(name, 401, body, "Unauthorized", "observed", evidence, kind="token")


def _bad_request(name: str, message: str, evidence: str) -> Recorded:
    return Recorded(name, 400, {"statusCode": 400, "message": message}, "RequestRejected", "specified", evidence)


_TOKEN_ENDPOINT = (
    _bad_request("refresh_token_invalid", "Invalid grant: refresh token is invalid", "oauth-v3: invalid, expired or used"),
    _bad_request("location_not_active", "Location is not active", "oauth-v3; observed: #249; the refresh token stays good"),
    _bad_request("oauth_parameter_missing", "Missing parameter: {parameter}", "oauth-v3"),
    _bad_request("oauth_parameter_invalid", "Invalid parameter: {parameter}", "oauth-v3"),
    _unauthorized_client("code_not_found", "Authorization code not found", "TB: said before the client is looked at"),
    _unauthorized_client("client_refused", "Invalid client credentials!", "a refresh, in public client notes"),
)

_CLASS = (
    "This authClass type is not allowed to access this scope. Please verify your IAM configuration if this is not the case."
)
_AGENCY = (
    unauthorized(
        "wrong_class", "route", _CLASS, "observed", "TB and others: an agency's OAuth token at a sub-account's endpoint"
    ),
    unauthorized("wrong_user_type", "route", "Token's user type mismatch!", "observed", "TB: an agency's private token there"),
    Recorded(
        "app_not_installed",
        403,
        {"statusCode": 403, "message": "The app is not installed on this location", "error": "Forbidden"},
        "Unauthorized",
        "inferred",
        "tests of public client code answer a mint so, others expect a 401; the real answer is unknown",
        kind="location",
    ),
    Recorded(
        "location_of_another_agency",
        403,
        {"statusCode": 403, "message": "The token does not have access to this location."},
        "Unauthorized",
        "inferred",
        "as the endpoints of sub-accounts say it (wrong_location); the mint's own answer is unknown",
        kind="location",
    ),
    Recorded(
        "wrong_company",
        403,
        {"statusCode": 403, "message": "The token does not have access to this company."},
        "Unauthorized",
        "inferred",
        "after wrong_location; the real answer is unknown",
        kind="route",
    ),
    refused("location_not_found", 400, "Location not found", "NotFound", "inferred", "a mint; the spec declares 400, 401, 422"),
    refused("app_not_found", 400, "App not found", "NotFound", "inferred", "oauth has no 404; the text after oauth-v3"),
    Recorded(
        "app_not_found_v3",
        404,
        {
            "error": {
                "code": "RESOURCE_NOT_FOUND",
                "message": "The requested App '{appId}' was not found.",
                "details": {"resource": "App", "identifier": "{appId}"},
                "resolution": "Verify the App exists and you have permission to access it.",
            }
        },
        "NotFound",
        "specified",
        "oauth-v3: AipErrorResponseDto",
    ),
    Recorded(
        "page_invalid_v3",
        400,
        {"error": {"code": "INVALID_ARGUMENT", "message": "{parameter} is not valid", "details": {"field": "{parameter}"}}},
        "RequestRejected",
        "inferred",
        "oauth-v3 has the envelope; code and text are guessed",
    ),
)

#: Every answer of these endpoints that is known.
OAUTH: tuple[Recorded, ...] = _SUCCESSES + _TOKEN_ENDPOINT + _AGENCY
