"""The OTLP trace messages as ptars reads and writes them: same bytes on the wire, flat enough for columns.

They are OpenTelemetry's messages with the same field numbers, except that recursion stops: ``array_value``,
``kvlist_value`` and ``entity_refs`` are undecoded bytes, and enums are int32.

When reading, a message that is often absent or always the same (an event, a link, a resource, a scope) is left as
bytes too, to be read by a handler of its own when there is one: a handler's fixed cost grows with its fields.
A singular message left as bytes is declared repeated, so that one sent in several pieces can be joined
as protobuf merges it: its pieces one after the other.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import ptars
from google.protobuf import descriptor_pool
from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto

_SCALARS = {
    "bool": FieldDescriptorProto.TYPE_BOOL,
    "bytes": FieldDescriptorProto.TYPE_BYTES,
    "double": FieldDescriptorProto.TYPE_DOUBLE,
    "fixed32": FieldDescriptorProto.TYPE_FIXED32,
    "fixed64": FieldDescriptorProto.TYPE_FIXED64,
    "int32": FieldDescriptorProto.TYPE_INT32,
    "int64": FieldDescriptorProto.TYPE_INT64,
    "string": FieldDescriptorProto.TYPE_STRING,
    "uint32": FieldDescriptorProto.TYPE_UINT32,
}

Fields = Mapping[str, tuple[int, str]]
"""Field name -> (number, type); ``*`` before a type means repeated, ``?`` a member of the message's oneof."""

_MESSAGES: Mapping[str, Fields] = MappingProxyType(
    {
        "AnyValue": {
            "string_value": (1, "?string"),
            "bool_value": (2, "?bool"),
            "int_value": (3, "?int64"),
            "double_value": (4, "?double"),
            "array_value": (5, "?bytes"),
            "kvlist_value": (6, "?bytes"),
            "bytes_value": (7, "?bytes"),
        },
        "KeyValue": {"key": (1, "string"), "value": (2, "AnyValue")},
        "Resource": {
            "attributes": (1, "*KeyValue"),
            "dropped_attributes_count": (2, "uint32"),
            "entity_refs": (3, "*bytes"),
        },
        "InstrumentationScope": {
            "name": (1, "string"),
            "version": (2, "string"),
            "attributes": (3, "*KeyValue"),
            "dropped_attributes_count": (4, "uint32"),
        },
        "Event": {
            "time_unix_nano": (1, "fixed64"),
            "name": (2, "string"),
            "attributes": (3, "*KeyValue"),
            "dropped_attributes_count": (4, "uint32"),
        },
        "Link": {
            "trace_id": (1, "bytes"),
            "span_id": (2, "bytes"),
            "trace_state": (3, "string"),
            "attributes": (4, "*KeyValue"),
            "dropped_attributes_count": (5, "uint32"),
            "flags": (6, "fixed32"),
        },
        "Status": {"message": (2, "string"), "code": (3, "int32")},
        "Span": {
            "trace_id": (1, "bytes"),
            "span_id": (2, "bytes"),
            "trace_state": (3, "string"),
            "parent_span_id": (4, "bytes"),
            "flags": (16, "fixed32"),
            "name": (5, "string"),
            "kind": (6, "int32"),
            "start_time_unix_nano": (7, "fixed64"),
            "end_time_unix_nano": (8, "fixed64"),
            "attributes": (9, "*KeyValue"),
            "dropped_attributes_count": (10, "uint32"),
            "events": (11, "*Event"),
            "dropped_events_count": (12, "uint32"),
            "links": (13, "*Link"),
            "dropped_links_count": (14, "uint32"),
            "status": (15, "Status"),
        },
        "ScopeSpans": {"scope": (1, "InstrumentationScope"), "spans": (2, "*Span"), "schema_url": (3, "string")},
        "ResourceSpans": {"resource": (1, "Resource"), "scope_spans": (2, "*ScopeSpans"), "schema_url": (3, "string")},
        "ExportTraceServiceRequest": {"resource_spans": (1, "*ResourceSpans")},
    }
)


def _add_field(message: DescriptorProto, package: str, name: str, number: int, kind: str) -> None:
    repeated, alternative, kind = kind.startswith("*"), kind.startswith("?"), kind.lstrip("*?")
    field = message.field.add(
        name=name,
        number=number,
        label=FieldDescriptorProto.LABEL_REPEATED if repeated else FieldDescriptorProto.LABEL_OPTIONAL,
    )
    if kind in _SCALARS:
        field.type = _SCALARS[kind]
    else:
        field.type = FieldDescriptorProto.TYPE_MESSAGE
        field.type_name = f".{package}.{kind}"
    if alternative:
        if not message.oneof_decl:
            message.oneof_decl.add(name="value")
        field.oneof_index = 0


def _handlers(package: str, messages: Mapping[str, Fields]) -> Mapping[str, Any]:
    """Return the ptars handlers of *messages* by name."""
    file = FileDescriptorProto(name=f"{package}.proto", package=package, syntax="proto3")
    for message_name, fields in messages.items():
        message = file.message_type.add(name=message_name)
        for name, (number, kind) in fields.items():
            _add_field(message, package, name, number, kind)
    descriptors = descriptor_pool.DescriptorPool()
    descriptors.Add(file)
    found = {name: descriptors.FindMessageTypeByName(f"{package}.{name}") for name in messages}
    handlers = ptars.HandlerPool([descriptor.file for descriptor in found.values()])
    return {name: handlers.get_for_message(descriptor) for name, descriptor in found.items()}


_UNREAD: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "AnyValue": ("array_value", "kvlist_value"),
        "Span": ("events", "links"),
        "ScopeSpans": ("scope",),
        "ResourceSpans": ("resource",),
    }
)
"""Message -> the fields that stay bytes when it is read as part of another one."""


def _reading(*also_unread: tuple[str, str]) -> Mapping[str, Fields]:
    unread = [(message, name) for message, names in _UNREAD.items() for name in names]
    changed = {message: dict(fields) for message, fields in _MESSAGES.items()}
    for message, name in (*unread, *also_unread):
        changed[message][name] = (changed[message][name][0], "*bytes")
    return changed


READERS = _handlers("otlp_read", _reading())
"""Message -> what turns the bytes of many such messages into a record batch with a row for each."""

LARGE_READER = _handlers("otlp_read_large", _reading(("Span", "attributes")))["ExportTraceServiceRequest"]
"""Reads a request as READERS does, but leaves the attributes of spans as bytes, for `collector.otlp.keyvalues`."""

WRITER = _handlers("otlp_write", _MESSAGES)["ExportTraceServiceRequest"]
"""Turns a record batch with a row per request into an array of requests' bytes."""
