"""How many messages a request holds, however small, before anything is made of them.

A message takes two bytes on the wire and dozens in memory: decompressed bytes alone bound neither memory nor time.
"""

import re

import pyarrow as pa

from collector.batch import Signal
from collector.errors import Permanent
from collector.otlp import wire
from collector.otlp.protocol import protocol_of

_LEAST = 2
"""Bytes of the smallest message, and of the smallest object in JSON."""
_OBJECTS = 2
"""Objects that an attribute takes in JSON: itself and its value."""
_SAME_LENGTH = b"\x80" * 8 + b"\x00"
_TEXT = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)


def check_count(signal: Signal, data: bytes, most: int) -> None:
    """Raise Permanent when a request holds more than *most* items, attributes, events and the like, or is malformed."""
    if len(data) <= _LEAST * most:
        return
    name = protocol_of(signal).request.DESCRIPTOR.name
    # What these bytes say counts for nothing, but as a length they would make ptars panic.
    plain = data.replace(wire.HUGE_LENGTH, _SAME_LENGTH)
    for readers in (wire.ITEM_COUNTERS, wire.COUNTERS):  # the first spares the work where items alone are too many
        try:
            found = readers[name].list_to_record_batch([plain])
        except ValueError as problem:
            raise Permanent(f"not a valid {name}: {problem}; send OTLP protobuf") from problem
        if sum(map(_elements, found.columns)) > most:
            raise _too_many(most)


def check_json(text: bytes, most: int) -> None:
    """Raise Permanent when a request in JSON holds clearly more than *most* of what `check_count` counts."""
    limit = _OBJECTS * most
    if len(text) > _LEAST * limit and _opened(text) > limit and _opened(_TEXT.sub(b"", text)) > limit:
        raise _too_many(most)


def _opened(text: bytes) -> int:
    return text.count(b"{") + text.count(b"[")


def _elements(column: pa.Array) -> int:
    if pa.types.is_list(column.type):
        return len(column.values) + _elements(column.values)
    if pa.types.is_struct(column.type):
        return sum(_elements(column.field(number)) for number in range(column.type.num_fields))
    return 0


def _too_many(most: int) -> Permanent:
    return Permanent(f"more than {most} items, attributes, events and the like in one request; send smaller batches")
