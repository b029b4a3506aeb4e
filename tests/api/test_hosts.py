"""Which hosts a token is sent to."""

from __future__ import annotations

import pytest

from airflow_provider_ghl.api.transport import RequestsTransport, is_loopback, safe_host
from airflow_provider_ghl.exceptions import ConfigurationError

HOSTS = [None, "", "  ", "https://services.leadconnectorhq.com/", "services.leadconnectorhq.com"]
HOSTS += [
    "https://services.leadconnectorhq.com:443",
    "services.leadconnectorhq.com:443/",
    "HTTPS://services.leadconnectorhq.com",
]


@pytest.mark.parametrize("text", HOSTS)
def test_the_host(text: str | None) -> None:
    assert safe_host(text) == "https://services.leadconnectorhq.com"


@pytest.mark.parametrize("text", ["http://127.0.0.1:8080", "http://127.8.0.1", "http://localhost/", "http://[::1]:1/base"])
def test_plain_http_is_for_loopback(text: str) -> None:
    assert safe_host(text) == text.rstrip("/")


def test_the_usual_port_is_left_out() -> None:
    """The ledger knows a relation by its host: a port that changes nothing must not make it another one."""
    assert safe_host("http://127.0.0.1:80/base/") == "http://127.0.0.1/base"
    assert safe_host("https://[::1]:443") == "https://[::1]"
    assert safe_host("https://example.com:80") == "https://example.com:80"


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


@pytest.mark.parametrize("text", ["127.0.0.1:4101", "localhost", "[::1]:80"])
def test_a_loopback_host_needs_its_scheme(text: str) -> None:
    """Else a sandbox that speaks plain http would be asked for TLS, which neither answers."""
    with pytest.raises(ConfigurationError) as caught:
        safe_host(text)
    assert f"write http://{text}, in a connection's URI http%3A%2F%2F{text}" in str(caught.value)


def test_loopback() -> None:
    assert all(map(is_loopback, ["127.0.0.1", "127.1.2.3", "localhost", "::1"]))
    assert not any(map(is_loopback, ["128.0.0.1", "127.0.0", "127.0.0.x", "example.com", "0.0.0.0"]))
