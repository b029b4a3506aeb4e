"""Sends a call as bytes and returns the answer's bytes, over a pooled ``requests`` session."""

from __future__ import annotations

import json
import os
import re
import ssl
from collections.abc import Mapping, Sequence
from typing import Any, Protocol
from urllib.parse import urlencode, urlsplit, urlunsplit

import requests
from requests.structures import CaseInsensitiveDict
from requests.utils import get_environ_proxies, requote_uri
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    LocationValueError,
    MaxRetryError,
    NewConnectionError,
    ProxyError,
    ReadTimeoutError,
    SSLError,
)
from urllib3.util import Timeout

from airflow_provider_ghl.api.calls import Call
from airflow_provider_ghl.api.connection_pool import (
    LARGEST_ANSWER,
    AnswerTooLarge,
    OneHostAdapter,
    connecting_seconds,
    forget_connecting,
)
from airflow_provider_ghl.exceptions import ConfigurationError, ServerError, TransportError

__all__ = [
    "DEFAULT_HOST",
    "DEFAULT_TIMEOUT",
    "LARGEST_ANSWER",
    "RawAnswer",
    "RequestsTransport",
    "Transport",
    "is_loopback",
    "safe_host",
]

#: The only API host there is (specified in every spec's ``servers``).
DEFAULT_HOST = "https://services.leadconnectorhq.com"
#: Seconds to connect, and to wait for the next bytes of an answer.
DEFAULT_TIMEOUT = (10.0, 30.0)
#: A path that needs no quoting.
_PLAIN_PATH = re.compile(r"[A-Za-z0-9/%._~-]*").fullmatch
_LOOPBACK = ("localhost", "::1")
_USUAL_PORTS = {"https": 443, "http": 80}

#: Status, headers (names in any case), body; and, where it is known, the seconds that connecting took.
RawAnswer = tuple[int, Mapping[str, str], bytes] | tuple[int, Mapping[str, str], bytes, float]


class Transport(Protocol):
    """What sends requests. Tests pass one of their own."""

    def send(self, call: Call, headers: Mapping[str, str]) -> RawAnswer:
        """One request, one answer.

        :raises ServerError: the answer is too large.
        :raises TransportError: no whole answer came.
        """

    def close(self) -> None:
        """Give the connections back."""


class RequestsTransport:
    """Sends through one :class:`requests.Session`, from any number of threads.

    ``requests`` looks up proxies, ``.netrc`` and CA bundles in the environment for each request, which takes half of its time
    (``benchmarks/transport.py``). There is one host here, so that it is done once. ``.netrc`` is never read: it would replace
    the token.

    :param host: base URL. Plain ``http`` only to a loopback address.
    :param timeout: seconds to connect and to read.
    :raises ConfigurationError: the host is no URL, or is not safe.
    """

    def __init__(self, host: str | None = None, timeout: tuple[float, float] = DEFAULT_TIMEOUT) -> None:
        self.host = safe_host(host)
        self._timeout = Timeout(connect=timeout[0], read=timeout[1])
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.mount(self.host, OneHostAdapter())
        self._proxies = dict(get_environ_proxies(self.host))
        self._verify = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or True

    def send(self, call: Call, headers: Mapping[str, str]) -> RawAnswer:
        """See :class:`Transport`. Redirects are not followed: they would carry the token elsewhere.

        :raises ConfigurationError: the path or the body cannot be sent as it is.
        :raises ServerError: the answer is larger than :data:`LARGEST_ANSWER`.
        """
        request = self._prepare(call, headers)
        forget_connecting()
        try:
            # Through "send" of the session, because that is what requests-mock replaces.
            response = self._session.send(
                request,
                timeout=self._timeout,  # type: ignore[arg-type]  # urllib3's, made once; requests hands it on
                allow_redirects=False,
                proxies=self._proxies,
                verify=self._verify,
            )
            return response.status_code, response.headers, response.content, connecting_seconds()
        except (requests.exceptions.InvalidSchema, requests.exceptions.InvalidURL, LocationValueError) as error:
            raise ConfigurationError(
                f"the host or the proxy of the environment cannot be used ({type(error).__name__})"
            ) from None
        except AnswerTooLarge as error:
            text = f"the answer is larger than {LARGEST_ANSWER // 2**20} MiB"
            raise ServerError(text, method=call.method, path=call.template, status=error.status) from None
        except (requests.RequestException, HTTPError, OSError) as error:
            # "from None": the text of these errors holds the whole URL, and with it whatever stands in the parameters.
            raise TransportError(
                _describe(error), method=call.method, path=call.template, sent=not _was_never_sent(error)
            ) from None

    def close(self) -> None:
        """Close all connections."""
        self._session.close()

    def _prepare(self, call: Call, headers: Mapping[str, str]) -> requests.PreparedRequest:
        """The request, without what ``requests`` does anew for the same host and the same headers each time."""
        request = requests.PreparedRequest()
        request.method = call.method
        request.url = self.host + _target(call)
        request.headers = CaseInsensitiveDict(headers)
        request._cookies = self._session.cookies  # type: ignore[attr-defined]  # "send" wants one; none is ever sent
        if call.json is not None:
            request.headers["Content-Type"] = "application/json"
            request.body = _encode_json(call)
        elif call.form is not None:
            request.headers["Content-Type"] = "application/x-www-form-urlencoded"
            request.body = _encode_form(call)
        return request


def _target(call: Call) -> str:
    """Path and query, quoted."""
    path = call.path if call.path.startswith("/") else f"/{call.path}"
    if "/." in path and not {".", ".."}.isdisjoint(path.split("/")):
        raise ConfigurationError("a path must not hold the segments . and ..")
    if not _PLAIN_PATH(path):
        path = requote_uri(path)
    if not call.params:
        return path
    pairs = [(name, item) for name, value in call.params.items() for item in _items(value) if item is not None]
    try:
        return f"{path}?{urlencode(pairs)}" if pairs else path
    except UnicodeEncodeError:
        raise ConfigurationError(f"a parameter of {call.method} {call.template} is no text that can be sent") from None


def _items(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else (value,)


def _encode_json(call: Call) -> bytes:
    try:
        return json.dumps(call.json, allow_nan=False).encode()
    except (TypeError, ValueError) as error:
        # "from None": the text may hold what is in the body.
        raise ConfigurationError(f"the body of {call.method} {call.template} is no JSON ({type(error).__name__})") from None


def _encode_form(call: Call) -> bytes:
    try:
        return urlencode(call.form or {}).encode()
    except UnicodeEncodeError:
        # "from None": the text holds what is in the body.
        raise ConfigurationError(f"the form of {call.method} {call.template} holds what is no text that can be sent") from None


def safe_host(host: str | None) -> str:
    """The base URL, without a slash at its end and without a port that is the usual one.

    :raises ConfigurationError: see :class:`RequestsTransport`.
    """
    given = (host or "").strip() or DEFAULT_HOST
    text = (given if "://" in given else f"https://{given}").rstrip("/")
    try:
        parts = urlsplit(text)
        name, port = parts.hostname, parts.port
    except ValueError:
        name = port = None
    if not name or parts.scheme not in _USUAL_PORTS or parts.query or parts.fragment or parts.username is not None:
        raise ConfigurationError(f"the connection's host must be a base URL such as {DEFAULT_HOST}")
    if "://" not in given and is_loopback(name):
        raise ConfigurationError(
            f"the base URL {given} does not say whether it is http or https: write http://{given}, "
            f"in a connection's URI http%3A%2F%2F{given}"
        )
    if parts.scheme == "http" and not is_loopback(name):
        raise ConfigurationError(f"the host {name} needs https: plain http would show the token to the network")
    if port == _USUAL_PORTS[parts.scheme]:
        parts = parts._replace(netloc=parts.netloc.removesuffix(f":{port}"))
    return urlunsplit(parts)


def is_loopback(name: str) -> bool:
    """Whether a host name means this machine (127.0.0.0/8, ::1, localhost)."""
    octets = name.split(".")
    return name in _LOOPBACK or (len(octets) == 4 and octets[0] == "127" and all(part.isdigit() for part in octets))


def _reason(error: BaseException) -> BaseException:
    """The cause, without what ``requests`` and ``urllib3`` wrap around it."""
    inner = error.args[0] if error.args else None
    if isinstance(error, requests.RequestException) and isinstance(inner, BaseException):
        error = inner
    if isinstance(error, MaxRetryError) and error.reason is not None:
        return error.reason
    return error


def _was_never_sent(error: BaseException) -> bool:
    reason = _reason(error)
    if isinstance(reason, SSLError):
        return isinstance(reason.args[0] if reason.args else None, ssl.SSLCertVerificationError)
    return isinstance(reason, NewConnectionError | ConnectTimeoutError | ProxyError | requests.ConnectTimeout)


#: Kinds of failure and their descriptions; the first that fits is used.
_FAILURES: tuple[tuple[tuple[type[BaseException], ...], str], ...] = (
    ((SSLError, requests.exceptions.SSLError), "the TLS certificate of the host is not trusted, or TLS failed"),
    ((ProxyError, requests.exceptions.ProxyError), "the proxy did not answer"),
    ((NewConnectionError,), "the host cannot be reached"),
    ((ConnectTimeoutError, requests.ConnectTimeout), "no connection within the time allowed"),
    ((ReadTimeoutError, requests.ReadTimeout), "no answer within the time allowed"),
)


def _describe(error: BaseException) -> str:
    reason = _reason(error)
    name = type(reason).__name__
    for kinds, text in _FAILURES:
        if isinstance(error, kinds) or isinstance(reason, kinds):
            return f"{text} ({name})"
    return f"the connection broke ({name})"
