"""The HTTP door: POST /v1/traces, /v1/metrics or /v1/logs, protobuf or JSON.

It is a threaded server that a slow client cannot block.
"""

import logging
import math
import socket
import ssl
from collections.abc import Mapping
from contextlib import suppress
from threading import Event, Lock, Thread
from typing import Any

from cheroot.server import Gateway, HTTPServer
from google.rpc.code_pb2 import Code

from collector.batch import Signal
from collector.component import Host
from collector.receivers.otlp.config import HttpConfig
from collector.receivers.otlp.cors import Cors
from collector.receivers.otlp.http_connection import Connection
from collector.receivers.otlp.intake import Answer, Intake
from collector.web.body import ENCODINGS, Malformed, TooLarge, body_length, decompress, read_chunked, read_sized
from collector.web.endpoint import cannot_listen, resolve
from collector.web.timed import HEADER_LIMIT
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
_BACKLOG = 128
_WAKE = 0.1  # seconds after which the accepting thread looks for idle connections and for the end


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


class _Server(HTTPServer):
    """Is cheroot's server with our limits, logging to our log."""

    ConnectionClass = Connection
    expiration_interval = _WAKE
    max_request_header_size = HEADER_LIMIT
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
        self.open: set[Connection] = set()
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

    def keep(self, conn: Connection, size: int) -> bool:
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

    def process_conn(self, conn: Connection) -> None:
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
