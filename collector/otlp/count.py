"""How many messages and numbers a request holds, however small, before anything is made of them.

A message takes two bytes on the wire and dozens in memory, a number one byte and eight: decompressed bytes alone bound
neither memory nor time.
"""

import re
from collections.abc import Iterator

import pyarrow as pa

from collector.batch import Signal
from collector.errors import Permanent
from collector.otlp import wire
from collector.otlp.protocol import protocol_of

_LEAST = {Signal.METRICS: 1}
"""Bytes of the smallest number; signals without lists of them have messages, of two."""
_LEAST_JSON = 2
"""Bytes of the smallest object, and of the smallest number with its comma."""
_OBJECTS = 2
"""Objects that an attribute takes in JSON: itself and its value."""
_DEEPEST = 100
"""Levels of messages in messages that protobuf reads; what is nested deeper is refused."""
_SAME_LENGTH = b"\x80" * 8 + b"\x00"
_TEXT = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)


def check_count(signal: Signal, data: bytes, most: int) -> None:
    """Raise Permanent when a request holds more than *most* items, attributes, numbers and so on, or is malformed."""
    if len(data) <= _LEAST.get(signal, 2) * most:
        return
    name = protocol_of(signal).request.DESCRIPTOR.name
    # What these bytes say counts for nothing, but as a length they would make ptars panic.
    plain = data.replace(wire.HUGE_LENGTH, _SAME_LENGTH)
    try:
        for readers in (wire.ITEM_COUNTERS, wire.COUNTERS):  # the first spares the work where items alone are too many
            found = readers[name].list_to_record_batch([plain])
            count = sum(map(_elements, found.columns))
            if count > most:
                raise _too_many(most)
        if _nested_values(wire.VALUE_COUNTERS[name].list_to_record_batch([plain]), most - count) > most - count:
            raise _too_many(most)
    except ValueError as problem:
        raise Permanent(f"not a valid {name}: {problem}; send OTLP protobuf") from problem


def _nested_values(request: pa.RecordBatch, most: int) -> int:
    """Return how many values stand in arrays and lists of pairs, or some number above *most*."""
    count, level = 0, [request]
    for _ in range(_DEEPEST):
        found = [one for batch in level for field, column in _fields(batch) for one in _holders(field, column)]
        level = [wire.VALUE_COUNTERS[name].array_to_record_batch(encoded) for name, encoded in found if len(encoded)]
        count += sum(len(batch.column("values").values) for batch in level)
        if not level or count > most:
            break
    return count


def _fields(table: pa.RecordBatch | pa.StructArray) -> Iterator[tuple[str, pa.Array]]:
    if isinstance(table, pa.RecordBatch):
        return zip(table.schema.names, table.columns, strict=True)
    return ((field.name, table.field(number)) for number, field in enumerate(table.type))


def _holders(name: str, column: pa.Array) -> Iterator[tuple[str, pa.BinaryArray]]:
    """Yield the bytes of arrays and lists of pairs, and which of the two they are."""
    if pa.types.is_list(column.type):
        yield from [(name, column.values)] if pa.types.is_binary(column.values.type) else _holders(name, column.values)
    elif pa.types.is_struct(column.type):
        for field, inner in _fields(column):
            yield from _holders(field, inner)


def check_json(text: bytes, most: int) -> None:
    """Raise Permanent when a request in JSON holds clearly more than *most* of what `check_count` counts."""
    limit = _OBJECTS * most
    if len(text) <= _LEAST_JSON * limit or (_opened(text) <= limit and text.count(b",") + text.count(b"[") <= limit):
        return
    bare = _TEXT.sub(b"0", text)
    if _opened(bare) > limit or _listed(bare) > limit:
        raise _too_many(most)


def _opened(text: bytes) -> int:
    return text.count(b"{") + text.count(b"[")


def _listed(text: bytes) -> int:
    """Return how many values stand in lists, or somewhat more: what commas part is that, or has a name and a colon."""
    filled = _opened(text) - text.count(b"[]") - text.count(b"{}")
    return text.count(b",") + filled - text.count(b":")


def _elements(column: pa.Array) -> int:
    if pa.types.is_list(column.type):
        return len(column.values) + _elements(column.values)
    if pa.types.is_struct(column.type):
        return sum(_elements(column.field(number)) for number in range(column.type.num_fields))
    return 0


def _too_many(most: int) -> Permanent:
    return Permanent(f"more than {most} items, attributes, events and the like in one request; send smaller batches")
