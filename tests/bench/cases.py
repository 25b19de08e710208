"""What is measured: which payload, sent to which collector, that writes where; and the bars it has to keep."""

from dataclasses import dataclass
from typing import Literal

from collector.batch import Signal
from tests.bench.payload import SIGNALS


@dataclass(frozen=True)
class Case:
    """Is one line of the table."""

    name: str
    payload: str = "slim"
    items: int = 512
    """Spans, points or records a request."""
    target: Literal["sink", "chdb", "otlp", "otlphttp"] = "sink"
    storage: Literal["memory", "disk"] = "disk"
    side_tables: bool = True
    processors: str = "genai, rollup"
    """The processors of the pipeline, if it is one of spans; others have none, as in the configuration that we ship."""
    compression: str = "gzip"
    """Of requests to an OTLP sink."""
    subject: str = "collector"
    """What is measured: our collector, or another one of `tests.bench.subject`."""
    ratio_bar: float | None = None
    """The most CPU per span, in times of protobuf's FromString."""
    memory_bar: float | None = None
    """The most memory, in MiB."""
    long: bool = False
    """Whether it runs for as long as a memory bar asks, not for as long as a CPU figure needs."""

    @property
    def config(self) -> str:
        """The collector's configuration, with places for what differs from run to run."""
        config = _CONFIG.replace("EXPORTER", _EXPORTERS[self.target]).replace("COMPRESSION", self.compression)
        processors = self.processors if self.signal is Signal.TRACES else ""
        pipeline = f"{{{{receivers: [otlp], processors: [{processors}], exporters: [{self.exporter}]}}}}"
        return config.replace("PIPELINES", f"{self.signal.value}: {pipeline}").replace("STORAGE", self.storage)

    @property
    def signal(self) -> Signal:
        """What is sent."""
        return SIGNALS[self.payload]

    @property
    def exporter(self) -> str:
        """The component that is measured."""
        return self.target if self.target in _FORWARDERS else "clickhouse"


_CONFIG = """
receivers:
  otlp: {{protocols: {{grpc: {{endpoint: "localhost:{grpc}"}}}}}}
processors: {{genai: , cost: , rollup: }}
exporters:
  EXPORTER
    sending_queue: {{storage: STORAGE, directory: "{outbox}", queue_size: 268435456}}
    retry_on_failure: {{initial_interval: 100ms, max_interval: 500ms}}
service:
  telemetry: {{metrics: {{level: normal, address: "localhost:{http}"}}, logs: {{level: warn}}}}
  pipelines:
    PIPELINES
"""
"""The HTTP port that `tests.running.Collector` chose serves the collector's own metrics here. The queue is small, so
that a collector that stores slower than it receives refuses, instead of hiding the work in a backlog."""

_EXPORTERS = {
    "sink": 'clickhouse:\n    dsn: "{dsn}"',
    "chdb": 'clickhouse:\n    dsn: "{dsn}"',
    "otlp": 'otlp:\n    endpoint: "{dsn}"\n    compression: COMPRESSION\n    tls: {{insecure: true}}',
    "otlphttp": 'otlphttp:\n    endpoint: "{dsn}"\n    compression: COMPRESSION',
}

_SINK = (
    Case("sink, slim 512, span table, no processor", storage="memory", side_tables=False, processors=""),
    Case("sink, slim 512, span table, genai alone", storage="memory", side_tables=False, processors="genai"),
    Case("sink, slim 512, span table", storage="memory", side_tables=False, ratio_bar=9),
    Case("sink, slim 512, span table, outbox", side_tables=False, ratio_bar=13),
    Case("sink, slim 512, all tables", storage="memory"),
    Case("sink, slim 512, all tables, outbox", ratio_bar=17),
    Case("sink, slim 512, all tables, outbox, cost", processors="genai, cost, rollup"),
    Case("sink, slim 32, all tables, outbox", items=32),
    Case("sink, slim 1, all tables, outbox", items=1),
    Case("sink, content 512, span table", "content", storage="memory", side_tables=False),
    Case("sink, content 512, all tables, outbox", "content"),
    Case("sink, content 32, all tables, outbox", "content", items=32),
    Case("sink, content 1, all tables, outbox", "content", items=1),
    Case("sink, metrics 512, all tables, outbox", "metrics"),
    Case("sink, metrics 32, all tables, outbox", "metrics", items=32),
    Case("sink, logs 512, all tables, outbox", "logs"),
    Case("sink, logs 32, all tables, outbox", "logs", items=32),
)
_CHDB = (
    Case("chdb, slim 512", target="chdb"),
    Case("chdb, slim 32", target="chdb", items=32),
    Case("chdb, slim 1", target="chdb", items=1),
    Case("chdb, content 512", "content", target="chdb"),
    Case("chdb, metrics 512", "metrics", target="chdb"),
    Case("chdb, logs 512", "logs", target="chdb"),
)
_FORWARDERS: tuple[Literal["otlp", "otlphttp"], ...] = ("otlp", "otlphttp")
_FORWARD = (
    *(
        Case(f"{target}, {payload} 512, outbox", payload, target=target, processors="genai")
        for target in _FORWARDERS
        for payload in ("slim", "metrics", "logs")
    ),
    Case("otlp, slim 512, no processor, no compression", target="otlp", processors="", compression="none"),
)
_MEMORY = (
    Case("memory, sink, slim 512", long=True, memory_bar=450),
    Case("memory, chdb, slim 512", long=True, memory_bar=600, target="chdb"),
)
_PEERS = tuple(
    Case(f"{subject}, {payload} 512", payload, subject=subject)
    for subject in ("rotel-blackhole", "rotel-clickhouse", "otelcol-nop", "otelcol-clickhouse")
    for payload in ("slim", "content")
)
CASES = (*_SINK, *_CHDB, *_FORWARD, *_MEMORY, *_PEERS)
