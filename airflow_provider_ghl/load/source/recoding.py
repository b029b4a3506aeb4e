"""A file in any encoding, read as UTF-8: everything after it knows one encoding, and stays as fast as that is."""

from __future__ import annotations

import codecs
import io
from typing import Any

__all__ = ["Recoded"]

_PIECE = 1 << 18
_MARK = "airflow_provider_ghl.mark"
#: A lone surrogate, which no UTF-8 can hold: whoever reads the line finds the fault there, after the lines before it.
_FAULT = "\udc80"


def _mark(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return _FAULT, error.end


codecs.register_error(_MARK, _mark)


class Recoded(io.RawIOBase):
    """The bytes of a file, as UTF-8. Where a byte is not of the encoding, the line is not UTF-8 at that character."""

    def __init__(self, file: io.BufferedReader[Any], codec: str) -> None:
        self._file = file
        self._decoder = codecs.getincrementaldecoder(codec)(errors=_MARK)
        self._ready = memoryview(b"")
        self._is_over = False

    def readable(self) -> bool:
        return True

    def readinto(self, into: Any) -> int:
        while not self._ready and not self._is_over:
            piece = self._file.read1(_PIECE)
            self._is_over = not piece
            text = self._decoder.decode(piece, final=self._is_over)
            self._ready = memoryview(text.encode(errors="surrogatepass"))
        size = min(len(into), len(self._ready))
        into[:size] = self._ready[:size]
        self._ready = self._ready[size:]
        return size
