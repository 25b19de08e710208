"""One measurement: start everything, warm up, load, wait until all is stored, and read what the kernel counted.

load processes ──OTLP/gRPC──> the collector ──> sink process (ClickHouse or OTLP) or chDB
                                  │
                            /proc/PID/stat, from the end of the warming up until every item is stored
"""

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from urllib.error import URLError
from urllib.request import urlopen

import numpy as np

from tests.bench import process, subject
from tests.bench.cases import Case
from tests.running import ROOT, free_port

LOADERS = 2
"""Processes that send."""
_THREADS = 8
"""Requests that each of them has in flight."""
_WARM_UP_SECONDS = 2.0
_REFERENCE_SECONDS = 1.0


@dataclass(frozen=True)
class Result:
    """Is what one case showed, and what protobuf's FromString needs for the same bytes."""

    cpu: float
    """CPU microseconds an item: a span, a point, a record."""
    rate: float
    """Items a second, until the last is stored."""
    memory: float
    """Peak memory in MiB."""
    wait: float
    """The 99th percentile of the time until the acknowledgement, in milliseconds."""
    items: int
    refused: int
    """How often a request was refused because the collector was full."""
    reference_cpu: float
    reference_memory: float
    missing: int | None
    """Items acknowledged and not stored (negative: stored twice); None where that cannot be asked."""


def measure(case: Case, seconds: float) -> Result:
    """Return what the case shows under *seconds* of load; raise `subject.NotInstalledError`."""
    before = _reference(case)
    with TemporaryDirectory(prefix="bench-") as name, _sink(case, Path(name) / "sink") as sink:
        folder = Path(name) / "subject"
        folder.mkdir()
        result = _loaded(subject.start(case, folder, sink), case, seconds)
    after = _reference(case)
    return Result(
        **result,
        reference_cpu=median([*before["costs"], *after["costs"]]),
        reference_memory=max(before["memory"], after["memory"]),
    )


def _loaded(tested: subject.Subject, case: Case, seconds: float) -> dict:
    with _loaders(tested.address, case) as loaders:
        try:
            warm = _run(loaders, _WARM_UP_SECONDS)["requests"] * case.items
            tested.drain(warm)
            cpu, started = process.cpu_seconds(tested.pid), time.monotonic()
            outcome = _run(loaders, seconds)
            items = outcome["requests"] * case.items
            took = tested.drain(warm + items) - started
            cpu = process.cpu_seconds(tested.pid) - cpu
            memory = process.peak_memory(tested.pid)
        finally:
            stored = tested.stop()
    return {
        "cpu": cpu / items * 1e6,
        "rate": items / took,
        "memory": memory,
        "wait": float(np.percentile(outcome["waits"], 99)) * 1000,
        "items": items,
        "refused": outcome["refused"],
        "missing": None if stored is None else warm + items - stored,
    }


def _run(loaders: Sequence[subprocess.Popen[str]], seconds: float) -> dict:
    for loader in loaders:
        loader.stdin.write(f"{seconds}\n")
        loader.stdin.flush()
    lines = [loader.stdout.readline() for loader in loaders]
    if not all(lines):
        raise RuntimeError("a load process ended early; see its error above")
    outcomes = [json.loads(line) for line in lines]
    return {key: sum((outcome[key] for outcome in outcomes[1:]), outcomes[0][key]) for key in outcomes[0]}


@contextmanager
def _loaders(address: str, case: Case) -> Iterator[list[subprocess.Popen[str]]]:
    started = [
        _python("tests.bench.load", address, case.payload, case.items, seed, _THREADS) for seed in range(LOADERS)
    ]
    try:
        yield started
    finally:
        for loader in started:
            loader.kill()
            loader.communicate()


@contextmanager
def _sink(case: Case, folder: Path) -> Iterator[subject.Sink]:
    port, grpc_port = free_port(), free_port()
    if case.exporter == "clickhouse":
        sink = _python("tests.bench.sink", port, folder)
    else:
        sink = _python("tests.bench.otlp_sink", port, grpc_port)
    try:
        deadline = time.monotonic() + 60
        while not _answers(f"http://127.0.0.1:{port}/ping"):
            if sink.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the sink did not start")
            time.sleep(0.05)
        yield subject.Sink(port, grpc_port)
    finally:
        sink.kill()
        sink.communicate()


def _answers(url: str) -> bool:
    try:
        urlopen(url).close()
    except URLError:
        return False
    return True


def _reference(case: Case) -> dict:
    """Run the yardstick on both sides of a measurement, twice at once, so that it meets busy neighbours too."""
    both = [_python("tests.bench.reference", case.payload, case.items, _REFERENCE_SECONDS) for _ in range(LOADERS)]
    found = [json.loads(one.communicate()[0]) for one in both]
    return {
        "costs": [cost for one in found for cost in one["costs"]],
        "memory": max(one["memory"] for one in found),
    }


def _python(module: str, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", module, *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
