"""Batches of spans for tests, from plain Python or from the vectors of SigNoz's own conversion."""

import base64
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from collector.batch import Batch, Signal
from collector.otlp.decode import decode
from exporters.clickhouse.insert import Insert
from exporters.clickhouse.traces import trace_inserts

VECTORS = Path(__file__).parent / "vectors"
EXPECTED: dict[str, Any] = json.loads((VECTORS / "expected.json").read_text())

Pairs = Mapping[str, Any] | Iterable[tuple[str, Any]]


def any_value(value: Any) -> AnyValue:
    result = AnyValue()
    match value:
        case bool():
            result.bool_value = value
        case str():
            result.string_value = value
        case int():
            result.int_value = value
        case float():
            result.double_value = value
        case bytes():
            result.bytes_value = value
        case list():
            result.array_value.SetInParent()
            result.array_value.values.extend(map(any_value, value))
        case dict():
            result.kvlist_value.SetInParent()
            result.kvlist_value.values.extend(key_values(value))
    return result


def key_values(pairs: Pairs) -> list[KeyValue]:
    items = pairs.items() if isinstance(pairs, Mapping) else pairs
    return [KeyValue(key=key, value=any_value(value)) for key, value in items]


def span(attributes: Pairs = (), **fields: Any) -> Span:
    start = fields.setdefault("start_time_unix_nano", 1_795_284_060_000_000_000)
    end = min(start + 5, 2**64 - 1)
    defaults = {"trace_id": b"\x0a" * 16, "span_id": b"\x0b" * 8, "name": "chat", "end_time_unix_nano": end}
    return Span(attributes=key_values(attributes), **{**defaults, **fields})


def event(name: str, attributes: Pairs = (), time: int = 7) -> Span.Event:
    return Span.Event(name=name, time_unix_nano=time, attributes=key_values(attributes))


def batch_of(*spans: Span, resource: Pairs = (), scope: Mapping[str, Any] | None = None) -> Batch:
    request = ExportTraceServiceRequest()
    add_spans(request, spans, resource, scope)
    return decode(Signal.TRACES, request.SerializeToString())


def add_spans(
    request: ExportTraceServiceRequest,
    spans: Iterable[Span],
    resource: Pairs = (),
    scope: Mapping[str, Any] | None = None,
) -> None:
    holder = request.resource_spans.add()
    holder.resource.attributes.extend(key_values(resource))
    scoped = holder.scope_spans.add(spans=spans)
    named = {"attributes": {}, **(scope or {})}
    scoped.scope.attributes.extend(key_values(named.pop("attributes")))
    for name, text in named.items():
        setattr(scoped.scope, name, text)


def vector_batch() -> Batch:
    """Return the spans whose rows `EXPECTED` holds."""
    document = json.loads((VECTORS / "traces.json").read_text())
    for holder in document["resourceSpans"]:
        for scoped in holder["scopeSpans"]:
            for one in scoped["spans"]:
                for item in (one, *one.get("links", [])):
                    ids_to_base64(item)
    return decode(Signal.TRACES, json_format.ParseDict(document, ExportTraceServiceRequest()).SerializeToString())


def inserts_of(batch: Batch) -> dict[str, Insert]:
    """Return the inserts of a batch by the name of their table without database and ``distributed_``."""
    return {
        one.table.removeprefix("signoz_traces.distributed_"): one for one in trace_inserts(batch, 1_795_284_070.1234)
    }


def rows_of(batch: Batch, table: str = "signoz_index_v3") -> list[dict[str, Any]]:
    """Return the rows for one table, maps as dicts; a map that holds a key twice is an error."""
    insert = inserts_of(batch).get(table)
    rows: list[dict[str, Any]] = insert.rows.to_pylist(maps_as_pydicts="strict") if insert else []
    return rows


def ids_to_base64(item: dict[str, Any]) -> None:
    for key in ("traceId", "spanId", "parentSpanId"):
        if key in item:
            item[key] = base64.b64encode(bytes.fromhex(item[key])).decode()
