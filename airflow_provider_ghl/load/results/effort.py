"""What one attempt of a load took."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from airflow_provider_ghl.api.limits import Limit

__all__ = ["Effort", "share_of_limits"]


@dataclass(frozen=True, slots=True)
class Effort:
    """What one attempt of a load took, from its start or its last wait for quota on. A summary counts what was sent before
    such a wait as well.

    :param requests: how many requests it sent, reads and retries included.
    :param retries: of these, those that were sent again after a failure of the network or the server.
    :param rate_limited: of these, those answered 429.
    :param limit_share: its share of the burst limits, see :func:`share_of_limits`; ``None`` where it sent nothing.
    """

    requests: int
    retries: int
    rate_limited: int
    seconds: float
    limit_share: float | None = None


def share_of_limits(requests: int, seconds: float, limits: Iterable[Limit]) -> float | None:
    """Requests that were sent, as a share (0 to 1) of those that could have been in that time; ``None`` for no requests.

    All locations count for the whole time, whenever each of them was done.

    :param limits: those of the load's locations.
    """
    allowed = sum(limit.capacity * (1 + int(seconds // limit.interval)) for limit in limits)
    return min(1.0, requests / allowed) if requests and allowed else None
