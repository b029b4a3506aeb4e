"""HTTP/1.1 with keep-alive on a loopback socket. One thread with an event loop serves all connections."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Iterable
from typing import Any

from airflow_provider_ghl.sandbox.gateway import Gateway
from airflow_provider_ghl.sandbox.wire import BadRequest, Request, response, take

__all__ = ["Server"]

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class _Connection(asyncio.Protocol):
    """One connection. Requests are answered in order, so the next one is read when the last one has been answered."""

    def __init__(self, gateway: Gateway, open_connections: set[asyncio.Transport]):
        self._gateway = gateway
        self._open = open_connections
        self._loop = asyncio.get_running_loop()
        self._buffer = bytearray()
        self._request: Request | None = None
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._open.add(transport)
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def connection_lost(self, exc: Exception | None) -> None:
        self._open.discard(self._transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self._next()

    def _next(self) -> None:
        if self._request is not None or self._transport.is_closing():
            return
        try:
            self._request = take(self._buffer)
        except BadRequest:
            self._transport.write(response(400, (), b"", "", keep_alive=False))
            self._transport.close()
            return
        if self._request is not None:
            self._gateway.handle(self._request, self, self._loop.call_later)

    def answer(self, status: int, headers: Iterable[tuple[str, str]], body: bytes, content_type: str) -> None:
        keep_alive = self._request is not None and self._request.keep_alive
        self._request = None
        if self._transport.is_closing():  # the client has gone
            return
        self._transport.write(response(status, headers, body, content_type, keep_alive))
        if not keep_alive:
            self._transport.close()
        elif self._buffer:
            self._loop.call_soon(self._next)

    def reset(self) -> None:
        if not self._transport.is_closing():
            sock = self._transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self._transport.abort()

    def hang(self) -> None:
        pass  # The request stays open, so nothing more is read from this connection.


class Server:
    """Serves a gateway from :meth:`start` to :meth:`stop`.

    :param port: 0 for a free one.
    :raises OSError: the port is taken.
    """

    def __init__(self, gateway: Gateway, port: int = 0):
        self._gateway = gateway
        self._socket = socket.create_server(("127.0.0.1", port), backlog=1024)
        self.port: int = self._socket.getsockname()[1]
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ended: asyncio.Event | None = None
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ghl-sandbox", daemon=True)

    def start(self) -> None:
        """Start to serve; returns once it does."""
        self._thread.start()
        self._ready.wait()

    def stop(self) -> None:
        """Close all connections and wait for the thread."""
        if self._thread.is_alive() and self._loop and self._ended:
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._ended.set)
            self._thread.join()
        self._socket.close()

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        finally:
            self._ready.set()  # for start(), if serving has failed

    async def _serve(self) -> None:
        self._loop, self._ended = asyncio.get_running_loop(), asyncio.Event()
        connections: set[asyncio.Transport] = set()
        options: dict[str, Any] = {"sock": self._socket, "backlog": 1024}
        server = await self._loop.create_server(lambda: _Connection(self._gateway, connections), **options)
        self._ready.set()
        await self._ended.wait()
        server.close()
        for transport in list(connections):
            transport.abort()
        await asyncio.sleep(0)
