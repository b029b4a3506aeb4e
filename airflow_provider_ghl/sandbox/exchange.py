"""A request on its way through the sandbox, with its parts parsed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import parse_qs

from airflow_provider_ghl.sandbox.location import Refused
from airflow_provider_ghl.sandbox.routes import Route, find_route
from airflow_provider_ghl.sandbox.wire import Request

__all__ = ["Call", "Exchange"]


class Exchange:
    """A request. Its parts are parsed when they are first used."""

    def __init__(self, request: Request):
        self.request = request
        self.path, _, self._query = request.target.partition("?")

    @cached_property
    def query(self) -> dict[str, list[str]]:
        return parse_qs(self._query, keep_blank_values=True)

    @cached_property
    def body(self) -> object:
        """The parsed JSON body; ``None`` if it is not JSON, or nested too deeply to be read."""
        try:
            return json.loads(self.request.body)
        except (ValueError, RecursionError):
            return None

    @cached_property
    def form(self) -> dict[str, str]:
        """The fields of a form; empty if the content type is another one."""
        if not self.request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
            return {}
        fields = parse_qs(self.request.body.decode("utf-8", "replace"), keep_blank_values=True)
        return {name: values[-1] for name, values in fields.items()}

    @cached_property
    def location_id(self) -> str | None:
        """The location that the request's path, query or body names."""
        if self.matched and self.matched[0].location_in_path:
            return self.matched[1]
        if "locationId" in self.query:
            return self.query["locationId"][0]
        body = self.body if self.request.body else None
        named = body.get("locationId") if isinstance(body, dict) else None
        return named if isinstance(named, str) and named else None

    @property
    def version(self) -> str | None:
        return self.request.headers.get("version")

    @property
    def token(self) -> str | None:
        """The bearer token."""
        kind, _, token = self.request.headers.get("authorization", "").partition(" ")
        return token.strip() if kind.lower() == "bearer" else None

    @cached_property
    def matched(self) -> tuple[Route, str] | None:
        """The endpoint and the path's parameter; ``None`` if the path is not an endpoint's."""
        try:
            return find_route(self.request.method, self.path)
        except Refused:
            return None

    @property
    def is_search(self) -> bool:
        """Whether it takes the time that a search takes."""
        return self.matched is not None and self.matched[0].searches

    @property
    def label(self) -> str:
        """Method and path template, to count requests by; the path itself if it is not an endpoint's."""
        return f"{self.request.method} {self.matched[0].path if self.matched else self.path}"


@dataclass(frozen=True, slots=True)
class Call:
    """A request that was let through, for the endpoint that answers it.

    :param parameter: that of the path.
    :param reachable: ids of the locations that the token opens.
    """

    exchange: Exchange
    parameter: str
    location_id: str
    reachable: list[str]
