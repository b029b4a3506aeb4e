"""Why a load, or one of its locations, sends nothing more."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_provider_ghl.api.answers import mask
from airflow_provider_ghl.exceptions import GHLError, QuotaExhausted, Unauthorized
from airflow_provider_ghl.load.results.outcomes import StoppedBy

__all__ = ["NOT_REACHED", "Stoppage"]

#: Why a row was not attempted.
NOT_REACHED = "the load stopped before it"


@dataclass(frozen=True, slots=True)
class Stoppage:
    """What stopped it. Either ``error`` or ``text`` says why.

    :param by: ``None``: what the rows are about could not be read, which may pass.
    :param text: the answer that came again and again.
    :param is_outage: it was no refusal, but rows that got no definite answer.
    """

    by: StoppedBy | None
    error: GHLError | None = None
    text: str = ""
    is_outage: bool = False

    @property
    def is_final(self) -> bool:
        """Whether another try would end the same way. An outage ends a load as a refusal does, but is worth one."""
        return self.by is StoppedBy.TOKEN or (self.by is StoppedBy.ABORT and not self.is_outage)

    @property
    def explanation(self) -> str:
        """Why, and what to do about it where that is known."""
        if isinstance(self.error, QuotaExhausted) and self.error.whose:
            return f"{self.error.whose} requests of the day are spent"
        if isinstance(self.error, Unauthorized):
            return self.error.explain()
        return self.text if self.error is None else str(self.error)

    @property
    def reason(self) -> str:
        """Why a row was not reached."""
        error = self.error
        if isinstance(error, Unauthorized) and not error.is_plain:
            # HighLevel's own words: with what to do about it they would be cut.
            return mask(f"{NOT_REACHED}: {error.status} {error.message}")
        return mask(f"{NOT_REACHED}: {self.explanation}")
