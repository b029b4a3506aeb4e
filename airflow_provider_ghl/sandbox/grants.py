"""What each access token may do, and until when."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace

from airflow_provider_ghl.sandbox.routes import ALL_SCOPES

__all__ = ["Grant", "Grants"]


@dataclass(frozen=True, slots=True)
class Grant:
    """What a token may do.

    :param location_id: it opens this sub-account.
    :param company_id: it opens this agency's own endpoints. With neither, it opens every sub-account of the sandbox.
    :param client_id: the app that it was issued to; ``None``: a private integration.
    :param ends: when it expires, in seconds of the clock.
    """

    scopes: frozenset[str] = ALL_SCOPES
    location_id: str | None = None
    company_id: str | None = None
    client_id: str | None = None
    ends: float = math.inf


class Grants:
    """Thread-safe.

    :param clock: seconds of a monotonic clock.
    """

    def __init__(self, clock: Callable[[], float]):
        self.clock = clock
        self._grants: dict[str, Grant] = {}
        self._lock = threading.Lock()

    def find(self, token: str) -> Grant | None:
        """What the token may do; ``None`` if it is unknown, revoked or expired."""
        grant = self._grants.get(token)
        return grant if grant is not None and (grant.ends == math.inf or self.clock() < grant.ends) else None

    def put(self, token: str, grant: Grant) -> None:
        """Accept a token."""
        with self._lock:
            self._grants[token] = grant

    def drop(self, token: str) -> None:
        """Refuse the token from now on."""
        with self._lock:
            self._grants.pop(token, None)

    def drop_all(self, location_id: str, client_id: str | None = None) -> None:
        """Refuse the tokens for a location that an app has been issued; without ``client_id``, those of every app."""
        with self._lock:
            for token, grant in list(self._grants.items()):
                if grant.location_id == location_id and grant.client_id is not None and client_id in (None, grant.client_id):
                    del self._grants[token]

    def set_scopes(self, token: str, scopes: frozenset[str]) -> None:
        """Change what a token may do.

        :raises KeyError: there is no such token.
        """
        with self._lock:
            self._grants[token] = replace(self._grants[token], scopes=scopes)
