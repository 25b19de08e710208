"""The HTTP door: POST /v1/traces, /v1/metrics or /v1/logs, protobuf or JSON.

It is a threaded server that a slow client cannot block.
"""

import io
import logging
import math
import socket
import ssl
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from threading import Event, Lock, Thread
from time import monotonic
from typing import Any

from cheroot.server import Gateway, HTTPConnection, HTTPRequest, HTTPServer
from google.rpc.code_pb2 import Code

from collector.batch import Signal
from collector.component import Host
from collector.receivers.otlp.arrival import Arrival
from collector.receivers.otlp.config import HttpConfig
from collector.receivers.otlp.cors import Cors
from collector.receivers.otlp.intake import Answer, Intake
from collector.web.body import ENCODINGS, Malformed, TooLarge, body_length, decompress, read_chunked, read_sized
from collector.web.endpoint import cannot_listen, resolve
from collector.web.tls import server_context

_STATUS = {
    Code.OK: "200 OK",
    Code.INVALID_ARGUMENT: "400 Bad Request",
    Code.RESOURCE_EXHAUSTED: "413 Content Too Large",
    Code.INTERNAL: "500 Internal Server Error",
    Code.UNAVAILABLE: "503 Service Unavailable",
}
_PROTOBUF = "application/x-protobuf"
_JSON = "application/json"
_TEXT = "text/plain; charset=utf-8"
_HEADER_LIMIT = 64 * 1024
_BACKLOG = 128
_LINGER = 2.0
_WAKE = 0.1  # seconds after which the accepting thread looks for idle connections and for the end
_PIECE = 64 * 1024
_PATIENCE = 0.005  # seconds that a worker waits for the next piece while one follows the other
_WORD = b"HTTP/1.1 100 Continue\r\n\r\n"
BUFFER = 8192
"""Bytes that a connection reads ahead."""


class OtlpHttpServer:
    """Serves OTLP/HTTP until it is stopped."""

    def __init__(self, config: HttpConfig, intake: Intake, host: Host) -> None:
        self._config = config
        self._intake = intake
        self._host = host
        self._server: _Server | None = None
        self.port = 0

    def start(self) -> None:
        """Listen and serve; raise OSError when the address is taken or a certificate cannot be used."""
        where, tls = f"{self._host.id}: protocols.http", self._config.tls
        context = None if tls is None else server_context(tls, self._host.base, f"{where}.tls")
        try:
            server = _Server(self._config, self._intake, self._host.log, context)
            server.prepare()
        except OSError as error:
            raise cannot_listen(f"{where}.endpoint", self._config.endpoint, error) from error
        self._server = server
        self.port = server.bind_addr[1]
        Thread(target=server.serve, name=self._host.id, daemon=True).start()

    def stop(self, grace: float) -> None:
        """Refuse new requests, give the running ones *grace* seconds, release the port."""
        if self._server is not None:
            self._server.shutdown_timeout = math.ceil(grace)
            # The server would wait for ever for a request that never ends.
            stopping = Thread(target=self._server.stop, daemon=True)
            stopping.start()
            stopping.join(grace + 1)
            self._server = None


class _TimedSocket(socket.SocketIO):
    """Ends a request that is not whole by its deadline, however steadily its bytes drip in."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock, "rb")
        self._timed = sock
        self.held: deque[bytes] = deque()
        """What came in before a worker read it."""
        self.parked = False
        """Whether the rest of a request is waited for, without a worker."""
        self.deadline = math.inf
        self.dry = False

    @property
    def overdue(self) -> bool:
        """Tell whether the deadline is over."""
        return monotonic() >= self.deadline

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
        left = self.deadline - monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        self._timed.settimeout(left)
        return super().readinto(buffer)


class _Reader(io.BufferedReader):
    """Is the reading side of a connection; faster than cheroot's own, which is written in Python."""

    raw: _TimedSocket

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

    def __init__(self, server: "_Server", conn: "_Connection") -> None:
        super().__init__(server, conn)
        self.inheaders = _Headers(conn.has_word)


class _Connection(HTTPConnection):
    """Is a connection whose every request has a deadline, and whose refusals reach a client that still sends."""

    RequestHandlerClass = _HttpRequest

    def __init__(self, server: "_Server", sock: socket.socket, makefile: Any) -> None:
        if server.tls is not None:
            # The handshake waits for the first read: here it would keep all other clients waiting.
            sock = server.tls.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
        super().__init__(
            server, sock, lambda *args: makefile(*args) if "w" in args[1] else _Reader(_TimedSocket(sock), BUFFER)
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
        self._arrival = arrival = Arrival(_HEADER_LIMIT, self.server.config.max_request_body_size)
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


class _Server(HTTPServer):
    """Is cheroot's server with our limits, logging to our log."""

    ConnectionClass = _Connection
    expiration_interval = _WAKE
    max_request_header_size = _HEADER_LIMIT
    request_queue_size = _BACKLOG

    def __init__(self, config: HttpConfig, intake: Intake, log: Any, tls: ssl.SSLContext | None) -> None:
        threads = config.workers
        super().__init__(resolve(config.endpoint), _Gateway, threads, threads, server_name="genai-collector")
        self.config = config
        self.intake = intake
        self.log = log
        self.tls = tls
        self.cors = Cors(config.cors)
        self.timeout = math.ceil(config.idle_timeout)
        self.keep_alive_conn_limit = config.max_connections
        self.open: set[_Connection] = set()
        self._kept = 0
        self._lock = Lock()
        self._stopping = Event()

    def serve(self) -> None:
        """Serve until stopped, and end requests that are never whole."""
        Thread(target=self._watch, name="otlp-deadlines", daemon=True).start()
        super().serve()

    def stop(self) -> None:
        """Stop serving."""
        self._stopping.set()
        super().stop()

    def keep(self, conn: _Connection, size: int) -> bool:
        """Count the bytes of a request that is not whole; return False when they are too many to be kept.

        Then a worker reads the rest, so that all of them together never hold more than one request besides the
        workers' own.
        """
        with self._lock:
            kept = self._kept - conn.kept + size
            if size and kept > self.config.max_request_body_size:
                return False
            self._kept, conn.kept = kept, size
            return True

    def _watch(self) -> None:
        while not self._stopping.wait(_WAKE):
            for conn in [conn for conn in tuple(self.open) if conn.overdue]:
                with suppress(OSError):
                    # The accepting thread gives it to a worker then; an SSLSocket's own method would forget its keys.
                    socket.socket.shutdown(conn.socket, socket.SHUT_RD)

    @staticmethod
    def bind_socket(socket_: socket.socket, bind_addr: tuple[str, int]) -> socket.socket:
        """Bind a new socket, or close it and raise OSError."""
        try:
            socket_.bind(bind_addr)
        except OSError:
            socket_.close()
            raise
        return socket_

    def process_conn(self, conn: _Connection) -> None:
        """Give a readable connection to a worker; a new one, silent as yet, waits without one."""
        if conn.last_used is not None:
            super().process_conn(conn)
        elif len(self.open) < self.config.max_connections:
            self.open.add(conn)
            self.put_conn(conn)
        else:
            conn.close()

    def error_log(self, msg: str = "", level: int = logging.INFO, traceback: bool = False) -> None:
        """Log what the server has to say; what a client did wrong concerns only the client."""
        if level >= logging.ERROR:
            self.log.error("HTTP server failed", reason=msg, exc_info=traceback)


class _Refusal(Exception):
    """Says that a request is not taken, before its body is looked at."""

    def __init__(self, status: str, code: int, message: str, **headers: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.headers = headers


class _Gateway(Gateway):
    """Answers one request."""

    def respond(self) -> None:
        """Read the request, hand it to the intake and send the answer."""
        origin, asked = self._header(b"Origin"), self._header(b"Access-Control-Request-Method")
        if self.req.server.cors.is_preflight(self.req.method.decode("latin-1"), origin, asked):
            wanted = self._header(b"Access-Control-Request-Headers")
            self._write("204 No Content", self.req.server.cors.preflight(origin, wanted))
            return
        json = self._media_type() == _JSON
        try:
            self._check_head()
            body = self._read()
        except _Refusal as refusal:
            self._send(refusal.status, Answer(refusal.code, str(refusal)), refusal.headers)
        else:
            answer = self.req.server.intake.take(self._signal, body, json=json)
            self._send(_STATUS[answer.code], answer, _retry_header(answer))

    def _check_head(self) -> None:
        path, served = self.req.path.decode("latin-1"), self.req.server.config.paths
        if path not in served:
            elsewhere = ", ".join(f"{signal} to {place}" for place, signal in served.items())
            raise _Refusal("404 Not Found", Code.NOT_FOUND, f"nothing is served at {path}; send {elsewhere}")
        self._signal = served[path]
        if reason := self.req.server.intake.closed(self._signal):
            raise _Refusal("404 Not Found", Code.NOT_FOUND, reason)
        if self.req.method != b"POST":
            method = self.req.method.decode("latin-1")
            text = f"{method} is not allowed here; use POST"
            raise _Refusal("405 Method Not Allowed", Code.UNIMPLEMENTED, text, Allow="POST")
        if self.req.chunked_read and self._header(b"Content-Length"):
            text = "Content-Length and Transfer-Encoding exclude each other"
            raise _Refusal(_STATUS[Code.INVALID_ARGUMENT], Code.INVALID_ARGUMENT, text)
        if self._media_type() not in (_PROTOBUF, _JSON):
            text = f"Content-Type {self._media_type()!r} is not supported; use {_PROTOBUF} or {_JSON}"
            raise _Refusal("415 Unsupported Media Type", Code.INVALID_ARGUMENT, text)
        if self._encoding() not in ENCODINGS:
            text = f"Content-Encoding {self._encoding()!r} is not supported; use one of {', '.join(ENCODINGS)}"
            headers = {"Accept-Encoding": ", ".join(ENCODINGS)}
            raise _Refusal("415 Unsupported Media Type", Code.INVALID_ARGUMENT, text, **headers)

    def _read(self) -> bytes:
        limit = self.req.server.config.max_request_body_size
        try:
            if self.req.chunked_read:
                body = read_chunked(self.req.conn.rfile, limit)
            else:
                body = read_sized(self.req.rfile, body_length(self._header(b"Content-Length")), limit)
            self._whole = True
            return decompress(body, self._encoding(), limit)
        except TooLarge as error:
            text = f"{error}; send smaller batches"
            raise _Refusal(_STATUS[Code.RESOURCE_EXHAUSTED], Code.RESOURCE_EXHAUSTED, text) from error
        except Malformed as error:
            raise _Refusal(_STATUS[Code.INVALID_ARGUMENT], Code.INVALID_ARGUMENT, str(error)) from error

    def _send(self, status: str, answer: Answer, headers: Mapping[str, str]) -> None:
        media = self._media_type()
        known = media in (_PROTOBUF, _JSON)
        body = answer.encode(self._signal, json=media == _JSON) if known else answer.text.encode()
        fields = {"Content-Type": media if known else _TEXT, "Content-Length": str(len(body)), **headers}
        self._write(status, {**fields, **self.req.server.cors.headers(self._header(b"Origin"))}, body)

    def _write(self, status: str, headers: Mapping[str, str], body: bytes = b"") -> None:
        if not self._whole and (self.req.chunked_read or self._header(b"Content-Length") not in {"", "0"}):
            self.req.close_connection = True
            self.req.conn.unread = True
        self.req.status = status.encode()
        self.req.outheaders = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
        self.req.ensure_headers_sent()
        if body:
            self.req.write(body)

    _whole = False
    _signal = Signal.TRACES

    def _header(self, name: bytes) -> str:
        value: bytes = self.req.inheaders.get(name, b"")
        return value.decode("latin-1").strip().lower()

    def _media_type(self) -> str:
        return self._header(b"Content-Type").partition(";")[0].strip()

    def _encoding(self) -> str:
        return self._header(b"Content-Encoding") or "identity"


def _retry_header(answer: Answer) -> Mapping[str, str]:
    if answer.retry_after is None:
        return {}
    return {"Retry-After": str(max(1, math.ceil(answer.retry_after)))}
