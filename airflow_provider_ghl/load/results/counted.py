"""How many of something, in words."""

from __future__ import annotations

__all__ = ["counted"]


def counted(number: int, one: str, many: str | None = None) -> str:
    """A number with its noun, such as ``1 row`` or ``1,500 rows``.

    :param many: the plural, where it is not made by an s.
    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"
