"""A small ClickHouse server for tests: the HTTP interface of `exporters.clickhouse.http` with inserts and faults.

    python -m tests.clickhouse_http FOLDER PORT [PASSWORD [CLUSTER]]     serves, and prints the port it got

Beside queries it takes statements of any kind, and data after an INSERT. `ClickhouseServer` starts it as a process of
its own, because chDB opens one folder per process. With the name of a cluster it is that cluster's only server.
"""

import json
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from dataclasses import asdict, dataclass
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import chdb

from exporters.clickhouse.client import quoted
from exporters.clickhouse.http.handler import Answer, ClickhouseHandler, Question

ROOT = Path(__file__).parent.parent

_INSERT = re.compile(rb"\A\s*(INSERT\s+INTO\s.*?)\s+FORMAT\s+(\w+)[ \t]*\r?(?:\n|\Z)", re.DOTALL | re.IGNORECASE)
_INPUT = re.compile(r"\bFROM\s+input\s*\(\s*('(?:[^'\\]|\\.)*')\s*\)", re.DOTALL | re.IGNORECASE)
_PAGE = b"<html><body>Please log in</body></html>"
_FORMAT = re.compile(r"\bFORMAT\s+(\w+)\s*;?\s*\Z", re.IGNORECASE)


@dataclass
class Fault:
    """What goes wrong for the next *times* requests whose text contains *match*.

    *kind* is ``drop_before`` or ``drop_after`` (the connection breaks before or after the work is done), ``hang``
    (no answer for *seconds*), ``status`` (an answer of *status* without doing anything, *code* being ClickHouse's),
    ``page`` (200 and the page of a proxy), or ``late`` (an error that a server which is to tell of its progress finds
    when it has said 200).
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

    def run(self, question: Question) -> Answer:
        """Return the answer to a request, whatever it changes."""
        connection = chdb.connect(self.folder)
        try:
            if database := question.parameters.get("database"):
                connection.query(f"USE `{database}`")
            if question.settings:
                chosen = ", ".join(f"{name} = {quoted(value)}" for name, value in question.settings.items())
                connection.query(f"SET {chosen}")
            insert = _INSERT.match(question.text)
            if insert:
                run_insert(connection, insert[1].decode(), insert[2].decode(), question.text[insert.end() :])
                return Answer(b"", "TabSeparated")
            query = question.text.decode().strip()
            written = _FORMAT.search(query)
            answer = connection.query(query, question.format, params=question.values)
            return Answer(answer.bytes() or b"", written[1] if written else question.format)
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


class Handler(ClickhouseHandler):
    engine: Engine
    most_bytes = 1 << 30
    version = "26.9.2.1"

    def allowed(self, user: str, password: str) -> bool:
        return password == self.engine.password

    def do_POST(self) -> None:  # noqa: N802 - the name the base class looks for
        if self.path == "/faults":
            self.engine.faults = [Fault(**fault) for fault in json.loads(self.read_body())]
            self.reply(200, b"")
        else:
            super().do_POST()

    def respond(self, question: Question) -> None:
        fault = self.engine.take_fault(question.text[:10_000].decode(errors="replace"))
        if fault and fault.kind == "status":
            code = {"X-ClickHouse-Exception-Code": str(fault.code)} if fault.code else {}
            self.reply(fault.status, f"Code: {fault.code}. DB::Exception: on demand".encode(), **code)
            return
        if fault and fault.kind == "page":
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(_PAGE)))
            self.end_headers()
            self.wfile.write(_PAGE)
            return
        if fault and fault.kind == "late":
            said = question.parameters.get("send_progress_in_http_headers") != "0"
            self.reply(
                200 if said else 500, b"Code: 241. DB::Exception: on demand", **{"X-ClickHouse-Query-Id": "late"}
            )
            return
        if fault and fault.kind == "hang":
            time.sleep(fault.seconds)
        if fault and fault.kind == "drop_before":
            self.close_connection = True
            return
        if fault and fault.kind == "drop_after":
            self.engine.run(question)
            self.close_connection = True
            return
        super().respond(question)

    def answer(self, question: Question) -> Answer:
        return self.engine.run(question)


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
