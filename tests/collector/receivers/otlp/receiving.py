"""A real receiver on free ports, whose pipeline is a function of the test."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from prometheus_client import generate_latest

from collector.batch import Batch, Signal
from collector.component import Host
from collector.receivers.otlp import OtlpReceiver

START = 1_760_000_000_000_000_000


class Pipeline:
    """Keeps the batches it is given; *behave* is run first and may raise or wait."""

    def __init__(self, behave: Callable[[Batch], None] = lambda batch: None) -> None:
        self.behave = behave
        self.batches: list[Batch] = []

    def consume(self, batch: Batch) -> None:
        self.behave(batch)
        self.batches.append(batch)

    @property
    def names(self) -> list[str]:
        spans = [batch for batch in self.batches if batch.signal is Signal.TRACES]
        return [name for batch in spans for name in batch.main.column("name").to_pylist()]


@contextmanager
def receiving(
    pipeline: Pipeline, host: Host | None = None, grpc: Any = None, http: Any = None
) -> Iterator[OtlpReceiver]:
    """Run a receiver with both doors open on free ports; *grpc* and *http* are further options."""
    grpc = {"endpoint": "localhost:0", **(grpc or {})}
    http = {"endpoint": "localhost:0", **(http or {})}
    config = OtlpReceiver.Config.model_validate({"protocols": {"grpc": grpc, "http": http}})
    receiver = OtlpReceiver(config, host or Host("otlp"), pipeline.consume)
    receiver.start()
    try:
        yield receiver
    finally:
        receiver.stop()


def request(*names: str, start: int = START) -> ExportTraceServiceRequest:
    """Return an export request with one span per name."""
    message = ExportTraceServiceRequest()
    scope = message.resource_spans.add().scope_spans.add()
    for number, name in enumerate(names, 1):
        span = scope.spans.add(name=name, start_time_unix_nano=start, end_time_unix_nano=start + 1)
        span.trace_id, span.span_id = number.to_bytes(16), number.to_bytes(8)
    return message


def own_metrics(host: Host) -> dict[str, float]:
    """Return the non-zero samples of the collector's own metrics, keyed as Prometheus prints them."""
    lines = [line for line in generate_latest(host.metrics.registry).decode().splitlines() if line[:1] != "#"]
    samples = dict(line.rsplit(" ", 1) for line in lines)
    return {name: float(value) for name, value in samples.items() if float(value)}


def talk(port: int, *pieces: bytes) -> bytes:
    """Send raw bytes to a port and return all that comes back until the server closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        for piece in pieces:
            connection.sendall(piece)
        answer = b""
        while data := connection.recv(65536):
            answer += data
        return answer
