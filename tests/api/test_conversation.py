"""Conversations, held one request after the other."""

from __future__ import annotations

from collections.abc import Callable, Generator

import pytest

from airflow_provider_ghl.api.calls import Answer, Call
from airflow_provider_ghl.api.conversation import Steps, Together, Wait, converse
from airflow_provider_ghl.exceptions import ConfigurationError


def _call(path: str) -> Call:
    return Call("GET", path, path)


def _ask(*paths: str) -> Generator[Call, Answer, str]:
    found = []
    for path in paths:
        answer = yield _call(path)
        found.append(answer.data)
    return "+".join(found)


def _sender(asked: list[str], refused: str = "") -> Callable[[Call], Answer]:
    def send(call: Call) -> Answer:
        asked.append(call.path)
        if call.path == refused:
            raise ConfigurationError("no")
        return Answer(200, call.path)

    return send


def test_results_of_conversations_together_come_in_their_order() -> None:
    def steps() -> Steps[list[str]]:
        yield Wait(3.0)
        found: list[str] = yield Together([_ask("/a", "/b"), _ask("/c")])
        return found

    asked: list[str] = []
    waits: list[float] = []
    assert converse(steps(), _sender(asked), waits.append) == ["/a+/b", "/c"]
    assert (asked, waits) == (["/a", "/b", "/c"], [3.0])


def test_after_an_error_no_other_one_is_begun_and_the_error_is_thrown_in() -> None:
    def steps() -> Steps[str]:
        try:
            yield Together([_ask("/a"), _ask("/b", "/c"), _ask("/d")])
        except ConfigurationError:
            return "told"
        return "not told"

    asked: list[str] = []
    assert converse(steps(), _sender(asked, refused="/b"), lambda _: None) == "told"
    assert asked == ["/a", "/b"]


def test_an_error_that_nobody_catches_ends_the_conversation() -> None:
    with pytest.raises(ConfigurationError, match="no"):
        converse(_ask("/a"), _sender([], refused="/a"), lambda _: None)
