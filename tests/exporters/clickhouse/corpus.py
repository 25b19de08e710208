"""Real telemetry: as batches for the exporter, and as plain Python for whoever says what a query should answer.

The plain form is read with protobuf's own classes, so that it shares nothing with the code under test.
"""

import json
from base64 import b64encode
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from collector.batch import Batch, Signal, concat
from collector.otlp.decode import decode
from tests.exporters.clickhouse.trace_batches import add_spans, span

CORPUS = Path(__file__).parents[2] / "corpus"
SCENARIOS = (
    "openlit@1.45.0/chat_basic",
    "opentelemetry-instrumentation-genai-langchain@1.3b0/mixed",
    "opentelemetry-instrumentation-genai-openai@1.3b0+content/chat_basic",
    "opentelemetry-instrumentation-genai-openai@1.3b0+content/errors",
    "opentelemetry-instrumentation-openai-v2@2.1b0+content/chat_tools",
    "opentelemetry-instrumentation-openai-v2@2.1b0/mixed_200",
    "opentelemetry-instrumentation-openai-v2@2.4b0+latest_experimental+content/chat_tools",
    "opentelemetry-instrumentation-openai-v2@2.4b0/chat_tools",
    "opentelemetry-instrumentation-openai-v2@2.4b0/errors",
    "opentelemetry-instrumentation-openai@0.62.4/errors",
)
START = 1_795_289_400
"""The first half hour; the second one, `HALF_HOUR` later, has data too."""
HALF_HOUR = 1800

REQUESTS = {"traces": ExportTraceServiceRequest, "logs": ExportLogsServiceRequest}
SHOP_TRACE = bytes(15) + b"\x0a"


class Item(NamedTuple):
    """A span or a log record, with everything that it belongs to."""

    resource: dict[str, Any]
    scope: tuple[str, str]
    attributes: dict[str, Any]
    raw: Any

    @property
    def service(self) -> str:
        return self.resource.get("service.name", "")


@cache
def files(signal: str) -> tuple[bytes, ...]:
    """Return the requests of a signal: the recorded ones, and for spans a trace of two services and a database."""
    recorded = [path.read_bytes() for name in SCENARIOS for path in sorted((CORPUS / name).glob(f"{signal}-*.pb"))]
    return (*recorded, _shop().SerializeToString()) if signal == "traces" else tuple(recorded)


def batch(signal: str) -> Batch:
    """Return all the requests of a signal as one batch."""
    return concat(f"corpus {signal}", [decode(Signal(signal), data) for data in files(signal)])


@cache
def spans() -> list[Item]:
    return [
        Item(_plain_map(holder.resource.attributes), _scope(scoped), _plain_map(one.attributes), one)
        for data in files("traces")
        for holder in ExportTraceServiceRequest.FromString(data).resource_spans
        for scoped in holder.scope_spans
        for one in scoped.spans
    ]


@cache
def records() -> list[Item]:
    return [
        Item(_plain_map(holder.resource.attributes), _scope(scoped), _plain_map(one.attributes), one)
        for data in files("logs")
        for holder in ExportLogsServiceRequest.FromString(data).resource_logs
        for scoped in holder.scope_logs
        for one in scoped.log_records
    ]


def time_of(record: LogRecord) -> int:
    return int(record.time_unix_nano or record.observed_time_unix_nano)


def event_of(item: Item) -> str:
    name: str = item.attributes.get("event.name", item.raw.event_name)
    return name


def body_of(record: LogRecord) -> str:
    """Return the text of a body of the kinds that the corpus has."""
    value = plain(record.body)
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False)


def plain(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [plain(item) for item in value.array_value.values]
    if kind == "kvlist_value":
        return {pair.key: plain(pair.value) for pair in value.kvlist_value.values}
    if kind == "bytes_value":
        return b64encode(value.bytes_value).decode()
    return getattr(value, kind) if kind else None


def _plain_map(attributes: Any) -> dict[str, Any]:
    return {pair.key: plain(pair.value) for pair in attributes}


def _scope(scoped: Any) -> tuple[str, str]:
    return scoped.scope.name, scoped.scope.version


def _shop() -> ExportTraceServiceRequest:
    """Return a web shop that asks a chat service, which asks its database."""
    start = (START + 1500) * 10**9
    request = ExportTraceServiceRequest()
    common = {"trace_id": SHOP_TRACE, "flags": 1}
    ask = {"http.request.method": "POST", "http.route": "/ask", "url.full": "https://shop.example/ask?q=1"}
    add_spans(
        request,
        [
            span(ask, span_id=b"\x01" * 8, name="POST /ask", kind=Span.SPAN_KIND_SERVER, start_time_unix_nano=start,
                 end_time_unix_nano=start + 9_000_000, **common),
        ],
        {"service.name": "shop", "deployment.environment": "prod"},
    )  # fmt: skip
    query = {"db.system": "postgresql", "db.namespace": "chats", "db.operation.name": "SELECT"}
    add_spans(
        request,
        [
            span({}, span_id=b"\x02" * 8, parent_span_id=b"\x01" * 8, name="answer", kind=Span.SPAN_KIND_SERVER,
                 start_time_unix_nano=start + 1, end_time_unix_nano=start + 8_000_001, **common),
            span(query, span_id=b"\x03" * 8, parent_span_id=b"\x02" * 8, name="SELECT chats",
                 kind=Span.SPAN_KIND_CLIENT, start_time_unix_nano=start + 2, end_time_unix_nano=start + 2_000_002,
                 status={"code": 2, "message": "timeout"}, **common),
        ],
        {"service.name": "chat-svc", "deployment.environment": "prod"},
    )  # fmt: skip
    return request
