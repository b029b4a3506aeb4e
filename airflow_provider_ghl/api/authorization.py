"""What a client asks for the ``Authorization`` header of each request, and the tokens that need no request to get."""

from __future__ import annotations

from typing import Protocol

from airflow_provider_ghl.exceptions import ConfigurationError

__all__ = ["Authorization", "BearerToken", "NoToken", "clean_token"]


class Authorization(Protocol):
    """Where a client gets the token of each request."""

    def header(self, location_id: str | None) -> str:
        """The value of the ``Authorization`` header for a request to this location. Gets a token first where it has to."""

    def renew(self, location_id: str | None, header: str) -> bool:
        """After HighLevel refused this header: get another one.

        :return: whether there is another one now, so that the request can be sent again.
        :raises GHLError: there is none; the error says why.
        """


class NoToken:
    """No token, for calls that bring their own or need none."""

    def header(self, location_id: str | None) -> str:
        """An empty text: no header is sent."""
        return ""

    def renew(self, location_id: str | None, header: str) -> bool:
        """There is nothing to renew."""
        return False


class BearerToken:
    """A pasted token, such as a Private Integration Token. It is never renewed.

    :param token: the text that HighLevel shows, without ``Bearer``.
    :raises ConfigurationError: it is empty, or has characters that no token has.
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
        """There is no other token."""
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
