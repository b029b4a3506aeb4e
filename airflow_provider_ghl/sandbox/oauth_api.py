"""The endpoints for tokens and agencies, as each API version has them, and the consent page."""

from __future__ import annotations

import base64
import binascii
import html
import json
from collections.abc import Callable
from urllib.parse import quote, urlencode

from airflow_provider_ghl.sandbox import bodies
from airflow_provider_ghl.sandbox.agencies import Agencies
from airflow_provider_ghl.sandbox.answers import HTML, Reply, fill, reply
from airflow_provider_ghl.sandbox.exchange import Exchange
from airflow_provider_ghl.sandbox.grants import Grant
from airflow_provider_ghl.sandbox.location import Refused
from airflow_provider_ghl.sandbox.oauth import OAuth, Pair
from airflow_provider_ghl.sandbox.routes import VERSIONS

__all__ = ["OAuthApi"]

_TOKEN_PATH = "/oauth/token"
_CONSENT_PATHS = ("/v2/oauth/chooselocation", "/oauth/chooselocation")
_V3 = "v3"
_MOST_ON_A_PAGE = 100
_PAGE = 20
_NAMES = {
    "client_id": "clientId",
    "client_secret": "clientSecret",
    "grant_type": "grantType",
    "refresh_token": "refreshToken",
}


class OAuthApi:
    """Turns requests into answers. Without limits."""

    def __init__(self, oauth: OAuth, agencies: Agencies, first_location: str):
        self.oauth = oauth
        self.agencies = agencies
        self._first_location = first_location
        self._routes: dict[tuple[str, str], tuple[str, bool, Callable[[Exchange, Grant], Reply]]] = {
            ("POST", "/oauth/locationToken"): ("oauth.write", False, self._mint),
            ("POST", "/oauth/location-token"): ("oauth.write", True, self._mint),
            ("GET", "/oauth/installedLocations"): ("oauth.readonly", False, self._list),
            ("GET", "/oauth/installed-locations"): ("oauth.readonly", True, self._list_v3),
        }

    @staticmethod
    def is_for_agencies(exchange: Exchange) -> bool:
        """Whether the endpoint takes an agency's token."""
        return exchange.path.startswith("/oauth/")

    @staticmethod
    def needs_no_token(exchange: Exchange) -> bool:
        """Whether the endpoint takes no token."""
        return exchange.path == _TOKEN_PATH or exchange.path in _CONSENT_PATHS

    def limited_id(self, exchange: Exchange) -> str:
        """Whose limits a request without a token counts against: the client id of its app (inferred)."""
        fields = _fields(exchange)
        return fields.get("client_id") or fields.get("clientId") or exchange.query.get("client_id", ["nobody"])[0]

    def answer_without_token(self, exchange: Exchange) -> Reply:
        """Answer a request to the token endpoint or to the consent page."""
        is_token = exchange.path == _TOKEN_PATH
        if exchange.request.method != ("POST" if is_token else "GET"):
            raise Refused("unknown_path")
        return self._token(exchange) if is_token else self._consent(exchange)

    def answer(self, exchange: Exchange, grant: Grant) -> Reply:
        """Answer a request to an endpoint that takes an agency's token."""
        route = self._routes.get((exchange.request.method, exchange.path))
        is_v3 = exchange.version == _V3
        if route is None or (route[1] and not is_v3):  # an endpoint of a later version is unknown (observed)
            raise Refused("unknown_route", method=exchange.request.method, path=exchange.path)
        scope, of_v3, handle = route
        if of_v3 != is_v3:
            raise Refused("not_in_version", path=exchange.request.target)
        self._check_class(grant, scope)
        return handle(exchange, grant)

    @staticmethod
    def _check_class(grant: Grant, scope: str) -> None:
        if grant.company_id is None and grant.client_id is not None:
            raise Refused("wrong_class")
        if grant.location_id is not None:  # a private integration's token of one location
            raise Refused("forbidden")
        if scope not in grant.scopes:
            raise Refused("missing_scope")

    # Tokens

    def _token(self, exchange: Exchange) -> Reply:
        if exchange.version is not None and exchange.version not in VERSIONS:
            raise Refused("version_unknown")
        form = _Form(exchange)
        client_id, client_secret = form.require("client_id"), form.require("client_secret")
        match form.require("grant_type"):
            case "authorization_code":
                pair = self.oauth.exchange(client_id, client_secret, form.require("code"))
            case "refresh_token":
                pair = self.oauth.refresh(client_id, client_secret, form.require("refresh_token"))
            case _:  # client_credentials is in the spec, but what it does is unknown
                raise form.invalid("grant_type")
        return self._reply("company_token" if pair.holder.location_id is None else "location_token", pair, form.is_v3)

    def _mint(self, exchange: Exchange, grant: Grant) -> Reply:
        fields = exchange.form
        _require(fields, "companyId", "locationId")
        pair = self.oauth.mint(grant, fields["companyId"], fields["locationId"])
        return self._reply("minted_token", pair, exchange.version == _V3)

    def _reply(self, name: str, pair: Pair, is_v3: bool) -> Reply:
        return reply(f"{name}_v3" if is_v3 else name, **self.shown(pair))

    def shown(self, pair: Pair) -> dict[str, object]:
        """A pair's fields, as HighLevel names them."""
        holder = pair.holder
        return {
            "access_token": pair.access_token,
            "refresh_token": pair.refresh_token,
            "expires_in": self.oauth.expires_in(pair),
            "scope": " ".join(sorted(holder.scopes)),
            "userType": "Company" if holder.location_id is None else "Location",
            "userId": "SandboxUser000000001",
            "companyId": holder.company_id,
            "locationId": holder.location_id,
            "appId": holder.app.app_id,
        }

    # Installed locations

    def _list(self, exchange: Exchange, grant: Grant) -> Reply:
        self._check_app(exchange, grant, "app_not_found")
        skip, limit = bodies.page(exchange.query, _MOST_ON_A_PAGE, default=_PAGE)
        page = self._found(exchange, grant)[skip : skip + limit]
        count = len(self.agencies.locations(grant.company_id or ""))
        return reply("installed_locations", locations=page, count=count)

    def _list_v3(self, exchange: Exchange, grant: Grant) -> Reply:
        self._check_app(exchange, grant, "app_not_found_v3")
        size = exchange.query.get("pageSize", [str(_PAGE)])[0]
        if not bodies.is_number(size) or not 1 <= int(size) <= _MOST_ON_A_PAGE:
            raise Refused("page_invalid_v3", parameter="pageSize")
        skip = _skip(exchange.query.get("pageToken", [""])[0])
        found = self._found(exchange, grant)
        page = found[skip : skip + int(size)]
        more = skip + len(page) < len(found)
        return reply(
            "installed_locations_v3",
            items=page,
            totalRecords=len(found),
            hasNextPage=more,
            hasPrevPage=skip > 0,
            nextPageToken=_page_token(skip + len(page)) if more else None,
            currentPageSize=len(page),
        )

    def _check_app(self, exchange: Exchange, grant: Grant, not_found: str) -> None:
        query = {name: values[0] for name, values in exchange.query.items()}
        _require(query, "companyId", "appId")
        if query["companyId"] != grant.company_id:
            raise Refused("wrong_company")
        if query["appId"] != _app_id(grant):
            raise Refused(not_found, appId=query["appId"])

    def _found(self, exchange: Exchange, grant: Grant) -> list[object]:
        wanted = exchange.query.get("isInstalled", [""])[0]
        named = exchange.query.get("locationId", [""])[0]
        found: list[object] = []
        for location_id in self.agencies.locations(grant.company_id or ""):
            is_installed = self.agencies.is_installed(_app_id(grant), location_id)
            if wanted in ("", str(is_installed).lower()) and named in ("", location_id):
                name = f"Sub-account {location_id}"
                shown = {"_id": location_id, "name": name, "address": "1 Sandbox Street", "isInstalled": is_installed}
                found.append(fill("installed_location", shown))
        return found

    # Consent

    def _consent(self, exchange: Exchange) -> Reply:
        """Consent at once, for the agency that has the app installed, else for the first location.

        ``companyId`` or ``locationId`` in the query choose another; on the real page a person does that.
        """
        asked = {name: values[0] for name, values in exchange.query.items()}
        app = self.oauth.app(asked.get("client_id", ""))
        if app is None:
            return _page(400, f"No integration found with the id: {asked.get('client_id', '')}")
        company_id, location_id = asked.get("companyId"), asked.get("locationId")
        if not company_id and not location_id:
            company_id = self.agencies.company_with_app(app.app_id)
            location_id = None if company_id else self._first_location
        try:
            code = self.oauth.authorize(self.oauth.holder(app, company_id, location_id))
        except ValueError as error:
            return _page(400, str(error))
        if "redirect_uri" not in asked:
            return _page(200, f"Your code: {code}")
        state = {"state": asked["state"]} if "state" in asked else {}
        joint = "&" if "?" in asked["redirect_uri"] else "?"
        target = quote(asked["redirect_uri"], safe=":/?#[]@!$&'()*+,;=%~") + joint + urlencode({"code": code} | state)
        return Reply("consent", 302, b"", HTML, {"location": target})


class _Form:
    """The fields of a token request, by their names in ``2021-07-28``."""

    def __init__(self, exchange: Exchange):
        self.is_v3 = exchange.version == _V3
        self._fields = _fields(exchange)

    def require(self, name: str) -> str:
        """The field.

        :raises Refused: it is missing.
        """
        value = self._fields.get(self._version_name(name), "")
        if value:
            return value
        if self.is_v3:
            raise Refused("oauth_parameter_missing", parameter=self._version_name(name))
        raise Refused("invalid_fields", messages=[f"{name} should not be empty"])

    def invalid(self, name: str) -> Refused:
        """The refusal of a field's value."""
        if self.is_v3:
            return Refused("oauth_parameter_invalid", parameter=self._version_name(name))
        return Refused("invalid_fields", messages=[f"{name} must be a valid enum value"])

    def _version_name(self, name: str) -> str:
        return _NAMES.get(name, name) if self.is_v3 else name


def _fields(exchange: Exchange) -> dict[str, str]:
    if exchange.form or exchange.version != _V3 or not isinstance(exchange.body, dict):  # only v3 takes JSON
        return exchange.form
    return {name: value for name, value in exchange.body.items() if isinstance(value, str)}


def _require(fields: dict[str, str], *names: str) -> None:
    missing = [f"{name} should not be empty" for name in names if not fields.get(name)]
    if missing:
        raise Refused("invalid_fields", messages=missing)


def _app_id(grant: Grant) -> str:
    return (grant.client_id or "").partition("-")[0]


def _page_token(skip: int) -> str:
    """A page token that looks like the spec's example."""
    return base64.urlsafe_b64encode(json.dumps({"skip": skip}, separators=(",", ":")).encode()).decode().rstrip("=")


def _skip(page_token: str) -> int:
    if not page_token:
        return 0
    try:
        skip = json.loads(base64.urlsafe_b64decode(page_token + "=" * (-len(page_token) % 4)))["skip"]
    except (binascii.Error, ValueError, KeyError, TypeError, RecursionError):
        raise Refused("page_invalid_v3", parameter="pageToken") from None
    if not isinstance(skip, int) or skip < 0:
        raise Refused("page_invalid_v3", parameter="pageToken")
    return skip


def _page(status: int, text: str) -> Reply:
    return Reply("consent", status, f"<html><body><p>{html.escape(text)}</p></body></html>\n".encode(), HTML)
