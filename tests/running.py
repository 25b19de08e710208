"""A real collector process for tests: started with a configuration, killed at will, asked what it stored."""

import errno
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc

ROOT = Path(__file__).parent.parent
EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"

CONFIG = """
receivers:
  otlp: {{protocols: {{grpc: {{endpoint: "localhost:{grpc}"}}, http: {{endpoint: "localhost:{http}"}}}}}}
processors: {{genai: , rollup: }}
exporters:
  clickhouse:
    dsn: "{dsn}"
    sending_queue: {{directory: "{outbox}", batch: {{flush_timeout: 100ms}}}}
    retry_on_failure: {{initial_interval: 100ms, max_interval: 500ms}}
service:
  telemetry: {{metrics: {{level: none}}}}
  pipelines:
    traces: {{receivers: [otlp], processors: [genai, rollup], exporters: [clickhouse]}}
"""


_HELD: list[socket.socket] = []
"""Sockets that hold the ports given out until this process ends."""


def free_port() -> int:
    """Return a TCP port that nobody listens on, and that the system gives to nobody else.

    A socket that is bound and does not listen keeps others from being given its port, and lets who asks for it by
    number have it, as servers do with SO_REUSEADDR.
    """
    _HELD.append(_bound(socket.AF_INET, "127.0.0.1", 0))
    port = int(_HELD[-1].getsockname()[1])
    if socket.has_ipv6:
        try:
            _HELD.append(_bound(socket.AF_INET6, "::1", port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return free_port()
    return port


def _bound(family: socket.AddressFamily, host: str, port: int) -> socket.socket:
    held = socket.socket(family)
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind((host, port))
    return held


class Collector:
    """Is one collector on its own ports and folder; it may be started again after it died."""

    def __init__(self, folder: Path, dsn: str | None = None, module: str = "collector", config: str = CONFIG) -> None:
        self.folder = folder
        self.module = module
        self.grpc_port, self.http_port = free_port(), free_port()
        self.database = folder / "clickhouse"
        self.outbox = folder / "outbox"
        self.config = folder / "config.yaml"
        self.config.write_text(
            config.format(
                grpc=self.grpc_port,
                http=self.http_port,
                dsn=dsn or f"chdb://{self.database}",
                outbox=self.outbox,
            )
        )
        self.log = folder / "log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, **environment: str) -> None:
        """Start the process and return once it takes requests, or died trying."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", self.module, "--config", str(self.config)],
                stderr=log,
                stdout=log,
                cwd=self.folder,
                env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
            )
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and self.process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("localhost", self.grpc_port)) == 0:
                    return
            time.sleep(0.02)

    def until_logged(self, text: str, start: int = 0) -> None:
        """Return once the process logged *text*, behind the first *start* characters of its log."""
        deadline = time.monotonic() + 60
        while text not in self.text[start:]:
            assert time.monotonic() < deadline and self.process and self.process.poll() is None, self.text
            time.sleep(0.05)

    def kill(self) -> None:
        """Kill the process without a word."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask the process to end and return its exit code."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(60)

    def wait(self) -> int:
        """Wait for the process to end by itself and return its exit code."""
        assert self.process is not None
        return self.process.wait(60)

    def waiting(self, exporter: str = "clickhouse", table: str = "batches") -> int:
        """Return how many batches wait (or how many rows another table has) in the outbox's file."""
        connection = sqlite3.connect(f"file:{self.outbox}/{exporter}.sqlite?mode=ro", uri=True)
        try:
            return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])
        finally:
            connection.close()

    @property
    def text(self) -> str:
        """What the process logged so far."""
        return self.log.read_text() if self.log.exists() else ""

    @contextmanager
    def exporting(self) -> Iterator[Any]:
        """Yield a function that sends the bytes of one ExportTraceServiceRequest and raises `grpc.RpcError`."""
        # By default a channel waits for longer and longer between its tries to connect: minutes at last.
        soon = [(f"grpc.{which}_reconnect_backoff_ms", 100) for which in ("initial", "min", "max")]
        with grpc.insecure_channel(f"localhost:{self.grpc_port}", soon) as channel:
            call = channel.unary_unary(EXPORT)
            yield lambda data: call(data, timeout=10)

    def query(self, *queries: str) -> list[list[dict[str, Any]]]:
        """Return the rows of each query on the embedded database, which no process may be using."""
        script = (
            "import json, sys, chdb\n"
            "connection = chdb.connect(sys.argv[1])\n"
            "for query in sys.argv[2:]:\n"
            "    text = bytes(connection.query(query, 'JSONEachRow').bytes() or b'').decode()\n"
            "    print(json.dumps([json.loads(line) for line in text.splitlines()]))\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", script, str(self.database), *queries], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]
