"""A ClickHouse that forgets: takes inserts over HTTP as fast as they come, counts them and keeps nothing.

Every other statement goes to an embedded ClickHouse, so that tables can be made and asked for. It is a process of its
own, so its work is not counted: ``python -m tests.bench.sink PORT FOLDER``. ``GET /counts`` tells what came.
"""

import json
import re
import sys
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock
from typing import Any
from urllib.parse import parse_qs, urlsplit

import chdb
import pyarrow as pa

_INSERT = re.compile(rb"\s*INSERT\s+INTO\s+(?:TABLE\s+)?([\w.`\"]+)[^\xff]*?\bFORMAT\s+(\w+)\s", re.IGNORECASE)
_FIRST_COLUMN = pa.ipc.IpcReadOptions(included_fields=[0], use_threads=False)


class Counts:
    """Holds the rows and the bytes that came for each table."""

    def __init__(self) -> None:
        self._lock = Lock()
        self.rows: Counter[str] = Counter()
        self.bytes: Counter[str] = Counter()

    def add(self, table: str, rows: int, size: int) -> None:
        """Count one insert."""
        with self._lock:
            self.rows[table] += rows
            self.bytes[table] += size

    def text(self) -> str:
        """Return everything as JSON: ``{"rows": {table: number}, "bytes": {table: number}}``."""
        with self._lock:
            return json.dumps({"rows": self.rows, "bytes": self.bytes})


def rows_of(body: bytes, form: str) -> int:
    """Return how many rows an insert holds: of Arrow exactly, of other formats 0 (nobody counts them)."""
    if form == "Arrow":
        reader = pa.ipc.open_file(body, options=_FIRST_COLUMN)
        return sum(reader.get_batch(number).num_rows for number in range(reader.num_record_batches))
    if form == "ArrowStream":
        return sum(batch.num_rows for batch in pa.ipc.open_stream(body, options=_FIRST_COLUMN))
    return 0


class Sink(ThreadingHTTPServer):
    """Serves the interface; *folder* keeps the tables' definitions."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, port: int, folder: str) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.counts = Counts()
        self._lock = Lock()
        self._engine = chdb.connect(folder)

    def answer(self, statement: str) -> bytes:
        """Return what the embedded ClickHouse says to a statement, in the format that it names, or TabSeparated."""
        with self._lock:
            return bytes(self._engine.query(statement, "TabSeparated").bytes() or b"")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Sink

    def do_GET(self) -> None:
        if self.path == "/counts":
            self._reply(200, self.server.counts.text().encode())
        elif self.path == "/ping":
            self._reply(200, b"Ok.\n")
        else:
            self.do_POST()

    def do_POST(self) -> None:
        body = self._body()
        query = parse_qs(urlsplit(self.path).query).get("query", [""])[0].encode()
        statement = query + b"\n" if query else b""
        if insert := _INSERT.match(statement or body):
            self._discard(insert, body if query else body[insert.end() :])
            return
        try:
            self._reply(200, self.server.answer((statement + body).decode()))
        except RuntimeError as error:
            self._reply(500, str(error).encode(), ("X-ClickHouse-Exception-Code", "1"))

    def _discard(self, insert: re.Match[bytes], data: bytes) -> None:
        rows = rows_of(data, insert[2].decode())
        table = insert[1].decode().replace("`", "").replace('"', "")
        self.server.counts.add(table, rows, len(data))
        self._reply(200, b"", ("X-ClickHouse-Summary", json.dumps({"written_rows": str(rows)})))

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        chunks = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

    def _reply(self, status: int, body: bytes, *headers: tuple[str, str]) -> None:
        self.send_response(status)
        for name, value in (*headers, ("X-ClickHouse-Timezone", "UTC"), ("Content-Length", str(len(body)))):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing about each request."""


if __name__ == "__main__":
    Sink(int(sys.argv[1]), sys.argv[2]).serve_forever()
