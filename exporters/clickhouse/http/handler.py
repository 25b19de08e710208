"""ClickHouse's HTTP interface, whatever answers behind it: queries in the URL or the body, its headers and errors.

    GET or POST /?query=...&database=...&param_name=...&setting=...     the answer, packed as the client asks
    /ping                                                                Ok.

Credentials come as Basic, as ``X-ClickHouse-User`` and ``-Key``, or as ``user`` and ``password`` in the URL.
"""

import base64
import binascii
import io
import json
import re
import socket
from abc import abstractmethod
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http.client import LineTooLong
from http.server import BaseHTTPRequestHandler
from time import monotonic
from urllib.parse import parse_qsl, urlsplit
from uuid import uuid4

import pyarrow as pa

from collector.web.body import Malformed, TooLarge, body_length, read_chunked, read_sized
from collector.web.timed import HEADER_LIMIT, TimedSocket

CODINGS = ("zstd", "lz4", "gzip")
"""How answers may be packed, the best first."""

TRANSPORT_PARAMETERS = frozenset(
    {
        "query", "database", "user", "password", "default_format", "query_id", "quota_key", "role", "session_id",
        "session_check", "session_timeout", "compress", "decompress", "enable_http_compression", "wait_end_of_query",
        "buffer_size", "client_protocol_version", "send_progress_in_http_headers",
        "http_headers_progress_interval_ms", "cancel_http_readonly_queries_on_client_close",
    }
)  # fmt: skip
"""Parameters of the URL that are no settings of the query."""

STATUS: Mapping[int, int] = {
    27: 400, 46: 404, 47: 404, 60: 404, 62: 400, 81: 404, 159: 504, 164: 403, 192: 404, 202: 503, 252: 500,
    307: 413, 497: 403, 516: 403,
}  # fmt: skip
"""HTTP status by ClickHouse's error code; 500 for all others."""

_CODE = re.compile(r"Code: (\d+)")
_UNKNOWN_CODE = 1001
_LINGER = 2.0
_TYPES = {
    "JSON": "application/json; charset=UTF-8",
    "CSV": "text/csv; charset=UTF-8",
    "TabSeparated": "text/tab-separated-values; charset=UTF-8",
    "TSV": "text/tab-separated-values; charset=UTF-8",
}


@dataclass(frozen=True, slots=True)
class Question:
    """Is one request as a client made it."""

    parameters: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> bytes:
        """The query, and the data behind it: what stands in the URL comes before the body."""
        query = self.parameters.get("query", "").encode()
        return query + b"\n" + self.body if query else self.body

    @property
    def settings(self) -> dict[str, str]:
        """Settings that the query wants."""
        return {
            name: value
            for name, value in self.parameters.items()
            if name not in TRANSPORT_PARAMETERS and not name.startswith("param_")
        }

    @property
    def values(self) -> dict[str, str]:
        """Values for ``{name:Type}`` in the query."""
        return {name.removeprefix("param_"): text for name, text in self.parameters.items() if name[:6] == "param_"}

    @property
    def format(self) -> str:
        """The format of the answer where the query names none."""
        return self.parameters.get("default_format", "TabSeparated")


@dataclass(frozen=True, slots=True)
class Answer:
    """Is what a query gave."""

    body: bytes
    format: str
    rows_read: int = 0
    bytes_read: int = 0


class RefusedError(Exception):
    """Says no, in ClickHouse's words: ``Code: 164. DB::Exception: ...``."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"Code: {code}. DB::Exception: {text}")


class _Head(io.BufferedIOBase):
    """Gives out the lines of a head up to the limit."""

    def __init__(self, stream: io.BufferedIOBase) -> None:
        self._stream = stream
        self._left = HEADER_LIMIT

    def readline(self, size: int | None = -1, /) -> bytes:
        line = self._stream.readline(size)
        self._left -= len(line)
        if self._left < 0:
            raise LineTooLong("head")
        return line


class ClickhouseHandler(BaseHTTPRequestHandler):
    """Speaks the protocol; whoever derives from it answers questions and knows who may ask."""

    protocol_version = "HTTP/1.1"
    server_version = "ClickHouse"
    timeout = 60.0
    """Seconds that a connection waits for its next request, and an answer for being taken."""
    read_timeout = 30.0
    """Seconds that a request may take to arrive."""
    most_bytes = 1 << 20
    """The longest body."""
    unread = False
    """Whether the request has a body that nobody has read."""
    version = ""
    """ClickHouse's own, for error texts."""

    def setup(self) -> None:
        """Read through a socket with a deadline."""
        super().setup()
        self.rfile.close()
        self._timed = TimedSocket(self.connection)
        self._reader = self.rfile = io.BufferedReader(self._timed)

    def handle_one_request(self) -> None:
        """Answer a request that begins soon and then is whole soon; else close the connection."""
        self._timed.deadline = monotonic() + self.timeout
        try:
            self._reader.peek(1)
        except OSError:
            self.close_connection = True
            return
        self._timed.deadline = monotonic() + self.read_timeout
        super().handle_one_request()

    def parse_request(self) -> bool:
        """Read the head, within `HEADER_LIMIT`."""
        self.rfile = _Head(self._reader)
        try:
            return super().parse_request()
        finally:
            self.rfile = self._reader

    @abstractmethod
    def answer(self, question: Question) -> Answer:
        """Return the answer; an exception's text becomes the client's error."""

    @abstractmethod
    def allowed(self, user: str, password: str) -> bool:
        """Return whether this is one who may ask."""

    def do_GET(self) -> None:
        """Answer a query in the URL."""
        self._serve(lambda: b"")

    do_HEAD = do_GET  # noqa: N815 - the name the base class looks for

    def do_POST(self) -> None:
        """Answer a query in the URL or the body."""
        self.unread = True
        self._serve(self.read_body)
        if self.unread:
            self._drain()

    def _serve(self, read: Callable[[], bytes]) -> None:
        """Answer a request, whose body only those make this process *read* who may ask."""
        address = urlsplit(self.path)
        if address.path in {"/ping", "/replicas_status"}:
            self.reply(200, b"Ok.\n")
            return
        parameters = dict(parse_qsl(address.query, keep_blank_values=True))
        for parameter, header in (("default_format", "Format"), ("database", "Database")):
            if f"X-ClickHouse-{header}" in self.headers:
                parameters.setdefault(parameter, self.headers[f"X-ClickHouse-{header}"])
        if not self.allowed(*self._credentials(parameters)):
            self.refuse("Code: 516. DB::Exception: Authentication failed. (AUTHENTICATION_FAILED)")
            return
        try:
            body = read()
        except (ValueError, RefusedError, OSError) as error:
            self.refuse(str(error))
            return
        self.respond(Question(parameters, body))

    def read_body(self) -> bytes:
        """Return the request's body, unpacked."""
        try:
            if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
                body = read_chunked(self.rfile, self.most_bytes)
            else:
                body = read_sized(self.rfile, body_length(self.headers.get("Content-Length", "")), self.most_bytes)
        except TooLarge as error:
            raise self._too_long() from error
        except Malformed as error:
            raise RefusedError(27, f"{error}. (CANNOT_PARSE_INPUT_ASSERTION_FAILED)") from error
        self.unread = False
        coding = self.headers.get("Content-Encoding", "identity")
        if not coding or coding == "identity":
            return body
        if coding not in CODINGS:
            raise RefusedError(_UNKNOWN_CODE, f"Unknown Content-Encoding {coding}; send one of {', '.join(CODINGS)}")
        with pa.CompressedInputStream(pa.BufferReader(body), coding) as inflater:
            unpacked = bytes(inflater.read(self.most_bytes + 1))
        if len(unpacked) > self.most_bytes:
            raise self._too_long()
        return unpacked

    def _too_long(self) -> RefusedError:
        return RefusedError(307, f"The request is longer than {self.most_bytes} bytes. (TOO_MANY_BYTES)")

    def respond(self, question: Question) -> None:
        """Send the answer, or the error."""
        try:
            answer = self.answer(question)
        except Exception as error:
            self.refuse(str(error))
            return
        read = {"read_rows": str(answer.rows_read), "read_bytes": str(answer.bytes_read), "written_rows": "0"}
        headers = {
            "Content-Type": next(
                (kind for name, kind in _TYPES.items() if answer.format.startswith(name)), "text/plain"
            ),
            "X-ClickHouse-Format": answer.format,
            "X-ClickHouse-Summary": json.dumps(read),
            "X-ClickHouse-Query-Id": question.parameters.get("query_id") or str(uuid4()),
        }
        body, coding = self._packed(question, answer.body)
        self.reply(200, body, coding, **headers)

    def refuse(self, message: str) -> None:
        """Send an error as ClickHouse does: status, code and text."""
        found = _CODE.search(message)
        code = int(found[1]) if found else _UNKNOWN_CODE
        text = message[found.start() :] if found else f"Code: {code}. DB::Exception: {message}"
        self.reply(
            STATUS.get(code, 500),
            f"{text.strip()} (version {self.version})\n".encode(),
            **{"Content-Type": "text/plain; charset=UTF-8", "X-ClickHouse-Exception-Code": str(code)},
        )

    def reply(self, status: int, body: bytes, coding: str = "", **headers: str) -> None:
        """Send a whole response."""
        self.connection.settimeout(self.timeout)
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if self.unread:
            self.send_header("Connection", "close")
        self.send_header("X-ClickHouse-Server-Display-Name", "genai-collector")
        self.send_header("X-ClickHouse-Timezone", "UTC")
        if coding:
            self.send_header("Content-Encoding", coding)
        for name, value in headers.items():
            self.send_header(name, re.sub(r"[\r\n]", " ", value))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _drain(self) -> None:
        # Closing while the client sends would reset the connection, and the answer with it.
        self.close_connection = True
        with suppress(OSError):
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_WR)
            self._timed.deadline = monotonic() + _LINGER
            while self.rfile.read1():
                pass

    def _packed(self, question: Question, body: bytes) -> tuple[bytes, str]:
        if question.parameters.get("enable_http_compression") == "1":
            accepted = self.headers.get("Accept-Encoding", "")
            for coding in CODINGS:
                if coding in accepted:
                    sink = pa.BufferOutputStream()
                    with pa.CompressedOutputStream(sink, coding) as stream:
                        stream.write(body)
                    return sink.getvalue().to_pybytes(), coding
        return body, ""

    def _credentials(self, parameters: Mapping[str, str]) -> tuple[str, str]:
        """Return user and password, of the first of the three places that names one."""
        basic = self.headers.get("Authorization", "")
        if basic[:6].lower() == "basic ":
            try:
                user, _, password = base64.b64decode(basic[6:], validate=True).decode().partition(":")
            except (binascii.Error, UnicodeDecodeError):
                return "", ""
            return user or "default", password
        if "X-ClickHouse-User" in self.headers or "X-ClickHouse-Key" in self.headers:
            return self.headers.get("X-ClickHouse-User") or "default", self.headers.get("X-ClickHouse-Key", "")
        return parameters.get("user") or "default", parameters.get("password", "")

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: queries come every few seconds."""
