"""Connections of the HTTP door: every request has a deadline, and a worker only once it is whole.

bytes ─> worker: is it whole? ── no ──> held, and back to the accepting thread, which waits for more
                              └─ yes ─> served
"""

import io
import math
import socket
import ssl
from collections import deque
from contextlib import suppress
from time import monotonic
from typing import Any, Protocol

from cheroot.server import HTTPConnection, HTTPRequest

from collector.receivers.otlp.arrival import Arrival
from collector.receivers.otlp.config import HttpConfig
from collector.web.timed import HEADER_LIMIT, TimedSocket

BUFFER = 8192
"""Bytes that a connection reads ahead."""
_LINGER = 2.0
_PIECE = 64 * 1024
_PATIENCE = 0.005  # seconds that a worker waits for the next piece while one follows the other
_WORD = b"HTTP/1.1 100 Continue\r\n\r\n"


class Server(Protocol):
    """Is what connections need of their server."""

    config: HttpConfig
    ready: bool
    tls: ssl.SSLContext | None
    open: "set[Connection]"

    def keep(self, conn: "Connection", size: int) -> bool:
        """Count the bytes of a request that is not whole; return False when they are too many to be kept."""


class _Incoming(TimedSocket):
    """Holds what came in before a worker reads it."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock)
        self.held: deque[bytes] = deque()
        self.parked = False
        """Whether the rest of a request is waited for, without a worker."""
        self.dry = False

    def shakes_hands(self) -> bool:
        """Return whether TLS, where it is spoken, is agreed upon; raise OSError when it never will be."""
        if isinstance(self._timed, ssl.SSLSocket) and self._timed.version() is None:
            if self.overdue:
                raise TimeoutError("timed out")
            self._timed.settimeout(0)
            try:
                self._timed.do_handshake()
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return False
        return True

    def receive(self, patience: float) -> bytes | None:
        """Return the next bytes, b"" at the end of all, None when there are none in *patience* seconds."""
        self._timed.settimeout(patience)
        try:
            return self._timed.recv(_PIECE)
        except (BlockingIOError, TimeoutError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return None

    @property
    def has_decrypted(self) -> bool:
        """Tell whether TLS holds bytes that the system no longer tells of."""
        return isinstance(self._timed, ssl.SSLSocket) and self._timed.pending() > 0

    def readinto(self, buffer: Any) -> int | None:
        """Fill *buffer* with what is held, then from the socket; raise TimeoutError after the deadline."""
        if self.dry:
            return None
        if self.held:
            piece = self.held.popleft()
            taken = min(len(piece), len(buffer))
            buffer[:taken] = piece[:taken]
            if taken < len(piece):
                self.held.appendleft(piece[taken:])
            return taken
        return super().readinto(buffer)


class _Reader(io.BufferedReader):
    """Is the reading side of a connection; faster than cheroot's own, which is written in Python."""

    raw: _Incoming

    def has_data(self) -> bool:
        """Tell whether bytes of the next request are here already, without asking the socket."""
        if self.raw.parked:
            return False
        self.raw.dry = True
        try:
            return bool(self.peek(1) or self.raw.held) or self.raw.has_decrypted
        finally:
            self.raw.dry = False

    def give_back(self) -> None:
        """Hold what was read ahead, before what is held already."""
        self.raw.dry = True
        try:
            if ahead := self.peek(1):
                self.raw.held.appendleft(self.read(len(ahead)))
        finally:
            self.raw.dry = False


class _Headers(dict[bytes, bytes]):
    """Holds the headers of a request, which has one length: a proxy that took another one would see other requests."""

    def __init__(self, has_word: bool) -> None:
        super().__init__()
        self._has_word = has_word

    def __setitem__(self, name: bytes, value: bytes) -> None:
        """Keep a header, or raise ValueError for a second Content-Length."""
        if name == b"Content-Length" and name in self:
            raise ValueError("Content-Length stands there more than once")
        if name != b"Expect" or not self._has_word:
            super().__setitem__(name, value)


class _HttpRequest(HTTPRequest):
    """Is a request that is refused where two servers could read it differently."""

    def __init__(self, server: "Server", conn: "Connection") -> None:
        super().__init__(server, conn)
        self.inheaders = _Headers(conn.has_word)


class Connection(HTTPConnection):
    """Is a connection whose every request has a deadline, and whose refusals reach a client that still sends."""

    RequestHandlerClass = _HttpRequest

    def __init__(self, server: "Server", sock: socket.socket, makefile: Any) -> None:
        if server.tls is not None:
            # The handshake waits for the first read: here it would keep all other clients waiting.
            sock = server.tls.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
        super().__init__(
            server, sock, lambda *args: makefile(*args) if "w" in args[1] else _Reader(_Incoming(sock), BUFFER)
        )
        self.read_timeout = server.config.read_timeout
        self.unread = False
        self.has_word = False
        self.kept = 0
        """Bytes of a request that is not whole yet, as the server counts them."""
        self._arrival: Arrival | None = None
        self._last_used: float | None = None

    @property
    def last_used(self) -> float | None:
        """When the connection fell idle; within a request it is not, and has a deadline instead."""
        return math.inf if self.rfile.raw.parked else self._last_used

    @last_used.setter
    def last_used(self, at: float) -> None:
        self._last_used = at

    @property
    def overdue(self) -> bool:
        """Tell whether a request should be whole by now and is not."""
        return bool(self.rfile.raw.parked and self.rfile.raw.overdue)

    def communicate(self) -> bool:
        """Serve a request when it is whole, unless the server stops; return whether the connection stays open."""
        if not self.server.ready:
            return False
        self.rfile.raw.parked = False
        try:
            if not self._has_arrived(self._arrival or self._expect()):
                self.rfile.raw.parked = True
                return True
        except OSError:  # of the client's making, and ended by closing
            return False
        self.server.keep(self, 0)
        stays: bool = super().communicate()  # type: ignore[no-untyped-call]
        self._arrival = None
        self.has_word = False
        if self.unread:
            self._drain()
        return stays

    def close(self) -> None:
        """Close the connection and make room for another."""
        self.server.keep(self, 0)
        self.server.open.discard(self)
        super().close()

    def _expect(self) -> Arrival:
        """Begin with the next request, of which a part may have come with the one before."""
        raw = self.rfile.raw
        raw.deadline = monotonic() + self.read_timeout
        self._arrival = arrival = Arrival(HEADER_LIMIT, self.server.config.max_request_body_size)
        self.rfile.give_back()
        for piece in raw.held:
            arrival.feed(piece)
        return arrival

    def _has_arrived(self, arrival: Arrival) -> bool:
        """Take what is here; return whether a worker shall serve it: it is whole, too late, or too much to keep."""
        raw = self.rfile.raw
        if not raw.shakes_hands():
            return False
        patience = 0.0
        while not arrival.whole and not raw.overdue:
            piece = raw.receive(patience)
            if piece is None:
                if arrival.expects_a_word and not self.has_word:
                    self.socket.sendall(_WORD)
                    self.has_word = True
                return not self.server.keep(self, sum(map(len, raw.held)))
            if not piece:
                break
            raw.held.append(piece)
            arrival.feed(piece)
            patience = _PATIENCE if len(piece) == _PIECE else 0.0
        return True

    def _drain(self) -> None:
        # Closing while the client sends would reset the connection, and the answer with it.
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_WR)
            self.rfile.raw.deadline = monotonic() + _LINGER
            while self.rfile.read(_PIECE):
                pass
