"""What needs requests, and what is on its way."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import NamedTuple

from airflow_provider_ghl.api.calls import Answer, Call
from airflow_provider_ghl.api.retry import Tries
from airflow_provider_ghl.exceptions import GHLError
from airflow_provider_ghl.load.outcomes import RowResult
from airflow_provider_ghl.load.reading import Reading
from airflow_provider_ghl.load.target import Resolution

__all__ = ["Item", "Result", "ToSend"]

#: What a conversation came to: a row's verdict, relations that were read, or the association.
Result = RowResult | Reading | Resolution


class ToSend(NamedTuple):
    """A row, its pair and the conversation that settles it; or the row for which relations or the association are read."""

    row: int
    first: str
    second: str
    conversation: Generator[Call, Answer, RowResult] | Generator[Call, Answer, Reading] | Generator[Call, Answer, Resolution]
    #: The pair in the ledger, and whether an earlier attempt of this load may have sent it.
    key: bytes = b""
    is_again: bool = False


@dataclass(slots=True)
class Item:
    """Something on its way."""

    to_send: ToSend
    call: Call
    tries: Tries
    sent_at: float = 0.0
    requests: int = 0
    unanswered: int = 0
    #: How it last failed, should it not be sent again.
    last_error: GHLError | None = None
