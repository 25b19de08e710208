"""What protobuf's own parser finds in a request, in the form of a batch's rows: the oracle of the decoder."""

import struct
from typing import Any

from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, EntityRef, KeyValueList

from collector.batch import MAIN_TABLE, Batch, Signal
from collector.schema import POINTS

Rows = dict[str, list[dict[str, Any]]]

_MEMBERS = ("string_value", "bool_value", "int_value", "double_value", "array_value", "kvlist_value", "bytes_value")
_NESTED = {"array_value": ArrayValue, "kvlist_value": KeyValueList}


def rows_of(batch: Batch) -> Rows:
    """Return the rows of every table, nested values parsed and doubles as their 8 bytes."""
    rows = {name: [_comparable(row) for row in table.to_pylist()] for name, table in batch.tables.items()}
    for resource in rows["resources"]:
        resource["entity_refs"] = [_canonical(EntityRef.FromString(encoded)) for encoded in resource["entity_refs"]]
    return rows


def _comparable(cell: Any) -> Any:
    if isinstance(cell, list):
        return [_comparable(item) for item in cell]
    if isinstance(cell, dict) and "string_value" in cell:
        return _comparable_value(cell)
    if isinstance(cell, dict):
        return {name: _comparable(item) for name, item in cell.items()}
    return struct.pack("<d", cell) if isinstance(cell, float) else cell


def _comparable_value(value: dict[str, Any]) -> dict[str, Any]:
    result = dict(value)
    for name, kind in _NESTED.items():
        if value[name] is not None:
            result[name] = _canonical(kind.FromString(value[name]))
    result["double_value"] = _comparable(value["double_value"])
    return result


def _canonical(message: Message) -> bytes:
    return message.SerializeToString(deterministic=True)


REQUESTS = {
    Signal.TRACES: ExportTraceServiceRequest,
    Signal.METRICS: ExportMetricsServiceRequest,
    Signal.LOGS: ExportLogsServiceRequest,
}
LEVELS = {
    Signal.TRACES: ("resource_spans", "scope_spans", "spans"),
    Signal.METRICS: ("resource_metrics", "scope_metrics", "metrics"),
    Signal.LOGS: ("resource_logs", "scope_logs", "log_records"),
}


def rows_by_protobuf(data: bytes, signal: Signal = Signal.TRACES) -> Rows:
    """Return the rows that a request should give; raise protobuf's DecodeError when it refuses the bytes."""
    request = REQUESTS[signal].FromString(data)
    by_resource, by_scope, items = LEVELS[signal]
    rows: Rows = {MAIN_TABLE[signal]: [], "resources": [], "scopes": []}
    if signal is Signal.METRICS:
        rows["metrics"] = []
    for holder in getattr(request, by_resource):
        resource = holder.resource
        for inner in getattr(holder, by_scope):
            for item in getattr(inner, items):
                _ADD[signal](rows, {"resource": len(rows["resources"]), "scope": len(rows["scopes"])}, item)
            scope = inner.scope
            named = {"name": scope.name, "version": scope.version}
            rows["scopes"].append({**named, **_attributes(scope), "schema_url": inner.schema_url})
        refs = [_canonical(reference) for reference in resource.entity_refs]
        rows["resources"].append({**_attributes(resource), "entity_refs": refs, "schema_url": holder.schema_url})
    return rows


def _add_span(rows: Rows, places: dict[str, int], span: Any) -> None:
    rows["spans"].append({**places, **_span(span)})


def _add_record(rows: Rows, places: dict[str, int], record: Any) -> None:
    rows["records"].append(
        {
            **places,
            **_members(record, "time_unix_nano", "observed_time_unix_nano", "severity_number", "severity_text"),
            "body": _value(record.body) if record.HasField("body") else None,
            **_attributes(record),
            **_members(record, "flags", "trace_id", "span_id", "event_name"),
        }
    )


def _add_metric(rows: Rows, places: dict[str, int], metric: Any) -> None:
    kind = metric.WhichOneof("data")
    data = getattr(metric, kind) if kind else None
    places = {**places, "metric": len(rows["metrics"])}
    rows["metrics"].append(
        {
            **_members(metric, "name", "description", "unit"),
            "type": kind or "",
            "aggregation_temporality": getattr(data, "aggregation_temporality", 0),
            "is_monotonic": getattr(data, "is_monotonic", False),
            "metadata": _pairs(metric.metadata),
        }
    )
    for point in data.data_points if kind else ():
        rows["points"].append({**dict.fromkeys(POINTS.names), **places, **_point(point)})


def _point(point: Any) -> dict[str, Any]:
    names = {field.name: field for field in point.DESCRIPTOR.fields}
    own: dict[str, Any] = {"exemplars": []}
    for name, field in names.items():
        if name == "attributes":
            own[name] = _pairs(point.attributes)
        elif name == "exemplars":
            own[name] = [_exemplar(one) for one in point.exemplars]
        elif name in ("positive", "negative"):
            buckets = getattr(point, name)
            if point.HasField(name):
                own[f"{name}_offset"], own[f"{name}_bucket_counts"] = buckets.offset, list(buckets.bucket_counts)
        elif name == "quantile_values":
            own[name] = [_comparable(_members(one, "quantile", "value")) for one in point.quantile_values]
        elif field.has_presence:
            own[name] = _comparable(getattr(point, name)) if point.HasField(name) else None
        else:
            found = getattr(point, name)
            own[name] = _comparable(list(found) if name in ("bucket_counts", "explicit_bounds") else found)
    return own


def _exemplar(exemplar: Any) -> dict[str, Any]:
    value = exemplar.WhichOneof("value")
    return {
        "filtered_attributes": _pairs(exemplar.filtered_attributes),
        "time_unix_nano": exemplar.time_unix_nano,
        "as_double": _comparable(exemplar.as_double) if value == "as_double" else None,
        "as_int": exemplar.as_int if value == "as_int" else None,
        **_members(exemplar, "span_id", "trace_id"),
    }


_ADD = {Signal.TRACES: _add_span, Signal.METRICS: _add_metric, Signal.LOGS: _add_record}


def _span(span: Any) -> dict[str, Any]:
    events = [{"time_unix_nano": e.time_unix_nano, "name": e.name, **_attributes(e)} for e in span.events]
    links = [
        {**_members(link, "trace_id", "span_id", "trace_state"), **_attributes(link), "flags": link.flags}
        for link in span.links
    ]
    return {
        **_members(span, "trace_id", "span_id", "trace_state", "parent_span_id", "flags", "name", "kind"),
        **_members(span, "start_time_unix_nano", "end_time_unix_nano"),
        **_attributes(span),
        "events": events,
        "dropped_events_count": span.dropped_events_count,
        "links": links,
        "dropped_links_count": span.dropped_links_count,
        "status_code": span.status.code,
        "status_message": span.status.message,
    }


def _members(message: Any, *names: str) -> dict[str, Any]:
    return {name: getattr(message, name) for name in names}


def _attributes(holder: Any) -> dict[str, Any]:
    return {
        "attributes": _pairs(holder.attributes),
        "dropped_attributes_count": holder.dropped_attributes_count,
    }


def _pairs(pairs: Any) -> list[dict[str, Any]]:
    return [{"key": pair.key, "value": _value(pair.value) if pair.HasField("value") else None} for pair in pairs]


def _value(value: AnyValue) -> dict[str, Any]:
    result: dict[str, Any] = dict.fromkeys(_MEMBERS)
    member = value.WhichOneof("value")
    if member in _NESTED:
        result[member] = _canonical(getattr(value, member))
    elif member == "double_value":
        result[member] = _comparable(value.double_value)
    elif member in _MEMBERS:
        result[member] = getattr(value, member)
    return result
