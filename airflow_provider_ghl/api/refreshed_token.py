"""An OAuth token that is refreshed in time, and stored for all processes that use the connection."""

from __future__ import annotations

import dataclasses

from airflow_provider_ghl.api.authorization import clean_token
from airflow_provider_ghl.api.clock import LONGEST_WAIT, Clock
from airflow_provider_ghl.api.current_token import CurrentToken
from airflow_provider_ghl.api.newest_tokens import NewestTokens
from airflow_provider_ghl.api.oauth import OAuth
from airflow_provider_ghl.api.token_store import Stored, TokenPair, TokenStore, fingerprint
from airflow_provider_ghl.exceptions import ConfigurationError, GHLError, Unauthorized

__all__ = ["RefreshedToken"]

#: Refreshes in a row, where each gives a pair that has expired already.
_ROUNDS = 4
#: Reads of the store, half a second apart, for what another process may be about to write.
_READS = 4
_NO_TOKEN = "the connection has no token yet: run `airflow ghl login` for it, or give it a refresh_token"


class RefreshedToken:
    """A location's or an agency's token that is refreshed when it nears its end or HighLevel refuses it.

    A refresh token works once. So the store is read first, since another process may have refreshed; a new pair is stored
    before it is used; and where a refresh token is refused, the store is read again for another one.

    :param oauth: with an app.
    :param store: shared by all processes that use the connection.
    :param pasted_refresh_token: from the connection, where a person put it. Stored pairs count while this, the pasted access
        token and the app stay the same.
    :param pasted_access_token: from the connection too.
    :param user_type: ``Company`` for an agency's, ``Location`` for a location's.
    :raises ConfigurationError: a pasted token holds what no token holds.
    """

    def __init__(
        self,
        oauth: OAuth,
        store: TokenStore,
        *,
        pasted_refresh_token: str | None = None,
        pasted_access_token: str | None = None,
        user_type: str | None = None,
        clock: Clock | None = None,
    ) -> None:
        refresh = clean_token(pasted_refresh_token, "refresh_token")
        access = clean_token(pasted_access_token, "token")
        self._oauth = oauth
        self._user_type = user_type
        self._pasted: TokenPair | None = None
        if access or refresh:
            # When it expires is not known; HighLevel refuses it then.
            self._pasted = TokenPair(access, refresh or None, float("inf" if access else "-inf"), 0.0, user_type)
        self._newest = NewestTokens(store, fingerprint(oauth.client_id, refresh, access))
        self._current = CurrentToken(self._get, clock or oauth.client.clock, oauth.client.stop)

    @property
    def fingerprint(self) -> str:
        """Of the connection's app and pasted tokens."""
        return self._newest.fingerprint

    def header(self, location_id: str | None) -> str:
        """The same for every location. Refreshes the token first where that is due.

        :raises Unauthorized: HighLevel refuses the refresh token.
        """
        return self._current.header()

    def renew(self, location_id: str | None, header: str) -> bool:
        """Use the pair that another process has stored, or refresh."""
        return self._current.renew(header)

    def peek(self) -> TokenPair | None:
        """The newest pair, if it has an access token that has not expired as far as is known. Spends no refresh token.

        :raises GHLError: the store cannot be read.
        """
        stored = self._newest.read()
        pair = stored.pair if stored else self._pasted
        return pair if pair is not None and pair.access_token and self._current.is_usable(pair) else None

    def adopt(self, pair: TokenPair) -> None:
        """Store a pair that somebody just got by logging in, for all processes that use the connection.

        :raises GHLError: the store cannot be read or written.
        """
        self._current.replace(self._newest.store_first(pair, int(self._current.now())).pair)

    def __repr__(self) -> str:
        return "RefreshedToken(***)"

    def _get(self) -> TokenPair:
        stored = self._newest.read()
        for _ in range(_ROUNDS):
            pair = stored.pair if stored else self._pasted
            if pair is None:
                raise ConfigurationError(_NO_TOKEN)
            if pair.refresh_token is None or self._current.is_good(pair):
                return pair
            try:
                new = self._oauth.refresh(pair.refresh_token, user_type=self._user_type or pair.user_type)
            except Unauthorized:
                stored = self._read_other_than(pair)
                if stored is None:
                    raise
            else:
                stored = self._newest.store_refreshed(_filled_up(new, pair), stored)
                if self._current.is_usable(stored.pair):  # a late answer may hold a pair that has expired meanwhile
                    return stored.pair
        raise GHLError("the tokens that HighLevel gave had expired already")

    def _read_other_than(self, refused: TokenPair) -> Stored | None:
        """A pair that another process has stored, or stores within the next seconds."""
        for number in range(_READS):
            if number:
                self._oauth.client.sleep(LONGEST_WAIT)
            stored = self._newest.read()
            if stored is not None and stored.pair.refresh_token != refused.refresh_token:
                return stored
        return None


def _filled_up(new: TokenPair, old: TokenPair) -> TokenPair:
    """The new pair, with the old one's fields where HighLevel does not repeat them; the refresh token may be the same, too."""
    known = ("refresh_token", "user_type", "company_id", "location_id", "scopes")
    return dataclasses.replace(new, **{name: getattr(new, name) or getattr(old, name) for name in known})
