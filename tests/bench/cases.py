"""What is measured: which payload, sent to which collector, that writes where; and the bars of issue 2."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Case:
    """Is one line of the table."""

    name: str
    payload: str = "slim"
    spans: int = 512
    target: Literal["sink", "chdb"] = "sink"
    storage: Literal["memory", "disk"] = "disk"
    side_tables: bool = True
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
        return _CONFIG.replace("STORAGE", self.storage)


_CONFIG = """
receivers:
  otlp: {{protocols: {{grpc: {{endpoint: "localhost:{grpc}"}}}}}}
processors: {{genai: , rollup: }}
exporters:
  clickhouse:
    dsn: "{dsn}"
    sending_queue: {{storage: STORAGE, directory: "{outbox}", queue_size: 268435456}}
    retry_on_failure: {{initial_interval: 100ms, max_interval: 500ms}}
service:
  telemetry: {{metrics: {{level: normal, address: "localhost:{http}"}}, logs: {{level: warn}}}}
  pipelines:
    traces: {{receivers: [otlp], processors: [genai, rollup], exporters: [clickhouse]}}
"""
"""The HTTP port that `tests.running.Collector` chose serves the collector's own metrics here. The queue is small, so
that a collector that stores slower than it receives refuses, instead of hiding the work in a backlog."""

_SINK = (
    Case("sink, slim 512, span table", storage="memory", side_tables=False, ratio_bar=9),
    Case("sink, slim 512, span table, outbox", side_tables=False, ratio_bar=13),
    Case("sink, slim 512, all tables", storage="memory"),
    Case("sink, slim 512, all tables, outbox", ratio_bar=17),
    Case("sink, slim 32, all tables, outbox", spans=32),
    Case("sink, slim 1, all tables, outbox", spans=1),
    Case("sink, content 512, span table", "content", storage="memory", side_tables=False),
    Case("sink, content 512, all tables, outbox", "content"),
    Case("sink, content 32, all tables, outbox", "content", spans=32),
    Case("sink, content 1, all tables, outbox", "content", spans=1),
)
_CHDB = (
    Case("chdb, slim 512", target="chdb"),
    Case("chdb, slim 32", target="chdb", spans=32),
    Case("chdb, slim 1", target="chdb", spans=1),
    Case("chdb, content 512", "content", target="chdb"),
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
CASES = (*_SINK, *_CHDB, *_MEMORY, *_PEERS)
