"""Helpers for tests of a failing ledger: a statement that writes, and a check of the error."""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from airflow_provider_ghl.exceptions import LedgerError
from airflow_provider_ghl.load.ledger.tables import ledger as facts

__all__ = ["COUNT", "INSERT", "failing"]

INSERT = sa.insert(facts).values(name="made by a test", value="s3cret")
COUNT = "SELECT count(*) FROM ghl_ledger WHERE name = 'made by a test'"


@contextlib.contextmanager
def failing(match: str, *secrets: str) -> Iterator[None]:
    """Expect a LedgerError from the block. Its traceback contains no secret."""
    with pytest.raises(LedgerError, match=match) as caught:
        yield
    logged = "".join(traceback.format_exception(caught.value)).partition("LedgerError: ")[2]
    assert not [secret for secret in secrets if secret in logged]
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
