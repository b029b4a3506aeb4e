"""HighLevel's OAuth endpoints, under ``2021-07-28`` (snake_case) and ``v3`` (camelCase). From the vendor's specs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any

from airflow_provider_ghl.api.authorization import NoToken
from airflow_provider_ghl.api.calls import Call, Endpoint
from airflow_provider_ghl.api.client import Client
from airflow_provider_ghl.api.clock import Clock, Stop
from airflow_provider_ghl.api.retry import Retry
from airflow_provider_ghl.api.shared_retry import SharedRetry
from airflow_provider_ghl.api.token_store import LIFETIME, TokenPair
from airflow_provider_ghl.api.transport import RequestsTransport, Transport
from airflow_provider_ghl.api.versions import read_version
from airflow_provider_ghl.exceptions import APIError, ConfigurationError, RequestRejected, ServerError, Unauthorized

__all__ = ["App", "OAuth", "token_client"]

#: Under which the limits of the token endpoint, which belongs to no location, are kept.
_TOKEN_LIMIT = "/oauth/token"
#: Seconds. A refresh token itself is good for a year (specified).
_LONGEST_LIFE = 366 * 86_400.0
#: Locations asked for at once: the most that v3 gives (specified).
_PAGE = 100
#: Equal calls are answered alike for 30 s (the vendor's changelog): a refresh whose answer was lost is sent again meanwhile,
#: and not later.
_TIMEOUT = (5.0, 10.0)
_RETRY = Retry(max_failures=12, max_seconds=20.0, max_limited_seconds=60.0, longest=5.0)

_TOKEN = Endpoint("POST", "/oauth/token", "")
_MINT = {
    "2021-07-28": Endpoint("POST", "/oauth/locationToken", "oauth.write"),
    "v3": Endpoint("POST", "/oauth/location-token", "oauth.write"),
}
_INSTALLED = {
    "2021-07-28": Endpoint("GET", "/oauth/installedLocations", "oauth.readonly"),
    "v3": Endpoint("GET", "/oauth/installed-locations", "oauth.readonly"),
}

_REFRESH_REFUSED = (
    "HighLevel does not accept the refresh token: it was used elsewhere, is older than a year, or the app was removed; "
    "run `airflow ghl login` for the connection, or paste a fresh refresh_token into it"
)
_CODE_REFUSED = "HighLevel does not accept the code: each is good once and not for long; open the page again for another"
_APP_REFUSED = "HighLevel does not accept the app: check the connection's client_id and client_secret"
#: Specified: the same refresh token is good again then.
_PAUSED = "HighLevel gives no token while the location or its agency is paused; once it is active, the tokens are good again"
_NO_AGENCY = "HighLevel takes only an agency's OAuth token for this: check company_id, and whose token the connection has"


@dataclass(frozen=True)
class App:
    """A marketplace app, by what HighLevel shows under its "Client Keys"."""

    client_id: str
    client_secret: str = field(repr=False)

    @property
    def app_id(self) -> str:
        """The app's own id: ``client_id`` up to its first hyphen (what clients rely on)."""
        return self.client_id.partition("-")[0]


class OAuth:
    """The endpoints that give tokens, and the list of locations.

    :param client: see :func:`token_client`; its own authorisation is not used.
    :param app: only needed to exchange, to refresh and to list.
    :param api_version: the client's.
    """

    def __init__(self, client: Client, app: App | None, api_version: str) -> None:
        self.client = client
        self._app = app
        self._version = read_version(api_version)
        self._refreshes, self._mints = SharedRetry(client), SharedRetry(client)

    @property
    def client_id(self) -> str | None:
        """Of the app, where there is one."""
        return self._app.client_id if self._app else None

    def exchange(self, code: str, *, redirect_uri: str | None = None, user_type: str | None = None) -> TokenPair:
        """The first pair, in exchange for the code that HighLevel gives when a person has authorised the app.

        :raises Unauthorized: the code or the app is refused.
        """
        fields = {"code": code.strip(), "redirect_uri": redirect_uri, "user_type": user_type}
        try:
            return self._grant("authorization_code", fields)
        except (RequestRejected, Unauthorized) as error:
            raise Unauthorized.plainly(_refused(error, _CODE_REFUSED), error, "token") from error

    def refresh(self, refresh_token: str, *, user_type: str | None = None) -> TokenPair:
        """The next pair. The refresh token is spent then.

        :raises Unauthorized: HighLevel refuses it, or the app.
        """
        try:
            fields = {"refresh_token": refresh_token, "user_type": user_type}
            return self._refreshes.call("refresh", lambda: self._grant("refresh_token", fields, self._once))
        except (RequestRejected, Unauthorized) as error:
            kind = "location" if _is_paused(error) else "token"
            raise Unauthorized.plainly(_refused(error, _REFRESH_REFUSED), error, kind) from error

    def mint(self, company_token: str, company_id: str, location_id: str) -> TokenPair:
        """An agency's token for one of its locations.

        :raises Unauthorized: the agency's token is refused, or HighLevel gives none for this location; ``kind`` says which.
        """
        call = _MINT[self._version].call(company_id)
        form = {"companyId": company_id, "locationId": location_id}
        call = replace(call, form=form, authorization=f"Bearer {company_token}")
        try:
            return self._mints.call(location_id, lambda: self._pair(call, self._once))
        except (RequestRejected, Unauthorized) as error:
            if isinstance(error, Unauthorized):
                _raise_if_of_agency(error)
            raise self.no_token_for(location_id, error) from error

    def no_token_for(self, location_id: str, error: APIError) -> Unauthorized:
        """The error that says that HighLevel gives no token for a location, and what to check."""
        text = (
            f"HighLevel gives no token for the location {location_id}: check that it belongs to the agency, "
            "that the app is installed in it, and its id"
        )
        return Unauthorized.plainly(text, error, "location")

    def iterate_locations(self, company_token: str, company_id: str) -> Iterator[dict[str, Any]]:
        """The agency's locations in which the app is installed, as HighLevel gives them plus ``location_id``.

        :raises Unauthorized: the token is no agency's, or is refused.
        """
        params = {"companyId": company_id, "appId": self._needed_app().app_id, "isInstalled": "true"}
        call = replace(_INSTALLED[self._version].call(company_id), authorization=f"Bearer {company_token}")
        pages = self._pages_by_token if self._version == "v3" else self._pages_by_skip
        seen: set[str] = set()
        try:
            for item in chain.from_iterable(pages(call, params)):
                location_id = _location_id(item)
                if location_id and location_id not in seen and item.get("isInstalled") is not False:
                    seen.add(location_id)
                    yield {**item, "location_id": location_id}
        except Unauthorized as error:
            _raise_if_of_agency(error)
            raise Unauthorized.plainly(_NO_AGENCY, error, "route") from error

    def _pages_by_skip(self, call: Call, params: Mapping[str, str]) -> Iterator[list[dict[str, Any]]]:
        """Until one is empty: ``count`` counts locations without the app too (observed)."""
        skip, before = 0, None
        while True:
            data = self._data(replace(call, params={**params, "skip": str(skip), "limit": str(_PAGE)}))
            page = _items(call, data, "locations")
            if not page or page == before:  # a server that gives the same page for ever must not keep us
                return
            yield page
            skip, before = skip + len(page), page

    def _pages_by_token(self, call: Call, params: Mapping[str, str]) -> Iterator[list[dict[str, Any]]]:
        tokens: list[str | None] = [None]
        while True:
            data = self._data(replace(call, params={**params, "pageSize": str(_PAGE), "pageToken": tokens[-1]}))
            yield _items(call, data, "items")
            token = _next_page_in(data.get("pagination"))
            if token is None or token in tokens:
                return
            tokens.append(token)

    @property
    def _once(self) -> Retry:
        """The client's policy for a request that :class:`SharedRetry` repeats."""
        return replace(self.client.retry, max_failures=1)

    def _grant(self, grant: str, fields: Mapping[str, str | None], retry: Retry | None = None) -> TokenPair:
        app = self._needed_app()
        form = {"client_id": app.client_id, "client_secret": app.client_secret, "grant_type": grant}
        form |= {name: value for name, value in fields.items() if value}
        if self._version == "v3":
            form = {_camel(name): value for name, value in form.items()}
        # Equal calls within 30 s are answered alike (the vendor's changelog).
        return self._pair(replace(_TOKEN.call(_TOKEN_LIMIT), form=form, authorization="", is_awaited=True), retry)

    def _pair(self, call: Call, retry: Retry | None = None) -> TokenPair:
        began = self.client.clock.utc_now().timestamp()
        data = self._data(call, retry)
        access = data.get("access_token") or data.get("accessToken")
        if not isinstance(access, str) or not _is_token(access):
            raise _unexpected(call)
        lifetime = _lifetime(data.get("expires_in", data.get("expiresIn")))
        return TokenPair(
            access_token=access,
            refresh_token=_text(data.get("refresh_token") or data.get("refreshToken")),
            expires_at=began + lifetime,
            lifetime=lifetime,
            user_type=_text(data.get("userType")),
            company_id=_text(data.get("companyId")),
            location_id=_text(data.get("locationId")),
            scopes=_text(data.get("scope")),
        )

    def _data(self, call: Call, retry: Retry | None = None) -> dict[str, Any]:
        data = self.client.request(call, retry=retry).data
        if not isinstance(data, dict):
            raise _unexpected(call)
        return data

    def _needed_app(self) -> App:
        if self._app is None:
            raise ConfigurationError("the connection's client_id and client_secret are needed for this")
        return self._app


def token_client(
    host: str | None = None,
    *,
    api_version: str | None = None,
    stop: Stop | None = None,
    transport: Transport | None = None,
    clock: Clock | None = None,
) -> Client:
    """A client for :class:`OAuth`. It gives up sooner than others, since their requests wait for it.

    :param stop: that of the client whose requests need the tokens.
    """
    return Client(
        NoToken(),
        host=host,
        api_version=read_version(api_version),
        transport=transport or RequestsTransport(host, timeout=_TIMEOUT),
        clock=clock,
        retry=_RETRY,
        stop=stop,
    )


def _refused(error: APIError, otherwise: str) -> str:
    """Why the token endpoint refuses, in plain words."""
    if _is_paused(error):
        return _PAUSED
    return _APP_REFUSED if "client" in error.message.lower() else otherwise


def _is_paused(error: APIError) -> bool:
    return "not active" in error.message.lower()


def _raise_if_of_agency(error: Unauthorized) -> None:
    """Raise what says that the agency's token is refused, where it is that and not the location."""
    if error.kind in {"token", "scope"}:
        raise error
    text = error.message.lower()
    if error.kind == "route" and (error.status == 401 or "company" in text or "forbidden resource" in text):
        raise Unauthorized.plainly(_NO_AGENCY, error, "route") from error


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(map(str.capitalize, others))


def _location_id(item: Mapping[str, Any]) -> str:
    return str(item.get("_id") or item.get("id") or item.get("locationId") or "")


def _items(call: Call, data: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    found = data.get(name) or []
    if not isinstance(found, list):
        raise _unexpected(call)
    return [item for item in found if isinstance(item, dict)]


def _next_page_in(pagination: Any) -> str | None:
    is_last = not isinstance(pagination, dict) or not pagination.get("hasNextPage", True)
    return None if is_last else _text(pagination.get("nextPageToken"))


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _is_token(text: str) -> bool:
    """Whether it can stand in a header."""
    return text.isascii() and text.isprintable() and bool(text.strip())


def _lifetime(value: Any) -> float:
    """Seconds that a token is good for; what no token can be good for is not believed."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return max(0.0, float(value)) if is_number and value <= _LONGEST_LIFE else LIFETIME


def _unexpected(call: Call) -> ServerError:
    return ServerError("the answer is not what HighLevel answers", method=call.method, path=call.template, status=200)
