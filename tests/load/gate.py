"""A proxy for a database server that a test can close: then connections break, and new ones are refused."""

from __future__ import annotations

import contextlib
import socket
import threading

import sqlalchemy as sa

__all__ = ["Gate"]


class Gate:
    """Forwards connections from its own port to the server while it is open.

    :param url: the server's URL.
    """

    def __init__(self, url: str) -> None:
        self._server = sa.make_url(url)
        self._port = 0
        self._listener: socket.socket | None = None
        self._sockets: list[socket.socket] = []
        #: Whether to break the connection at the next commit: the server commits, and the client gets no answer.
        self.swallows_commit = False
        self.open()

    @property
    def url(self) -> sa.URL:
        """The server's URL through the gate."""
        return self._server.set(port=self._port)

    def open(self) -> None:
        """Accept connections."""
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self._port))
        listener.listen()
        self._port, self._listener = listener.getsockname()[1], listener
        threading.Thread(target=self._let_in, args=(listener,), daemon=True).start()

    def close(self) -> None:
        """Break all connections, and refuse new ones."""
        assert self._listener is not None
        _close(self._listener)
        for one in self._sockets:
            _close(one)
        self._sockets.clear()

    def _let_in(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                server = socket.create_connection((str(self._server.host), self._server.port or 5432))
                self._sockets += [client, server]
                threading.Thread(target=self._pass_on, args=(client, server), daemon=True).start()
                threading.Thread(target=self._pass_back, args=(server, client), daemon=True).start()

    def _pass_on(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := client.recv(1 << 16):
                is_muted = self.swallows_commit and b"COMMIT\0" in data  # and not "READ COMMITTED"
                if is_muted:
                    self._muted = client
                server.sendall(data)
        _close(server)

    def _pass_back(self, server: socket.socket, client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := server.recv(1 << 16):
                if self.swallows_commit and self._muted is client:
                    self.swallows_commit = False
                    break
                client.sendall(data)
        _close(client)
        _close(server)

    _muted: socket.socket | None = None


def _close(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()
