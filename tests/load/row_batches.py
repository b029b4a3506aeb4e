"""Reading a source in tests: its bytes, and the rows of its batches."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

import pandas
import pytest

from airflow_provider_ghl.load.columns import Batch, Columns
from airflow_provider_ghl.load.source.rows import from_file

__all__ = ["COLUMNS", "HEAD", "KEYED", "cells", "opened", "parquet_bytes", "read", "until_error"]

COLUMNS = Columns("student_id", "teacher_id")
KEYED = Columns("student_id", "teacher_id", row_key="n")
HEAD = b"student_id,teacher_id,n\n"


def cells(batches: Iterator[Batch] | list[Batch]) -> list[tuple[Any, ...]]:
    return [tuple(row) for batch in batches for row in zip(*batch.cells, strict=True)]


def opened(content: bytes) -> Callable[[], BinaryIO]:
    return lambda: io.BytesIO(content)


def read(content: bytes, name: str = "pairs.csv", columns: Columns = COLUMNS, size: int = 2) -> list[Batch]:
    return list(from_file(opened(content), name, columns, size))


def until_error(batches: Iterator[Batch], kind: type[Exception]) -> tuple[list[tuple[Any, ...]], str]:
    rows: list[Batch] = []
    with pytest.raises(kind) as caught:
        rows.extend(batches)
    return cells(rows), str(caught.value)


def parquet_bytes(frame: pandas.DataFrame, **options: Any) -> bytes:
    buffer = io.BytesIO()
    frame.to_parquet(buffer, index=False, **options)
    return buffer.getvalue()
