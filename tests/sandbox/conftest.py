"""What tests of the sandbox have in common."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sandbox_agency import Agency
from sandbox_client import HttpClient

from airflow_provider_ghl.sandbox import Sandbox


@pytest.fixture
def agency(ghl_sandbox: Sandbox) -> Agency:
    """With an app in two of its three locations."""
    return Agency(ghl_sandbox)


@pytest.fixture
def client(ghl_sandbox: Sandbox) -> Iterator[HttpClient]:
    """Of the first location. Tests that need another client make their own."""
    with HttpClient(ghl_sandbox) as made:
        yield made
