"""Loads of many locations whose tokens expire: the agency's refresh token renews them again and again."""

from __future__ import annotations

from collections import Counter

import pytest
from simulated_agency import SimulatedAgency, check_sums, load_rows, make_rows
from simulated_load import Load
from simulated_oauth import APP, COMPANY, OAuthServer

from airflow_provider_ghl.api.agency_tokens import AgencyTokens
from airflow_provider_ghl.api.oauth import OAuth, token_client
from airflow_provider_ghl.api.refreshed_token import RefreshedToken
from airflow_provider_ghl.api.token_store import Stored
from airflow_provider_ghl.load.results.outcomes import End

ABC = ["a", "b", "c"]


class Memory:
    """A store that keeps the current pair of tokens."""

    stored: Stored | None = None

    def read(self) -> Stored | None:
        return self.stored

    def write(self, stored: Stored) -> None:
        self.stored = stored


def load_with_tokens(
    version: str, lifetime: float, refresh_token: str | None = None
) -> tuple[Load, SimulatedAgency, OAuthServer]:
    """Load 900 rows, which takes half a minute. The default refresh token is valid."""
    agency = SimulatedAgency.build(ABC)
    agency.tokens = server = OAuthServer(agency.clock, lifetime=lifetime, installed=set(ABC))
    oauth = OAuth(token_client(api_version=version, transport=agency, clock=agency.clock), APP, version)
    pasted = refresh_token or server.new_pair()["refresh_token"]
    company = RefreshedToken(oauth, Memory(), pasted_refresh_token=pasted, user_type="Company")
    load = load_rows(make_rows(ABC, 300), agency, authorization=AgencyTokens(company, oauth, COMPANY))
    return load, agency, server


@pytest.mark.parametrize("version", ["2021-07-28", "v3"])
@pytest.mark.parametrize("lifetime", [86_399.0, 12.0, 3.0])
def test_every_row_is_created_once_however_often_tokens_expire(version: str, lifetime: float) -> None:
    load, agency, server = load_with_tokens(version, lifetime)
    check_sums(load, 900)
    assert (load.verdict.end, load.summary["created"]) == (End.GREEN, 900)
    assert all(set(location.creations.values()) == {1} for location in agency.locations.values())
    assert load.summary["requests"] == agency.requests
    assert server.refused == 0
    minted = Counter(server.minted)
    assert set(minted) == set(ABC)
    bursts = 4  # the first one includes the read of the association
    assert all(1 < count <= bursts if lifetime < 30.0 else count == 1 for count in minted.values()), minted


def test_an_invalid_refresh_token_stops_all_locations() -> None:
    load, agency, server = load_with_tokens("v3", 86_399.0, refresh_token="refresh-of-another-app")
    check_sums(load, 900)
    assert (load.verdict.end, load.summary["created"], load.summary["stopped_by"]) == (End.FINAL, 0, "token")
    assert (agency.requests, server.minted) == (0, [])
    assert "refresh-of-another-app" not in f"{load.verdict.message} {load.results}"
