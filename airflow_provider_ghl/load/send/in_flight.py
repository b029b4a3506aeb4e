"""The steps of a location: what it does next; and a conversation whose request is in flight."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import NamedTuple

from airflow_provider_ghl.api.calls import Answer, Call
from airflow_provider_ghl.api.retry import Tries
from airflow_provider_ghl.exceptions import GHLError, Stopped
from airflow_provider_ghl.load.kind import Conversation, Result
from airflow_provider_ghl.load.results.outcomes import Outcome, RowResult, StoppedBy

__all__ = ["GiveUp", "InFlight", "NeedRows", "Send", "Step", "WaitUntil"]


class Send(NamedTuple):
    """Start this conversation. It settles one row, reads for several rows, finds the target, or is a part of a look-up.

    :param row: the row's number in the source; below 0 where the conversation is about no row. No two that are under way have
        the same number.
    :param key: the row's key in the ledger.
    :param is_again: an earlier attempt of this load may have sent the row.
    """

    row: int
    values: tuple[str, ...]
    conversation: Conversation
    key: bytes = b""
    is_again: bool = False


class WaitUntil(NamedTuple):
    """There is nothing to send before this moment (clock seconds). Where it is now, answers are taken in first."""

    moment: float


class NeedRows(NamedTuple):
    """There is nothing to send until more of the source is read."""


class GiveUp(NamedTuple):
    """Send no more rows: they contradict the load's arguments, or what all of them need cannot be had."""

    error: GHLError
    by: StoppedBy | None = StoppedBy.ABORT


#: What a location does next.
Step = Send | WaitUntil | NeedRows | GiveUp


@dataclass(slots=True)
class InFlight:
    """A conversation under way. Its current request is in flight, or waits for a slot or a retry."""

    send: Send
    call: Call
    tries: Tries
    sent_at: float = 0.0
    requests: int = 0
    #: Tries of the current request without a clear answer, including those before an outage.
    unanswered: int = 0
    #: How the current request last failed.
    last_error: GHLError | None = None

    def advance(self, answer: Answer | GHLError, now: float) -> Result | None:
        """Continue the conversation with an answer. Returns its result, or ``None`` where it has another request."""
        conversation = self.send.conversation
        try:
            self.call = conversation.send(answer) if isinstance(answer, Answer) else conversation.throw(answer)
        except StopIteration as end:
            result: Result = end.value
            return result
        self.tries, self.unanswered = Tries(since=now), 0
        return None

    def end_early(self, reason: str) -> Result:
        """End the conversation without another request: by its last failure, or as not attempted."""
        error: GHLError = Stopped(reason)
        if self.unanswered and self.last_error is not None:
            error = self.last_error
        error.unanswered_before = self.unanswered
        result = self.advance(error, 0.0)
        if result is None:
            result = RowResult(Outcome.FAILED, reason="the load stopped before it was settled")
        return dataclasses.replace(result, requests=self.requests)
