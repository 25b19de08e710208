"""Exponential histograms as ClickHouse's DDSketch states, byte for byte as SigNoz's collector writes them.

02 gamma 0.0 | 01 positive store | 03 negative store | 04 zero count          doubles, little-endian
store   0c n offset 1, then n counts as doubles   or, without buckets,   04 00          varints, signed ones zigzag
"""

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_EMPTY_STORE = b"\x04\x00"
_INFINITY = float("inf")


def sketches(points: pa.RecordBatch) -> pa.BinaryArray:
    """Return the state of each point, all of which are exponential histograms."""
    zero = np.asarray(points.column("zero_count").fill_null(0)).astype(np.float64)
    pieces = [
        pa.scalar(b"\x02"),
        _each(points.column("scale").fill_null(0), lambda scale: np.float64(_gamma(scale)).tobytes()),
        pa.scalar(bytes(8) + b"\x01"),
        _store(points, "positive"),
        pa.scalar(b"\x03"),
        _store(points, "negative"),
        pa.scalar(b"\x04"),
        _doubles(zero, np.arange(points.num_rows + 1)),
    ]
    return pc.binary_join_element_wise(*pieces, pa.scalar(b""))


def _store(points: pa.RecordBatch, sign: str) -> pa.BinaryArray:
    counts = points.column(f"{sign}_bucket_counts")
    offsets = np.asarray(counts.offsets)
    values = np.asarray(counts.flatten()).astype(np.float64)
    number = _each(pa.array(np.diff(offsets)), lambda count: b"\x0c" + _varint(count))
    place = _each(points.column(f"{sign}_offset").fill_null(0), lambda offset: _zigzag(offset) + _zigzag(1))
    stores = pc.binary_join_element_wise(number, place, _doubles(values, offsets - offsets[0]), pa.scalar(b""))
    return pc.if_else(pa.array(np.diff(offsets) > 0), stores, pa.scalar(_EMPTY_STORE))


def _doubles(values: np.ndarray, offsets: np.ndarray) -> pa.BinaryArray:
    """Return each row's values, from its offset to the next, as their bytes."""
    bounds = pa.py_buffer((offsets * values.itemsize).astype(np.int32))
    data = pa.py_buffer(np.ascontiguousarray(values.astype("<f8")))
    return pa.Array.from_buffers(pa.binary(), len(offsets) - 1, [None, bounds, data])


def _each(numbers: pa.Array, encode: Callable[[int], bytes]) -> pa.BinaryArray:
    """Return the bytes of each number, made once per distinct one."""
    distinct = pc.dictionary_encode(numbers)
    return pa.array(map(encode, distinct.dictionary.to_pylist()), pa.binary()).take(distinct.indices)


def _gamma(scale: int) -> float:
    try:
        return float(2.0 ** (2.0**-scale))
    except OverflowError:
        return _INFINITY


def _varint(number: int) -> bytes:
    result = bytearray()
    while number > 0x7F:
        result.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*result, number])


def _zigzag(number: int) -> bytes:
    return _varint(2 * number if number >= 0 else -2 * number - 1)
