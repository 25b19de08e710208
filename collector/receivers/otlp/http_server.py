"""The HTTP door: POST /v1/traces, /v1/metrics or /v1/logs, protobuf or JSON.

It is a threaded server that a slow client cannot block.
"""

import io
import logging
import math
import socket
import ssl
from collections.abc import Mapping
from contextlib import suppress
from threading import Thread
from time import monotonic
from typing import Any

from cheroot.server import Gateway, HTTPConnection, HTTPRequest, HTTPServer
from google.rpc.code_pb2 import Code

from collector.batch import Signal
from collector.component import Host
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
        self.deadline = math.inf
        self.dry = False

    def shakes_hands(self) -> bool:
        """Return whether TLS, where it is spoken, is agreed upon with the client by the deadline."""
        if isinstance(self._timed, ssl.SSLSocket) and self._timed.version() is None:
            try:
                self._timed.settimeout(max(self.deadline - monotonic(), 0.001))
                self._timed.do_handshake()
            except OSError:  # of the client's making, and ended by closing
                return False
        return True

    @property
    def has_decrypted(self) -> bool:
        """Tell whether TLS holds bytes that the system no longer tells of."""
        return isinstance(self._timed, ssl.SSLSocket) and self._timed.pending() > 0

    def readinto(self, buffer: Any) -> int | None:
        """Fill *buffer* from the socket; raise TimeoutError after the deadline."""
        if self.dry:
            return None
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
        self.raw.dry = True
        try:
            return bool(self.peek(1)) or self.raw.has_decrypted
        finally:
            self.raw.dry = False


class _Headers(dict[bytes, bytes]):
    """Holds the headers of a request, which has one length: a proxy that took another one would see other requests."""

    def __setitem__(self, name: bytes, value: bytes) -> None:
        """Keep a header, or raise ValueError for a second Content-Length."""
        if name == b"Content-Length" and name in self:
            raise ValueError("Content-Length stands there more than once")
        super().__setitem__(name, value)


class _HttpRequest(HTTPRequest):
    """Is a request that is refused where two servers could read it differently."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.inheaders = _Headers()


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

    def communicate(self) -> bool:
        """Serve one request, unless the server stops; return whether the connection stays open."""
        self.rfile.raw.deadline = monotonic() + self.read_timeout
        if not self.server.ready or not self.rfile.raw.shakes_hands():
            return False
        stays: bool = super().communicate()  # type: ignore[no-untyped-call]
        if self.unread:
            self._drain()
        return stays

    def close(self) -> None:
        """Close the connection and make room for another."""
        self.server.open.discard(self)
        super().close()

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
