"""How a connection proves itself to HighLevel: which of its fields are filled in decides."""

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

__all__ = ["Access", "Manner", "app_of", "oauth_of", "refreshed_token"]


@dataclass(frozen=True)
class Manner:
    """How requests are made, whoever proves them: the version, what ends waits, when to send again."""

    api_version: str | None
    stop: Stop
    retry: Retry | None = None


@dataclass(frozen=True)
class Access:
    """What a connection lets in: a client for its locations, and the list of an agency's."""

    settings: Settings
    manner: Manner
    authorization: Authorization
    #: The same, where the connection is an agency's.
    agency: AgencyTokens | None = None

    @classmethod
    def by_token(cls, settings: Settings, manner: Manner, own: Authorization, oauth: OAuth | None = None) -> Access:
        """By the connection's own token, which with a ``company_id`` is the agency's."""
        if settings.company_id is None:
            return cls(settings, manner, own)
        from airflow_provider_ghl.api.agency_tokens import AgencyTokens

        tokens = AgencyTokens(own, oauth or oauth_of(settings, manner), settings.company_id)
        return cls(settings, manner, tokens, tokens)

    @classmethod
    def by_connection(cls, conn_id: str, settings: Settings, manner: Manner) -> Access:
        """By what the connection says; an app's tokens are refreshed, and kept in Airflow.

        :raises ConfigurationError: it cannot be right; the message says what would be.
        """
        from airflow_provider_ghl.api.authorization import BearerToken

        if app_of(settings) is None:
            return cls.by_token(settings, manner, BearerToken(settings.token))
        from airflow_provider_ghl.hooks.token_variable import AirflowTokens

        oauth = oauth_of(settings, manner)
        return cls.by_token(settings, manner, refreshed_token(settings, oauth, AirflowTokens(conn_id)), oauth)

    def client(self, location_id: str | None = None) -> Client:
        """For requests to locations.

        :param location_id: the one of calls that name none, instead of the connection's.
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
        if app_of(self.settings) is None:
            raise ConfigurationError(
                "HighLevel lists the locations of an app: put client_id and client_secret into the connection"
            )
        return self.agency.list_locations()


def app_of(settings: Settings) -> App | None:
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


def oauth_of(settings: Settings, manner: Manner) -> OAuth:
    """The endpoints that give tokens, for the connection's app."""
    from airflow_provider_ghl.api.oauth import OAuth, token_client
    from airflow_provider_ghl.api.versions import read_version

    version = read_version(manner.api_version or settings.api_version)
    client = token_client(settings.host, api_version=version, stop=manner.stop)
    client.retry = manner.retry or client.retry
    return OAuth(client, app_of(settings), version)


def refreshed_token(settings: Settings, oauth: OAuth, tokens: TokenStore) -> RefreshedToken:
    """The connection's own token, refreshed when it is time."""
    from airflow_provider_ghl.api.refreshed_token import RefreshedToken

    return RefreshedToken(
        oauth,
        tokens,
        pasted_refresh_token=settings.refresh_token,
        pasted_access_token=settings.token,
        user_type="Company" if settings.company_id else "Location",
    )
