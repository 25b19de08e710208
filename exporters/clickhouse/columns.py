"""Building Arrow columns from numpy arrays: what several tables need.

compact([7 2 7])        ->  [2 7], [1 0 1]
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from collector.attributes import elements_of, offsets_of

Ints: TypeAlias = npt.NDArray[np.int64]
"""Whole numbers: rows, positions, codes."""

_HEX = np.frombuffer("".join(f"{byte:02x}" for byte in range(256)).encode(), np.uint16)
_LAST_NANOSECOND = 2**63 - 1  # DateTime64(9) and Arrow's timestamps end in the year 2262


def hex_ids(ids: pa.BinaryArray) -> pa.StringArray:
    """Return binary ids of any length as lower-case hex; '' for an id of zeros only."""
    count = len(ids)
    _, offset_buffer, data_buffer = ids.buffers()
    offsets = np.frombuffer(offset_buffer, np.int32)[ids.offset : ids.offset + count + 1]
    data = np.frombuffer(data_buffer or b"", np.uint8)[offsets[0] : offsets[-1]]
    offsets = offsets - offsets[0]
    text = pa.StringArray.from_buffers(count, pa.py_buffer(offsets * np.int32(2)), pa.py_buffer(_HEX[data]))
    nonzero = np.diff(offsets_of(data != 0)[offsets])
    return text if nonzero.all() else pc.if_else(nonzero == 0, "", text)


def timestamps(nanoseconds: npt.NDArray[np.uint64]) -> Ints:
    """Return Unix nanoseconds as signed numbers; times that DateTime64(9) cannot hold become its last one."""
    return np.minimum(nanoseconds, np.uint64(_LAST_NANOSECOND)).astype(np.int64)


def compact(numbers: npt.NDArray[Any]) -> tuple[Ints, Ints]:
    """Return the distinct small *numbers* in order, and each number's place among them."""
    used = np.zeros(int(numbers.max(initial=-1)) + 1, np.bool_)
    used[numbers] = True
    return np.flatnonzero(used), (np.cumsum(used) - 1)[numbers]


def binary_rows(codes: npt.NDArray[np.int32], lengths: npt.NDArray[Any]) -> pa.BinaryArray:
    """Return each row's codes (the lines of *codes* that belong to it) as one binary value, to compare rows by."""
    width = codes.itemsize * int(np.prod(codes.shape[1:]))
    data = pa.py_buffer(np.ascontiguousarray(codes))
    return pa.Array.from_buffers(
        pa.binary(), len(lengths), [None, pa.py_buffer(offsets_of(lengths) * np.int32(width)), data]
    )


def packed(texts: pa.StringArray, chosen: npt.NDArray[np.bool_]) -> pa.StringArray:
    """Return the *chosen* texts, none of them null, over the same memory if the others are empty."""
    bounds = np.frombuffer(texts.buffers()[1], np.int32)[texts.offset :][: len(texts) + 1]
    offsets = np.append(bounds[:-1][chosen], bounds[-1])
    if (bounds[1:] - bounds[:-1])[~chosen].any():
        return texts.filter(pa.array(chosen))
    return pa.StringArray.from_buffers(len(offsets) - 1, pa.py_buffer(offsets), texts.buffers()[2])


def coded(codes: npt.NDArray[Any], texts: Sequence[str] | pa.StringArray) -> pa.DictionaryArray:
    """Return the column of ``texts[code]``; equal texts become one entry of the dictionary."""
    distinct = pc.dictionary_encode(pa.array(texts, pa.string()))
    indices = np.asarray(distinct.indices)[codes] if len(codes) else np.zeros(0, np.int32)
    return pa.DictionaryArray.from_arrays(pa.array(indices, pa.int32()), distinct.dictionary)


def constant(text: str, rows: int) -> pa.DictionaryArray:
    """Return a column that holds *text* in every row."""
    return coded(np.zeros(rows, np.int64), [text])


def map_rows(maps: Sequence[Mapping[str, str]], numbers: npt.NDArray[Any]) -> pa.MapArray:
    """Return the column of ``maps[number]``."""
    lengths = np.array([len(one) for one in maps], np.int64)
    positions = elements_of(numbers, lengths)
    keys = coded(positions, [key for one in maps for key in one])
    values = coded(positions, [text for one in maps for text in one.values()])
    return pa.MapArray.from_arrays(pa.array(offsets_of(lengths[numbers])), keys, values)
