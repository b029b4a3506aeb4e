"""A pytest fixture: ``pytest_plugins = ["airflow_provider_ghl.sandbox.fixture"]``."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from airflow_provider_ghl.sandbox.sandbox import Sandbox

__all__ = ["ghl_sandbox"]


@pytest.fixture
def ghl_sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """A new sandbox for each test, without latency and burst limit.

    To pass other arguments to :class:`Sandbox`:
    ``@pytest.mark.parametrize("ghl_sandbox", [{"limit": 25, "seed": 7}], indirect=True)``. The output of a failing test shows
    the seed.
    """
    with Sandbox(**{"limit": None, **getattr(request, "param", {})}) as sandbox:
        sys.stdout.write(f"{sandbox!r}\n")
        yield sandbox
