"""What a client asks for the ``Authorization`` header of each request, and the tokens that need no request to get."""

from __future__ import annotations

from typing import Protocol

from airflow_provider_ghl.exceptions import ConfigurationError

__all__ = ["Authorization", "BearerToken", "NoToken", "clean_token"]


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
        text = clean_token(token, "token")
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


def clean_token(token: str | None, name: str) -> str:
    """A pasted token without blanks and the word ``Bearer``; ``name`` is the connection's field.

    :raises ConfigurationError: it holds characters that no token holds.
    """
    text = (token or "").strip()
    if text.lower().split(maxsplit=1)[:1] == ["bearer"]:
        text = text[6:].strip()
    if not text.isascii() or not (text.isprintable() or not text) or " " in text:
        raise ConfigurationError(f"the connection's {name} holds characters that no token holds: paste it again")
    return text
