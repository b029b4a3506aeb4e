"""What a location has to send, and what is on its way."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import NamedTuple

from airflow_provider_ghl.api.calls import Answer, Call
from airflow_provider_ghl.api.retry import Tries
from airflow_provider_ghl.exceptions import ConfigurationError, GHLError, Stopped
from airflow_provider_ghl.load.kind import Conversation, Result
from airflow_provider_ghl.load.results.outcomes import Outcome, RowResult

__all__ = ["GiveUp", "InFlight", "NeedRows", "Send", "Step", "WaitUntil"]


class Send(NamedTuple):
    """Have this conversation. It settles the row, or asks something on behalf of it and others.

    :param key: the row in the ledger.
    :param is_again: an earlier attempt of this load may have sent the row.
    """

    row: int
    values: tuple[str, ...]
    conversation: Conversation
    key: bytes = b""
    is_again: bool = False


class WaitUntil(NamedTuple):
    """Nothing to send before this moment (clock seconds). Answers are looked at first, whenever it is."""

    moment: float


class NeedRows(NamedTuple):
    """Nothing to send until more of the source is read."""


class GiveUp(NamedTuple):
    """Nothing is to be sent at all: the rows cannot be meant so."""

    error: ConfigurationError


#: What a location does next.
Step = Send | WaitUntil | NeedRows | GiveUp


@dataclass(slots=True)
class InFlight:
    """A conversation under way: its current request is on the wire, or waits for a slot or for another try."""

    send: Send
    call: Call
    tries: Tries
    sent_at: float = 0.0
    requests: int = 0
    #: Tries of the current request that got no clear answer, those before an outage included.
    unanswered: int = 0
    #: How the current request last failed.
    last_error: GHLError | None = None

    def advance(self, answer: Answer | GHLError, now: float) -> Result | None:
        """Go on with the conversation; its result when that was the end of it."""
        conversation = self.send.conversation
        try:
            self.call = conversation.send(answer) if isinstance(answer, Answer) else conversation.throw(answer)
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
        result = self.advance(error, 0.0)
        if result is None:
            result = RowResult(Outcome.FAILED, reason="the load stopped before it was settled")
        return dataclasses.replace(result, requests=self.requests)
