"""The pooled connections to one host, under :class:`requests.Session`.

``requests`` chooses the pool, the proxy and the certificates anew for each request, and builds each answer with cookies and
encodings. There is one host here, so that all this is done once (``benchmarks/transport.py`` says what it saves).
"""

from __future__ import annotations

import logging
import re
import threading
import time
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import BaseHTTPResponse, HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

__all__ = ["LARGEST_ANSWER", "AnswerTooLarge", "OneHostAdapter", "connecting_seconds", "forget_connecting"]

#: Bytes of an answer's body, unpacked. A page of 500 records is a few of them at most.
LARGEST_ANSWER = 8 * 2**20
#: Connections that are kept open. A first burst opens as many as the window allows.
_KEPT = 1024

_QUERY = re.compile(r"\?\S+")

_thread = threading.local()


class _WithoutQueries(logging.Filter):
    """Cuts the query out of what ``urllib3`` logs of our requests, at level DEBUG: an e-mail address may stand there."""

    def filter(self, record: logging.LogRecord) -> bool:
        """See :class:`logging.Filter`."""
        if getattr(_thread, "is_sending", False) and isinstance(record.args, tuple):
            record.args = tuple(_QUERY.sub("?…", value) if isinstance(value, str) else value for value in record.args)
        return True


logging.getLogger("urllib3.connectionpool").addFilter(_WithoutQueries())


class AnswerTooLarge(Exception):
    """A body is larger than :data:`LARGEST_ANSWER`.

    :param status: HTTP status of the answer.
    """

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def forget_connecting() -> None:
    """Begin to measure. To be called before a request."""
    _thread.connecting = 0.0


def connecting_seconds() -> float:
    """Seconds that the last request of this thread took to connect: 0.0 over a connection that was kept."""
    return getattr(_thread, "connecting", 0.0)


class _Timed:
    def connect(self) -> None:
        began = time.monotonic()
        super().connect()  # type: ignore[misc]  # what it is mixed into has one
        _thread.connecting = time.monotonic() - began


class _HTTPConnection(_Timed, HTTPConnection):
    pass


class _HTTPSConnection(_Timed, HTTPSConnection):
    pass


class _HTTPPool(HTTPConnectionPool):
    ConnectionCls = _HTTPConnection


class _HTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _HTTPSConnection


class _Response(requests.Response):
    #: Redirects are answers here: ``Session.send`` would prepare the next request even where it does not follow.
    is_redirect = False


class OneHostAdapter(HTTPAdapter):
    """Sends all requests to the host of the first one, through the same proxy and with the same certificates."""

    def __init__(self) -> None:
        super().__init__(pool_connections=4, pool_maxsize=_KEPT, max_retries=0)
        self._pool: HTTPConnectionPool | None = None

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """See :class:`HTTPAdapter`."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _HTTPPool, "https": _HTTPSPool}

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        """See :class:`HTTPAdapter`."""
        manager = super().proxy_manager_for(proxy, **kwargs)
        if not proxy.lower().startswith("socks"):
            manager.pool_classes_by_scheme = self.poolmanager.pool_classes_by_scheme
        return manager

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Any = None,
    ) -> requests.Response:
        """One request; the whole answer is read.

        :raises AnswerTooLarge: it is not read to its end, and its connection is closed.
        :raises urllib3.exceptions.HTTPError: no whole answer came.
        """
        url = request.url or ""
        pool = self._pool or self._find_pool(request, url, verify, proxies)
        _thread.is_sending = True
        try:
            answer = pool.urlopen(
                request.method or "GET",
                self.request_url(request, proxies) if proxies else url[url.index("/", 8) :],
                body=request.body,
                headers=request.headers,
                retries=False,
                redirect=False,
                assert_same_host=False,
                timeout=timeout,
                preload_content=False,
            )
        finally:
            _thread.is_sending = False
        response = _Response()
        response.status_code = answer.status
        response.headers = answer.headers  # type: ignore[assignment]  # does not mind the case either
        response.raw = answer
        response._content = _read(answer)
        return response

    def _find_pool(self, request: requests.PreparedRequest, url: str, verify: Any, proxies: Any) -> HTTPConnectionPool:
        pool: Any = self.get_connection_with_tls_context(request, verify, proxies=proxies)
        self.cert_verify(pool, url, verify, None)  # type: ignore[no-untyped-call]  # so in the stubs
        self._pool = pool
        return self._pool


def _read(answer: BaseHTTPResponse) -> bytes:
    """The body, unpacked, which ``urllib3`` does no further than it is asked to."""
    body = answer.read(LARGEST_ANSWER + 1)
    if len(body) > LARGEST_ANSWER:
        answer.close()
        answer.release_conn()
        raise AnswerTooLarge(answer.status)
    return body
