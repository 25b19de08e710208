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
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from collector.batch import Batch
from collector.pool import Pool, optional

Positions = npt.NDArray[np.int64]
"""Positions in the flat list of attributes, one per row; -1 where the row has none."""

FEW = 128
"""Among no more rows than this it costs more to find equal shapes than it saves."""

_REMEMBERED_KEYS = 64
"""Keys of one batch's shapes whose places are remembered for the next batch, if there are no more of them."""


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


class Unlaid(NamedTuple):
    """Is lists of type *kind* that nobody has laid out yet: *slots* say where in *pool* the values are, row by row.

    *keys* are all the keys where these are laid out already.
    """

    kind: pa.ListType
    offsets: npt.NDArray[np.int32]
    shapes: Shapes
    pool: Pool
    slots: npt.NDArray[np.int64]
    keys: pa.StringArray | None = None

    def laid(self) -> pa.ListArray:
        """Return the lists."""
        pair = self.kind.value_type
        keys = keys_of(self.shapes) if self.keys is None else self.keys
        flat = pa.StructArray.from_arrays([keys, self.pool.taken(self.slots)], fields=list(pair))
        return pa.ListArray.from_arrays(pa.array(self.offsets), flat, type=self.kind)


class Attributes:
    """Is a column of attribute lists laid flat; see the module's drawing."""

    def __init__(self, lists: pa.ListArray | Unlaid) -> None:
        self._given = lists
        offsets = np.asarray(lists.offsets)
        self.count = len(offsets) - 1
        self.lengths: npt.NDArray[np.int32] = offsets[1:] - offsets[:-1]
        self.starts: npt.NDArray[np.int32] = offsets[:-1] - offsets[0]
        self.size = int(offsets[-1] - offsets[0])

    @property
    def kind(self) -> pa.ListType:
        """The type of the lists."""
        return self._given.kind if isinstance(self._given, Unlaid) else self._given.type

    @cached_property
    def lists(self) -> pa.ListArray:
        """The lists themselves."""
        return self._given.laid() if isinstance(self._given, Unlaid) else self._given

    @property
    def keys(self) -> pa.StringArray | None:
        """The key of each attribute, None where they are not laid out."""
        return self._given.keys if isinstance(self._given, Unlaid) else self.flat.field("key")

    @cached_property
    def flat(self) -> pa.StructArray:
        """All (key, value), one after the other."""
        return self.lists.flatten()

    @cached_property
    def values(self) -> pa.StructArray:
        """The value of each attribute."""
        return self.flat.field("value")

    @cached_property
    def pool(self) -> Pool:
        """Where the values are, laid out or not."""
        return self._given.pool if isinstance(self._given, Unlaid) else Pool(self.values)

    @property
    def slots(self) -> Positions:
        """The number in the pool of each value."""
        return self._given.slots if isinstance(self._given, Unlaid) else np.arange(self.size)

    def slots_of(self, positions: Positions) -> Positions:
        """Return the numbers in the pool of the values at *positions*; -1 stays."""
        if not isinstance(self._given, Unlaid) or not self.size:
            return positions
        return np.where(positions < 0, positions, self._given.slots[positions])

    @cached_property
    def rows(self) -> npt.NDArray[np.int64]:
        """The row of each attribute."""
        return np.repeat(np.arange(self.count), self.lengths)

    @cached_property
    def shapes(self) -> Shapes:
        """The distinct sequences of keys, in the order of their first rows."""
        if isinstance(self._given, Unlaid):
            return self._given.shapes
        texts = self.flat.field("key")
        if self.count <= FEW:
            return _each_alone(texts, self.lengths)
        shape = _shapes_of(texts, self.starts)
        first = first_rows(shape)
        lengths = self.lengths[first]
        keys = texts.take(pa.array(ranges(self.starts[first], lengths))).dictionary_encode()
        return Shapes(shape, first, lengths, np.asarray(keys.indices), keys.dictionary.to_pylist())

    @cached_property
    def codes(self) -> npt.NDArray[np.int32]:
        """The number of each attribute's key in `names`."""
        shapes = self.shapes
        return shapes.codes if len(shapes.first) == self.count else self.codes_of(shapes.shape)

    def codes_of(self, shape: npt.NDArray[np.int64]) -> npt.NDArray[np.int32]:
        """Return the numbers of the keys of rows of these shapes, one row after the other."""
        lengths = self.shapes.lengths
        return self.shapes.codes[elements_of(shape, lengths)]

    @property
    def names(self) -> list[str]:
        """The distinct keys."""
        return self.shapes.names

    def locate(self, wanted: Sequence[str]) -> npt.NDArray[np.int64]:
        """Return an array of shape (len(wanted), rows): where each row's last value of each key stands, or -1."""
        found: npt.NDArray[np.int64] = self.places(wanted)[:, self.shapes.shape]
        return np.where(found < 0, -1, found + self.starts)

    def places(self, wanted: Sequence[str]) -> npt.NDArray[np.int64]:
        """Return an array of shape (len(wanted), shapes): where in a row of each shape each key stands last, or -1."""
        shapes = self.shapes
        if len(shapes.codes) > _REMEMBERED_KEYS:
            return _places(wanted, shapes.names, shapes.codes, shapes.lengths)
        names, codes, lengths = tuple(shapes.names), shapes.codes.tobytes(), shapes.lengths.tobytes()
        return _remembered_places(tuple(wanted), names, codes, lengths)

    def locate_in(self, rows: npt.NDArray[np.int64], key: str) -> Positions:
        """Return where the last value of *key* stands in each of *rows*, or -1, without a look at other rows."""
        lengths = self.lengths[rows]
        positions = ranges(self.starts[rows], lengths)
        hits = np.flatnonzero(self._are(positions, rows, key))
        found = np.full(len(rows), -1, dtype=np.int64)
        found[np.arange(len(rows)).repeat(lengths)[hits]] = positions[hits]
        return found

    def _are(self, positions: Positions, rows: npt.NDArray[np.int64], key: str) -> npt.NDArray[np.bool_]:
        """Tell which of *positions*, all those of *rows*, have this *key*."""
        if isinstance(self._given, Unlaid):
            number = self.names.index(key) if key in self.names else -1
            return np.equal(self.codes_of(self.shapes.shape[rows]), number)
        return np.asarray(pc.equal(self.flat.field("key").take(pa.array(positions)), key), dtype=bool)

    @cached_property
    def members(self) -> dict[str, pa.Array]:
        """The members of the values (`collector.schema.ANY_VALUE`), one entry per attribute, null where it is other."""
        return dict(zip(self.values.type.names, self.values.flatten(), strict=True))

    def filled(self, positions: Positions) -> npt.NDArray[np.bool_]:
        """Tell which values at *positions*, none of them -1, are texts that are not empty."""
        filled: npt.NDArray[np.bool_] = self.pool.filled[self.slots_of(positions)]
        return filled

    def told(self, positions: Positions) -> npt.NDArray[np.bool_]:
        """Tell which values at *positions* say something; -1, a value without a member and an empty text do not."""
        if positions.max(initial=-1) < 0:
            return np.zeros(len(positions), dtype=bool)
        told: npt.NDArray[np.bool_] = (positions >= 0) & self.pool.told[self.slots_of(positions)]
        return told

    def member(self, name: str, positions: Positions) -> pa.Array:
        """Return one member of the values at *positions*, null where -1 or other."""
        return self.pool.member(name).take(optional(self.slots_of(positions)))

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

    def ints(self, positions: Positions) -> npt.NDArray[np.int64]:
        """Return the ints at *positions*, none of them -1; negative for what is none or negative."""
        ints: npt.NDArray[np.int64] = self.pool.naturals[self.slots_of(positions)]
        return ints

    def naturals(self, positions: Positions) -> npt.NDArray[np.int64]:
        """Return what `counts` does as numpy integers (shape as given), with -1 for null."""
        if not self.size:
            return np.full(positions.shape, -1, dtype=np.int64)
        found = np.where(positions >= 0, self.ints(positions), -1)
        others = np.flatnonzero((positions >= 0) & (found < 0))
        if len(others):
            array = np.nan_to_num(np.asarray(self.numbers(positions.ravel()[others]).fill_null(-1.0)), nan=-1.0)
            whole = (array >= 0) & (array == np.floor(array)) & (array < 2.0**63)
            found.flat[others] = np.where(whole, array, -1).astype(np.int64)
        return found


@lru_cache(maxsize=256)
def _remembered_places(
    wanted: Sequence[str], names: Sequence[str], codes: bytes, lengths: bytes
) -> npt.NDArray[np.int64]:
    """Save the search in what a client repeats in every request."""
    places = _places(wanted, names, np.frombuffer(codes, np.int32), np.frombuffer(lengths, np.int32))
    places.flags.writeable = False
    return places


def _places(
    wanted: Sequence[str], names: Sequence[str], codes: npt.NDArray[np.int32], lengths: npt.NDArray[np.int32]
) -> npt.NDArray[np.int64]:
    line = {name: number for number, name in enumerate(wanted)}
    lines = np.array([line.get(name, -1) for name in names], dtype=np.int64)[codes]
    hits = np.flatnonzero(lines >= 0)
    places = np.full((len(wanted), len(lengths)), -1, dtype=np.int64)
    owners = np.repeat(np.arange(len(lengths)), lengths)[hits]
    places[lines[hits], owners] = hits - (np.cumsum(lengths) - lengths)[owners]
    return places


def keys_of(shapes: Shapes) -> pa.StringArray:
    """Return the keys of all rows, those of a shape written at once."""
    keys = pa.array(shapes.names, pa.string()).take(pa.array(shapes.codes))
    _, offsets, text = keys.buffers()
    bounds = np.frombuffer(offsets, np.int32)[: len(keys) + 1]
    ends = offsets_of(shapes.lengths)
    texts = pa.Array.from_buffers(pa.binary(), len(ends) - 1, [None, pa.py_buffer(bounds[ends]), text])
    places = elements_of(shapes.shape, shapes.lengths)
    offsets = offsets_of(np.take(np.diff(bounds), places))
    every = texts.take(pa.array(shapes.shape)).buffers()[2]
    return pa.Array.from_buffers(pa.string(), len(places), [None, pa.py_buffer(offsets), every])


def with_attributes(batch: Batch, attributes: Attributes) -> Batch:
    """Return the batch with other attributes for its items; they are laid out once somebody wants the column."""
    return batch.with_late("attributes", lambda: attributes.lists, {_main_attributes: attributes})


def attributes_of(batch: Batch) -> Attributes:
    """Return the attributes of the batch's items, laid flat once however many steps ask."""
    return batch.memo(_main_attributes)


def resource_attributes_of(batch: Batch) -> Attributes:
    """Return the attributes of the batch's resources."""
    return batch.memo(_resource_attributes)


def offsets_of(lengths: npt.NDArray[Any]) -> npt.NDArray[np.int32]:
    """Return Arrow's offsets of rows of these *lengths*: where each starts and, at last, where all end."""
    offsets = np.zeros(len(lengths) + 1, dtype=np.int32)
    np.cumsum(lengths, out=offsets[1:])
    return offsets


def ranges(starts: npt.NDArray[Any], lengths: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Return start, start+1, ... of every row, one after the other."""
    before = np.cumsum(lengths, dtype=np.int64) - lengths
    total = int(before[-1] + lengths[-1]) if len(lengths) else 0
    positions: npt.NDArray[np.int64] = np.arange(total) + np.repeat(starts - before, lengths)
    return positions


def elements_of(rows: npt.NDArray[Any], lengths: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Return where the elements of *rows* are, where all rows, of these *lengths*, stand one after the other."""
    return ranges(offsets_of(lengths)[rows], lengths[rows])


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
    shape = distinct(text, bounds[ends])
    sizes = distinct(pa.py_buffer(np.diff(bounds)), ends * np.int32(bounds.itemsize))
    example = np.empty(int(shape.max()) + 1, dtype=np.int64)
    example[shape] = alone
    return shape if np.array_equal(sizes[example[shape]], sizes) else alone


def first_rows(shape: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the first row of each number: *shape* holds those from 0 on."""
    first = np.empty(int(shape.max(initial=-1)) + 1, dtype=np.int64)
    first[shape[::-1]] = np.arange(len(shape) - 1, -1, -1)
    return first


def distinct(data: pa.Buffer, bounds: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Return the number of each piece of *data* among the distinct ones, in the order of their first occurrence."""
    bounds = bounds.astype(np.int32, copy=False)
    pieces = pa.Array.from_buffers(pa.binary(), len(bounds) - 1, [None, pa.py_buffer(bounds), data])
    return np.asarray(pieces.dictionary_encode().indices).astype(np.int64)


def _main_attributes(batch: Batch) -> Attributes:
    return Attributes(batch.column("attributes"))


def _resource_attributes(batch: Batch) -> Attributes:
    return Attributes(batch.tables["resources"].column("attributes"))


def _parsed(texts: pa.StringArray) -> pa.DoubleArray:
    """Return the numbers that *texts* spell, null for the rest."""
    numeric = pc.match_substring_regex(texts, r"^[\s\v]*[+-]?[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]+)?[\s\v]*$")
    kept = pc.if_else(pc.fill_null(numeric, False), pc.utf8_trim_whitespace(texts), pa.scalar(None, pa.string()))
    return kept.cast(pa.float64())
