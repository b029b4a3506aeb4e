"""What needs requests, and what is on its way."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator
from dataclasses import dataclass
from typing import NamedTuple

from airflow_provider_ghl.api.calls import Answer, Call
from airflow_provider_ghl.api.retry import Tries
from airflow_provider_ghl.exceptions import GHLError, Stopped
from airflow_provider_ghl.load.results.outcomes import Outcome, RowResult
from airflow_provider_ghl.relations.association import Resolution
from airflow_provider_ghl.relations.reading import Reading

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

    def say(self, said: Answer | GHLError, now: float) -> Result | None:
        """Go on with the conversation; its result when that was the end of it."""
        conversation = self.to_send.conversation
        try:
            self.call = conversation.send(said) if isinstance(said, Answer) else conversation.throw(said)
        except StopIteration as end:
            result: Result = end.value
            return result
        self.tries, self.unanswered = Tries(since=now), 0
        return None

    def end_early(self, reason: str) -> Result:
        """Nothing more of it is sent: it ends by its last failure, or as not attempted."""
        error: GHLError = Stopped(reason)
        if self.unanswered and self.last_error is not None:
            error = self.last_error
        error.unanswered_before = self.unanswered
        result = self.say(error, 0.0)
        if result is None:
            result = RowResult(Outcome.FAILED, reason="the load stopped before it was settled")
        return dataclasses.replace(result, requests=self.requests)
