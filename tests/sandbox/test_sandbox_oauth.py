"""Tokens over HTTP: both forms of the token endpoint, and the page of consent."""

from __future__ import annotations

from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import requests
from sandbox_client import HttpClient

from airflow_provider_ghl.sandbox import Application, Fault, Sandbox

pytest_plugins = ["airflow_provider_ghl.sandbox.fixture"]

PATH = "/oauth/token"


@pytest.fixture
def app(ghl_sandbox: Sandbox) -> Application:
    return ghl_sandbox.add_app()


def credentials(app: Application) -> dict[str, str]:
    return {"client_id": app.client_id, "client_secret": app.client_secret}


def camel(app: Application, **fields: str) -> dict[str, str]:
    return {"clientId": app.client_id, "clientSecret": app.client_secret, **fields}


def reads(sandbox: Sandbox, token: str) -> int:
    with HttpClient(sandbox, token=token) as client:
        return client.get("/associations/").status_code


def test_an_app_has_ids_of_the_observed_shape_and_hides_its_secret(app: Application) -> None:
    before, dash, after = app.client_id.partition("-")
    assert (len(before), dash, len(after), app.app_id) == (24, "-", 8, before)
    assert [len(part) for part in app.client_secret.split("-")] == [8, 4, 4, 4, 12]
    assert app.client_secret not in repr(app)


@pytest.mark.parametrize("version", [None, "2021-07-28"])
def test_a_code_is_exchanged_once(ghl_sandbox: Sandbox, app: Application, version: str | None) -> None:
    code = ghl_sandbox.authorize(app, location_id=ghl_sandbox.location_id)
    fields = {**credentials(app), "grant_type": "authorization_code", "code": code}
    with HttpClient(ghl_sandbox, token=None, version=version) as client:
        answer = client.send("POST", PATH, data=fields)
        again = client.send("POST", PATH, data=fields)
    body = answer.json()
    assert (answer.status_code, body["token_type"], body["expires_in"], body["userType"]) == (200, "Bearer", 86_399, "Location")
    assert (body["locationId"], len(body["companyId"])) == (ghl_sandbox.location_id, 20)
    assert reads(ghl_sandbox, body["access_token"]) == 200
    assert (again.status_code, again.json()["error_description"]) == (401, "Authorization code not found")


def test_the_third_version_has_names_of_its_own_and_takes_json_too(ghl_sandbox: Sandbox, app: Application) -> None:
    code = ghl_sandbox.authorize(app, company_id=ghl_sandbox.add_company("agency"))
    with HttpClient(ghl_sandbox, token=None, version="v3") as client:
        first = client.send("POST", PATH, data=camel(app, grantType="authorization_code", code=code)).json()
        fields = camel(app, grantType="refresh_token", refreshToken=first["refreshToken"])
        second = client.send("POST", PATH, json=fields).json()
    for body in (first, second):
        assert (body["tokenType"], body["expiresIn"], body["companyId"]) == ("Bearer", 86_399, "agency")
        assert (body["userType"], "locationId" in body, "access_token" in body) == ("Company", False, False)
    assert second["accessToken"] != first["accessToken"]


def test_a_refresh_token_is_good_once_and_for_the_grace(ghl_sandbox: Sandbox, app: Application) -> None:
    issued = ghl_sandbox.issue(app, location_id=ghl_sandbox.location_id)
    with HttpClient(ghl_sandbox, token=None) as client:
        first = client.refresh(app, issued["refresh_token"]).json()
        same = client.refresh(app, issued["refresh_token"]).json()
        third = client.refresh(app, first["refresh_token"]).json()
    assert {name: same[name] for name in ("access_token", "refresh_token")} == {
        name: first[name] for name in ("access_token", "refresh_token")
    }
    assert len({issued["refresh_token"], first["refresh_token"], third["refresh_token"]}) == 3
    for body in (issued, first, third):
        assert reads(ghl_sandbox, body["access_token"]) == 200
    assert ghl_sandbox.stats()["refused_refreshes"] == 0


@pytest.mark.parametrize("ghl_sandbox", [{"refresh_grace": 0.0, "token_lifetime": 0.0}], indirect=True)
def test_after_the_grace_it_is_refused_and_counted(ghl_sandbox: Sandbox, app: Application) -> None:
    spent = ghl_sandbox.issue(app, location_id=ghl_sandbox.location_id)["refresh_token"]
    with HttpClient(ghl_sandbox, token=None) as client:
        body = client.refresh(app, spent).json()
        answer = client.refresh(app, spent)
    refused = {"statusCode": 400, "message": "Invalid grant: refresh token is invalid"}
    assert (answer.status_code, answer.json()) == (400, refused)
    assert ghl_sandbox.stats()["refused_refreshes"] == 1
    with HttpClient(ghl_sandbox, token=body["access_token"]) as client:
        answer = client.get("/associations/")
        assert (answer.status_code, answer.json()["message"]) == (401, "Invalid token: access token is invalid")


def test_an_access_token_may_be_ended_before_its_time_and_a_refresh_token_revoked(
    ghl_sandbox: Sandbox, app: Application
) -> None:
    issued = ghl_sandbox.issue(app, location_id=ghl_sandbox.location_id)
    ghl_sandbox.expire(issued["access_token"])
    assert reads(ghl_sandbox, issued["access_token"]) == 401
    with HttpClient(ghl_sandbox, token=None) as client:
        renewed = client.refresh(app, issued["refresh_token"]).json()
        assert reads(ghl_sandbox, renewed["access_token"]) == 200
        ghl_sandbox.revoke(renewed["refresh_token"])
        assert client.refresh(app, renewed["refresh_token"]).status_code == 400
    assert reads(ghl_sandbox, renewed["access_token"]) == 200
    ghl_sandbox.revoke(renewed["access_token"])
    assert reads(ghl_sandbox, renewed["access_token"]) == 401


def test_a_lost_answer_to_a_refresh_is_made_good_by_asking_again(ghl_sandbox: Sandbox, app: Application) -> None:
    issued = ghl_sandbox.issue(app, location_id=ghl_sandbox.location_id)
    ghl_sandbox.add_fault(Fault("reset_after", at={1}, path=PATH))
    with HttpClient(ghl_sandbox, token=None) as client:
        with pytest.raises(requests.ConnectionError):
            client.refresh(app, issued["refresh_token"])
        renewed = client.refresh(app, issued["refresh_token"])
    assert renewed.status_code == 200
    assert reads(ghl_sandbox, renewed.json()["access_token"]) == 200


def test_what_a_token_request_lacks_is_said_in_the_versions_own_way(ghl_sandbox: Sandbox, app: Application) -> None:
    with HttpClient(ghl_sandbox, token=None) as client:
        assert client.refresh(app, "x", client_id=None).json()["message"] == ["client_id should not be empty"]
        assert client.refresh(app, "x", grant_type="").json()["message"] == ["grant_type should not be empty"]
        unknown = client.refresh(app, "x", grant_type="client_credentials")
        assert (unknown.status_code, unknown.json()["message"]) == (422, ["grant_type must be a valid enum value"])
        as_json = client.send("POST", PATH, json={**credentials(app), "grant_type": "refresh_token", "refresh_token": "x"})
        assert as_json.status_code == 422
    with HttpClient(ghl_sandbox, token=None, version="v3") as client:
        for fields, message in (
            ({"client_id": app.client_id}, "Missing parameter: clientId"),
            (camel(app), "Missing parameter: grantType"),
            (camel(app, grantType="password"), "Invalid parameter: grantType"),
            (camel(app, grantType="refresh_token"), "Missing parameter: refreshToken"),
        ):
            answer = client.send("POST", PATH, data=fields)
            assert (answer.status_code, answer.json()) == (400, {"statusCode": 400, "message": message})


def test_a_refused_client(ghl_sandbox: Sandbox, app: Application) -> None:
    other = ghl_sandbox.add_app()
    issued = ghl_sandbox.issue(app, location_id=ghl_sandbox.location_id)
    with HttpClient(ghl_sandbox, token=None) as client:
        for changes in ({"client_secret": "wrong"}, {"client_id": "wrong"}, {"client_id": other.client_id}):
            answer = client.refresh(app, issued["refresh_token"], **changes)
            assert (answer.status_code, answer.json()["error_description"]) == (401, "Invalid client credentials!")
        assert client.refresh(other, issued["refresh_token"]).json()["message"] == "Invalid grant: refresh token is invalid"
        assert client.refresh(app, issued["refresh_token"]).status_code == 200


def test_a_code_is_looked_at_before_the_client_and_survives_a_wrong_one(ghl_sandbox: Sandbox, app: Application) -> None:
    code = ghl_sandbox.authorize(app, location_id=ghl_sandbox.location_id)
    fields = {**credentials(app), "grant_type": "authorization_code", "code": code}
    with HttpClient(ghl_sandbox, token=None) as client:
        both_wrong = client.send("POST", PATH, data=fields | {"code": "wrong", "client_secret": "wrong"})
        assert both_wrong.json()["error_description"] == "Authorization code not found"
        one_wrong = client.send("POST", PATH, data=fields | {"client_secret": "wrong"})
        assert one_wrong.json()["error_description"] == "Invalid client credentials!"
        assert client.send("POST", PATH, data=fields).status_code == 200


@pytest.mark.parametrize("ghl_sandbox", [{"limit": 2, "interval": 60.0}], indirect=True)
def test_token_requests_count_against_their_app(ghl_sandbox: Sandbox, app: Application) -> None:
    other = ghl_sandbox.add_app()
    with HttpClient(ghl_sandbox, token=None) as client:
        assert [client.refresh(app, "x").status_code for _ in range(3)] == [400, 400, 429]
        assert client.refresh(other, "x").status_code == 400
        ghl_sandbox.set_limit(3, app.client_id)
        assert [client.refresh(app, "x").headers["x-ratelimit-max"], client.refresh(other, "x").headers["x-ratelimit-max"]] == [
            "3",
            "2",
        ]


@pytest.mark.parametrize("path", ["/v2/oauth/chooselocation", "/oauth/chooselocation"])
def test_the_page_consents_at_once_and_sends_the_code_back(ghl_sandbox: Sandbox, app: Application, path: str) -> None:
    asked = {
        "response_type": "code",
        "client_id": app.client_id,
        "redirect_uri": "https://example.com/back?a=1",
        "state": "s&x",
        "scope": "associations.readonly",
    }
    with HttpClient(ghl_sandbox, token=None, version=None) as client:
        answer = client.send("GET", f"{path}?{urlencode(asked)}")
        target = urlsplit(answer.headers["location"])
        back = parse_qs(target.query)
        assert (answer.status_code, target.netloc, target.path) == (302, "example.com", "/back")
        assert (back["a"], back["state"]) == (["1"], ["s&x"])
        fields = {**credentials(app), "grant_type": "authorization_code", "code": back["code"][0]}
        body = client.send("POST", PATH, data=fields).json()
    assert body["locationId"] == ghl_sandbox.location_id


def test_the_page_shows_the_code_where_there_is_nowhere_to_send_it(ghl_sandbox: Sandbox, app: Application) -> None:
    company = ghl_sandbox.add_company()
    ghl_sandbox.install(app, ghl_sandbox.state.add_location(company_id=company))
    with HttpClient(ghl_sandbox, token=None, version=None) as client:
        page = client.send("GET", "/v2/oauth/chooselocation", params={"client_id": app.client_id})
        assert page.headers["content-type"].startswith("text/html")
        code = page.text.partition("Your code: ")[2].partition("<")[0]
        fields = {**credentials(app), "grant_type": "authorization_code", "code": code, "user_type": "Location"}
        body = client.send("POST", PATH, data=fields).json()
    assert (body["userType"], body["companyId"]) == ("Company", company), "the agency that has the app consents"


@pytest.mark.parametrize(
    "asked",
    [
        {"client_id": "<script>"},
        {"client_id": ""},
        {"companyId": "nowhere"},
        {"locationId": "nowhere"},
        {"companyId": "a", "locationId": "b"},
    ],
)
def test_the_page_says_no(ghl_sandbox: Sandbox, app: Application, asked: dict[str, str]) -> None:
    with HttpClient(ghl_sandbox, token=None, version=None) as client:
        page = client.send("GET", "/v2/oauth/chooselocation", params={"client_id": app.client_id} | asked)
        assert (page.status_code, "<script>" in page.text) == (400, False)


def test_where_the_page_sends_back_cannot_break_the_answer(ghl_sandbox: Sandbox, app: Application) -> None:
    params = {"client_id": app.client_id, "redirect_uri": "https://ex\r\nx-evil: 1\r\n\r\nämple/"}
    with HttpClient(ghl_sandbox, token=None, version=None) as client:
        answer = client.send("GET", "/v2/oauth/chooselocation", params=params)
    assert (answer.status_code, "x-evil" in answer.headers) == (302, False)


def test_other_methods_there_are_unknown(ghl_sandbox: Sandbox) -> None:
    with HttpClient(ghl_sandbox, token=None, version=None) as client:
        assert client.send("GET", PATH).status_code == 404
        assert client.send("POST", "/v2/oauth/chooselocation").status_code == 404


def test_a_version_that_is_none_is_refused(ghl_sandbox: Sandbox, app: Application) -> None:
    with HttpClient(ghl_sandbox, token=None, version="v4") as client:
        answer = client.refresh(app, "x")
    assert (answer.status_code, answer.json()["message"]) == (401, "version header is invalid")


def test_requests_are_accounted_by_route(ghl_sandbox: Sandbox, app: Application) -> None:
    with HttpClient(ghl_sandbox, token=None) as client:
        client.refresh(app, "x")
        client.mint("a", "b")
    assert ghl_sandbox.stats()["by_route"] == {"POST /oauth/locationToken": 1, "POST /oauth/token": 1}
