"""From the bytes of an OTLP request to columns, without a Python object per span.

    bytes ──ptars──> nested Arrow ──> spans, resources, scopes (`collector.schema`)

The result is what protobuf's own parser gives. Where ptars would give another value, or refuses what protobuf
accepts, the request is read again after protobuf has put it in canonical form.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.batch import Batch, Signal, content_id
from collector.errors import Permanent
from collector.otlp import keyvalues, wire
from collector.otlp.nested import Place, check_attributes, check_entity_refs
from collector.schema import ANY_VALUE, ATTRIBUTE, EVENT, LINK, RESOURCES, SCOPES, SPANS

_LIST_OF = {kind: pa.list_(pa.field("item", kind, nullable=False)) for kind in (ATTRIBUTE, EVENT, LINK)}
_NONE_OF = {kind: pa.array([], kind) for kind in _LIST_OF}
_LARGE = range(384 * 1024, 2 * 1024**2)
"""Bytes of requests that are worth the fixed cost of `collector.otlp.keyvalues`. It copies every text once more, which
costs more than it saves when texts are long, as in most requests that are larger still."""

_REMEMBERED_ROWS = 16
_REMEMBERED_BYTES = 4096
"""Resources (or scopes) of one request that are remembered for the next, if there are no more of them."""

_HUGE_LENGTH = b"\xff" * 8 + b"\x01"
"""Ends a length so near 2^64 that adding the position overflows in ptars (and an int between -63 and -1)."""


def decode(signal: Signal, *requests: bytes) -> Batch:
    """Return the batch that the protobuf bytes of export requests hold; raise Permanent when any is malformed.

    Unknown fields are ignored. A request without spans gives a batch of 0 rows. Several requests at once cost less
    than one by one; the batch then knows the id of each.
    """
    if signal is not Signal.TRACES:
        raise Permanent(f"{signal}: this signal is not supported yet; send traces")
    ids = tuple(content_id(signal.encode(), data) for data in requests)
    if len(ids) == 1:
        return Batch(ids[0], signal, _read(requests))
    return Batch(content_id("".join(ids).encode()), signal, _read(requests), ids)


def _read(requests: Sequence[bytes]) -> dict[str, pa.RecordBatch]:
    try:
        return _tables([_canonical(data) if _may_overflow(data) else data for data in requests])
    except ValueError as problem:
        return _tables([_canonical(data, str(problem)) for data in requests])


def _may_overflow(data: bytes) -> bool:
    """Tell whether `_HUGE_LENGTH` occurs; its first 8 bytes always cover one aligned word of ones."""
    words = np.frombuffer(data, np.uint32, count=len(data) // 4)
    return bool(words.max(initial=0) == 0xFFFFFFFF) and _HUGE_LENGTH in data


def _canonical(data: bytes, reason: str = "") -> bytes:
    """Return the request as protobuf itself understands and writes it; *reason* is what is already held against it."""
    try:
        return ExportTraceServiceRequest.FromString(data).SerializeToString()
    except DecodeError as problem:
        text = f"not a valid ExportTraceServiceRequest: {reason or problem}; send OTLP protobuf"
        raise Permanent(text) from problem


def _tables(requests: list[bytes]) -> dict[str, pa.RecordBatch]:
    large = sum(map(len, requests)) in _LARGE
    reader = wire.LARGE_READER if large else wire.READERS["ExportTraceServiceRequest"]
    read = reader.list_to_record_batch(requests)
    resource_spans = read.column("resource_spans").values
    scope_spans = resource_spans.field("scope_spans").values
    spans = scope_spans.field("spans").values
    scope = _parents(scope_spans.field("spans"))
    resource = _parents(resource_spans.field("scope_spans"))[scope]
    status = spans.field("status")
    own = {
        "resource": pa.array(resource),
        "scope": pa.array(scope),
        "attributes": _attributes(spans.field("attributes"), Place.SPAN),
        "events": _children(spans.field("events"), "Event", EVENT, Place.EVENT),
        "links": _children(spans.field("links"), "Link", LINK, Place.LINK),
        "status_code": status.field("code"),
        "status_message": status.field("message"),
    }
    columns = [own[name] if name in own else spans.field(name) for name in SPANS.names]
    return {
        "spans": pa.RecordBatch.from_arrays(columns, schema=SPANS),
        "resources": _owners(resource_spans, "resource", "Resource", RESOURCES),
        "scopes": _owners(scope_spans, "scope", "InstrumentationScope", SCOPES),
    }


def _parents(lists: pa.ListArray) -> npt.NDArray[np.int32]:
    """Return for each item of the lists the row number of its list."""
    return np.repeat(np.arange(len(lists), dtype=np.int32), np.diff(lists.offsets))


def _children(lists: pa.ListArray, message: str, kind: pa.StructType, place: Place) -> pa.ListArray:
    """Return lists of encoded events or links as lists of *kind*."""
    items = _NONE_OF[kind]
    if len(lists.values):
        read = wire.READERS[message].array_to_record_batch(lists.values)
        columns = dict(zip(read.schema.names, read.columns, strict=True))
        columns["attributes"] = _attributes(columns["attributes"], place)
        items = pa.StructArray.from_arrays([columns[member.name] for member in kind], fields=list(kind))
    return pa.Array.from_buffers(_LIST_OF[kind], len(lists), lists.buffers()[:2], children=[items])


def _owners(holders: pa.StructArray, member: str, message: str, schema: pa.Schema) -> pa.RecordBatch:
    """Return the resources of ResourceSpans or the scopes of ScopeSpans, a row for each of the *holders*."""
    encoded = _joined(holders.field(member), nullable=False)
    if len(encoded) <= _REMEMBERED_ROWS and encoded.nbytes <= _REMEMBERED_BYTES:
        columns = _remembered_columns(message, tuple(encoded.to_pylist()))
    else:
        columns = _owner_columns(message, encoded)
    columns = {**columns, "schema_url": holders.field("schema_url")}
    return pa.RecordBatch.from_arrays([columns[name] for name in schema.names], schema=schema)


@lru_cache(maxsize=128)
def _remembered_columns(message: str, encoded: tuple[bytes, ...]) -> Mapping[str, pa.Array]:
    """Save the reading of what a client repeats in every request."""
    return _owner_columns(message, pa.array(encoded, pa.binary()))


def _owner_columns(message: str, encoded: pa.BinaryArray) -> Mapping[str, pa.Array]:
    read = wire.READERS[message].array_to_record_batch(encoded)
    columns = dict(zip(read.schema.names, read.columns, strict=True))
    if message == "Resource":
        check_entity_refs(columns["entity_refs"])
    place = Place.RESOURCE if message == "Resource" else Place.SCOPE
    return {**columns, "attributes": _attributes(columns["attributes"], place)}


def _attributes(lists: pa.ListArray, place: Place) -> pa.ListArray:
    """Return lists of attributes as `collector.schema.ATTRIBUTE`, checked to be what protobuf would accept."""
    items = _NONE_OF[ATTRIBUTE]
    if len(lists.values):
        keys, values = _pairs(lists.values)
        check_attributes(values, place)
        items = pa.Array.from_buffers(ATTRIBUTE, len(keys), [None], children=[keys, values])
    return pa.Array.from_buffers(_LIST_OF[ATTRIBUTE], len(lists), lists.buffers()[:2], children=[items])


def _pairs(attributes: pa.BinaryArray | pa.StructArray) -> tuple[pa.StringArray, pa.StructArray]:
    """Return keys and values of KeyValue messages, encoded or as ptars reads them."""
    if pa.types.is_binary(attributes.type):
        found = keyvalues.read(attributes)
        if found is not None:
            return found
        keys, source = wire.READERS["KeyValue"].array_to_record_batch(attributes).columns
    else:
        keys, source = attributes.flatten()
    members = [source.field(member.name) for member in ANY_VALUE]
    members = [_joined(member) if pa.types.is_list(member.type) else member for member in members]
    return keys, pa.Array.from_buffers(ANY_VALUE, len(source), source.buffers()[:1], children=members)


def _joined(pieces: pa.ListArray, *, nullable: bool = True) -> pa.BinaryArray:
    """Return the pieces of each list as one, null where there are none; the bytes are not copied."""
    if nullable and len(pieces.values) == 0:
        return pa.nulls(len(pieces), pa.binary())
    starts = np.asarray(pieces.offsets)
    present = pa.py_buffer(np.packbits(np.diff(starts) > 0, bitorder="little")) if nullable else None
    _, offsets, content = pieces.values.buffers()
    ends = pa.py_buffer(np.frombuffer(offsets, np.int32)[starts])
    return pa.Array.from_buffers(pa.binary(), len(pieces), [present, ends, content])
