"""Finding equal rows, so that Python works once per distinct value and not once per row.

attribute lists   [a=1 b=2] [a=1] [a=1 b=2]
numbers            0         1     0
maps               {a: 1, b: 2}  {a: 1}
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from collector.attributes import Attributes, offsets_of, ranges
from exporters.clickhouse.columns import Ints, binary_rows
from exporters.clickhouse.values import Value, python_values


@dataclass(frozen=True, slots=True)
class DistinctAttributes:
    """The distinct attribute lists of some rows: ``maps[numbers[row]]`` are the attributes of a row."""

    numbers: Ints
    maps: list[dict[str, Value]]


def distinct_attributes(attributes: Attributes) -> DistinctAttributes:
    """Return the distinct lists of *attributes*; lists that differ only in order count as different."""
    encoded = pc.dictionary_encode(binary_rows(_codes(attributes), attributes.lengths))
    numbers = np.asarray(encoded.indices).astype(np.int64)
    examples = np.empty(len(encoded.dictionary), np.int64)
    examples[numbers] = np.arange(len(numbers))
    return DistinctAttributes(numbers, _maps(attributes, examples))


def distinct_pairs(first: Ints, second: npt.NDArray[Any]) -> tuple[Ints, Ints]:
    """Return the distinct pairs of two columns of numbers that are not negative, the second ones small."""
    size = int(second.max(initial=0)) + 1
    pairs = np.asarray(pc.unique(pa.array(first * size + second)))
    return pairs // size, pairs % size


def _codes(attributes: Attributes) -> npt.NDArray[np.int32]:
    """Return a line of numbers per attribute; equal lines, equal key and value."""
    members = [member for member in attributes.values.flatten() if member.null_count < len(member)]
    columns = [np.asarray(pc.dictionary_encode(member).indices.fill_null(-1)) for member in members]
    return np.stack([attributes.codes, *columns], axis=1).astype(np.int32, copy=False)


def _maps(attributes: Attributes, rows: Ints) -> list[dict[str, Value]]:
    lengths = attributes.lengths[rows]
    positions = ranges(attributes.starts[rows], lengths)
    names = attributes.names
    keys = [names[code] for code in attributes.codes[positions].tolist()]
    values = python_values(attributes.values.take(pa.array(positions)))
    ends = offsets_of(lengths).tolist()
    return [dict(zip(keys[start:end], values[start:end], strict=True)) for start, end in pairwise(ends)]
