"""Agencies: which company owns which location, and which app is installed in which location."""

from __future__ import annotations

import threading
from collections.abc import Callable

__all__ = ["DEFAULT_COMPANY", "Agencies"]

#: The company of locations that are added without one.
DEFAULT_COMPANY = "Qm5cVbKs8JtWzRx3LhNp"


class Agencies:
    """Part of :class:`State`: it uses the state's lock, and its changes go through the state's journal.

    :param commit: writes a change to the journal, then calls :meth:`apply` with it.
    :param new_id: returns a new company id of 20 characters.
    """

    def __init__(self, lock: threading.RLock, commit: Callable[..., None], new_id: Callable[[], str]):
        self._lock = lock
        self._commit = commit
        self._new_id = new_id
        self._companies: dict[str, None] = {DEFAULT_COMPANY: None}
        self._owners: dict[str, str] = {}
        self._installed: set[tuple[str, str]] = set()

    def add_company(self, company_id: str | None = None) -> str:
        """Add an agency and return its id (20 characters). An existing agency stays as it is."""
        with self._lock:
            company_id = company_id or self._new_id()
            if company_id not in self._companies:
                self._commit("company", company_id)
            return company_id

    def companies(self) -> list[str]:
        """The ids of all agencies, oldest first."""
        with self._lock:
            return list(self._companies)

    def owner(self, location_id: str) -> str | None:
        """The company of a location; ``None`` if there is no such location."""
        return self._owners.get(location_id)

    def locations(self, company_id: str) -> list[str]:
        """The locations of a company, oldest first."""
        with self._lock:
            return [location_id for location_id, owner in self._owners.items() if owner == company_id]

    def is_installed(self, app_id: str, location_id: str) -> bool:
        """Whether the app is installed in the location."""
        return (app_id, location_id) in self._installed

    def company_with_app(self, app_id: str) -> str | None:
        """The company of the oldest location with the app; ``None`` if no location has it."""
        with self._lock:
            return next((owner for location_id, owner in self._owners.items() if self.is_installed(app_id, location_id)), None)

    def install(self, app_id: str, location_id: str) -> None:
        """Install the app in the location."""
        self._check_location(location_id)
        with self._lock:
            if not self.is_installed(app_id, location_id):
                self._commit("install", location_id, app_id)

    def uninstall(self, app_id: str, location_id: str) -> None:
        """Remove the app from the location."""
        with self._lock:
            if self.is_installed(app_id, location_id):
                self._commit("uninstall", location_id, app_id)

    def move(self, location_id: str, company_id: str) -> None:
        """Give the location to another company, which uninstalls every app from it (inferred)."""
        self._check_location(location_id)
        self.check(company_id)
        with self._lock:
            for app_id in [app_id for app_id, place in self._installed if place == location_id]:
                self._commit("uninstall", location_id, app_id)
            self._commit("owner", location_id, company_id)

    def check(self, company_id: str) -> None:
        """:raises ValueError: there is no such company."""
        if company_id not in self._companies:
            raise ValueError(f"there is no company {company_id!r}: add_company() makes one")

    def _check_location(self, location_id: str) -> None:
        if location_id not in self._owners:
            raise ValueError(f"there is no location {location_id!r}: state.add_location() makes one")

    def apply(self, event: str, subject: str, value: str = "") -> None:
        """Apply a change that the journal has."""
        match event:
            case "company":
                self._companies[subject] = None
            case "owner":
                self._owners[subject] = value
            case "install":
                self._installed.add((value, subject))
            case "uninstall":
                self._installed.discard((value, subject))
