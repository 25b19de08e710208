"""What protobuf's own parser finds in a request, in the form of a batch's rows: the oracle of the decoder."""

import struct
from typing import Any

from google.protobuf.message import Message
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, EntityRef, KeyValueList

from collector.batch import Batch

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
    return cell


def _comparable_value(value: dict[str, Any]) -> dict[str, Any]:
    result = dict(value)
    for name, kind in _NESTED.items():
        if value[name] is not None:
            result[name] = _canonical(kind.FromString(value[name]))
    if value["double_value"] is not None:
        result["double_value"] = struct.pack("<d", value["double_value"])
    return result


def _canonical(message: Message) -> bytes:
    return message.SerializeToString(deterministic=True)


def rows_by_protobuf(data: bytes) -> Rows:
    """Return the rows that a request should give; raise protobuf's DecodeError when it refuses the bytes."""
    request = ExportTraceServiceRequest.FromString(data)
    rows: Rows = {"spans": [], "resources": [], "scopes": []}
    for resource_spans in request.resource_spans:
        resource = resource_spans.resource
        for scope_spans in resource_spans.scope_spans:
            for span in scope_spans.spans:
                places = {"resource": len(rows["resources"]), "scope": len(rows["scopes"])}
                rows["spans"].append({**places, **_span(span)})
            scope = scope_spans.scope
            named = {"name": scope.name, "version": scope.version}
            rows["scopes"].append({**named, **_attributes(scope), "schema_url": scope_spans.schema_url})
        refs = [_canonical(reference) for reference in resource.entity_refs]
        rows["resources"].append(
            {**_attributes(resource), "entity_refs": refs, "schema_url": resource_spans.schema_url}
        )
    return rows


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
    attributes = [
        {"key": pair.key, "value": _value(pair.value) if pair.HasField("value") else None} for pair in holder.attributes
    ]
    return {"attributes": attributes, "dropped_attributes_count": holder.dropped_attributes_count}


def _value(value: AnyValue) -> dict[str, Any]:
    result: dict[str, Any] = dict.fromkeys(_MEMBERS)
    member = value.WhichOneof("value")
    if member in _NESTED:
        result[member] = _canonical(getattr(value, member))
    elif member == "double_value":
        result[member] = struct.pack("<d", value.double_value)
    elif member in _MEMBERS:
        result[member] = getattr(value, member)
    return result
