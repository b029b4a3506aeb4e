"""The OAuth endpoints in both forms: what is sent, what is understood, what is refused in which words."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from api_fakes import FakeTransport, answer, refusal
from simulated_oauth import APP, COMPANY, OAuthServer
from simulated_time import FakeClock

from airflow_provider_ghl.api.consent import authorize_url
from airflow_provider_ghl.api.oauth import App, OAuth, token_client
from airflow_provider_ghl.api.token_store import LIFETIME, Stored, TokenPair, fingerprint
from airflow_provider_ghl.api.transport import RawAnswer
from airflow_provider_ghl.exceptions import ConfigurationError, ServerError, Unauthorized

VERSIONS = ("2021-07-28", "v3")
SAID = {
    "access_token": "a-token",
    "token_type": "Bearer",
    "expires_in": 1000,
    "refresh_token": "r-token",
    "scope": "x y",
    "userType": "Company",
    "companyId": COMPANY,
}
SAID_V3 = {"accessToken": "a-token", "expiresIn": 1000, "refreshToken": "r-token", "scope": "x y", "userType": "Company"} | {
    "companyId": COMPANY
}


def oauth_over(transport: Any, version: str = "2021-07-28", app: App | None = APP, clock: FakeClock | None = None) -> OAuth:
    client = token_client(api_version=version, transport=transport, clock=clock or FakeClock())
    return OAuth(client, app, version)


@pytest.mark.parametrize(
    ("version", "form"),
    [
        (
            "2021-07-28",
            {
                "client_id": APP.client_id,
                "client_secret": APP.client_secret,
                "grant_type": "refresh_token",
                "refresh_token": "r-old",
                "user_type": "Location",
            },
        ),
        (
            "v3",
            {
                "clientId": APP.client_id,
                "clientSecret": APP.client_secret,
                "grantType": "refresh_token",
                "refreshToken": "r-old",
                "userType": "Location",
            },
        ),
    ],
)
def test_a_refresh_on_the_wire(version: str, form: dict[str, str]) -> None:
    transport = FakeTransport(answer(SAID))
    oauth_over(transport, version).refresh("r-old", user_type="Location")
    (call,), (headers,) = transport.calls, transport.headers
    assert (call.method, call.path, call.form, call.repeat_safe) == ("POST", "/oauth/token", form, True)
    assert "Authorization" not in headers
    assert headers["Version"] == version


@pytest.mark.parametrize(
    ("version", "names"),
    [
        ("2021-07-28", {"client_id", "client_secret", "grant_type", "code", "redirect_uri"}),
        ("v3", {"clientId", "clientSecret", "grantType", "code", "redirectUri"}),
    ],
)
def test_an_exchange_on_the_wire(version: str, names: set[str]) -> None:
    transport = FakeTransport(answer(SAID))
    oauth_over(transport, version).exchange(" c-1\n", redirect_uri="https://x.example/cb")
    form = transport.calls[0].form
    assert form is not None
    assert set(form) == names
    assert form["code"] == "c-1"
    assert "authorization_code" in form.values()


@pytest.mark.parametrize(("version", "path"), [("2021-07-28", "/oauth/locationToken"), ("v3", "/oauth/location-token")])
def test_a_mint_on_the_wire(version: str, path: str) -> None:
    transport = FakeTransport(answer({**SAID, "locationId": "loc-1"}, 201))
    oauth_over(transport, version, app=None).mint("c-token", COMPANY, "loc-1")
    (call,), (headers,) = transport.calls, transport.headers
    assert (call.method, call.path, call.location_id) == ("POST", path, COMPANY)
    assert call.form == {"companyId": COMPANY, "locationId": "loc-1"}
    assert headers["Authorization"] == "Bearer c-token"


@pytest.mark.parametrize("said", [SAID, SAID_V3], ids=["snake", "camel"])
@pytest.mark.parametrize("version", VERSIONS)
def test_what_a_pair_is_read_from(said: dict[str, Any], version: str) -> None:
    clock = FakeClock(5000.0)
    pair = oauth_over(FakeTransport(answer(said)), version, clock=clock).refresh("r-old")
    expected = TokenPair("a-token", "r-token", 6000.0, 1000.0, user_type="Company", company_id=COMPANY, scopes="x y")
    assert pair == expected
    assert pair.refresh_at == 5900.0


@pytest.mark.parametrize(
    ("expires_in", "lifetime", "early"),
    [(86399, 86399.0, 300.0), (None, LIFETIME, 300.0), ("soon", LIFETIME, 300.0), (0, 0, 0)],
)
def test_how_long_a_token_is_good(expires_in: Any, lifetime: float, early: float) -> None:
    said = {**SAID, "expires_in": expires_in} if expires_in is not None else {"access_token": "a"}
    pair = oauth_over(FakeTransport(answer(said)), clock=FakeClock(0.0)).refresh("r-old")
    assert (pair.lifetime, pair.expires_at, pair.expires_at - pair.refresh_at) == (lifetime, lifetime, early)


@pytest.mark.parametrize("data", [[], None, {}, {"access_token": 7}, "text"])
def test_an_answer_without_a_token_is_no_token(data: Any) -> None:
    with pytest.raises(ServerError, match="not what HighLevel answers"):
        oauth_over(FakeTransport(answer(data))).refresh("r-old")


@pytest.mark.parametrize(
    ("status", "said", "kind", "words"),
    [
        (400, {"message": "Invalid grant: refresh token is invalid"}, "token", "run `airflow ghl login`"),
        (400, {"message": "Location is not active"}, "location", "paused"),
        (401, {"error": "UnAuthorized!", "error_description": "Invalid client credentials!"}, "token", "client_secret"),
        (400, {"message": "Invalid parameter: clientId"}, "token", "client_id"),
        (422, {"message": ["refresh_token should not be empty"]}, "token", "paste a fresh refresh_token"),
        (403, {"message": "Forbidden resource"}, "token", "run `airflow ghl login`"),
    ],
)
def test_a_refused_refresh_says_what_to_do(status: int, said: dict[str, Any], kind: str, words: str) -> None:
    transport = FakeTransport(answer(said, status))
    with pytest.raises(Unauthorized) as caught:
        oauth_over(transport).refresh("r-old")
    assert caught.value.kind == kind
    assert words in caught.value.explain()
    assert f"({status}: " in caught.value.explain()
    assert len(transport.calls) == 1


def test_a_refused_code_says_what_to_do() -> None:
    server = OAuthServer(FakeClock())
    oauth = oauth_over(server)
    code = server.new_code("loc-1")
    assert oauth.exchange(code).location_id == "loc-1"
    with pytest.raises(Unauthorized, match="does not accept the code"):
        oauth.exchange(code)


def test_failures_of_the_network_are_tried_again_soon_enough() -> None:
    """Within the 30 s in which equal calls are answered alike."""
    clock = FakeClock()
    transport = FakeTransport(refusal(502, "x"), refusal(429, "Too Many Requests"), refusal(500, "x"), answer(SAID))
    oauth_over(transport, clock=clock).refresh("r-old")
    assert len(transport.calls) == 4
    assert clock.now < 1030.0


@pytest.mark.parametrize("line", [refusal(502, "x"), refusal(429, "Too Many Requests")], ids=["502", "429"])
def test_it_gives_up_before_the_requests_that_wait_are_given_up(line: RawAnswer) -> None:
    clock = FakeClock()
    with pytest.raises(Exception, match=r"502|429"):
        oauth_over(FakeTransport(line), clock=clock).refresh("r-old")
    assert clock.now <= 1000.0 + 75.0


@pytest.mark.parametrize(
    ("status", "message", "kind"),
    [
        (403, "The app is not installed on this location", "location"),
        (403, "Forbidden", "location"),
        (400, "Location not found", "location"),
        (404, "", "location"),
        (422, "locationId must be a string", "location"),
        (401, "The token does not belong to the location", "location"),
        (403, "Forbidden resource", "route"),
        (403, "The token does not have access to this company.", "route"),
        (401, "This authClass type is not allowed to access this scope. Please verify your IAM configuration.", "route"),
        (401, "Invalid token: access token is invalid", "token"),
        (401, "The token is not authorized for this scope.", "scope"),
    ],
)
def test_a_refused_mint_tells_location_and_agency_apart(status: int, message: str, kind: str) -> None:
    with pytest.raises(Unauthorized) as caught:
        oauth_over(FakeTransport(refusal(status, message))).mint("c-token", COMPANY, "loc-9")
    error = caught.value
    assert error.kind == kind
    words = {"location": "loc-9: check that it belongs to the agency", "route": "check company_id", "scope": "oauth.write"}
    assert words.get(kind, "does not accept the token") in error.explain()


def test_without_an_app_nothing_is_sent() -> None:
    transport = FakeTransport(answer(SAID))
    oauth = oauth_over(transport, app=None)
    for use in (lambda: oauth.refresh("r"), lambda: oauth.exchange("c"), lambda: list(oauth.iterate_locations("t", COMPANY))):
        with pytest.raises(ConfigurationError, match="client_id and client_secret"):
            use()
    assert transport.calls == []


def test_where_a_person_says_yes() -> None:
    url = authorize_url(APP, redirect_uri="https://x.example/cb?a=b", scopes=["oauth.write", "a/b.readonly"])
    assert url.startswith("https://marketplace.gohighlevel.com/v2/oauth/chooselocation?response_type=code&")
    assert parse_qs(urlsplit(url).query) == {
        "response_type": ["code"],
        "redirect_uri": ["https://x.example/cb?a=b"],
        "client_id": [APP.client_id],
        "version_id": [APP.app_id],
        "scope": ["oauth.write a/b.readonly"],
    }
    assert APP.client_secret not in url
    assert authorize_url(APP, redirect_uri=None, scopes="x", host="https://services.leadconnectorhq.com") == authorize_url(
        APP, redirect_uri=None, scopes="x"
    )


@pytest.mark.parametrize("host", ["http://127.0.0.1:8001", "http://localhost:8001/"])
def test_the_sandbox_has_the_page_itself(host: str) -> None:
    url = urlsplit(authorize_url(APP, redirect_uri=None, scopes="x", host=host))
    assert (url.hostname in {"127.0.0.1", "localhost"}, url.port, url.path) == (True, 8001, "/v2/oauth/chooselocation")
    assert "redirect_uri" not in url.query


def test_the_apps_id() -> None:
    assert (APP.app_id, App("without", "x").app_id) == ("6578278e879ad2646715ba9c", "without")


def test_what_is_kept_comes_back() -> None:
    stored = Stored(TokenPair("a", "r", 5.5, 7.5, "Company", COMPANY, None, "x y"), fingerprint("r"), 3)
    assert Stored.from_dict(json.loads(json.dumps(stored.as_dict()))) == stored


@pytest.mark.parametrize(
    "broken",
    [
        {},
        [],
        None,
        {"pair": None, "fingerprint": "f"},
        {"pair": {"access_token": "a"}, "fingerprint": "f"},
        {"pair": {"access_token": "a", "expires_at": "1", "lifetime": 1}, "fingerprint": "f"},
        {"pair": {"access_token": "a", "expires_at": 1, "lifetime": 1, "refresh_token": 5}, "fingerprint": "f"},
        {"pair": {"access_token": "a", "expires_at": 1, "lifetime": 1}, "fingerprint": 7},
        {"pair": {"access_token": "a", "expires_at": 1, "lifetime": 1}, "fingerprint": "f", "generation": "x"},
    ],
)
def test_what_was_kept_by_somebody_else_is_refused(broken: Any) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        Stored.from_dict(broken)


def test_fingerprints_tell_tokens_apart() -> None:
    of = [fingerprint("a"), fingerprint("b"), fingerprint("a", "b"), fingerprint("ab"), fingerprint(None, "a")]
    assert len(set(of)) == len(of)
    assert fingerprint(" a\n", None) == fingerprint("a", "")
    assert "secret" not in fingerprint("secret")


def test_nothing_shows_a_secret() -> None:
    pair = TokenPair("a-secret", "r-secret")
    for shown in (APP, pair, Stored(pair, "f"), token_client(transport=FakeTransport(answer(SAID)))):
        assert "secret" not in repr(shown).replace("client_secret", "")
        assert APP.client_secret not in repr(shown)
