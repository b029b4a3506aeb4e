"""How a text file is written: what stands between its fields, and how its characters are encoded."""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from typing import Any

from airflow_provider_ghl.exceptions import ConfigurationError

__all__ = ["UTF_8", "TextFormat"]

UTF_8 = "utf-8"
#: A codec for text gives this back, byte by byte. It is longer than the labels of host names, which some codecs are for.
_PROBE = 'first;second\t,|"x"\r\n' + "y" * 70


@dataclass(frozen=True, slots=True)
class TextFormat:
    """What the file's name does not say.

    :param separator: one character; ``None`` is what the file's name says.
    :param encoding: the name of one of Python's codecs for text; ``None`` is UTF-8.
    :raises ConfigurationError: no separator or no encoding can be that.
    """

    separator: str | None = None
    encoding: str | None = None

    def __post_init__(self) -> None:
        if self.separator is not None and not _is_separator(self.separator):
            raise ConfigurationError(f"separator must be one character, no quote and no line end, not {self.separator!r}")
        if self.encoding is not None and not _is_for_text(self.encoding):
            examples = "'utf-8', 'utf-16' or 'cp1252'"
            raise ConfigurationError(
                f"encoding must be one that Python has for text, such as {examples}, not {self.encoding!r}"
            )

    @property
    def given(self) -> list[str]:
        """The names of the arguments that were given."""
        return [name for name in ("separator", "encoding") if getattr(self, name) is not None]

    @property
    def codec(self) -> str:
        """The codec's own name; UTF-8 with and without a byte order mark is the same."""
        return codecs.lookup(self.encoding or UTF_8).name.removesuffix("-sig")


def _is_separator(value: Any) -> bool:
    return isinstance(value, str) and len(value) == 1 and value not in '"\r\n'


def _is_for_text(name: Any) -> bool:
    """Whether a codec gives text back, also where the text is cut into pieces as a file is."""
    if not isinstance(name, str):
        return False
    try:
        octets = _PROBE.encode(name)
        decoder = codecs.getincrementaldecoder(name)()
        pieces = [decoder.decode(octets[at : at + 1]) for at in range(len(octets))]
        return "".join(pieces) + decoder.decode(b"", final=True) == _PROBE
    except (LookupError, ValueError):  # no codec, none for text, or one that refuses the text
        return False
