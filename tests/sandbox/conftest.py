"""What tests of agencies have in common."""

from __future__ import annotations

import pytest
from sandbox_agency import Agency

from airflow_provider_ghl.sandbox import Sandbox


@pytest.fixture
def agency(ghl_sandbox: Sandbox) -> Agency:
    """With an app in two of its three locations."""
    return Agency(ghl_sandbox)
