"""What the messages of all signals are made of, as columns: lists of messages, attributes, values, numbers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from collector.attributes import offsets_of
from collector.otlp import keyvalues, wire
from collector.otlp.nested import Place, check_values
from collector.schema import ANY_VALUE, ATTRIBUTE, EVENT, EXEMPLAR, LINK

Numbers = npt.NDArray[np.int32]
Columns = dict[str, pa.Array]
Readers = Mapping[str, Any]
"""By the name of their messages: `wire.READERS` or `wire.LARGE_READERS`."""

_KINDS = {id(kind): kind for kind in (ATTRIBUTE, EVENT, EXEMPLAR, LINK)}
"""What there are lists of, by their ids: the hash of a type costs as much as its description as text."""
_LIST_OF = {number: pa.list_(pa.field("item", kind, nullable=False)) for number, kind in _KINDS.items()}
_REMEMBERED_ROWS = 4096
"""So many lists that are all empty are made once and for all."""
_NONE_OF = {number: pa.array([], kind) for number, kind in _KINDS.items()}


@dataclass(frozen=True, slots=True)
class Owners:
    """Holds for each item of a request the row numbers of its resource and of its scope."""

    resource: Numbers
    scope: Numbers


def parents(holders: pa.ListArray) -> Numbers:
    """Return for each item of the lists the row number of its list."""
    offsets = np.asarray(holders.offsets)
    return np.arange(len(holders), dtype=np.int32).repeat(offsets[1:] - offsets[:-1])


def children(encoded: pa.ListArray, kind: pa.StructType, read: Callable[[pa.BinaryArray], Columns]) -> pa.ListArray:
    """Return lists of encoded messages as lists of *kind*, whose members *read* finds in them."""
    if not len(encoded.values) and len(encoded) <= _REMEMBERED_ROWS:
        return _empty(id(kind), len(encoded))
    items = _NONE_OF[id(kind)]
    if len(encoded.values):
        columns = read(encoded.values)
        items = pa.StructArray.from_arrays([columns[member.name] for member in kind], fields=list(kind))
    return pa.Array.from_buffers(_LIST_OF[id(kind)], len(encoded), encoded.buffers()[:2], children=[items])


@lru_cache(maxsize=64)
def _empty(kind: int, rows: int) -> pa.ListArray:
    """Save the making of what most requests have: no events, no links."""
    offsets = pa.py_buffer(np.zeros(rows + 1, dtype=np.int32))
    return pa.Array.from_buffers(_LIST_OF[kind], rows, [None, offsets], children=[_NONE_OF[kind]])


def fields_of(message: str, encoded: pa.BinaryArray, readers: Readers = wire.READERS) -> Columns:
    """Return the fields of encoded messages."""
    found = readers[message].array_to_record_batch(encoded)
    return dict(zip(found.schema.names, found.columns, strict=True))


def attributes(lists: pa.ListArray, place: Place) -> pa.ListArray:
    """Return lists of attributes as `collector.schema.ATTRIBUTE`, checked to be what protobuf would accept."""
    items = _NONE_OF[id(ATTRIBUTE)]
    if len(lists.values):
        keys, found = _pairs(lists.values)
        check_values(found, place)
        items = pa.Array.from_buffers(ATTRIBUTE, len(keys), [None], children=[keys, found])
    return pa.Array.from_buffers(_LIST_OF[id(ATTRIBUTE)], len(lists), lists.buffers()[:2], children=[items])


def values(source: pa.StructArray, place: Place) -> pa.StructArray:
    """Return AnyValues as `collector.schema.ANY_VALUE`, checked to be what protobuf would accept."""
    found = _values(source)
    check_values(found, place)
    return found


def _pairs(encoded: pa.BinaryArray | pa.StructArray) -> tuple[pa.StringArray, pa.StructArray]:
    """Return keys and values of KeyValue messages, encoded or as ptars reads them."""
    if pa.types.is_binary(encoded.type):
        found = keyvalues.read(encoded)
        if found is not None:
            return found
        keys, source = wire.READERS["KeyValue"].array_to_record_batch(encoded).columns
    else:
        keys, source = encoded.flatten()
    return keys, _values(source)


def _values(source: pa.StructArray) -> pa.StructArray:
    members = [source.field(member.name) for member in ANY_VALUE]
    members = [single(member) if pa.types.is_list(member.type) else member for member in members]
    return pa.Array.from_buffers(ANY_VALUE, len(source), source.buffers()[:1], children=members)


def single(pieces: pa.ListArray, *, nullable: bool = True) -> pa.BinaryArray:
    """Return the only piece of each list, null or empty where there is none; the bytes are not copied.

    Raise ValueError where there are several: each must be good by itself before they may be joined.
    """
    if nullable and len(pieces.values) == 0:
        return pa.nulls(len(pieces), pa.binary())
    starts = np.asarray(pieces.offsets)
    counts = starts[1:] - starts[:-1]
    if counts.max(initial=0) > 1:
        raise ValueError("a message is sent in several pieces")
    present = pa.py_buffer(np.packbits(counts, bitorder="little")) if nullable else None
    _, offsets, content = pieces.values.buffers()
    ends = pa.py_buffer(np.frombuffer(offsets, np.int32)[starts])
    return pa.Array.from_buffers(pa.binary(), len(pieces), [present, ends, content])


def struct(table: pa.RecordBatch) -> pa.StructArray:
    """Return the rows of a table as messages."""
    return pa.StructArray.from_arrays(table.columns, fields=list(table.schema))


def lists(lengths: npt.NDArray[Any], items: pa.Array) -> pa.ListArray:
    """Return consecutive lists of these lengths over *items*."""
    return pa.ListArray.from_arrays(pa.array(offsets_of(lengths)), items)
