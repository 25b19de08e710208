"""From the bytes of an OTLP request to columns, without a Python object per item.

    bytes ──ptars──> nested Arrow ──> spans, points or records; resources, scopes (`collector.schema`)

The result is what protobuf's own parser gives. Where ptars would give another value, or refuses what protobuf
accepts, the request is read again after protobuf has put it in canonical form.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
import pyarrow as pa
from google.protobuf.message import DecodeError

from collector.batch import Batch, Signal, content_id
from collector.errors import Permanent
from collector.otlp import points, records, spans, wire
from collector.otlp.columns import Owners, attributes, fields_of, parents, single
from collector.otlp.nested import Place, check_entity_refs
from collector.otlp.protocol import PROTOCOLS, protocol_of
from collector.schema import RESOURCES, SCOPES

_READ = {Signal.TRACES: spans.read, Signal.METRICS: points.read, Signal.LOGS: records.read}
_LARGE = range(384 * 1024, 6 * 1024**2)
"""Bytes of requests that are worth the fixed cost of `collector.otlp.keyvalues`. It copies every text once more, which
costs more than it saves when texts are long, as in most requests that are larger still."""

_REMEMBERED_ROWS = 16
_REMEMBERED_BYTES = 4096
"""Resources (or scopes) of one request that are remembered for the next, if there are no more of them."""


def decode(signal: Signal, *requests: bytes) -> Batch:
    """Return the batch that the protobuf bytes of export requests hold; raise Permanent when any is malformed.

    Unknown fields are ignored. A request without items gives a batch of 0 rows; metrics
    without points are kept in the table of metrics, which is not written back. Several requests at once cost less
    than one by one; the batch then knows the id of each.
    """
    protocol_of(signal)
    ids = tuple(content_id(signal.encode(), data) for data in requests)
    if len(ids) == 1:
        return Batch(ids[0], signal, _read(signal, requests))
    return Batch(content_id("".join(ids).encode()), signal, _read(signal, requests), ids)


def _read(signal: Signal, requests: Sequence[bytes]) -> dict[str, pa.RecordBatch]:
    try:
        return _tables(signal, [_canonical(signal, data) if _may_overflow(data) else data for data in requests])
    except ValueError as problem:
        return _tables(signal, [_canonical(signal, data, str(problem)) for data in requests])


def _may_overflow(data: bytes) -> bool:
    """Tell whether `wire.HUGE_LENGTH` occurs; its first 8 bytes always cover one aligned word of ones."""
    words = np.frombuffer(data, np.uint32, count=len(data) // 4)
    return bool(words.max(initial=0) == 0xFFFFFFFF) and wire.HUGE_LENGTH in data


def _canonical(signal: Signal, data: bytes, reason: str = "") -> bytes:
    """Return the request as protobuf itself understands and writes it; *reason* is what is already held against it."""
    message = PROTOCOLS[signal].request
    try:
        return message.FromString(data).SerializeToString()
    except DecodeError as problem:
        text = f"not a valid {message.DESCRIPTOR.name}: {reason or problem}; send OTLP protobuf"
        raise Permanent(text) from problem


def _tables(signal: Signal, requests: list[bytes]) -> dict[str, pa.RecordBatch]:
    protocol = PROTOCOLS[signal]
    readers = wire.LARGE_READERS if sum(map(len, requests)) in _LARGE else wire.READERS
    request = readers[protocol.request.DESCRIPTOR.name].list_to_record_batch(requests)
    by_resource = request.column(protocol.resources).values
    by_scope = by_resource.field(protocol.scopes).values
    items = by_scope.field(protocol.items)
    scope = parents(items)
    resource = parents(by_resource.field(protocol.scopes))[scope]
    return {
        **_READ[signal](items.values, Owners(resource, scope), readers),
        "resources": _owners(by_resource, "resource", "Resource", RESOURCES),
        "scopes": _owners(by_scope, "scope", "InstrumentationScope", SCOPES),
    }


def _owners(holders: pa.StructArray, member: str, message: str, schema: pa.Schema) -> pa.RecordBatch:
    """Return the resources of ResourceSpans or the scopes of ScopeSpans, a row for each of the *holders*."""
    encoded = single(holders.field(member), nullable=False)
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
    columns = fields_of(message, encoded)
    if message == "Resource":
        check_entity_refs(columns["entity_refs"])
    place = Place.RESOURCE if message == "Resource" else Place.SCOPE
    return {**columns, "attributes": attributes(columns["attributes"], place)}
