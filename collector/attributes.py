"""Reading many attributes of many rows at once, without a Python object per row.

lists    [[k:v k:v k:v] [k:v] []]          a column of lists of (key, value)
flat      k:v k:v k:v    k:v               positions 0 1 2 3
rows       0   0   0      1                row of each position
shape      0               1         2      number of the row's sequence of keys among the distinct ones
locate    one line per wanted key: for each row the position of its last value, or -1

Few programs write many spans, so few shapes occur: keys are told apart once per shape, not once per row.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from collector.batch import Batch

Positions = npt.NDArray[np.int64]
"""Positions in the flat list of attributes, one per row; -1 where the row has none."""

_FEW = 128
"""Among no more rows than this it costs more to find equal shapes than it saves."""


@dataclass(frozen=True, slots=True)
class Shapes:
    """Holds the distinct sequences of keys, laid one after the other.

    *shape* is the number of each row's. *first* is a row and *lengths* the number of keys of each shape;
    *codes* are the numbers in *names* of all their keys.
    """

    shape: npt.NDArray[np.int64]
    first: npt.NDArray[np.int64]
    lengths: npt.NDArray[np.int32]
    codes: npt.NDArray[np.int32]
    names: list[str]


class Attributes:
    """Is a column of attribute lists laid flat; see the module's drawing."""

    def __init__(self, lists: pa.ListArray, shapes: Shapes | None = None) -> None:
        self._shapes = shapes
        self.count = len(lists)
        offsets = np.asarray(lists.offsets)
        self.lengths: npt.NDArray[np.int32] = offsets[1:] - offsets[:-1]
        self.starts: npt.NDArray[np.int32] = offsets[:-1] - offsets[0]
        flat: pa.StructArray = lists.flatten()
        self.flat = flat
        self._key_array = flat.field("key")
        self.values: pa.StructArray = flat.field("value")

    @cached_property
    def rows(self) -> npt.NDArray[np.int64]:
        """The row of each attribute."""
        return np.repeat(np.arange(self.count), self.lengths)

    @cached_property
    def shapes(self) -> Shapes:
        """The distinct sequences of keys, in the order of their first rows."""
        if self._shapes is not None:
            return self._shapes
        if self.count <= _FEW:
            return _each_alone(self._key_array, self.lengths)
        shape = _shapes_of(self._key_array, self.starts)
        first = _first_rows(shape)
        lengths = self.lengths[first]
        keys = self._key_array.take(pa.array(ranges(self.starts[first], lengths))).dictionary_encode()
        return Shapes(shape, first, lengths, np.asarray(keys.indices), keys.dictionary.to_pylist())

    @cached_property
    def codes(self) -> npt.NDArray[np.int32]:
        """The number of each attribute's key in `names`."""
        shapes = self.shapes
        return shapes.codes if len(shapes.first) == self.count else self.codes_of(shapes.shape)

    def codes_of(self, shape: npt.NDArray[np.int64]) -> npt.NDArray[np.int32]:
        """Return the numbers of the keys of rows of these shapes, one row after the other."""
        lengths = self.shapes.lengths
        return self.shapes.codes[ranges((np.cumsum(lengths) - lengths)[shape], lengths[shape])]

    @property
    def names(self) -> list[str]:
        """The distinct keys."""
        return self.shapes.names

    def locate(self, wanted: Sequence[str]) -> npt.NDArray[np.int64]:
        """Return an array of shape (len(wanted), rows): where each row's last value of each key stands, or -1."""
        line = {name: number for number, name in enumerate(wanted)}
        shapes = self.shapes
        lines = np.array([line.get(name, -1) for name in shapes.names], dtype=np.int64)[shapes.codes]
        hits = np.flatnonzero(lines >= 0)
        places = np.full((len(wanted), len(shapes.first)), -1, dtype=np.int64)
        owners = np.repeat(np.arange(len(shapes.first)), shapes.lengths)[hits]
        places[lines[hits], owners] = hits - (np.cumsum(shapes.lengths) - shapes.lengths)[owners]
        found: npt.NDArray[np.int64] = places[:, shapes.shape]
        return np.where(found < 0, -1, found + self.starts)

    def locate_in(self, rows: npt.NDArray[np.int64], key: str) -> Positions:
        """Return where the last value of *key* stands in each of *rows*, or -1, without a look at other rows."""
        lengths = self.lengths[rows]
        positions = ranges(self.starts[rows], lengths)
        hits = np.flatnonzero(pc.equal(self._key_array.take(pa.array(positions)), key))
        found = np.full(len(rows), -1, dtype=np.int64)
        found[np.arange(len(rows)).repeat(lengths)[hits]] = positions[hits]
        return found

    @cached_property
    def filled(self) -> npt.NDArray[np.bool_]:
        """Whether each attribute is a text that is not empty."""
        texts: pa.StringArray = self.members["string_value"]
        offsets = np.frombuffer(texts.buffers()[1], np.int32)[texts.offset :][: len(texts) + 1]
        filled: npt.NDArray[np.bool_] = offsets[1:] > offsets[:-1]
        return filled & np.asarray(texts.is_valid()) if texts.null_count else filled

    @cached_property
    def members(self) -> dict[str, pa.Array]:
        """The members of the values (`collector.schema.ANY_VALUE`), one entry per attribute, null where it is other."""
        return dict(zip(self.values.type.names, self.values.flatten(), strict=True))

    def member(self, name: str, positions: Positions) -> pa.Array:
        """Return one member of the values at *positions*, null where -1 or other."""
        return self._entries(name).take(optional(positions))

    def _entries(self, name: str) -> pa.Array:
        """Return what `members` holds as *name*: one alone is cheaper to get where no value is missing."""
        return self.members[name] if self.values.null_count else self.values.field(name)

    def strings(self, positions: Positions) -> pa.StringArray:
        """Return the string values at *positions*, null where there is none or it is no string."""
        return self.member("string_value", positions)

    def booleans(self, positions: Positions) -> pa.BooleanArray:
        """Return the boolean values at *positions*, null where there is none or it is no boolean."""
        return self.member("bool_value", positions)

    def numbers(self, positions: Positions) -> pa.DoubleArray:
        """Return numbers at *positions* as float64: ints, doubles and numeric strings; null where there is none."""
        ints = self.member("int_value", positions).cast(pa.float64(), safe=False)
        result = pc.coalesce(ints, self.member("double_value", positions))
        if result.null_count:
            texts = self.strings(positions)
            if texts.null_count < len(texts):
                result = pc.coalesce(result, _parsed(texts))
        return result

    def counts(self, positions: Positions) -> pa.Int64Array:
        """Return whole numbers of zero or more at *positions*; null for NaN, fractions, negatives and other text."""
        whole = self.naturals(positions)
        return pa.array(whole, mask=whole < 0)

    def naturals(self, positions: Positions) -> npt.NDArray[np.int64]:
        """Return what `counts` does as numpy integers (shape as given), with -1 for null."""
        if not len(self._naturals):
            return np.full(positions.shape, -1, dtype=np.int64)
        found = np.where(positions >= 0, self._naturals[positions], -1)
        others = np.flatnonzero((positions >= 0) & (found < 0))
        if len(others):
            array = np.nan_to_num(np.asarray(self.numbers(positions.ravel()[others]).fill_null(-1.0)), nan=-1.0)
            whole = (array >= 0) & (array == np.floor(array)) & (array < 2.0**63)
            found.flat[others] = np.where(whole, array, -1).astype(np.int64)
        return found

    @cached_property
    def _naturals(self) -> npt.NDArray[np.int64]:
        """The integer of each attribute, negative where it is none or negative."""
        return np.asarray(self._entries("int_value").fill_null(-1))


def shapes_by_codes(codes: npt.NDArray[np.int32], offsets: npt.NDArray[np.int32], names: Sequence[str]) -> Shapes:
    """Return the shapes of rows whose keys are known: ``names[code]``, from offset to offset.

    A name may stand there twice, or for no key.
    """
    numbers: dict[str, int] = {}
    place = np.array([numbers.setdefault(name, len(numbers)) for name in names], dtype=np.int32)
    codes = place[codes]
    shape = np.arange(len(offsets) - 1)
    if len(shape) > _FEW:
        shape = _distinct(pa.py_buffer(codes), offsets * np.int32(codes.itemsize)) if len(codes) else shape * 0
    first = _first_rows(shape)
    lengths = offsets[first + 1] - offsets[first]
    codes = codes[ranges(offsets[first], lengths)]
    used = np.zeros(len(numbers), dtype=bool)
    used[codes] = True
    compact = (np.cumsum(used) - 1).astype(np.int32)
    return Shapes(shape, first, lengths, compact[codes], [name for name, number in numbers.items() if used[number]])


def with_attributes(batch: Batch, lists: pa.ListArray, shapes: Shapes) -> Batch:
    """Return the batch with other attributes for its items, whose *shapes* are known."""
    main = batch.main
    place = main.schema.get_field_index("attributes")
    changed = main.set_column(place, main.schema.field(place), lists)
    return batch.with_main(changed, {_main_attributes: Attributes(changed.column(place), shapes)})


def attributes_of(batch: Batch) -> Attributes:
    """Return the attributes of the batch's items, laid flat once however many steps ask."""
    return batch.memo(_main_attributes)


def resource_attributes_of(batch: Batch) -> Attributes:
    """Return the attributes of the batch's resources."""
    return batch.memo(_resource_attributes)


def ranges(starts: npt.NDArray[Any], lengths: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Return start, start+1, ... of every row, one after the other."""
    before = np.cumsum(lengths, dtype=np.int64) - lengths
    total = int(before[-1] + lengths[-1]) if len(lengths) else 0
    positions: npt.NDArray[np.int64] = np.arange(total) + np.repeat(starts - before, lengths)
    return positions


def optional(positions: npt.NDArray[np.int64]) -> pa.Int64Array:
    """Return the positions for Arrow: null where negative."""
    present = positions >= 0
    if present.all():
        return pa.array(positions)
    bits = pa.py_buffer(np.packbits(present, bitorder="little"))
    return pa.Array.from_buffers(pa.int64(), len(positions), [bits, pa.py_buffer(np.ascontiguousarray(positions))])


def _each_alone(keys: pa.StringArray, lengths: npt.NDArray[np.int32]) -> Shapes:
    """Return a shape for every row."""
    encoded = keys.dictionary_encode()
    rows = np.arange(len(lengths))
    return Shapes(rows, rows, lengths, np.asarray(encoded.indices), encoded.dictionary.to_pylist())


def _shapes_of(keys: pa.StringArray, starts: npt.NDArray[np.int32]) -> npt.NDArray[np.int64]:
    """Return the number of each row's shape, in the order of their first rows.

    Rows are compared by the text of all their keys, then by the lengths of the keys: where other keys make the same
    text, which nobody has cause to send, every row gets a number of its own.
    """
    alone = np.arange(len(starts))
    if not len(keys):
        return np.zeros_like(alone)
    _, offsets, text = keys.buffers()
    bounds = np.frombuffer(offsets, np.int32)[keys.offset :][: len(keys) + 1]
    ends = np.append(starts, np.int32(len(keys)))
    shape = _distinct(text, bounds[ends])
    sizes = _distinct(pa.py_buffer(np.diff(bounds)), ends * np.int32(bounds.itemsize))
    example = np.empty(int(shape.max()) + 1, dtype=np.int64)
    example[shape] = alone
    return shape if np.array_equal(sizes[example[shape]], sizes) else alone


def _first_rows(shape: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    first = np.empty(int(shape.max(initial=-1)) + 1, dtype=np.int64)
    first[shape[::-1]] = np.arange(len(shape) - 1, -1, -1)
    return first


def _distinct(data: pa.Buffer, bounds: npt.NDArray[np.int32]) -> npt.NDArray[np.int64]:
    """Return the number of each piece of *data* among the distinct ones, in the order of their first occurrence."""
    pieces = pa.Array.from_buffers(pa.binary(), len(bounds) - 1, [None, pa.py_buffer(bounds), data])
    return np.asarray(pieces.dictionary_encode().indices).astype(np.int64)


def _main_attributes(batch: Batch) -> Attributes:
    return Attributes(batch.main.column("attributes"))


def _resource_attributes(batch: Batch) -> Attributes:
    return Attributes(batch.tables["resources"].column("attributes"))


def _parsed(texts: pa.StringArray) -> pa.DoubleArray:
    """Return the numbers that *texts* spell, null for the rest."""
    numeric = pc.match_substring_regex(texts, r"^[\s\v]*[+-]?[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]+)?[\s\v]*$")
    kept = pc.if_else(pc.fill_null(numeric, False), pc.utf8_trim_whitespace(texts), pa.scalar(None, pa.string()))
    return kept.cast(pa.float64())
