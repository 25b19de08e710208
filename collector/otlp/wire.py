"""The messages of OTLP as ptars reads and writes them: same bytes on the wire, flat enough for columns.

They are OpenTelemetry's messages with the same field numbers, except that recursion stops: ``array_value``,
``kvlist_value`` and ``entity_refs`` are undecoded bytes, and enums are int32.

When reading, a message that is often absent or always the same (an event, an exemplar, a resource, one of the types
of a metric) is left as bytes too, to be read by a handler of its own when there is one: a handler's fixed cost grows
with its fields. A singular message left as bytes is declared repeated, so that one sent in several pieces, which
protobuf would merge, is noticed.
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
    "sfixed64": FieldDescriptorProto.TYPE_SFIXED64,
    "sint32": FieldDescriptorProto.TYPE_SINT32,
    "string": FieldDescriptorProto.TYPE_STRING,
    "uint32": FieldDescriptorProto.TYPE_UINT32,
    "uint64": FieldDescriptorProto.TYPE_UINT64,
}

Fields = Mapping[str, tuple[int, str]]
"""Field name -> (number, type); ``*`` before a type means repeated, ``?`` that absent is not the same as zero."""

_NUMBER_POINT: Fields = {
    "attributes": (7, "*KeyValue"),
    "start_time_unix_nano": (2, "fixed64"),
    "time_unix_nano": (3, "fixed64"),
    "as_double": (4, "?double"),
    "as_int": (6, "?sfixed64"),
    "exemplars": (5, "*Exemplar"),
    "flags": (8, "uint32"),
}
_HISTOGRAM_POINT: Fields = {
    "attributes": (9, "*KeyValue"),
    "start_time_unix_nano": (2, "fixed64"),
    "time_unix_nano": (3, "fixed64"),
    "count": (4, "fixed64"),
    "sum": (5, "?double"),
    "bucket_counts": (6, "*fixed64"),
    "explicit_bounds": (7, "*double"),
    "exemplars": (8, "*Exemplar"),
    "flags": (10, "uint32"),
    "min": (11, "?double"),
    "max": (12, "?double"),
}
_EXPONENTIAL_HISTOGRAM_POINT: Fields = {
    "attributes": (1, "*KeyValue"),
    "start_time_unix_nano": (2, "fixed64"),
    "time_unix_nano": (3, "fixed64"),
    "count": (4, "fixed64"),
    "sum": (5, "?double"),
    "scale": (6, "sint32"),
    "zero_count": (7, "fixed64"),
    "positive": (8, "Buckets"),
    "negative": (9, "Buckets"),
    "flags": (10, "uint32"),
    "exemplars": (11, "*Exemplar"),
    "min": (12, "?double"),
    "max": (13, "?double"),
    "zero_threshold": (14, "double"),
}
_SUMMARY_POINT: Fields = {
    "attributes": (7, "*KeyValue"),
    "start_time_unix_nano": (2, "fixed64"),
    "time_unix_nano": (3, "fixed64"),
    "count": (4, "fixed64"),
    "sum": (5, "double"),
    "quantile_values": (6, "*ValueAtQuantile"),
    "flags": (8, "uint32"),
}


def _around(plural: str, items: str, item: str, service: str) -> Mapping[str, Fields]:
    """Return the messages around the items of a signal: they differ in nothing but these names."""
    by_scope, by_resource = f"scope_{plural.lower()}", f"resource_{plural.lower()}"
    return {
        f"Scope{plural}": {
            "scope": (1, "InstrumentationScope"),
            items: (2, f"*{item}"),
            "schema_url": (3, "string"),
        },
        f"Resource{plural}": {
            "resource": (1, "Resource"),
            by_scope: (2, f"*Scope{plural}"),
            "schema_url": (3, "string"),
        },
        f"Export{service}ServiceRequest": {by_resource: (1, f"*Resource{plural}")},
    }


FIELDS: Mapping[str, Fields] = MappingProxyType(
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
        "Exemplar": {
            "filtered_attributes": (7, "*KeyValue"),
            "time_unix_nano": (2, "fixed64"),
            "as_double": (3, "?double"),
            "as_int": (6, "?sfixed64"),
            "span_id": (4, "bytes"),
            "trace_id": (5, "bytes"),
        },
        "Buckets": {"offset": (1, "sint32"), "bucket_counts": (2, "*uint64")},
        "ValueAtQuantile": {"quantile": (1, "double"), "value": (2, "double")},
        "NumberDataPoint": _NUMBER_POINT,
        "HistogramDataPoint": _HISTOGRAM_POINT,
        "ExponentialHistogramDataPoint": _EXPONENTIAL_HISTOGRAM_POINT,
        "SummaryDataPoint": _SUMMARY_POINT,
        "Gauge": {"data_points": (1, "*NumberDataPoint")},
        "Sum": {
            "data_points": (1, "*NumberDataPoint"),
            "aggregation_temporality": (2, "int32"),
            "is_monotonic": (3, "bool"),
        },
        "Histogram": {"data_points": (1, "*HistogramDataPoint"), "aggregation_temporality": (2, "int32")},
        "ExponentialHistogram": {
            "data_points": (1, "*ExponentialHistogramDataPoint"),
            "aggregation_temporality": (2, "int32"),
        },
        "Summary": {"data_points": (1, "*SummaryDataPoint")},
        "Metric": {
            "name": (1, "string"),
            "description": (2, "string"),
            "unit": (3, "string"),
            "gauge": (5, "Gauge"),
            "sum": (7, "Sum"),
            "histogram": (9, "Histogram"),
            "exponential_histogram": (10, "ExponentialHistogram"),
            "summary": (11, "Summary"),
            "metadata": (12, "*KeyValue"),
        },
        "LogRecord": {
            "time_unix_nano": (1, "fixed64"),
            "observed_time_unix_nano": (11, "fixed64"),
            "severity_number": (2, "int32"),
            "severity_text": (3, "string"),
            "body": (5, "AnyValue"),
            "attributes": (6, "*KeyValue"),
            "dropped_attributes_count": (7, "uint32"),
            "flags": (8, "fixed32"),
            "trace_id": (9, "bytes"),
            "span_id": (10, "bytes"),
            "event_name": (12, "string"),
        },
        **_around("Spans", "spans", "Span", "Trace"),
        **_around("Metrics", "metrics", "Metric", "Metrics"),
        **_around("Logs", "log_records", "LogRecord", "Logs"),
    }
)
"""The messages by name."""


def _add_field(message: DescriptorProto, package: str, name: str, number: int, kind: str) -> None:
    repeated, present_or_not, kind = kind.startswith("*"), kind.startswith("?"), kind.lstrip("*?")
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
    if present_or_not:
        field.oneof_index = len(message.oneof_decl)
        message.oneof_decl.add(name=f"_{name}")


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


HUGE_LENGTH = b"\xff" * 8 + b"\x01"
"""Ends a length so near 2^64 that adding the position overflows in ptars (and an int between -63 and -1)."""

_UNREAD: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "AnyValue": ("array_value", "kvlist_value"),
        "Span": ("events", "links"),
        "NumberDataPoint": ("exemplars",),
        "HistogramDataPoint": ("exemplars",),
        "ExponentialHistogramDataPoint": ("exemplars",),
        "Metric": ("gauge", "sum", "histogram", "exponential_histogram", "summary", "metadata"),
        **{f"Scope{plural}": ("scope",) for plural in ("Spans", "Metrics", "Logs")},
        **{f"Resource{plural}": ("resource",) for plural in ("Spans", "Metrics", "Logs")},
    }
)
"""Message -> the fields that stay bytes when it is read as part of another one."""

_MANY = ("Span", "LogRecord", "NumberDataPoint", "HistogramDataPoint", "ExponentialHistogramDataPoint")
"""The messages whose attributes are most of a large request."""


def _reading(*also_unread: tuple[str, str]) -> Mapping[str, Fields]:
    unread = [(message, name) for message, names in _UNREAD.items() for name in names]
    changed = {message: dict(fields) for message, fields in FIELDS.items()}
    for message, name in (*unread, *also_unread):
        changed[message][name] = (changed[message][name][0], "*bytes")
    return changed


READERS = _handlers("otlp_read", _reading())
"""Message -> what turns the bytes of many such messages into a record batch with a row for each."""

LARGE_READERS = _handlers("otlp_read_large", _reading(*((message, "attributes") for message in _MANY)))
"""Read as READERS do, but leave the attributes of items as bytes, for `collector.otlp.keyvalues`."""

PACKED_READER = _handlers(
    "otlp_packed",
    {
        "Histogram": {"data_points": (1, "*HistogramDataPoint")},
        "HistogramDataPoint": {
            name: (number, "*bytes")
            for name, (number, _) in FIELDS["HistogramDataPoint"].items()
            if name in ("bucket_counts", "explicit_bounds")
        },
    },
)["Histogram"]
"""Reads histograms' packed numbers as bytes: of numbers that are cut short, READERS drop the rest without a word."""


_UNUSED = 1000
"""The number of a field that no message has."""


_LISTED = {"*fixed64": "*fixed64", "*double": "*double", "*uint64": "*bool"}
"""How packed numbers are read to count them: those of varying length as what takes the least memory."""


def _counting(*ends: str) -> Mapping[str, Fields]:
    """Return the messages with nothing but other messages and lists of numbers in them, and nothing in *ends*.

    All are repeated, so that each piece counts of one that is sent in several.
    """
    nothing = {"nothing": (_UNUSED, "bool")}
    found: dict[str, Fields] = {"Element": nothing}
    for message, fields in FIELDS.items():
        inner = {}
        for name, (number, kind) in fields.items():
            if kind.lstrip("*") in FIELDS or kind == "*bytes":
                element = kind.lstrip("*") in {*ends, "bytes"}
                inner[name] = (number, "*Element" if element else f"*{kind.lstrip('*')}")
            elif kind in _LISTED:
                inner[name] = (number, _LISTED[kind])
        found[message] = inner or nothing
    return found


COUNTERS = _handlers(
    "otlp_count",
    {
        **_counting("KeyValue", "AnyValue"),
        "Resource": {"attributes": (1, "*Element"), "entity_refs": (3, "*EntityRef")},
        "EntityRef": {"id_keys": (3, "*bytes"), "description_keys": (4, "*bytes")},
    },
)
"""Message -> what finds the messages, numbers and names in it, without reading what they say."""

VALUE_COUNTERS = _handlers(
    "otlp_count_values",
    {
        **_counting(),
        "AnyValue": {"array_value": (5, "*bytes"), "kvlist_value": (6, "*bytes")},
        "array_value": {"values": (1, "*AnyValue")},
        "kvlist_value": {"values": (1, "*KeyValue")},
    },
)
"""The same, with the bytes of arrays and of lists of pairs, which are read under the name of their member."""

ITEM_COUNTERS = _handlers(
    "otlp_count_items",
    _counting("KeyValue", "AnyValue", "Resource", "InstrumentationScope", "Span", "Metric", "LogRecord"),
)
"""The same, without those in items."""


def _writing() -> Mapping[str, Fields]:
    """Return the messages with doubles that are written even when they are zero: ptars takes -0.0 for one."""
    return {
        message: {name: (number, "?double" if kind == "double" else kind) for name, (number, kind) in fields.items()}
        for message, fields in FIELDS.items()
    }


WRITERS = _handlers("otlp_write", _writing())
"""Message -> what turns a record batch with a row per message into an array of their bytes."""
