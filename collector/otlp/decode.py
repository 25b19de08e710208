"""From the bytes of an OTLP request to columns, without a Python object per span.

    bytes ──ptars──> nested Arrow ──> spans, resources, scopes (`collector.schema`)

The result is what protobuf's own parser gives. ptars differs from it in a few inputs that no encoder writes; those
that would change a value are found here and read again after protobuf has put them in canonical form.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.batch import Batch, Signal, content_id
from collector.errors import Permanent
from collector.otlp import wire
from collector.schema import RESOURCES, SCOPES, SPANS

Tables = dict[str, pa.RecordBatch]

_HUGE_LENGTH = b"\xff" * 8 + b"\x01"
"""Ends every length so near 2^64 that position + length overflows in ptars (and every int of -1 to -63)."""

_SPAN_PATH = (2, 2, 1)
_ATTRIBUTE_PLACES: Mapping[str, tuple[int, ...]] = {
    "spans": (9, *_SPAN_PATH),
    "events": (3, 11, *_SPAN_PATH),
    "links": (4, 13, *_SPAN_PATH),
    "scopes": (3, 1, 2, 1),
    "resources": (1, 1, 1),
}
"""Field numbers from a KeyValue outwards to the request."""
_ENTITY_REFS_PATH = (3, 1, 1)


def decode(signal: Signal, data: bytes) -> Batch:
    """Return the batch that the protobuf bytes of an export request hold; raise Permanent when they are malformed.

    Unknown fields are ignored. A request without spans gives a batch of 0 rows.
    """
    if signal is not Signal.TRACES:
        raise Permanent(f"{signal}: this signal is not supported yet; send traces")
    tables = _read(data)
    return Batch(content_id(signal.encode(), data), signal, tables)


def _read(data: bytes) -> Tables:
    if _HUGE_LENGTH in data:
        data = _canonical(data)
    try:
        tables = _tables(wire.READER.list_to_record_batch([data]))
    except ValueError as problem:
        tables = _tables(wire.READER.list_to_record_batch([_canonical(data, str(problem))]))
    if any(_has_rivals(lists.values.field("value")) for lists in _attribute_lists(tables).values()):
        tables = _tables(wire.READER.list_to_record_batch([_canonical(data)]))
    _check_nested(tables)
    return tables


def _canonical(data: bytes, reason: str = "") -> bytes:
    """Return the request as protobuf itself understands and writes it; *reason* is what ptars says against it."""
    try:
        return ExportTraceServiceRequest.FromString(data).SerializeToString()
    except DecodeError as problem:
        raise _malformed(reason or str(problem)) from problem


def _malformed(reason: str) -> Permanent:
    return Permanent(f"not a valid ExportTraceServiceRequest: {reason}; send OTLP protobuf")


def _tables(requests: pa.RecordBatch) -> Tables:
    resource_spans = requests.column("resource_spans").values
    scope_spans = resource_spans.field("scope_spans").values
    spans = scope_spans.field("spans").values
    scope = _parents(scope_spans.field("spans"))
    resource = _parents(resource_spans.field("scope_spans"))[scope]
    status = spans.field("status")
    return {
        "spans": _table(
            SPANS,
            [spans],
            resource=pa.array(resource),
            scope=pa.array(scope),
            status_code=status.field("code"),
            status_message=status.field("message"),
        ),
        "resources": _table(RESOURCES, [resource_spans.field("resource"), resource_spans]),
        "scopes": _table(SCOPES, [scope_spans.field("scope"), scope_spans]),
    }


def _parents(lists: pa.ListArray) -> npt.NDArray[np.int32]:
    """Return for each item of the lists the row number of its list."""
    return np.repeat(np.arange(len(lists), dtype=np.int32), np.diff(lists.offsets))


def _table(schema: pa.Schema, sources: Sequence[pa.StructArray], **columns: pa.Array) -> pa.RecordBatch:
    """Return the columns of *schema*: those given, the others from the first source that has a member of that name."""
    members = {member.name: source for source in reversed(sources) for member in source.type}
    arrays = [
        columns[field.name] if field.name in columns else _shaped(members[field.name].field(field.name), field.type)
        for field in schema
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _shaped(array: pa.Array, kind: pa.DataType) -> pa.Array:
    """Return *array* as *kind*, which differs only in the order of members and in the pieces of nested values."""
    if array.type == kind:
        return array
    if len(array) == 0:
        return pa.array([], kind)
    if pa.types.is_struct(kind):
        children = [_shaped(array.field(member.name), member.type) for member in kind]
        return pa.Array.from_buffers(kind, len(array), array.buffers()[:1], children=children)
    if pa.types.is_list(kind):
        items = _shaped(array.values, kind.value_type)
        return pa.Array.from_buffers(kind, len(array), array.buffers()[:2], children=[items])
    return _joined(array)


def _joined(pieces: pa.ListArray) -> pa.BinaryArray:
    """Return the concatenation of each list of bytes, null where the list is empty; the bytes are not copied."""
    if len(pieces.values) == 0:
        return pa.nulls(len(pieces), pa.binary())
    starts = np.asarray(pieces.offsets)
    _, offsets, content = pieces.values.buffers()
    ends = np.frombuffer(offsets, np.int32)[starts]
    present = np.packbits(np.diff(starts) > 0, bitorder="little")
    return pa.Array.from_buffers(pa.binary(), len(pieces), [pa.py_buffer(present), pa.py_buffer(ends), content])


def _attribute_lists(tables: Tables) -> dict[str, pa.ListArray]:
    """Return every column of attributes by the name of what it belongs to."""
    spans = tables["spans"]
    return {
        "spans": spans.column("attributes"),
        "events": spans.column("events").values.field("attributes"),
        "links": spans.column("links").values.field("attributes"),
        "scopes": tables["scopes"].column("attributes"),
        "resources": tables["resources"].column("attributes"),
    }


def _has_rivals(values: pa.StructArray) -> bool:
    """Tell whether any value has two members set: the last one sent counts, and the columns cannot say which."""
    size = (len(values) + 7) // 8
    seen = np.zeros(size, np.uint8)
    for number in range(values.type.num_fields):
        member = values.field(number)
        if member.null_count < len(member):
            validity = member.buffers()[0]
            bits = np.full(size, 0xFF, np.uint8) if validity is None else np.frombuffer(validity, np.uint8)[:size]
            if (seen & bits).any():
                return True
            seen |= bits
    return False


def _check_nested(tables: Tables) -> None:
    """Raise Permanent when bytes that stay undecoded would not parse at the depth at which they stand."""
    for place, lists in _attribute_lists(tables).items():
        values = lists.values.field("value")
        pieces = [
            _field(2, _field(number, nested))
            for name in ("array_value", "kvlist_value")
            for number in wire.ANY_VALUE[name][:1]
            for nested in _distinct(values.field(name))
        ]
        _parse(pieces, _ATTRIBUTE_PLACES[place], f"an array or a list of pairs in the attributes of {place}")
    entity_refs = tables["resources"].column("entity_refs").values
    _parse(_distinct(entity_refs), _ENTITY_REFS_PATH, "an entity reference of resources")


def _distinct(column: pa.BinaryArray) -> Iterator[bytes]:
    if column.null_count < len(column):
        yield from (value for value in pc.unique(column).to_pylist() if value is not None)


def _parse(pieces: Iterable[bytes], path: Sequence[int], what: str) -> None:
    """Parse all *pieces* as one request that holds them at *path* (field numbers from inside outwards)."""
    request = b"".join(_field(path[0], piece) for piece in pieces)
    if not request:
        return
    for number in path[1:]:
        request = _field(number, request)
    try:
        ExportTraceServiceRequest.FromString(request)
    except DecodeError as problem:
        raise _malformed(f"{what} is malformed or nested too deep") from problem


def _field(number: int, content: bytes) -> bytes:
    """Return a length-delimited protobuf field whose number is below 16."""
    prefix = bytearray((number << 3 | 2,))
    size = len(content)
    while size > 0x7F:
        prefix.append(size & 0x7F | 0x80)
        size >>= 7
    prefix.append(size)
    return bytes(prefix) + content
