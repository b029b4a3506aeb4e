"""The errors of this package, sorted by what to do next.

::

    GHLError
    ├─ ConfigurationError (ValueError)   connection, argument or mapping is wrong       → end, no retry
    ├─ APIError                          HighLevel answered                             (status, message, trace id)
    │  ├─ Unauthorized                   the token is refused: see ``kind``             → end, no retry
    │  ├─ RequestRejected                400 404 409 422 and other definite refusals    → that row
    │  │  ├─ DuplicateRelation           the relation is there
    │  │  ├─ PossibleDuplicate           the relation may be there: only reading the pair tells
    │  │  ├─ DuplicateAssociation        the association key is taken
    │  │  ├─ RelationLimitReached        a record has as many relations as it may have
    │  │  └─ NotFound                    what the request names does not exist
    │  ├─ RateLimited                    429 of the burst window                        → wait, again
    │  ├─ QuotaExhausted                 429 of the day, or the daily reserve reached   → defer or end, retryable
    │  └─ ServerError                    5xx, gateway timeouts that come as 401         → again, bounded
    ├─ TransportError                    no answer: the outcome is unknown              → again where repeating is safe
    │  └─ TokenUnavailable               there is no token, so nothing was sent         → again later, with all that need one
    ├─ UnresolvedKey                     no record has the key, or several have it      → end, no retry
    ├─ LedgerError                       the ledger cannot be read or written           → end before more is sent, retryable
    ├─ SourceError                       the source of rows cannot be read              → end, retryable
    ├─ ResultsError                      the results cannot be written                  → end, retryable
    ├─ BudgetSpent                       ``max_requests`` is used up                    → end
    └─ Stopped                           the work was told to stop                      → end

None of them ever carries a header, a token or a body.
"""

from __future__ import annotations

__all__ = [
    "APIError",
    "BudgetSpent",
    "ConfigurationError",
    "DuplicateAssociation",
    "DuplicateRelation",
    "GHLError",
    "GuardTripped",
    "LedgerError",
    "NotFound",
    "PossibleDuplicate",
    "QuotaExhausted",
    "RateLimited",
    "RelationLimitReached",
    "RequestRejected",
    "ResultsError",
    "ServerError",
    "SourceError",
    "Stopped",
    "TokenUnavailable",
    "TransportError",
    "Unauthorized",
    "UnresolvedKey",
]


class GHLError(Exception):
    """Base of all errors of this package."""

    #: Earlier tries of the same request that got no clear answer. Any of them may have taken effect.
    unanswered_before: int = 0


class ConfigurationError(GHLError, ValueError):
    """A connection, an argument or a mapping is wrong; the message says what would be right."""


class APIError(GHLError):
    """HighLevel answered, and the answer is not a success.

    :param message: HighLevel's own message, masked and cut (see ``api.answers``).
    :param method: HTTP method of the request.
    :param path: the endpoint's path template, such as ``/associations/{associationId}``.
    :param status: HTTP status; the ``statusCode`` in bodies is not trusted.
    :param trace_id: HighLevel's ``traceId``, for their support.
    """

    def __init__(self, message: str, *, method: str = "", path: str = "", status: int = 0, trace_id: str | None = None):
        super().__init__(message, method, path, status, trace_id)  # all in args, so that the error can be pickled
        self.message = message
        self.method = method
        self.path = path
        self.status = status
        self.trace_id = trace_id

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.args, self.__dict__.copy())

    def __str__(self) -> str:
        trace = f" (trace id {self.trace_id})" if self.trace_id else ""
        # A spent day may be known before a request is sent.
        where = f"{self.method} {self.path} answered {self.status}: " if self.method else ""
        return f"{where}{self.message}{trace}"


class Unauthorized(APIError):
    """The token is refused.

    ``kind`` says why: ``token`` (not valid), ``scope`` (``scope`` names the one that is missing), ``location`` (the token
    belongs to another location), ``route`` (HighLevel does not offer the route to this token).
    """

    kind: str = "token"
    scope: str | None = None
    #: The message explains the refusal already.
    is_plain: bool = False
    #: There was no token, so that the request was not sent.
    is_unsent: bool = False
    #: The token was renewed, so that the request can be sent once more.
    is_renewed: bool = False

    @classmethod
    def plainly(cls, text: str, error: APIError, kind: str) -> Unauthorized:
        """The refusal that HighLevel answered, in plain words."""
        explained = f"{text} ({error.status}: {error.message})"
        plain = cls(explained, method=error.method, path=error.path, status=error.status, trace_id=error.trace_id)
        plain.kind, plain.is_plain = kind, True
        return plain

    def explain(self) -> str:
        """What is wrong in plain words, and what to do."""
        if self.is_plain:
            return self.message
        answer = f"({self.status}: {self.message})"
        match self.kind:
            case "scope":
                scope = f" {self.scope}" if self.scope else ""
                return (
                    f"the token lacks the scope{scope}: add it to the Private Integration, the token stays the same, "
                    f"or to the OAuth app, and authorise it anew with `{self._login()}` {answer}"
                )
            case "location":
                return (
                    "the token does not belong to this location: check location_id, whose token it is, "
                    f"and that an OAuth app is installed there {answer}"
                )
            case "route":
                return f"HighLevel does not offer this to the token: it takes a sub-account's token, not an agency's {answer}"
        return (
            "HighLevel does not accept the token: it was rotated, deleted or mistyped, or it has expired; "
            f"paste the current one {answer}"
        )

    def _login(self) -> str:
        """The command that asks for the missing scope."""
        scope = self.scope or ""
        is_of_lookups = scope.endswith(".readonly") and not scope.startswith(("associations", "oauth"))
        return "airflow ghl login --lookups" if is_of_lookups else "airflow ghl login"


class RequestRejected(APIError):
    """HighLevel refuses this request for good."""


class DuplicateRelation(RequestRejected):
    """The relation is there already."""


class PossibleDuplicate(RequestRejected):
    """The relation may be there already: HighLevel says so in words that it was not seen to use, or answers 409."""


class DuplicateAssociation(RequestRejected):
    """An association with this key is there already."""


class RelationLimitReached(RequestRejected):
    """The record has as many relations of this association as it may have."""


class NotFound(RequestRejected):
    """What the request names does not exist."""


class RateLimited(APIError):
    """429 of the burst window."""


class QuotaExhausted(APIError):
    """The day's quota is spent."""

    #: Seconds until the next day; ``None`` where HighLevel does not say.
    resets_in: float | None = None
    #: Whose quota it is, where it is not the location's.
    whose: str = ""


class ServerError(APIError):
    """HighLevel or its gateway failed; whether a write took effect is unknown."""


class TransportError(GHLError):
    """No answer came; whether a write took effect is unknown."""

    def __init__(self, message: str, *, method: str = "", path: str = "", sent: bool = True):
        super().__init__(message, method, path, sent)
        self.message = message
        self.method = method
        self.path = path
        #: False when the connection was never made, so that HighLevel cannot have seen the request.
        self.sent = sent

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.args, self.__dict__.copy())

    def __str__(self) -> str:
        return f"{self.method} {self.path} got no answer: {self.message}"


class TokenUnavailable(TransportError):
    """There is no token, so that the request was not sent: the endpoint that gives tokens fails."""

    def __str__(self) -> str:
        return f"{self.method} {self.path} was not sent: {self.message}"


class UnresolvedKey(GHLError):
    """A key names no record, or several. The message names their ids, and never the key.

    :param is_missing: no record has it.
    """

    def __init__(self, message: str, *, is_missing: bool = False):
        super().__init__(message)
        self.is_missing = is_missing


class GuardTripped(GHLError):
    """More would be deleted than a guard allows. Nothing was deleted."""


class LedgerError(GHLError):
    """The ledger cannot be read or written. The message names the ledger without its password."""


class SourceError(GHLError):
    """The source of rows cannot be read. The message holds nothing of its data; the source's own error is the cause."""


class ResultsError(GHLError):
    """The results cannot be written where they are wanted. The message names the place, and holds no value of a row."""


class BudgetSpent(GHLError):
    """As many requests were sent as may be sent."""


class Stopped(GHLError):
    """The work was told to stop."""


def _rebuild(kind: type[GHLError], args: tuple[object, ...], state: dict[str, object]) -> GHLError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(state)
    return error
