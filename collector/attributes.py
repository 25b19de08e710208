"""Reading many attributes of many rows at once, without a Python object per row.

lists    [[k:v k:v k:v] [k:v] []]          a column of lists of (key, value)
flat      k:v k:v k:v    k:v               positions 0 1 2 3
rows       0   0   0      1                row of each position
locate    one line per wanted key: for each row the position of its last value, or -1
"""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from collector.batch import Batch

Positions = npt.NDArray[np.int64]
"""Positions in the flat list of attributes, one per row; -1 where the row has none."""


class Attributes:
    """Is a column of attribute lists laid flat; see the module's drawing."""

    def __init__(self, lists: pa.ListArray) -> None:
        self.count = len(lists)
        offsets = np.asarray(lists.offsets)
        self.lengths: npt.NDArray[np.int32] = offsets[1:] - offsets[:-1]
        flat: pa.StructArray = lists.flatten()
        self.flat = flat
        self._key_array = flat.field("key")
        self.values: pa.StructArray = flat.field("value")

    @cached_property
    def rows(self) -> npt.NDArray[np.int64]:
        """The row of each attribute."""
        return np.repeat(np.arange(self.count), self.lengths)

    @cached_property
    def keys(self) -> pa.DictionaryArray:
        """The key of each attribute, as numbers into the distinct keys."""
        return pc.dictionary_encode(self._key_array)

    @cached_property
    def codes(self) -> npt.NDArray[np.int32]:
        """The number of each attribute's key in `names`."""
        return np.asarray(self.keys.indices)

    @cached_property
    def names(self) -> list[str]:
        """The distinct keys."""
        names: list[str] = self.keys.dictionary.to_pylist()
        return names

    def locate(self, wanted: Sequence[str]) -> npt.NDArray[np.int64]:
        """Return an array of shape (len(wanted), rows): where each row's last value of each key stands, or -1."""
        line = {name: number for number, name in enumerate(wanted)}
        line_of_code = np.array([line.get(name, -1) for name in self.names], dtype=np.int64)
        found = np.full((len(wanted), self.count), -1, dtype=np.int64)
        if len(line_of_code):
            lines = line_of_code[self.codes]
            hits = np.flatnonzero(lines >= 0)
            found[lines[hits], self.rows[hits]] = hits
        return found

    def member(self, name: str, positions: Positions) -> pa.Array:
        """Return one member of the values (`collector.schema.ANY_VALUE`) at *positions*, null where -1 or other."""
        values = self.values.field(name)
        if self.values.null_count:
            values = pc.if_else(self.values.is_valid(), values, pa.scalar(None, values.type))
        return values.take(pa.array(positions, pa.int64(), mask=positions < 0))

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
        ints = self.values.field("int_value")
        if self.values.null_count:
            ints = pc.if_else(self.values.is_valid(), ints, pa.scalar(None, pa.int64()))
        return np.asarray(pc.fill_null(ints, -1))


def attributes_of(batch: Batch) -> Attributes:
    """Return the attributes of the batch's items, laid flat once however many steps ask."""
    return batch.memo(_main_attributes)


def resource_attributes_of(batch: Batch) -> Attributes:
    """Return the attributes of the batch's resources."""
    return batch.memo(_resource_attributes)


def _main_attributes(batch: Batch) -> Attributes:
    return Attributes(batch.main.column("attributes"))


def _resource_attributes(batch: Batch) -> Attributes:
    return Attributes(batch.tables["resources"].column("attributes"))


def _parsed(texts: pa.StringArray) -> pa.DoubleArray:
    """Return the numbers that *texts* spell, null for the rest."""
    numeric = pc.match_substring_regex(texts, r"^\s*[+-]?[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]+)?\s*$")
    kept = pc.if_else(pc.fill_null(numeric, False), pc.utf8_trim_whitespace(texts), pa.scalar(None, pa.string()))
    return kept.cast(pa.float64())
