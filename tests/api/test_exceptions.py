"""Errors travel between processes as they are."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable

import pytest

from airflow_provider_ghl import exceptions
from airflow_provider_ghl.exceptions import APIError, GHLError, TransportError


def examples() -> list[GHLError]:
    api = {"method": "GET", "path": "/x/{id}", "status": 418, "trace_id": "t"}
    found: list[GHLError] = []
    for name in exceptions.__all__:
        kind = getattr(exceptions, name)
        if issubclass(kind, APIError):
            found.append(kind("why", **api))
        elif issubclass(kind, TransportError):
            found.append(kind("why", method="GET", path="/x", sent=False))
        else:
            found.append(kind("why"))
    return found


@pytest.mark.parametrize("error", examples(), ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("way", [copy.copy, copy.deepcopy, lambda error: pickle.loads(pickle.dumps(error))])
def test_errors_survive_pickle_and_copy(error: GHLError, way: Callable[[GHLError], GHLError]) -> None:
    error.unanswered_before = 2
    again = way(error)
    assert type(again) is type(error)
    assert (str(again), again.args, vars(again)) == (str(error), error.args, vars(error))
