"""Counts the requests of a load or a call, and ends it at ``max_requests``. Only a charged request can be sent."""

from __future__ import annotations

from airflow_provider_ghl.exceptions import BudgetSpent

__all__ = ["Budget", "Charge"]


class Charge:
    """Pays for one request. Only a :class:`Budget` makes it."""

    __slots__ = ("_used",)

    def __init__(self) -> None:
        self._used = False

    def use(self) -> None:
        """Use it for a request.

        :raises RuntimeError: it was used before: a mistake in the program.
        """
        if self._used:
            raise RuntimeError("a charge sends one request, once")
        self._used = True


class Budget:
    """Counts requests, reads and retries included.

    :param max_requests: so many may be sent; ``None`` for any number.
    """

    def __init__(self, max_requests: int | None = None) -> None:
        self.max_requests = max_requests
        self.spent = 0
        #: Of these, those that were sent again after a failure of the network or the server, and those answered 429.
        self.retries = 0
        self.rate_limited = 0

    def refund(self, requests: int) -> None:
        """Uncount requests that were charged and then not sent."""
        self.spent -= requests

    def carry_on(self, spent: int, retries: int, rate_limited: int) -> None:
        """Count what an earlier attempt of the same load spent."""
        self.spent += spent
        self.retries += retries
        self.rate_limited += rate_limited

    @property
    def is_spent(self) -> bool:
        """Whether nothing is left."""
        return self.max_requests is not None and self.spent >= self.max_requests

    def charge(self) -> Charge:
        """Take one request from what is left.

        :raises BudgetSpent: nothing is left.
        """
        if self.is_spent:
            raise BudgetSpent(f"max_requests={self.max_requests} requests were sent")
        self.spent += 1
        return Charge()
