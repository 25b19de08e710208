"""A small ClickHouse server for tests: its HTTP interface in front of chDB, with faults on demand.

    python -m tests.clickhouse_http FOLDER PORT [PASSWORD [CLUSTER]]     serves, and prints the port it got

It speaks what clients use: the query in the URL or the body, data after an INSERT, settings and parameters in the URL,
compressed bodies, ClickHouse's headers, status codes and error texts. `ClickhouseServer` starts it as a process of its
own, because chDB opens one folder per process. With the name of a cluster it is that cluster's only server.
"""

import base64
import gzip
import json
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
import zlib
from dataclasses import asdict, dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import chdb
import lz4.frame
from backports import zstd

ROOT = Path(__file__).parent.parent

DECOMPRESS = {
    "gzip": gzip.decompress,
    "deflate": zlib.decompress,
    "lz4": lz4.frame.decompress,
    "zstd": zstd.decompress,
}
COMPRESS = {"lz4": lz4.frame.compress, "zstd": zstd.compress, "gzip": gzip.compress}

TRANSPORT_PARAMETERS = {
    "query", "database", "user", "password", "default_format", "query_id", "quota_key", "role",
    "session_id", "session_check", "session_timeout", "compress", "decompress", "enable_http_compression",
    "wait_end_of_query", "buffer_size", "client_protocol_version", "send_progress_in_http_headers",
    "http_headers_progress_interval_ms", "cancel_http_readonly_queries_on_client_close",
}  # fmt: skip

STATUS = {516: 403, 497: 403, 192: 404, 60: 404, 81: 404, 62: 400, 47: 404, 46: 404, 159: 504, 252: 500}

_INSERT = re.compile(rb"\A\s*(INSERT\s+INTO\s.*?)\s+FORMAT\s+(\w+)[ \t]*\r?(?:\n|\Z)", re.DOTALL | re.IGNORECASE)
_INPUT = re.compile(r"\bFROM\s+input\s*\(\s*('(?:[^'\\]|\\.)*')\s*\)", re.DOTALL | re.IGNORECASE)
_FORMAT = re.compile(r"\bFORMAT\s+(\w+)\s*;?\s*\Z", re.IGNORECASE)
_CODE = re.compile(r"Code: (\d+)")


@dataclass
class Fault:
    """What goes wrong for the next *times* requests whose text contains *match*.

    *kind* is ``drop_before`` or ``drop_after`` (the connection breaks before or after the work is done), ``hang``
    (no answer for *seconds*), or ``status`` (an answer of *status* without doing anything, *code* being ClickHouse's).
    """

    kind: str
    match: str = ""
    times: int = 1
    status: int = 500
    code: int = 0
    seconds: float = 60.0


class Engine:
    """chDB behind the server; each request gets a connection with its own settings."""

    def __init__(self, folder: str, cluster: str = "") -> None:
        self.folder = folder + (f"?config-file={cluster_file(Path(folder), cluster)}" if cluster else "")
        self.keep = chdb.connect(self.folder)
        self.faults: list[Fault] = []
        self.lock = threading.Lock()
        self.password = ""

    def take_fault(self, text: str) -> Fault | None:
        with self.lock:
            for fault in self.faults:
                if fault.times > 0 and fault.match in text:
                    fault.times -= 1
                    return fault
        return None

    def run(self, parameters: dict[str, str], body: bytes) -> tuple[bytes, str]:
        """Return the answer to a request and the name of its format."""
        text = parameters.get("query", "").encode()
        whole = text + b"\n" + body if text else body
        settings = {
            name: value
            for name, value in parameters.items()
            if name not in TRANSPORT_PARAMETERS and not name.startswith("param_")
        }
        bound = {name[6:]: value for name, value in parameters.items() if name.startswith("param_")}
        connection = chdb.connect(self.folder)
        try:
            if parameters.get("database"):
                connection.query(f"USE `{parameters['database']}`")
            if settings:
                connection.query("SET " + ", ".join(f"{name} = {quoted(value)}" for name, value in settings.items()))
            insert = _INSERT.match(whole)
            if insert:
                run_insert(connection, insert[1].decode(), insert[2].decode(), whole[insert.end() :])
                return b"", "TabSeparated"
            default = parameters.get("default_format", "TabSeparated")
            query = whole.decode().strip()
            written = _FORMAT.search(query)
            answer = connection.query(query, default, params=bound)
            return answer.bytes() or b"", written[1] if written else default
        finally:
            connection.close()


def cluster_file(folder: Path, cluster: str) -> Path:
    """Write a configuration in which this process is the only server of *cluster*, so that Distributed tables work."""
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        port = probe.getsockname()[1]
    replica = f"<replica><host>localhost</host><port>{port}</port></replica>"
    servers = f"<remote_servers><{cluster}><shard>{replica}</shard></{cluster}></remote_servers>"
    path = folder.with_suffix(".xml")
    path.write_text(f"<clickhouse><tcp_port>{port}</tcp_port>{servers}</clickhouse>")
    return path


def run_insert(connection: Any, statement: str, fmt: str, data: bytes) -> None:
    """Store *data* by way of a file, the only door chDB has for it."""
    with tempfile.NamedTemporaryFile(suffix=".data") as file:
        file.write(data)
        file.flush()
        source = _INPUT.search(statement)
        if source:
            table = f"FROM file({quoted(file.name)}, {fmt}, {source[1]})"
            connection.query(statement[: source.start()] + table + statement[source.end() :])
        else:
            connection.query(f"{statement} FROM INFILE {quoted(file.name)} FORMAT {fmt}")


def quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    engine: Engine

    def do_GET(self) -> None:
        self.answer(b"")

    def do_POST(self) -> None:
        self.answer(self.read_body())

    def read_body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            chunks = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                chunks.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            body = b"".join(chunks)
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        decompress = DECOMPRESS.get(self.headers.get("Content-Encoding", ""))
        return decompress(body) if decompress else body

    def answer(self, body: bytes) -> None:
        address = urlsplit(self.path)
        parameters = dict(parse_qsl(address.query, keep_blank_values=True))
        if address.path == "/ping":
            self.reply(200, b"Ok.\n")
        elif address.path == "/faults":
            self.engine.faults = [Fault(**fault) for fault in json.loads(body)]
            self.reply(200, b"")
        elif not self.allowed(parameters):
            self.refuse("Code: 516. DB::Exception: Authentication failed. (AUTHENTICATION_FAILED)")
        else:
            self.work(parameters, body)

    def allowed(self, parameters: dict[str, str]) -> bool:
        given = parameters.get("password") or self.headers.get("X-ClickHouse-Key") or ""
        basic = self.headers.get("Authorization", "")
        if basic.startswith("Basic "):
            given = base64.b64decode(basic[6:]).decode().partition(":")[2]
        return given == self.engine.password

    def work(self, parameters: dict[str, str], body: bytes) -> None:
        text = parameters.get("query", "") + body[:2000].decode(errors="replace")
        fault = self.engine.take_fault(text)
        if fault and fault.kind == "status":
            code = {"X-ClickHouse-Exception-Code": str(fault.code)} if fault.code else {}
            self.reply(fault.status, f"Code: {fault.code}. DB::Exception: on demand".encode(), **code)
            return
        if fault and fault.kind == "hang":
            time.sleep(fault.seconds)
        if fault and fault.kind == "drop_before":
            self.close_connection = True
            return
        try:
            answer, name = self.engine.run(parameters, body)
        except Exception as error:
            self.refuse(str(error))
            return
        if fault and fault.kind == "drop_after":
            self.close_connection = True
            return
        self.reply(200, *self.compressed(parameters, answer), **{"X-ClickHouse-Format": name})

    def compressed(self, parameters: dict[str, str], answer: bytes) -> tuple[bytes, str]:
        if parameters.get("enable_http_compression") == "1":
            for name, compress in COMPRESS.items():
                if name in self.headers.get("Accept-Encoding", ""):
                    return compress(answer), name
        return answer, ""

    def refuse(self, message: str) -> None:
        start = message.find("Code: ")
        found = _CODE.search(message)
        code = int(found[1]) if found else 1001
        self.reply(
            STATUS.get(code, 500),
            (message[max(start, 0) :].strip() + " (version 26.9.2.1)\n").encode(),
            **{"X-ClickHouse-Exception-Code": str(code)},
        )

    def reply(self, status: int, body: bytes, encoding: str = "", **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-ClickHouse-Summary", '{"read_rows":"0","written_rows":"0"}')
        self.send_header("X-ClickHouse-Server-Display-Name", "clickhouse_http")
        self.send_header("X-ClickHouse-Query-Id", "00000000-0000-0000-0000-000000000000")
        self.send_header("X-ClickHouse-Timezone", "UTC")
        if encoding:
            self.send_header("Content-Encoding", encoding)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


class ClickhouseServer:
    """Starts and stops the server as a process; the same folder and port after a restart."""

    def __init__(self, folder: Path, password: str = "", cluster: str = "") -> None:
        self.folder = folder
        self.password = password
        self.cluster = cluster
        self.port = 0
        self.process: subprocess.Popen[str] | None = None

    @property
    def dsn(self) -> str:
        return f"clickhouse://default:{self.password}@127.0.0.1:{self.port}"

    def start(self) -> "ClickhouseServer":
        options = [str(self.folder), str(self.port), self.password, self.cluster]
        command = [sys.executable, "-m", "tests.clickhouse_http", *options]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"the server ended with code {self.process.wait()}")
        self.port = int(line)
        return self

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()
            self.process = None

    def fail(self, *faults: Fault) -> None:
        """Let these faults happen from now on, and no others."""
        body = json.dumps([asdict(fault) for fault in faults]).encode()
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/faults", body) as response:
            response.read()


def main(folder: str, port: str, password: str = "", cluster: str = "") -> None:
    Handler.engine = Engine(folder, cluster)
    Handler.engine.password = password
    server = ThreadingHTTPServer(("127.0.0.1", int(port)), Handler)
    server.daemon_threads = True
    print(server.server_port, flush=True)  # noqa: T201
    server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
