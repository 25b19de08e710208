"""Checks of what ptars leaves undecided in attribute values: two members at once, and bytes not yet decoded.

A value sent with two members means the last one, and columns have no order to tell which that was.
Arrays, lists of pairs and entity references stay bytes in a batch, so that they must be proved good
before the client hears "accepted": they are parsed once by protobuf, at the depth at which they stand.
"""

from collections.abc import Iterable, Iterator
from enum import Enum

import numpy as np
import pyarrow as pa
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

_MEMBER_NUMBERS = {"array_value": 5, "kvlist_value": 6}
_VALUE_NUMBER = 2


class Place(Enum):
    """Says where a list of attributes stands: field numbers from the list outwards to the request."""

    SPAN = (9, 2, 2, 1)
    EVENT = (3, 11, 2, 2, 1)
    LINK = (4, 13, 2, 2, 1)
    SCOPE = (3, 1, 2, 1)
    RESOURCE = (1, 1, 1)


_ENTITY_REFS = (3, 1, 1)


def check_attributes(values: pa.StructArray, place: Place) -> None:
    """Raise ValueError when a value has two members set or holds nested bytes that protobuf refuses."""
    if _has_rivals(values):
        raise ValueError("an attribute value has two members set")
    pieces = [
        _field(_VALUE_NUMBER, _field(number, nested))
        for name, number in _MEMBER_NUMBERS.items()
        for nested in _distinct(values.field(name))
    ]
    _parse(pieces, place.value, f"a nested value in the attributes of a {place.name.lower()}")


def check_entity_refs(lists: pa.ListArray) -> None:
    """Raise ValueError when protobuf refuses an entity reference of a resource."""
    _parse(_distinct(lists.values), _ENTITY_REFS, "an entity reference of a resource")


def _has_rivals(values: pa.StructArray) -> bool:
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


def _distinct(column: pa.BinaryArray) -> Iterator[bytes]:
    if column.null_count < len(column):
        yield from (value for value in column.unique().to_pylist() if value is not None)


def _parse(pieces: Iterable[bytes], path: tuple[int, ...], what: str) -> None:
    """Parse all *pieces* as one request that holds them at *path*."""
    request = b"".join([_field(path[0], piece) for piece in pieces])
    if not request:
        return
    for number in path[1:]:
        request = _field(number, request)
    try:
        ExportTraceServiceRequest.FromString(request)
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
