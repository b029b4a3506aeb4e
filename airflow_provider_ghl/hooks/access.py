"""How a connection gets its tokens. It depends on which of its fields are filled in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_ghl.exceptions import ConfigurationError

if TYPE_CHECKING:
    from airflow_provider_ghl.api.agency_tokens import AgencyTokens
    from airflow_provider_ghl.api.authorization import Authorization
    from airflow_provider_ghl.api.client import Client
    from airflow_provider_ghl.api.clock import Stop
    from airflow_provider_ghl.api.oauth import App, OAuth
    from airflow_provider_ghl.api.refreshed_token import RefreshedToken
    from airflow_provider_ghl.api.retry import Retry
    from airflow_provider_ghl.api.token_store import TokenStore
    from airflow_provider_ghl.hooks.settings import Settings

__all__ = ["Access", "Manner", "make_oauth", "make_refreshed_token", "read_app"]


@dataclass(frozen=True)
class Manner:
    """How requests are made: the API's version, the flag that ends waits, the retry policy."""

    api_version: str | None
    stop: Stop
    retry: Retry | None = None


@dataclass(frozen=True)
class Access:
    """What a connection gives access to: a client for its locations, and an agency's list of them."""

    settings: Settings
    manner: Manner
    authorization: Authorization
    #: The same object, where the connection is an agency's.
    agency: AgencyTokens | None = None

    @classmethod
    def by_token(cls, settings: Settings, manner: Manner, own: Authorization, oauth: OAuth | None = None) -> Access:
        """With one token for the connection. Where it has a ``company_id``, that is the agency's token."""
        if settings.company_id is None:
            return cls(settings, manner, own)
        from airflow_provider_ghl.api.agency_tokens import AgencyTokens

        tokens = AgencyTokens(own, oauth or make_oauth(settings, manner), settings.company_id)
        return cls(settings, manner, tokens, tokens)

    @classmethod
    def by_connection(cls, conn_id: str, settings: Settings, manner: Manner) -> Access:
        """With the tokens that the connection says. An OAuth app's are refreshed, and stored in Airflow.

        :raises ConfigurationError: the connection cannot be right; the message says what would be.
        """
        from airflow_provider_ghl.api.authorization import BearerToken

        if read_app(settings) is None:
            return cls.by_token(settings, manner, BearerToken(settings.token))
        from airflow_provider_ghl.hooks.token_variable import AirflowTokens

        oauth = make_oauth(settings, manner)
        return cls.by_token(settings, manner, make_refreshed_token(settings, oauth, AirflowTokens(conn_id)), oauth)

    def client(self, location_id: str | None = None) -> Client:
        """For requests to locations.

        :param location_id: for calls that name none, instead of the connection's.
        """
        from airflow_provider_ghl.api.client import Client

        settings, manner = self.settings, self.manner
        return Client(
            self.authorization,
            location_id=location_id or settings.location_id,
            host=settings.host,
            api_version=manner.api_version or settings.api_version or "",
            quota_share=settings.quota_share,
            daily_reserve=settings.daily_reserve,
            retry=manner.retry,
            stop=manner.stop,
        )

    def locations(self) -> list[dict[str, Any]]:
        """The agency's locations in which the app is installed, as HighLevel gives them plus ``location_id``.

        :raises ConfigurationError: the connection is no agency's, or has no app.
        """
        if self.agency is None:
            raise ConfigurationError("only an agency has a list of locations: the connection has no company_id")
        if read_app(self.settings) is None:
            raise ConfigurationError(
                "HighLevel lists the locations of an app: put client_id and client_secret into the connection"
            )
        return self.agency.list_locations()


def read_app(settings: Settings) -> App | None:
    """The connection's OAuth app, if it has one.

    :raises ConfigurationError: it has a part of one.
    """
    from airflow_provider_ghl.api.oauth import App

    if settings.client_id and settings.client_secret:
        return App(settings.client_id, settings.client_secret)
    there = [name for name in ("client_id", "client_secret", "refresh_token") if getattr(settings, name)]
    if there:
        missing = " and ".join(name for name in ("client_id", "client_secret") if not getattr(settings, name))
        raise ConfigurationError(f"the connection has {' and '.join(there)}, but no {missing}: an OAuth app needs both")
    return None


def make_oauth(settings: Settings, manner: Manner) -> OAuth:
    """The endpoints that give tokens, for the connection's app."""
    from airflow_provider_ghl.api.oauth import OAuth, token_client
    from airflow_provider_ghl.api.versions import read_version

    version = read_version(manner.api_version or settings.api_version)
    client = token_client(settings.host, api_version=version, stop=manner.stop)
    client.retry = manner.retry or client.retry
    return OAuth(client, read_app(settings), version)


def make_refreshed_token(settings: Settings, oauth: OAuth, tokens: TokenStore) -> RefreshedToken:
    """The connection's own token, refreshed when it is time."""
    from airflow_provider_ghl.api.refreshed_token import RefreshedToken

    return RefreshedToken(
        oauth,
        tokens,
        pasted_refresh_token=settings.refresh_token,
        pasted_access_token=settings.token,
        user_type="Company" if settings.company_id else "Location",
    )
