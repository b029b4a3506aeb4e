"""The tokens of an agency's locations, which HighLevel gives for the agency's own token."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeVar

from airflow_provider_ghl.api.authorization import Authorization
from airflow_provider_ghl.api.clock import Clock
from airflow_provider_ghl.api.current_token import CurrentToken
from airflow_provider_ghl.api.oauth import OAuth
from airflow_provider_ghl.api.token_store import TokenPair
from airflow_provider_ghl.exceptions import ConfigurationError, Unauthorized

__all__ = ["AgencyTokens"]

T = TypeVar("T")

_AGENCY_REFUSED = (
    "HighLevel does not accept the agency's token: it has expired or was revoked; give the connection client_id, client_secret "
    "and refresh_token, or run `airflow ghl login` for it, or paste a current one"
)


class AgencyTokens:
    """One token for each location, fetched with the agency's own token when it is needed first.

    :param company: the agency's own token.
    :param company_id: the agency's id.
    """

    def __init__(self, company: Authorization, oauth: OAuth, company_id: str, clock: Clock | None = None) -> None:
        self._company = company
        self._oauth = oauth
        self._company_id = company_id
        self._clock = clock or oauth.client.clock
        self._locations: dict[str, CurrentToken] = {}
        self._lock = threading.Lock()

    def header(self, location_id: str | None) -> str:
        """The ``Authorization`` header for a location.

        :raises ConfigurationError: no location is named.
        :raises Unauthorized: the agency's token is refused, or HighLevel gives none for this location; ``kind`` says which.
        """
        if not location_id:
            raise ConfigurationError("an agency's connection needs to be told the location: give location_id")
        return self._token(location_id).header()

    def renew(self, location_id: str | None, header: str) -> bool:
        """Fetch another token for the location."""
        return bool(location_id) and self._token(location_id or "").renew(header)

    def list_locations(self) -> list[dict[str, Any]]:
        """See :meth:`OAuth.iterate_locations`."""
        return self._as_agency(lambda token: list(self._oauth.iterate_locations(token, self._company_id)))

    def __repr__(self) -> str:
        return f"AgencyTokens({self._company_id!r})"

    def _token(self, location_id: str) -> CurrentToken:
        with self._lock:
            if location_id not in self._locations:
                self._locations[location_id] = CurrentToken(
                    lambda: self._mint(location_id), self._clock, self._oauth.client.stop
                )
            return self._locations[location_id]

    def _mint(self, location_id: str) -> TokenPair:
        try:
            return self._as_agency(lambda token: self._oauth.mint(token, self._company_id, location_id))
        except Unauthorized as error:
            if error.kind != "token" or error.is_plain:
                raise
            # The agency's token was renewed just now, so that it is the location that is refused.
            raise self._oauth.no_token_for(location_id, error) from error

    def _as_agency(self, work: Callable[[str], T]) -> T:
        header = self._company.header(None)
        try:
            return work(header.removeprefix("Bearer "))
        except Unauthorized as error:
            if error.kind != "token":
                raise
            if not self._company.renew(None, header):
                raise Unauthorized.plainly(_AGENCY_REFUSED, error, "token") from error
        return work(self._company.header(None).removeprefix("Bearer "))
