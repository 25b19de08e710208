"""Checks of what ptars leaves undecided: two members of a oneof at once, and bytes not yet decoded.

A value sent with two members means the last one, and columns have no order to tell which that was.
Arrays, lists of pairs and entity references stay bytes in a batch, so that they must be proved good
before the client hears "accepted": they are parsed once by protobuf, at the depth at which they stand.
"""

from collections.abc import Iterable, Iterator, Sequence
from enum import Enum

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from google.protobuf.message import DecodeError, Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

_MEMBER_NUMBERS = {"array_value": 5, "kvlist_value": 6}
_ATTRIBUTE_VALUE = 2


class Place(Enum):
    """Says where values stand: field numbers from the value outwards to the request.

    Resources and scopes have the same numbers in every signal, and points of every type stand equally deep.
    """

    SPAN = (_ATTRIBUTE_VALUE, 9, 2, 2, 1)
    EVENT = (_ATTRIBUTE_VALUE, 3, 11, 2, 2, 1)
    LINK = (_ATTRIBUTE_VALUE, 4, 13, 2, 2, 1)
    METRIC = (_ATTRIBUTE_VALUE, 12, 2, 2, 1)
    POINT = (_ATTRIBUTE_VALUE, 7, 1, 5, 2, 2, 1)
    EXEMPLAR = (_ATTRIBUTE_VALUE, 7, 5, 1, 5, 2, 2, 1)
    RECORD = (_ATTRIBUTE_VALUE, 6, 2, 2, 1)
    BODY = (5, 2, 2, 1)
    SCOPE = (_ATTRIBUTE_VALUE, 3, 1, 2, 1)
    RESOURCE = (_ATTRIBUTE_VALUE, 1, 1, 1)


_ENTITY_REFS = (3, 1, 1)
_REQUESTS: dict[Place, type[Message]] = {
    **dict.fromkeys((Place.METRIC, Place.POINT, Place.EXEMPLAR), ExportMetricsServiceRequest),
    **dict.fromkeys((Place.RECORD, Place.BODY), ExportLogsServiceRequest),
}
"""What holds a place, where it is not a request with spans."""


def check_values(values: pa.StructArray, place: Place) -> None:
    """Raise ValueError when a value has two members set or holds nested bytes that protobuf refuses."""
    where = "a body" if place is Place.BODY else f"the attributes of a {place.name.lower()}"
    check_rivals([values.field(number) for number in range(values.type.num_fields)], f"a value in {where}")
    pieces = [
        _field(number, nested) for name, number in _MEMBER_NUMBERS.items() for nested in _distinct(values.field(name))
    ]
    _parse(pieces, place.value, _REQUESTS.get(place, ExportTraceServiceRequest), f"a nested value in {where}")


def check_entity_refs(lists: pa.ListArray) -> None:
    """Raise ValueError when protobuf refuses an entity reference of a resource."""
    what = "an entity reference of a resource"
    _parse(_distinct(lists.values), _ENTITY_REFS, ExportTraceServiceRequest, what)


def check_rivals(members: Sequence[pa.Array], what: str) -> None:
    """Raise ValueError when a row has two *members* of a oneof."""
    size = (len(members[0]) + 7) // 8
    seen = np.zeros(size, np.uint8)
    for member in members:
        if member.null_count < len(member):
            validity = member.buffers()[0]
            bits = np.full(size, 0xFF, np.uint8) if validity is None else np.frombuffer(validity, np.uint8)[:size]
            if (seen & bits).any():
                raise ValueError(f"{what} has two members set")
            seen |= bits


def check_packed(numbers: pa.ListArray, pieces: pa.ListArray) -> None:
    """Raise ValueError when numbers of 8 bytes did not all come packed in *pieces* of whole numbers."""
    lengths = np.asarray(pc.binary_length(pieces.values))
    if (lengths % 8).any() or lengths.sum() != 8 * len(numbers.values):
        raise ValueError("a list of numbers is cut short or not packed")


def _distinct(column: pa.BinaryArray) -> Iterator[bytes]:
    if column.null_count < len(column):
        yield from (value for value in column.unique().to_pylist() if value is not None)


def _parse(pieces: Iterable[bytes], path: tuple[int, ...], request: type[Message], what: str) -> None:
    """Parse all *pieces* as one *request* that holds them at *path*."""
    data = b"".join([_field(path[0], piece) for piece in pieces])
    if not data:
        return
    for number in path[1:]:
        data = _field(number, data)
    try:
        request.FromString(data)
    except DecodeError as problem:
        raise ValueError(f"{what} is malformed or nested too deep") from problem


def _field(number: int, content: bytes) -> bytes:
    """Return a length-delimited protobuf field whose number is below 16."""
    prefix = bytearray((number << 3 | 2,))
    size = len(content)
    while size > 0x7F:
        prefix.append(size & 0x7F | 0x80)
        size >>= 7
    prefix.append(size)
    return bytes(prefix) + content
