"""A TCP proxy on loopback before a server, which can fall silent: it takes bytes and passes none on."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class Silence:
    """Passes bytes on to ``port`` of this host. A connection that was there while it was silent stays so for good."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._speaks = True
        self._lines: list[socket.socket] = []
        self._silenced: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.listens: int = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def fall_silent(self) -> None:
        """No byte of any connection is passed on from now on."""
        self._speaks = False
        self._silenced = set(self._lines)

    def speak(self) -> None:
        """New connections are passed on again."""
        self._speaks = True

    def close(self) -> None:
        """Ends all connections."""
        self._speaks = False
        for line in (self._listener, *self._lines):
            with suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)
            line.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                line, _ = self._listener.accept()
                self._lines.append(line)
                if self._speaks:
                    there = socket.create_connection(("127.0.0.1", self._port))
                    self._lines.append(there)
                    for one, other in ((line, there), (there, line)):
                        threading.Thread(target=self._pass, args=(one, other), daemon=True).start()

    def _pass(self, one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while some := one.recv(65536):
                if one not in self._silenced:
                    other.sendall(some)
            other.shutdown(socket.SHUT_WR)


@contextmanager
def before(port: int) -> Iterator[Silence]:
    """A proxy before the server at ``port``; ``listens`` is its own."""
    proxy = Silence(port)
    try:
        yield proxy
    finally:
        proxy.close()
