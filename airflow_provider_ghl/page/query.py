"""What a request asks for: its parameters, checked."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from fastapi import HTTPException, Request

__all__ = ["Query", "load_number"]

_LARGEST = 2**31 - 1
#: No id, key or name is longer.
_LONGEST = 500


class Query:
    """The parameters of a request. An empty one, as a form sends it, is none.

    :raises HTTPException: 400, from each method: the value cannot be right; the detail says what would be.
    """

    def __init__(self, parameters: Mapping[str, str]) -> None:
        self._parameters = parameters

    @classmethod
    def of(cls, request: Request) -> Query:
        """Of a request."""
        return cls(request.query_params)

    def text(self, name: str) -> str | None:
        """Any text, without blanks at its ends."""
        value = self._parameters.get(name, "").strip()
        if len(value) > _LONGEST or not value.isprintable():
            raise HTTPException(400, f"{name} must be a text of at most {_LONGEST} printable characters")
        return value or None

    def one_of(self, name: str, allowed: Collection[str]) -> str | None:
        """One of a few words."""
        value = self.text(name)
        if value is not None and value not in allowed:
            raise HTTPException(400, f"{name} must be one of: {', '.join(allowed)}")
        return value

    def position(self, name: str) -> int | None:
        """A place to go on from: a whole number that is not negative."""
        value = self.text(name)
        if value is None:
            return None
        if not (value.isascii() and value.isdigit() and len(value) <= 18):
            raise HTTPException(400, f"{name} must be a whole number")
        return int(value)


def load_number(text: str) -> int:
    """A load's number, from the address.

    :raises HTTPException: 404: no load has such a number.
    """
    if text.isascii() and text.isdigit() and len(text) <= 10 and int(text) <= _LARGEST:
        return int(text)
    raise HTTPException(404)
