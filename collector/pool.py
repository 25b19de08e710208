"""Values of attributes by number, in any order: those that came with a batch, and behind them those given since.

    slots     0 1 2 3 4 5      6 7 8           9
    values    those that came  given first     given next

Giving values moves none of those that are there, so that steps which change attributes leave the values alone;
`Pool.taken` lays them out once, when all is known.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Slots = npt.NDArray[np.int64]

_SHORT_RUN = 256
"""Copying a run of values costs what it costs to take about so many one by one."""


class Pool:
    """Holds values, each the one member that is not null; see the module's drawing."""

    def __init__(
        self, values: pa.StructArray, before: "Pool | None" = None, given: Mapping[str, pa.Array] | None = None
    ) -> None:
        self._values = values
        self._before = before
        self._given = given or {}
        self._members: dict[str, pa.Array] = {}
        self.size: int = (before.size if before else len(values)) + sum(map(len, self._given.values()))

    def with_given(self, given: Mapping[str, pa.Array]) -> "Pool":
        """Return a pool that also holds the values *given*, by member and in this order."""
        return Pool(self._values, self, given) if given else self

    def member(self, name: str) -> pa.Array:
        """Return one member of `collector.schema.ANY_VALUE` of all values, null where a value is other."""
        if name not in self._members:
            self._members[name] = self._member(name)
        return self._members[name]

    def _member(self, name: str) -> pa.Array:
        values, before = self._values, self._before
        if before is None:
            return values.flatten()[values.type.get_field_index(name)] if values.null_count else values.field(name)
        first = before._up_to_the_last(name)
        blocks = [
            array if name == member else pa.nulls(len(array), first.type) for member, array in self._given.items()
        ]
        return pa.concat_arrays([first, pa.nulls(before.size - len(first), first.type), *blocks])

    def _up_to_the_last(self, name: str) -> pa.Array:
        """Return one member of as many values as there are up to the last that can be one."""
        if self._before is None or name in self._given:
            return self.member(name)
        return self._before._up_to_the_last(name)

    @cached_property
    def naturals(self) -> npt.NDArray[np.int64]:
        """The integer that each value is, negative where it is none or negative."""
        if self._before is None:
            return _naturals(self.member("int_value"))
        told = [
            _naturals(array) if name == "int_value" else np.full(len(array), -1) for name, array in self._given.items()
        ]
        return np.concatenate([self._before.naturals, *told])

    @cached_property
    def filled(self) -> npt.NDArray[np.bool_]:
        """Whether each value is a text that is not empty."""
        texts: pa.StringArray = self.member("string_value")
        offsets = np.frombuffer(texts.buffers()[1], np.int32)[texts.offset :][: len(texts) + 1]
        filled: npt.NDArray[np.bool_] = offsets[1:] > offsets[:-1]
        return filled & are_valid(texts)

    @cached_property
    def _kinds(self) -> npt.NDArray[np.uint8]:
        """The number of each value's member, counted from 1; 0 where all are null."""
        names = self._values.type.names
        if self._before is not None:
            told = [np.full(len(array), names.index(name) + 1, np.uint8) for name, array in self._given.items()]
            return np.concatenate([self._before._kinds, *told])
        kinds = np.zeros(self.size, dtype=np.uint8)
        for number, name in enumerate(names, start=1):
            member = self.member(name)
            if member.null_count < len(member):
                kinds += are_valid(member).view(np.uint8) * np.uint8(number)
        return kinds

    @cached_property
    def told(self) -> npt.NDArray[np.bool_]:
        """Whether each value says something: it has a member, and that is no empty text."""
        kinds, text = self._kinds, self._values.type.get_field_index("string_value") + 1
        told: npt.NDArray[np.bool_] = self.filled | ((kinds > 0) & (kinds != text))
        return told

    def taken(self, slots: Slots) -> pa.StructArray:
        """Return the values in these *slots*, in their order."""
        kind = self._values.type
        edges = np.flatnonzero(np.diff(slots) != 1) + 1
        if (len(edges) + 1) * _SHORT_RUN < len(slots):
            firsts = np.concatenate(([0], edges))
            runs = list(zip(slots[firsts].tolist(), np.diff(firsts, append=len(slots)).tolist(), strict=True))
            members = [self._copied(name, runs) for name in kind.names]
        else:
            kinds = np.take(self._kinds, slots)
            members = [self._taken(name, slots, kinds == number) for number, name in enumerate(kind.names, start=1)]
        return pa.StructArray.from_arrays(members, fields=list(kind), mask=self._missing(slots))

    def _copied(self, name: str, runs: Sequence[tuple[int, int]]) -> pa.Array:
        """Return one member of the values in *runs* of slots, each from a first one and of a length."""
        held = self.member(name)
        if held.null_count == len(held):
            return pa.nulls(sum(length for _, length in runs), held.type)
        return pa.concat_arrays([held.slice(first, length) for first, length in runs])

    def _taken(self, name: str, slots: Slots, own: npt.NDArray[np.bool_]) -> pa.Array:
        """Return one member of the values in these *slots*, of which those are not null that are its *own*.

        Arrow's `take` alone costs twice as much: it has nulls to look at, and most members are null in most slots.
        """
        kind = self._values.type.field(name).type
        if not own.any():
            return pa.nulls(len(slots), kind)
        if name == "int_value":
            return _array(kind, own, np.take(self.naturals, slots))
        held = self._up_to_the_last(name)
        if name == "double_value":
            return _array(kind, own, np.take(np.frombuffer(held.buffers()[1])[held.offset :], slots, mode="clip"))
        places = np.flatnonzero(own)
        packed = held.take(pa.array(slots[places]))
        if name == "bool_value":
            flags = np.zeros(len(slots), dtype=bool)
            flags[places] = packed
            return _array(kind, own, np.packbits(flags, bitorder="little"))
        _, ends, data = packed.buffers()
        bounds = np.frombuffer(ends, np.int32)[: len(packed) + 1]
        offsets = np.repeat(bounds, np.diff(places, prepend=-1, append=len(slots)))
        return _array(kind, own, offsets, data)

    def _missing(self, slots: Slots) -> pa.BooleanArray | None:
        """Return which of the values are missing altogether, None for none."""
        if not self._values.null_count:
            return None
        missing = np.zeros(self.size, dtype=bool)
        missing[: len(self._values)] = self._values.is_null()
        return pa.array(missing[slots])


def are_valid(array: pa.Array) -> npt.NDArray[np.bool_]:
    """Tell which entries of *array* are not null."""
    if not array.null_count:
        return np.ones(len(array), dtype=bool)
    bits = np.frombuffer(array.buffers()[0], np.uint8)
    return np.unpackbits(bits, count=array.offset + len(array), bitorder="little")[array.offset :].view(bool)


def numbers_in(array: pa.Array, dtype: type[np.number[Any]]) -> npt.NDArray[Any]:
    """Return the numbers of *array* without a look at which are null: there may be anything for those."""
    return np.frombuffer(array.buffers()[1], dtype)[array.offset :][: len(array)]


def _naturals(ints: pa.Int64Array) -> npt.NDArray[np.int64]:
    held = numbers_in(ints, np.int64)
    return np.where(are_valid(ints), held, -1) if ints.null_count else held


def _array(kind: pa.DataType, valid: npt.NDArray[np.bool_], *data: Any) -> pa.Array:
    """Return an array of these buffers, with null for what is not *valid*."""
    bits = np.packbits(valid, bitorder="little")
    return pa.Array.from_buffers(kind, len(valid), [pa.py_buffer(each) for each in (bits, *data)])


def optional(positions: npt.NDArray[np.int64]) -> pa.Int64Array:
    """Return the positions for Arrow: null where negative."""
    present = positions >= 0
    if present.all():
        return pa.array(positions)
    bits = pa.py_buffer(np.packbits(present, bitorder="little"))
    return pa.Array.from_buffers(pa.int64(), len(positions), [bits, pa.py_buffer(np.ascontiguousarray(positions))])
