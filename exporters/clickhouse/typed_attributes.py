"""The attributes of spans and log records sorted by the ClickHouse type that holds them: strings, numbers, booleans.

    [a="x" n=1 m={k: true}]   ->   strings a="x"                 numbers n=1    booleans m.k=true    of a span
                                   strings a="x" m="{...}"       numbers n=1                         of a record

Lists, bytes and empty values are strings. Maps are flattened on spans and strings on records. NaN and infinities are
numbers on records; on spans they have no place and are left out.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from collector.attributes import Attributes, attributes_of, elements_of, offsets_of
from collector.batch import Batch, Signal
from collector.pool import are_valid, numbers_in
from exporters.clickhouse.columns import Ints, binary_rows, packed
from exporters.clickhouse.texts import as_string, go_text
from exporters.clickhouse.values import Value, flatten, is_number, kvlist_value, member_values

_Leaves: TypeAlias = list[list[tuple[str, Any]]]
"""For each distinct map its flattened keys and values."""


@dataclass(frozen=True, slots=True)
class Entries:
    """Attributes of one type, in the order of their rows; *codes* are numbers of keys."""

    rows: Ints
    codes: npt.NDArray[np.integer[Any]]
    values: pa.Array


@dataclass(frozen=True, slots=True)
class TypedAttributes:
    """All attributes of a batch's items; ``names[code]`` is the key of an entry."""

    names: list[str]
    strings: Entries
    numbers: Entries
    booleans: Entries

    def by_data_type(self) -> Iterable[tuple[str, Entries]]:
        """Yield the three with the names that SigNoz gives to their types."""
        yield from (("string", self.strings), ("float64", self.numbers), ("bool", self.booleans))


@dataclass(frozen=True, slots=True)
class _Found:
    """Values of one type with their positions in the flat list of attributes, ascending."""

    positions: Ints
    codes: npt.NDArray[np.integer[Any]]
    values: pa.Array


def typed_attributes_of(batch: Batch) -> TypedAttributes:
    """Return the attributes of the batch's items by type, worked out once per batch."""
    return batch.memo(_typed_attributes)


def attribute_maps(batch: Batch) -> dict[str, pa.MapArray]:
    """Return the columns of SigNoz's tables that hold the attributes of the batch's items, by type."""
    attributes = typed_attributes_of(batch)
    return {
        "attributes_string": _map_column(attributes.strings, attributes.names, batch.rows),
        "attributes_number": _map_column(attributes.numbers, attributes.names, batch.rows),
        "attributes_bool": _map_column(attributes.booleans, attributes.names, batch.rows),
    }


def _map_column(entries: Entries, names: list[str], rows: int) -> pa.MapArray:
    """Return the map column of a table with as many *rows* that holds these entries."""
    offsets = offsets_of(np.bincount(entries.rows, minlength=rows))
    keys = pa.DictionaryArray.from_arrays(pa.array(entries.codes, pa.int32()), pa.array(names, pa.string()))
    return pa.MapArray.from_arrays(pa.array(offsets), keys, entries.values)


def _typed_attributes(batch: Batch) -> TypedAttributes:
    attributes = attributes_of(batch)
    members = attributes.members
    names = list(attributes.names)
    flat = batch.signal is Signal.TRACES
    found = [_strings(attributes, members, flat), _numbers(attributes, members, flat), _booleans(attributes, members)]
    maps = members["kvlist_value"]
    nested = flat and maps.null_count < len(maps)
    if nested:
        leaves = _leaves(attributes, maps, names)
        found = [_merge(plain, leaf) for plain, leaf in zip(found, leaves, strict=True)]
    repeated = nested or _has_repeated_keys(attributes)
    strings, numbers, booleans = (_entries(one, attributes.rows, len(names), repeated=repeated) for one in found)
    return TypedAttributes(names, strings, numbers, booleans)


def _entries(found: _Found, rows: Ints, keys: int, *, repeated: bool) -> Entries:
    """Return what was found as entries; where keys may be *repeated*, only the last value of each key of a row."""
    entries = Entries(rows[found.positions], found.codes, found.values)
    if not repeated:
        return entries
    places = (entries.rows * keys + entries.codes)[::-1]
    last = np.sort(len(places) - 1 - np.unique(places, return_index=True)[1])
    return Entries(entries.rows[last], entries.codes[last], entries.values.take(pa.array(last)))


def distinct_texts(name: str, member: pa.Array) -> pa.DictionaryArray:
    """Return the values of one member of a value column as texts, nulls left out, each distinct one made once."""
    distinct = pc.dictionary_encode(member.drop_null())
    texts = [as_string(value) for value in member_values(name, distinct.dictionary)]
    return pa.DictionaryArray.from_arrays(distinct.indices, pa.array(texts, pa.string()))


def _strings(attributes: Attributes, members: dict[str, pa.Array], flat: bool) -> _Found:
    texts = members["string_value"]
    found = are_valid(texts)
    for positions, derived, numbers in _derived_texts(members, flat):
        texts = _with(texts, positions, derived, numbers)
        found[positions] = True
    positions = np.flatnonzero(found)
    return _Found(positions, attributes.codes[positions], packed(texts, found))


def _with(texts: pa.StringArray, positions: Ints, derived: pa.StringArray, numbers: Ints) -> pa.StringArray:
    """Return the *texts* with ``derived[numbers[i]]`` at ``positions[i]``.

    Arrow knows beforehand how long the result of this will be; to take all from one array copies it three times.
    """
    _, offsets, data = texts.buffers()
    texts = pa.StringArray.from_buffers(len(texts), offsets, data, offset=texts.offset)  # empty where it was null
    chosen = np.full(len(texts), len(derived), np.int32)
    chosen[positions] = numbers
    others = pa.concat_arrays([derived, pa.array([""])]).take(pa.array(chosen))
    return pc.if_else(pa.array(chosen < len(derived)), others, texts)


def _derived_texts(members: dict[str, pa.Array], flat: bool) -> Iterable[tuple[Ints, pa.StringArray, Ints]]:
    """Yield, for each other kind of value that is a string here, its positions, the distinct texts, their numbers."""
    for name in ("array_value", "bytes_value") if flat else ("array_value", "bytes_value", "kvlist_value"):
        member = members[name]
        if member.null_count < len(member):
            texts = distinct_texts(name, member)
            yield np.flatnonzero(are_valid(member)), texts.dictionary, np.asarray(texts.indices)
    filled = sum(len(member) - member.null_count for member in members.values())
    count = len(members["string_value"])
    if filled < count:
        empty = ~np.logical_or.reduce([are_valid(member) for member in members.values()])
        positions = np.flatnonzero(empty)
        yield positions, pa.array([""]), np.zeros(len(positions), np.int64)


def _numbers(attributes: Attributes, members: dict[str, pa.Array], flat: bool) -> _Found:
    ints, doubles = members["int_value"], members["double_value"]
    whole, broken = are_valid(ints), are_valid(doubles)
    if flat and broken.any():
        broken = broken & np.isfinite(numbers_in(doubles, np.float64))
    positions = np.flatnonzero(whole | broken)
    values = np.where(
        whole[positions], numbers_in(ints, np.int64)[positions], numbers_in(doubles, np.float64)[positions]
    )
    return _Found(positions, attributes.codes[positions], pa.array(values))


def _booleans(attributes: Attributes, members: dict[str, pa.Array]) -> _Found:
    positions = np.flatnonzero(are_valid(members["bool_value"]))
    return _Found(positions, attributes.codes[positions], members["bool_value"].drop_null())


def _leaves(attributes: Attributes, maps: pa.BinaryArray, names: list[str]) -> list[_Found]:
    """Return the flattened members of all maps by type, and add their keys to *names*."""
    positions = np.flatnonzero(are_valid(maps))
    encoded = pc.dictionary_encode(maps.drop_null())
    size = len(encoded.dictionary)
    pairs = attributes.codes[positions].astype(np.int64) * size + np.asarray(encoded.indices)
    distinct = pc.dictionary_encode(pa.array(pairs))
    values = [kvlist_value(data) for data in encoded.dictionary.to_pylist()]
    flat = [list(flatten(names[pair // size], values[pair % size])) for pair in distinct.dictionary.to_pylist()]
    code_of = {name: code for code, name in enumerate(names)}
    for key in (key for leaves in flat for key, _ in leaves):
        code_of.setdefault(key, len(code_of))
    names[:] = code_of
    which = np.asarray(distinct.indices)
    return [
        _spread(positions, which, [[(code_of[key], leaf) for key, leaf in leaves] for leaves in kind], column)
        for kind, column in _by_type(flat)
    ]


def _by_type(flat: _Leaves) -> Iterable[tuple[_Leaves, pa.DataType]]:
    """Yield the leaves that are strings, numbers and booleans, with their Arrow types."""
    yield [[(key, go_text(leaf)) for key, leaf in one if not isinstance(leaf, float | int)] for one in flat], pa.utf8()
    yield [[(key, float(leaf)) for key, leaf in one if is_number(leaf)] for one in flat], pa.float64()
    yield [[(key, leaf) for key, leaf in one if isinstance(leaf, bool)] for one in flat], pa.bool_()


def _spread(
    positions: Ints, which: npt.NDArray[np.int32], leaves: list[list[tuple[int, Value]]], column: pa.DataType
) -> _Found:
    """Return the leaves of each position; ``leaves[which[i]]`` belong to ``positions[i]``."""
    lengths = np.array([len(one) for one in leaves])
    index = elements_of(which, lengths)
    codes = np.array([code for one in leaves for code, _ in one], np.int64)
    values = pa.array([leaf for one in leaves for _, leaf in one], column)
    return _Found(np.repeat(positions, lengths[which]), codes[index], values.take(pa.array(index)))


def _merge(first: _Found, second: _Found) -> _Found:
    positions = np.concatenate([first.positions, second.positions])
    order = np.argsort(positions, kind="stable")
    values = pa.concat_arrays([first.values, second.values]).take(pa.array(order))
    return _Found(positions[order], np.concatenate([first.codes, second.codes])[order], values)


def _has_repeated_keys(attributes: Attributes) -> bool:
    """Tell whether a row has a key twice, by looking at the few distinct sequences of keys that rows have."""
    shapes = pc.unique(binary_rows(attributes.codes, attributes.lengths))
    lengths = pc.binary_length(shapes).to_numpy() // 4
    codes = np.frombuffer(b"".join(shapes.to_pylist()), np.int32)
    pairs = np.repeat(np.arange(len(shapes)), lengths) * len(attributes.names) + codes
    return len(np.unique(pairs)) < len(pairs)
