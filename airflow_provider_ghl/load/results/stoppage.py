"""Why a load, or one of its locations, was stopped."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_provider_ghl.api.answers import mask
from airflow_provider_ghl.exceptions import (
    BudgetSpent,
    ConfigurationError,
    GHLError,
    QuotaExhausted,
    RequestRejected,
    Unauthorized,
)
from airflow_provider_ghl.load.results.outcomes import StoppedBy

__all__ = ["NOT_REACHED", "Stoppage", "stopped_by"]

#: The reason of a row that was not attempted.
NOT_REACHED = "the load stopped before it"

_STOPPED_BY: dict[type[GHLError], StoppedBy] = {
    ConfigurationError: StoppedBy.ABORT,
    RequestRejected: StoppedBy.ABORT,
    Unauthorized: StoppedBy.TOKEN,
    QuotaExhausted: StoppedBy.QUOTA,
    BudgetSpent: StoppedBy.MAX_REQUESTS,
}


def stopped_by(error: GHLError) -> StoppedBy | None:
    """What stops a location that needs the answer to a request that failed; ``None``: another try may help."""
    return next((by for kind, by in _STOPPED_BY.items() if isinstance(error, kind)), None)


@dataclass(frozen=True, slots=True)
class Stoppage:
    """Why a load or a location was stopped. Either ``error`` or ``text`` says why.

    :param by: ``None`` where what all rows need, such as the association, could not be read; another try may help.
    :param text: the refusal that came again and again, or how long there was no answer.
    :param is_outage: HighLevel gave no definite answers; it did not refuse.
    """

    by: StoppedBy | None
    error: GHLError | None = None
    text: str = ""
    is_outage: bool = False

    @property
    def is_final(self) -> bool:
        """Whether another try would end the same way. After an outage another try may help."""
        return self.by is StoppedBy.TOKEN or (self.by is StoppedBy.ABORT and not self.is_outage)

    @property
    def explanation(self) -> str:
        """Why it stopped, and what to do about it where that is known."""
        if isinstance(self.error, QuotaExhausted) and self.error.whose:
            return f"{self.error.whose} requests of the day are spent"
        if isinstance(self.error, Unauthorized):
            return self.error.explain()
        return self.text if self.error is None else str(self.error)

    @property
    def reason(self) -> str:
        """The reason of the rows that were not attempted."""
        error = self.error
        if isinstance(error, Unauthorized) and not error.is_plain:
            # HighLevel's message without our advice: with it the reason would be too long.
            return mask(f"{NOT_REACHED}: {error.status} {error.message}")
        return mask(f"{NOT_REACHED}: {self.explanation}")
