"""Results as plain values: whole numbers, texts, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas

__all__ = ["INTEGERS", "typed"]

#: The fields that are whole numbers, each with its type in Parquet. All others are text.
INTEGERS = {"row": "int64", "status_code": "int32", "requests": "int32", "try_number": "int32"}


def typed(frame: pandas.DataFrame, fields: Sequence[str]) -> pandas.DataFrame:
    """The fields of a frame in this order, as ``Int64`` or as text. Missing texts are ``None``."""
    return pandas.DataFrame({name: _column(frame[name], name in INTEGERS) for name in fields})


def _column(values: pandas.Series[Any], integers: bool) -> pandas.Series[Any]:
    if integers:
        return values.astype("Int64")
    texts = values.astype(object).tolist()
    if not set(map(type, texts)) <= {str, type(None)} or not "".join(filter(None, texts)).isascii():
        texts = [None if absent else _text(value) for value, absent in zip(texts, values.isna(), strict=True)]
    return pandas.Series(texts, index=values.index, dtype=object)


def _text(value: Any) -> str:
    return str(value).encode(errors="backslashreplace").decode()
