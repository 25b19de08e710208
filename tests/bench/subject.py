"""What is measured: our collector, or another one where it is installed, behind the same few verbs."""

import json
import os
import re
import shutil
import subprocess
import time
import urllib.request
from abc import ABC, abstractmethod
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from collector.batch import UNITS, Signal
from tests.bench import points, process
from tests.bench.cases import Case
from tests.running import Collector, free_port

_DRAIN_SECONDS = 180.0
_TABLES = {
    Signal.TRACES: "signoz_traces.distributed_signoz_index_v3",
    Signal.METRICS: "signoz_metrics.distributed_samples_v4",
    Signal.LOGS: "signoz_logs.distributed_logs_v2",
}
"""Where items are kept."""
_QUIET_SECONDS = 1.5
"""How long another collector must have done nothing to count as done."""


class Sink(NamedTuple):
    """Says where the sink listens: ClickHouse's HTTP, or OTLP over HTTP and gRPC."""

    port: int
    grpc_port: int

    def dsn(self, case: Case) -> str | None:
        """Return what the collector's exporter is told, None for chDB."""
        return {
            "sink": f"clickhouse://127.0.0.1:{self.port}",
            "otlp": f"127.0.0.1:{self.grpc_port}",
            "otlphttp": f"http://127.0.0.1:{self.port}",
        }.get(case.target)


class NotInstalledError(Exception):
    """Says what is not installed, and how the benchmark would find it."""


class Subject(ABC):
    """Is one started collector; `address` is where it takes OTLP/gRPC."""

    address: str
    pid: int

    @abstractmethod
    def drain(self, items: int) -> float:
        """Wait until all *items* sent since its start are stored and return when that was, on the monotonic clock.

        Raises TimeoutError when it takes too long.
        """

    @abstractmethod
    def stop(self) -> int | None:
        """End it, and return how many items its storage holds where that can be asked."""


class Ours(Subject):
    """Is the genai-collector, writing to the *sink* or to chDB."""

    def __init__(self, case: Case, folder: Path, sink: Sink) -> None:
        self._case = case
        self._sink = sink
        module = "collector" if case.side_tables else "tests.bench.span_table"
        self._collector = Collector(folder, sink.dsn(case), module, case.config)
        self._collector.start()
        process_ = self._collector.process
        if process_ is None or process_.poll() is not None:
            raise RuntimeError(f"the collector did not start:\n{self._collector.text}")
        self.pid = process_.pid
        self.address = f"localhost:{self._collector.grpc_port}"

    def drain(self, items: int) -> float:
        deadline = time.monotonic() + _DRAIN_SECONDS
        while True:
            sent, waiting = self._figures()
            if sent >= items and waiting == 0:
                return time.monotonic()
            if time.monotonic() > deadline:
                raise TimeoutError(f"{sent:.0f} of {items} delivered:\n{self._collector.text[-3000:]}")
            time.sleep(0.1)

    def stop(self) -> int:
        self._collector.stop()
        signal = self._case.signal
        if self._case.target == "chdb":
            [[row]] = self._collector.query(f"SELECT count() AS rows FROM {_TABLES[signal]}")
            return self._items(int(row["rows"]))
        counts = _counts_at(self._sink.port)
        if self._case.target == "sink":
            return self._items(counts["rows"].get(_TABLES[signal], 0))
        return int(counts.get(signal.value, 0))

    def _items(self, rows: int) -> int:
        """Return how many items so many rows of the main table are."""
        if self._case.signal is not Signal.METRICS:
            return rows
        requests, rest = divmod(rows, points.rows_of(self._case.items))
        return requests * self._case.items + rest

    def _figures(self) -> tuple[float, float]:
        """Return the items delivered so far, and the bytes that wait."""
        with urllib.request.urlopen(f"http://localhost:{self._collector.http_port}/metrics") as answer:
            text = answer.read().decode()
        return _metric(text, f"otelcol_exporter_sent_{UNITS[self._case.signal]}"), _metric(
            text, "otelcol_exporter_queue_size"
        )


class Peer(Subject):
    """Is another collector that is done when it rests."""

    def __init__(self, case: Case, folder: Path, sink: Sink) -> None:
        port = free_port()
        command, environment = _COMMANDS[case.subject](port, sink.port, folder)
        self.address = f"localhost:{port}"
        self._log = folder / "log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, cwd=folder, env={**os.environ, **environment}
            )
        self.pid = self._process.pid

    def drain(self, items: int) -> float:
        deadline = time.monotonic() + _DRAIN_SECONDS
        while time.monotonic() < deadline:
            before, done = process.cpu_seconds(self.pid), time.monotonic()
            time.sleep(_QUIET_SECONDS)
            if process.cpu_seconds(self.pid) - before < 0.05:
                return done
        raise TimeoutError(f"{self._process.args} still works:\n{self._log.read_text()[-3000:]}")

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(30)


def start(case: Case, folder: Path, sink: Sink) -> Subject:
    """Start what the case measures; raise `NotInstalledError`."""
    return Ours(case, folder, sink) if case.subject == "collector" else Peer(case, folder, sink)


def _counts_at(port: int) -> dict:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/counts") as answer:
        return json.loads(answer.read())


def _metric(text: str, name: str) -> float:
    return sum(float(value) for value in re.findall(rf"^{name}(?:{{[^}}]*}})? (\S+)$", text, re.MULTILINE))


def _rotel(exporter: str, port: int, folder: Path, *options: str) -> tuple[list[str], dict[str, str]]:
    package = find_spec("rotel")
    inside = Path(package.origin).parent / "rotel-agent" if package and package.origin else None
    binary = os.environ.get("ROTEL") or shutil.which("rotel-agent") or (str(inside) if inside else None)
    if binary is None:
        raise NotInstalledError("rotel is not installed; name its rotel-agent in the variable ROTEL to compare")
    command = [binary, "start", "--exporter", exporter, "--otlp-grpc-endpoint", f"localhost:{port}"]
    command += ["--otlp-http-endpoint", f"localhost:{free_port()}", "--otlp-grpc-max-recv-msg-size-mib", "64"]
    command += ["--pid-file", str(folder / "pid"), "--log-file", str(folder / "agent.log"), *options]
    return command, {}


def _rotel_blackhole(port: int, _sink_port: int, folder: Path) -> tuple[list[str], dict[str, str]]:
    return _rotel("blackhole", port, folder)


def _rotel_clickhouse(port: int, sink_port: int, folder: Path) -> tuple[list[str], dict[str, str]]:
    return _rotel("clickhouse", port, folder, "--clickhouse-exporter-endpoint", f"http://127.0.0.1:{sink_port}")


def _otelcol(exporter: str, port: int, folder: Path) -> tuple[list[str], dict[str, str]]:
    binary = shutil.which("otelcol-contrib") or shutil.which("otelcol")
    if binary is None:
        raise NotInstalledError("no otelcol-contrib and no otelcol on the PATH")
    if exporter.startswith("clickhouse") and not binary.endswith("contrib"):
        raise NotInstalledError("no otelcol-contrib on the PATH; otelcol has no clickhouse exporter")
    config = folder / "otelcol.yaml"
    name = exporter.partition(":")[0]
    config.write_text(
        f"receivers: {{otlp: {{protocols: {{grpc: {{endpoint: 'localhost:{port}', max_recv_msg_size_mib: 64}}}}}}}}\n"
        f"processors: {{batch: }}\n"
        f"exporters: {{{exporter}}}\n"
        f"service:\n"
        f"  telemetry: {{metrics: {{level: none}}}}\n"
        f"  pipelines: {{traces: {{receivers: [otlp], processors: [batch], exporters: [{name}]}}}}\n"
    )
    return [binary, "--config", str(config)], {}


def _otelcol_nop(port: int, _sink_port: int, folder: Path) -> tuple[list[str], dict[str, str]]:
    return _otelcol("nop: ", port, folder)


def _otelcol_clickhouse(port: int, sink_port: int, folder: Path) -> tuple[list[str], dict[str, str]]:
    options = f"endpoint: 'http://127.0.0.1:{sink_port}', create_schema: false, async_insert: false"
    return _otelcol(f"clickhouse: {{{options}}}", port, folder)


_COMMANDS = {
    "rotel-blackhole": _rotel_blackhole,
    "rotel-clickhouse": _rotel_clickhouse,
    "otelcol-nop": _otelcol_nop,
    "otelcol-clickhouse": _otelcol_clickhouse,
}
