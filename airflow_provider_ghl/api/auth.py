"""How a request proves who sends it: a Private Integration Token or a location's access token.

Tokens that are renewed (OAuth) implement the same protocol.
"""

from __future__ import annotations

from typing import Protocol

from airflow_provider_ghl.exceptions import ConfigurationError

__all__ = ["Authorization", "BearerToken"]


class Authorization(Protocol):
    """What the client asks before each request."""

    def header(self, location_id: str | None) -> str:
        """The value of the ``Authorization`` header for a request to this location."""


class BearerToken:
    """A token that lasts until somebody rotates it (Private Integration Token) or until it expires.

    :param token: the text that HighLevel shows, without ``Bearer``.
    :raises ConfigurationError: it is empty, or holds what no token holds.
    """

    __slots__ = ("_header",)

    def __init__(self, token: str | None) -> None:
        text = (token or "").strip()
        if text.lower().split(maxsplit=1)[:1] == ["bearer"]:
            text = text[6:].strip()
        if not text:
            raise ConfigurationError("the connection has no token: put the Private Integration Token into its password")
        if not text.isascii() or not text.isprintable() or " " in text:
            raise ConfigurationError("the connection's token holds characters that no token holds: paste it again")
        self._header = f"Bearer {text}"

    def header(self, location_id: str | None) -> str:
        """The same for every location."""
        return self._header

    def __repr__(self) -> str:
        return "BearerToken(***)"
