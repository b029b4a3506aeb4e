"""How a request proves who sends it: a Private Integration Token, or tokens of OAuth, which are renewed."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from airflow_provider_ghl.api.clock import LONGEST_WAIT, Clock
from airflow_provider_ghl.api.keeping import Keeping
from airflow_provider_ghl.api.renewing import Renewing
from airflow_provider_ghl.api.tokens import Stored, TokenPair, TokenStore, fingerprint_of
from airflow_provider_ghl.exceptions import ConfigurationError, GHLError, Unauthorized

if TYPE_CHECKING:
    from airflow_provider_ghl.api.oauth import OAuth

__all__ = ["AgencyTokens", "Authorization", "BearerToken", "NoToken", "RefreshedToken"]

T = TypeVar("T")

#: Refreshes at once, where what they give is over already.
_ROUNDS = 4
#: Looks, half a second apart, for what another process may be about to store.
_LOOKS = 4
_NO_TOKEN = "the connection has no token yet: run `airflow ghl login` for it, or give it a refresh_token"
_AGENCY_REFUSED = (
    "HighLevel does not accept the agency's token: it has expired or was revoked; give the connection client_id, client_secret "
    "and refresh_token, or run `airflow ghl login` for it, or paste a current one"
)


class Authorization(Protocol):
    """What the client asks before each request."""

    def header(self, location_id: str | None) -> str:
        """The value of the ``Authorization`` header for a request to this location. May take as long as to get a token."""

    def renew(self, location_id: str | None, header: str) -> bool:
        """HighLevel refused this header: whether there is another one now, so that one more try makes sense.

        :raises GHLError: there is none, and this says more of the reason.
        """


class NoToken:
    """For calls that bring their own, or need none."""

    def header(self, location_id: str | None) -> str:
        """None."""
        return ""

    def renew(self, location_id: str | None, header: str) -> bool:
        """There is nothing to renew."""
        return False


class BearerToken:
    """A token that lasts until somebody rotates it (Private Integration Token) or until it expires.

    :param token: the text that HighLevel shows, without ``Bearer``.
    :raises ConfigurationError: it is empty, or holds what no token holds.
    """

    __slots__ = ("_header",)

    def __init__(self, token: str | None) -> None:
        text = _text_of(token, "token")
        if not text:
            raise ConfigurationError("the connection has no token: put the Private Integration Token into its password")
        self._header = f"Bearer {text}"

    def header(self, location_id: str | None) -> str:
        """The same for every location."""
        return self._header

    def renew(self, location_id: str | None, header: str) -> bool:
        """There is no other one."""
        return False

    def __repr__(self) -> str:
        return "BearerToken(***)"


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
        refresh = _text_of(pasted_refresh_token, "refresh_token")
        access = _text_of(pasted_access_token, "token")
        self._oauth = oauth
        self._user_type = user_type
        self._pasted: TokenPair | None = None
        if access or refresh:
            # Nobody knows when it expires; HighLevel says so in time.
            self._pasted = TokenPair(access, refresh or None, float("inf" if access else "-inf"), 0.0, user_type)
        self._keeping = Keeping(store, fingerprint_of(oauth.client_id, refresh, access))
        self._renewing = Renewing(self._get, clock or oauth.client.clock, oauth.client.stop)

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


class AgencyTokens:
    """Tokens of an agency's locations, got with the agency's own when they are needed, and one at a time for each location.

    :param company: the agency's own token.
    :param company_id: the agency's id.
    """

    def __init__(self, company: Authorization, oauth: OAuth, company_id: str, clock: Clock | None = None) -> None:
        self._company = company
        self._oauth = oauth
        self._company_id = company_id
        self._clock = clock or oauth.client.clock
        self._locations: dict[str, Renewing] = {}
        self._lock = threading.Lock()

    def header(self, location_id: str | None) -> str:
        """Of the location's token.

        :raises ConfigurationError: no location is named.
        :raises Unauthorized: by ``kind``: the agency's token is refused, or HighLevel gives none for this location.
        """
        if not location_id:
            raise ConfigurationError("an agency's connection needs to be told the location: give location_id")
        return self._of(location_id).header()

    def renew(self, location_id: str | None, header: str) -> bool:
        """Gets another one for the location."""
        return bool(location_id) and self._of(location_id or "").renew(header)

    def list_locations(self) -> list[dict[str, Any]]:
        """See :meth:`OAuth.iterate_locations`."""
        return self._as_agency(lambda token: list(self._oauth.iterate_locations(token, self._company_id)))

    def __repr__(self) -> str:
        return f"AgencyTokens({self._company_id!r})"

    def _of(self, location_id: str) -> Renewing:
        with self._lock:
            if location_id not in self._locations:
                self._locations[location_id] = Renewing(lambda: self._mint(location_id), self._clock, self._oauth.client.stop)
            return self._locations[location_id]

    def _mint(self, location_id: str) -> TokenPair:
        try:
            return self._as_agency(lambda token: self._oauth.mint(token, self._company_id, location_id))
        except Unauthorized as error:
            if error.kind != "token" or error.is_plain:
                raise
            # The agency's token was renewed just now: it is something else that HighLevel does not like.
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


def _text_of(token: str | None, name: str) -> str:
    text = (token or "").strip()
    if text.lower().split(maxsplit=1)[:1] == ["bearer"]:
        text = text[6:].strip()
    if not text.isascii() or not (text.isprintable() or not text) or " " in text:
        raise ConfigurationError(f"the connection's {name} holds characters that no token holds: paste it again")
    return text


def _with_what_was_known(new: TokenPair, old: TokenPair) -> TokenPair:
    """HighLevel need not say again what the pair is for, nor give another refresh token."""
    known = ("refresh_token", "user_type", "company_id", "location_id", "scopes")
    return dataclasses.replace(new, **{name: getattr(new, name) or getattr(old, name) for name in known})
