"""Attributes of large requests, taken apart all at once: one numpy step does the same byte of every KeyValue.

    key                           value, an AnyValue
    0x0a │ length │ text          0x12 │ length │ nothing, or one member:
                                                  0x0a │ length │ string_value
                                                  0x10 │ bool_value, 0 or 1
                                                  0x18 │ int_value, a varint
                                                  0x21 │ double_value, 8 bytes
                                                  0x2a │ length │ array_value
                                                  0x32 │ length │ kvlist_value
                                                  0x3a │ length │ bytes_value

That is how every common encoder writes a KeyValue: the key, of less than 128 bytes, then its value or nothing, each
up to the very end of what holds it. If one of them is written otherwise, all are left to ptars, which reads anything
but takes a few times as long.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from collector.schema import ANY_VALUE

Bytes = npt.NDArray[np.uint8]
Places = npt.NDArray[np.int64]
"""Positions in the bytes, or numbers of rows."""

_KEY, _VALUE = 0x0A, 0x12
_LONGEST_LENGTH = 4
_LONGEST_INT = 10
_NOT_ASCII = np.uint64(0x8080808080808080)
_NO_MEMBER = 0
"""Tag of no field at all."""


def read(encoded: pa.BinaryArray) -> tuple[pa.StringArray, pa.StructArray] | None:
    """Return keys and values (`collector.schema.ANY_VALUE`) of KeyValue messages; None when one is written otherwise.

    Raise ValueError when a text is not UTF-8.
    """
    _, offsets, content = encoded.buffers()
    bounds = np.frombuffer(offsets, np.int32)[encoded.offset :][: len(encoded) + 1].astype(np.int64)
    if bounds[0] == bounds[-1]:
        return None
    data, starts, ends = np.frombuffer(content, np.uint8), bounds[:-1], bounds[1:]
    lengths = _at(data, starts + 1)
    key_starts = starts + 2
    key_ends = key_starts + lengths
    if lengths.max() > 0x7F or (_at(data, starts) != _KEY).any() or (key_ends > ends).any():
        return None
    values = _optional_values(content, data, key_ends, ends)
    return None if values is None else (_text(_slices(content, key_starts, key_ends)), values)


def _at(data: Bytes, places: Places) -> Bytes:
    """Return the bytes at *places*, for a place beyond the end any byte."""
    return data.take(places, mode="clip")


def _optional_values(content: pa.Buffer, data: Bytes, starts: Places, ends: Places) -> pa.StructArray | None:
    """Return the values of fields that fill the bytes between *starts* and *ends*, null where there are no bytes."""
    given = starts < ends
    if given.all():
        return _values(content, data, starts, ends)
    found = _values(content, data, starts[given], ends[given])
    return None if found is None else found.take(pa.array(np.cumsum(given) - 1, mask=~given))


def _values(content: pa.Buffer, data: Bytes, starts: Places, ends: Places) -> pa.StructArray | None:
    inner = _after_length(data, starts + 1, ends)
    if inner is None or (_at(data, starts) != _VALUE).any():
        return None
    tags = _at(data, inner)
    empty = inner == ends
    tags[empty] = _NO_MEMBER
    found = np.count_nonzero(empty)
    members = []
    for (tag, reader), field in zip(_MEMBERS.items(), ANY_VALUE, strict=True):
        rows = np.flatnonzero(tags == tag)
        found += len(rows)
        member = reader(content, data, rows, inner[rows] + 1, ends) if len(rows) else pa.nulls(len(ends), field.type)
        if member is None:
            return None
        members.append(member)
    return pa.Array.from_buffers(ANY_VALUE, len(ends), [None], children=members) if found == len(ends) else None


def _after_length(data: Bytes, places: Places, ends: Places) -> Places | None:
    """Return where the content begins whose length is at *places*; None when one does not stop at its end."""
    first = _at(data, places)
    lengths = first.astype(np.int64)
    starts = places + 1
    going_on = np.flatnonzero(first > 0x7F)
    lengths[going_on] &= 0x7F
    for shift in range(7, 7 * _LONGEST_LENGTH, 7):
        if len(going_on) == 0:
            break
        following = _at(data, starts[going_on]).astype(np.int64)
        lengths[going_on] |= (following & 0x7F) << shift
        starts[going_on] += 1
        going_on = going_on[following > 0x7F]
    return None if len(going_on) or (starts + lengths != ends).any() else starts


def _strings(content: pa.Buffer, data: Bytes, rows: Places, places: Places, ends: Places) -> pa.StringArray | None:
    encoded = _byte_strings(content, data, rows, places, ends)
    return None if encoded is None else _text(encoded)


def _byte_strings(content: pa.Buffer, data: Bytes, rows: Places, places: Places, ends: Places) -> pa.BinaryArray | None:
    inner = _after_length(data, places, ends[rows])
    if inner is None:
        return None
    _, offsets, joined = _slices(content, inner, ends[rows]).buffers()
    bounds = np.frombuffer(offsets, np.int32)[: len(rows) + 1]
    spread = np.repeat(bounds, np.diff(rows, prepend=-1, append=len(ends)))
    return pa.Array.from_buffers(pa.binary(), len(ends), [_validity(rows, len(ends)), pa.py_buffer(spread), joined])


def _bools(_content: pa.Buffer, data: Bytes, rows: Places, places: Places, ends: Places) -> pa.BooleanArray | None:
    numbers = _at(data, places)
    if (numbers > 1).any() or (places + 1 != ends[rows]).any():
        return None
    bits = _bits(rows[numbers == 1], len(ends))
    return pa.Array.from_buffers(pa.bool_(), len(ends), [_validity(rows, len(ends)), bits])


def _ints(_content: pa.Buffer, data: Bytes, rows: Places, places: Places, ends: Places) -> pa.Int64Array | None:
    lasts = ends[rows] - 1
    numbers = np.zeros(len(rows), np.uint64)
    going_on = np.arange(len(rows))
    for shift in range(0, 7 * _LONGEST_INT, 7):
        found = _at(data, places)
        numbers[going_on] |= (found & 0x7F).astype(np.uint64) << np.uint64(shift)
        more = found > 0x7F
        if (more != (places < lasts)).any() or (places > lasts).any() or (shift == 63 and (found > 1).any()):
            return None
        going_on, places, lasts = going_on[more], places[more] + 1, lasts[more]
        if len(going_on) == 0:
            break
    return _scattered(numbers.view(np.int64), rows, len(ends))


def _doubles(_content: pa.Buffer, data: Bytes, rows: Places, places: Places, ends: Places) -> pa.DoubleArray | None:
    if (places + 8 != ends[rows]).any():
        return None
    numbers = np.ndarray(len(data) - 7, "<f8", data, strides=(1,))[places]
    return _scattered(numbers, rows, len(ends))


_Reader = Callable[[pa.Buffer, Bytes, Places, Places, Places], pa.Array | None]
_MEMBERS: dict[int, _Reader] = {
    0x0A: _strings,
    0x10: _bools,
    0x18: _ints,
    0x21: _doubles,
    0x2A: _byte_strings,
    0x32: _byte_strings,
    0x3A: _byte_strings,
}
"""Tag of a member of AnyValue -> what reads it, in the order of their numbers. All readers take the content of all
rows (as Arrow and numpy see it), the rows that have the member, where it stands in them, and the ends of all rows;
None means that one is not written in the form above."""


def _slices(content: pa.Buffer, starts: Places, ends: Places) -> pa.BinaryArray:
    """Return the bytes from each start to its end; no start is before the end of the row above.

    Every other value of an array over the same bytes is a gap between two slices, and is not taken.
    """
    bounds = np.empty((len(ends), 2), np.int32)
    bounds[:, 0] = starts
    bounds[:, 1] = ends
    slices_and_gaps = pa.Array.from_buffers(pa.binary(), bounds.size - 1, [None, pa.py_buffer(bounds), content])
    return slices_and_gaps.take(pa.array(np.arange(0, bounds.size, 2, dtype=np.int32)))


def _text(encoded: pa.BinaryArray) -> pa.StringArray:
    """Return the same as text; all ASCII, as most is, needs no closer look."""
    content = encoded.buffers()[2] or pa.py_buffer(b"")
    words = np.frombuffer(content, np.uint64, count=content.size // 8)
    rest = np.frombuffer(content, np.uint8, offset=words.nbytes)
    if (np.bitwise_or.reduce(words) & _NOT_ASCII) or rest.max(initial=0) > 0x7F:
        return encoded.cast(pa.string())
    return pa.Array.from_buffers(pa.string(), len(encoded), encoded.buffers())


def _scattered(numbers: npt.NDArray[np.int64] | npt.NDArray[np.float64], rows: Places, size: int) -> pa.Array:
    """Return an array of *size* that has the *numbers* at *rows* and nulls elsewhere."""
    values = np.zeros(size, numbers.dtype)
    values[rows] = numbers
    kind = pa.from_numpy_dtype(numbers.dtype)
    return pa.Array.from_buffers(kind, size, [_validity(rows, size), pa.py_buffer(values)])


def _validity(rows: Places, size: int) -> pa.Buffer | None:
    return None if len(rows) == size else _bits(rows, size)


def _bits(rows: Places, size: int) -> pa.Buffer:
    chosen = np.zeros(size, np.bool_)
    chosen[rows] = True
    return pa.py_buffer(np.packbits(chosen, bitorder="little"))
