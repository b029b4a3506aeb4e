"""What a file is by its first bytes, where its name says that it is text."""

from __future__ import annotations

__all__ = ["SIGNATURE_BYTES", "name_signature"]

#: How many of a file's first bytes tell.
SIGNATURE_BYTES = 8
_ZIP = "it is an Excel workbook or another zip archive; export the table as CSV"
# A header may begin with PK or PAR1 too, so that the bytes after these count.
_SIGNATURES = {
    b"PK\x03\x04": _ZIP,
    b"PK\x05\x06": _ZIP,
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": "it is an Excel workbook of the old kind; export the table as CSV",
    b"PAR1\x15": "it is a Parquet file; its name must end in .parquet",
    b"\x1f\x8b": "it is a gzip file; its name must end in .gz",
}


def name_signature(head: bytes) -> str | None:
    """What the file is and what to do; ``None`` where its first bytes may be text."""
    return next((meaning for signature, meaning in _SIGNATURES.items() if head.startswith(signature)), None)
