"""Pairs of tokens as values, and the protocol of what stores them."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from airflow_provider_ghl.exceptions import ConfigurationError

__all__ = ["LIFETIME", "MemoryStore", "Stored", "TokenPair", "TokenStore", "fingerprint"]

#: Seconds that an access token is good for where HighLevel does not say (specified: ``expires_in`` 86399).
LIFETIME = 86_399.0
#: Seconds before its end at which a token is refreshed, at most; and as a part of its lifetime, at most.
_EARLY = 300.0
_EARLY_PART = 0.1

_TEXTS = ("refresh_token", "user_type", "company_id", "location_id", "scopes")
_NUMBERS = ("expires_at", "lifetime")
_UNREADABLE = "the stored tokens of the connection cannot be read"


@dataclass(frozen=True)
class TokenPair:
    """An access token and, where there is one, the refresh token that gets the next pair, once."""

    access_token: str = field(repr=False)
    refresh_token: str | None = field(default=None, repr=False)
    #: Seconds since 1970, by the clock of the process that got it.
    expires_at: float = float("inf")
    #: Seconds that it was valid for when HighLevel gave it.
    lifetime: float = LIFETIME
    #: ``Company`` or ``Location``.
    user_type: str | None = None
    company_id: str | None = None
    location_id: str | None = None
    #: Separated by blanks.
    scopes: str | None = None

    @property
    def header(self) -> str:
        """The value of the ``Authorization`` header."""
        return f"Bearer {self.access_token}"

    @property
    def refresh_at(self) -> float:
        """Seconds since 1970 from which on it is refreshed: shortly before its end."""
        return self.expires_at - min(_EARLY, self.lifetime * _EARLY_PART)

    def as_dict(self) -> dict[str, Any]:
        """For JSON. Holds the secrets."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> TokenPair:
        """What :meth:`as_dict` gave.

        :raises ConfigurationError: it did not give that.
        """
        if not isinstance(data, Mapping) or not isinstance(data.get("access_token"), str):
            raise ConfigurationError(_UNREADABLE)
        fields: dict[str, Any] = {name: data.get(name) for name in (*_TEXTS, *_NUMBERS)}
        if not all(isinstance(fields[name], str | None) for name in _TEXTS):
            raise ConfigurationError(_UNREADABLE)
        if not all(isinstance(fields[name], int | float) for name in _NUMBERS):
            raise ConfigurationError(_UNREADABLE)
        return cls(data["access_token"], **fields)


@dataclass(frozen=True)
class Stored:
    """A pair as it is stored, and what tells whether it belongs to the connection and which pair is newer."""

    pair: TokenPair = field(repr=False)
    #: Of the tokens in the connection from which it was refreshed.
    fingerprint: str
    #: One more than that of the pair from which it was refreshed.
    generation: int = 0

    def as_dict(self) -> dict[str, Any]:
        """For JSON. Holds the secrets."""
        return {"pair": self.pair.as_dict(), "fingerprint": self.fingerprint, "generation": self.generation}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Stored:
        """What :meth:`as_dict` gave.

        :raises ConfigurationError: it did not give that.
        """
        digest = data.get("fingerprint") if isinstance(data, Mapping) else None
        generation = data.get("generation", 0) if isinstance(data, Mapping) else None
        if not isinstance(digest, str) or not isinstance(generation, int):
            raise ConfigurationError(_UNREADABLE)
        return cls(TokenPair.from_dict(data.get("pair") or {}), digest, generation)


class TokenStore(Protocol):
    """Stores the newest pair for all processes that use the connection."""

    def read(self) -> Stored | None:
        """What was written last; ``None`` where nothing was.

        :raises GHLError: it cannot be read now; it will be tried again. The message holds no token.
        """

    def write(self, stored: Stored) -> None:
        """Write it. When this returns it is durable, and all processes read it.

        :raises GHLError: it was not written; it will be tried again. The message holds no token.
        """


class MemoryStore:
    """In memory, for programs of one process that log in anew when they start."""

    def __init__(self) -> None:
        self._stored: Stored | None = None

    def read(self) -> Stored | None:
        """See :class:`TokenStore`."""
        return self._stored

    def write(self, stored: Stored) -> None:
        """See :class:`TokenStore`."""
        self._stored = stored


def fingerprint(*secrets: str | None) -> str:
    """A digest that differs where the secrets differ. It does not give them away: tokens are too long to be guessed."""
    digest = hashlib.blake2b(digest_size=16, person=b"ghl-fingerprint")
    for secret in secrets:
        text = (secret or "").strip().encode()
        digest.update(len(text).to_bytes(4, "big") + text)
    return digest.hexdigest()
