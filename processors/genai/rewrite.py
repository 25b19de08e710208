"""Adding and dropping attributes of many rows at once.

    lists      [[a b] [c] []]     additions  x to row 0, x and y to row 2;  dropped  b
    result     [[a x] [c] [x y]]

Old and new attributes are laid one after the other, and one `take` brings them into the order of the rows.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from collector.attributes import Attributes

Rows = npt.NDArray[np.int64]
"""Row numbers, each at most once."""


class Addition(NamedTuple):
    """Is one attribute for many rows: *values* are non-null and of the type of *member* of an AnyValue."""

    key: str
    rows: Rows
    member: str
    values: pa.Array


def rewrite(
    attributes: Attributes, additions: Sequence[Addition], dropped: npt.NDArray[np.int64], kind: pa.DataType
) -> pa.ListArray:
    """Return the lists of type *kind* without the *dropped* positions and with the additions at the rows' ends."""
    keep = np.ones(len(attributes.flat), dtype=bool)
    keep[dropped] = False
    kept = np.flatnonzero(keep)
    lengths = attributes.lengths.astype(np.int64)
    lengths -= np.bincount(attributes.rows[dropped], minlength=attributes.count)
    grown = lengths.copy()
    slots = []
    for addition in additions:
        slots.append(grown[addition.rows])
        grown[addition.rows] += 1
    offsets = np.concatenate(([0], np.cumsum(grown)))
    order = np.empty(offsets[-1], dtype=np.int64)
    order[_ranges(offsets[:-1], lengths)] = kept
    source = len(attributes.flat)
    for addition, slot in zip(additions, slots, strict=True):
        order[offsets[addition.rows] + slot] = np.arange(source, source + len(addition.rows))
        source += len(addition.rows)
    flat = pa.concat_arrays([attributes.flat, *(_structs(addition, attributes.flat.type) for addition in additions)])
    return pa.ListArray.from_arrays(pa.array(offsets.astype(np.int32)), flat.take(pa.array(order)), type=kind)


def _ranges(starts: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return start, start+1, ... of every row, one after the other."""
    before = np.concatenate(([0], np.cumsum(lengths)[:-1])) if len(lengths) else lengths
    return np.arange(lengths.sum()) + np.repeat(starts - before, lengths)


def _structs(addition: Addition, kind: pa.StructType) -> pa.StructArray:
    """Return the addition as (key, value) structs of type *kind*."""
    size = len(addition.rows)
    value = kind.field("value").type
    members = [
        addition.values if value.field(number).name == addition.member else pa.nulls(size, value.field(number).type)
        for number in range(value.num_fields)
    ]
    values = pa.StructArray.from_arrays(members, fields=list(value))
    return pa.StructArray.from_arrays([pa.repeat(addition.key, size), values], fields=list(kind))
