"""A token of OAuth's that is refreshed when it is time, and kept for all processes that use the connection."""

from __future__ import annotations

import dataclasses

from airflow_provider_ghl.api.authorization import clean_token
from airflow_provider_ghl.api.clock import LONGEST_WAIT, Clock
from airflow_provider_ghl.api.current_token import CurrentToken
from airflow_provider_ghl.api.newest_tokens import NewestTokens
from airflow_provider_ghl.api.oauth import OAuth
from airflow_provider_ghl.api.token_store import Stored, TokenPair, TokenStore, fingerprint_of
from airflow_provider_ghl.exceptions import ConfigurationError, GHLError, Unauthorized

__all__ = ["RefreshedToken"]

#: Refreshes at once, where what they give is over already.
_ROUNDS = 4
#: Looks, half a second apart, for what another process may be about to store.
_LOOKS = 4
_NO_TOKEN = "the connection has no token yet: run `airflow ghl login` for it, or give it a refresh_token"


class RefreshedToken:
    """A location's or an agency's token that is refreshed when it nears its end or HighLevel refuses it.

    A refresh token is good once. So the store is looked into first, since another process may have refreshed; the new pair is
    in the store before it is used; and a refresh token that is refused is no end while the store has another one.

    :param oauth: with an app.
    :param store: shared by all processes that use the connection.
    :param pasted_refresh_token: what a person put into the connection, as ``pasted_access_token``. What is stored is believed
        as long as these, and the app, are the same.
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
            # Nobody knows when it expires; HighLevel says so in time.
            self._pasted = TokenPair(access, refresh or None, float("inf" if access else "-inf"), 0.0, user_type)
        self._keeping = NewestTokens(store, fingerprint_of(oauth.client_id, refresh, access))
        self._renewing = CurrentToken(self._get, clock or oauth.client.clock, oauth.client.stop)

    @property
    def fingerprint(self) -> str:
        """Of the connection's app and tokens."""
        return self._keeping.fingerprint

    def header(self, location_id: str | None) -> str:
        """The same for every location. Refreshes the token where that is due.

        :raises Unauthorized: HighLevel does not take the refresh token.
        """
        return self._renewing.header()

    def renew(self, location_id: str | None, header: str) -> bool:
        """Takes what another process has stored, else refreshes."""
        return self._renewing.renew(header)

    def peek(self) -> TokenPair | None:
        """The pair that is there now and has not expired, as far as anybody knows. Spends no refresh token.

        :raises GHLError: the store cannot be read.
        """
        stored = self._keeping.look()
        pair = stored.pair if stored else self._pasted
        return pair if pair is not None and pair.access_token and self._renewing.is_usable(pair) else None

    def adopt(self, pair: TokenPair) -> None:
        """Keep a pair that somebody just got by logging in, for all processes that use the connection.

        :raises GHLError: the store cannot be read or written.
        """
        self._renewing.replace(self._keeping.adopt(pair, int(self._renewing.now())).pair)

    def __repr__(self) -> str:
        return "RefreshedToken(***)"

    def _get(self) -> TokenPair:
        stored = self._keeping.look()
        for _ in range(_ROUNDS):
            pair = stored.pair if stored else self._pasted
            if pair is None:
                raise ConfigurationError(_NO_TOKEN)
            if pair.refresh_token is None or self._renewing.is_good(pair):
                return pair
            try:
                new = self._oauth.refresh(pair.refresh_token, user_type=self._user_type or pair.user_type)
            except Unauthorized:
                stored = self._other_than(pair)
                if stored is None:
                    raise
            else:
                stored = self._keeping.keep(_with_what_was_known(new, pair), stored)
                if self._renewing.is_usable(stored.pair):  # who is late gets the same as another process, be it over by now
                    return stored.pair
        raise GHLError("the tokens that HighLevel gave were over at once")

    def _other_than(self, refused: TokenPair) -> Stored | None:
        """What another process has stored, now or in a moment."""
        for look in range(_LOOKS):
            if look:
                self._oauth.client.sleep(LONGEST_WAIT)
            stored = self._keeping.look()
            if stored is not None and stored.pair.refresh_token != refused.refresh_token:
                return stored
        return None


def _with_what_was_known(new: TokenPair, old: TokenPair) -> TokenPair:
    """HighLevel need not say again what the pair is for, nor give another refresh token."""
    known = ("refresh_token", "user_type", "company_id", "location_id", "scopes")
    return dataclasses.replace(new, **{name: getattr(new, name) or getattr(old, name) for name in known})
