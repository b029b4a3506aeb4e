"""Finds where results go: a file, local or in a storage."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from airflow_provider_ghl.exceptions import ConfigurationError
from airflow_provider_ghl.hooks.sources import storage
from airflow_provider_ghl.load.results.file import ResultsFile, local_results_file

__all__ = ["must_be_another_file", "results_file"]


def results_file(path: str, conn_id: str | None, fields: Sequence[str]) -> ResultsFile:
    """The file for the results, local or at any URL that ``ObjectStoragePath`` writes. It appears whole or not at all.

    :param fields: the columns.
    """
    if conn_id is None and "://" not in path:
        return local_results_file(path, fields)
    target = storage(path, conn_id)
    if target.protocol == "file":
        return local_results_file(target.path, fields, where=path)
    # Object stores show a file when its upload is complete.
    return ResultsFile(path, fields, lambda finished: target.fs.put_file(str(finished), target.path), where=path)


def must_be_another_file(path: str, conn_id: str | None, source: str, source_conn_id: str | None) -> None:
    """Refuse to write the results over their own source.

    :raises ConfigurationError: both are the same file.
    """
    if _is_same(_place(path, conn_id), _place(source, source_conn_id)):
        raise ConfigurationError("results_path names the same file as path: the results would take the place of the rows")


def _place(path: str, conn_id: str | None) -> Any:
    """A local path, or the file in its storage."""
    if conn_id is None and "://" not in path:
        return Path(path)
    found = storage(path, conn_id)
    return Path(found.path) if found.protocol == "file" else found


def _is_same(one: Any, other: Any) -> bool:
    if isinstance(one, Path) and isinstance(other, Path):
        with suppress(OSError, ValueError):  # a file that is not there is an error when it is opened
            return one.samefile(other)
        return False
    # Two connections may lead to the same bucket, so that the connections are not compared.
    return type(one) is type(other) and type(one.fs) is type(other.fs) and one.path == other.path
