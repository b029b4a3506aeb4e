"""Which hosts a token is sent to."""

from __future__ import annotations

import pytest

from airflow_provider_ghl.api.transport import RequestsTransport, is_loopback, safe_host
from airflow_provider_ghl.exceptions import ConfigurationError


@pytest.mark.parametrize("text", [None, "", "  ", "https://services.leadconnectorhq.com/", "services.leadconnectorhq.com"])
def test_the_host(text: str | None) -> None:
    assert safe_host(text) == "https://services.leadconnectorhq.com"


@pytest.mark.parametrize("text", ["http://127.0.0.1:8080", "http://127.8.0.1", "http://localhost/", "http://[::1]:1/base"])
def test_plain_http_is_for_loopback(text: str) -> None:
    assert safe_host(text) == text.rstrip("/")


@pytest.mark.parametrize(
    "text",
    [
        "http://services.leadconnectorhq.com",
        "http://127.0.0.1.example.com",
        "http://127.evil.com",
        "http://localhost.example.com",
        "ftp://example.com",
        "https://",
        "https://me:pw@example.com",
        "https://example.com?x=1",
        "https://example.com#x",
        "https://example.com:port",
        "https://[::1",
    ],
)
def test_a_host_that_is_not_safe_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        RequestsTransport(text)
    assert "pw" not in str(caught.value)


def test_loopback() -> None:
    assert all(map(is_loopback, ["127.0.0.1", "127.1.2.3", "localhost", "::1"]))
    assert not any(map(is_loopback, ["128.0.0.1", "127.0.0", "127.0.0.x", "example.com", "0.0.0.0"]))
