"""Labels: the attributes of resources, scopes and points as texts sorted by key, for many owners at once.

keys      [a b le]               every key of the batch; a key's number is its rank in the order of bytes
offsets   [0    2  3]            owner 0 has the labels at 0 and 1, owner 1 the one at 2
codes      0 2  1
texts      x 5  true
kinds      Str Str Bool          what the attribute was, as SigNoz's metadata names it
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from collector.attributes import Attributes, offsets_of, ranges
from exporters.clickhouse.columns import Ints
from exporters.clickhouse.texts import as_string, plain_quoted
from exporters.clickhouse.values import array_value, kvlist_value

KINDS = ("Str", "Bool", "Int", "Double", "Slice", "Map", "Bytes", "Empty")
"""Names of the kinds of values, in the order of the members of `collector.schema.ANY_VALUE`."""

_STRING, _EMPTY = KINDS.index("Str"), KINDS.index("Empty")
_MEMBERS = ("string_value", "bool_value", "int_value", "double_value", "array_value", "kvlist_value", "bytes_value")
_DECODERS = {"array_value": array_value, "kvlist_value": kvlist_value}
_VECTORISED = ("bool_value", "int_value")


@dataclass(frozen=True, slots=True)
class Entries:
    """Labels in any order; of equal owner and key the last one counts."""

    owners: Ints
    codes: Ints
    texts: pa.StringArray
    kinds: npt.NDArray[np.int8]


@dataclass(frozen=True, slots=True)
class Labels:
    """The sorted labels of some owners; see the module's drawing."""

    offsets: npt.NDArray[np.int32]
    codes: Ints
    texts: pa.StringArray
    kinds: npt.NDArray[np.int8]

    @property
    def lengths(self) -> npt.NDArray[np.int32]:
        """How many labels each owner has."""
        return np.diff(self.offsets)

    def entries_of(self, owners: Ints) -> Entries:
        """Return the labels of ``owners[i]`` as those of a new owner ``i``."""
        lengths = self.lengths[owners]
        index = ranges(self.offsets[:-1][owners], lengths)
        numbers = np.repeat(np.arange(len(owners)), lengths)
        return Entries(numbers, self.codes[index], self.texts.take(pa.array(index)), self.kinds[index])

    def take(self, owners: Ints) -> "Labels":
        """Return the labels of these owners, in this order."""
        found = self.entries_of(owners)
        return Labels(offsets_of(self.lengths[owners]), found.codes, found.texts, found.kinds)

    def texts_of(self, code: int) -> dict[int, str]:
        """Return the text of one key by owner."""
        places = np.flatnonzero(self.codes == code)
        owners = np.searchsorted(self.offsets, places, side="right") - 1
        return dict(zip(owners.tolist(), self.texts.take(pa.array(places)).to_pylist(), strict=True))


class Keys:
    """Are all keys of a batch, numbered in the order of their bytes."""

    def __init__(self, names: Iterable[str]) -> None:
        self.names = sorted(set(names), key=str.encode)
        self.code = {name: code for code, name in enumerate(self.names)}
        self._column = pa.array(self.names, pa.string())

    def entries_of(self, attributes: Attributes) -> Entries:
        """Return attributes as entries."""
        codes = np.array([self.code[name] for name in attributes.names], np.int64)[attributes.codes]
        texts, kinds = _texts_of(attributes)
        return Entries(attributes.rows, codes, texts, kinds)

    def constant(self, key: str, owners: Ints, texts: pa.StringArray) -> Entries:
        """Return one label of these owners that is no attribute."""
        codes = np.full(len(owners), self.code[key], np.int64)
        return Entries(owners, codes, texts, np.full(len(owners), _STRING, np.int8))

    def labels(self, count: int, entries: Sequence[Entries]) -> Labels:
        """Return the labels of *count* owners; of equal keys of an owner that of the last entries counts."""
        owners, codes = (np.concatenate([getattr(one, name) for one in entries]) for name in ("owners", "codes"))
        places = owners * len(self.names) + codes
        order = np.argsort(places, kind="stable")
        ranked = places[order]
        is_last = np.ones(len(ranked), np.bool_)
        is_last[:-1] = ranked[1:] != ranked[:-1]
        kept = order[is_last]
        texts = pa.concat_arrays([one.texts for one in entries]).take(pa.array(kept))
        kinds = np.concatenate([one.kinds for one in entries])[kept]
        return Labels(offsets_of(np.bincount(owners[kept], minlength=count)), codes[kept], texts, kinds)

    def map_column(self, labels: Labels) -> pa.MapArray:
        """Return the labels as a column of maps."""
        names = pa.DictionaryArray.from_arrays(pa.array(labels.codes, pa.int32()), self._column)
        return pa.MapArray.from_arrays(pa.array(labels.offsets), names, labels.texts)

    def pairs(self, labels: Labels) -> pa.BinaryArray:
        """Return what is hashed of each owner: every key and text, each with the byte FF behind it."""
        end = pa.scalar(b"\xff", pa.binary())
        names = self._column.cast(pa.binary()).take(pa.array(labels.codes))
        texts = labels.texts.cast(pa.binary())
        return _joined(pc.binary_join_element_wise(names, texts, pa.scalar(b""), end), labels.offsets)

    def json(self, labels: Labels) -> pa.StringArray:
        """Return the labels of each owner, who has one at least, as the text of a JSON object."""
        names = [f"{mark}{plain_quoted(name)}:" for mark in "{," for name in self.names]
        is_first, is_last = np.zeros((2, len(labels.codes)), np.bool_)
        is_first[labels.offsets[:-1]] = is_last[labels.offsets[1:] - 1] = True
        heads = pa.array(names).take(pa.array(np.where(is_first, labels.codes, labels.codes + len(self.names))))
        tails = pc.if_else(pa.array(is_last), "}", "")
        distinct = pc.dictionary_encode(labels.texts)
        quoted = pa.array(map(plain_quoted, distinct.dictionary.to_pylist()), pa.string())
        members = pc.binary_join_element_wise(heads, quoted.take(distinct.indices), tails, "")
        return _joined(members.cast(pa.binary()), labels.offsets).cast(pa.string())


def _joined(pieces: pa.BinaryArray, offsets: npt.NDArray[np.int32]) -> pa.BinaryArray:
    """Return each owner's pieces, which lie one after the other, as one value."""
    _, ends, data = pieces.buffers()
    bounds = np.frombuffer(ends, np.int32)[pieces.offset :][offsets]
    return pa.Array.from_buffers(pa.binary(), len(offsets) - 1, [None, pa.py_buffer(bounds), data])


def _texts_of(attributes: Attributes) -> tuple[pa.StringArray, npt.NDArray[np.int8]]:
    """Return the value of each attribute as text, and its kind."""
    members = attributes.members
    strings = members["string_value"]
    kinds = np.full(len(strings), _EMPTY, np.int8)
    kinds[np.asarray(strings.is_valid())] = _STRING
    if (kinds == _STRING).all():
        return strings, kinds
    pieces = [strings, pa.array([""])]
    source = np.where(kinds == _STRING, np.arange(len(strings)), len(strings))
    for kind, name in enumerate(_MEMBERS[1:], start=1):
        places = np.flatnonzero(np.asarray(members[name].is_valid()))
        if len(places):
            texts, numbers = _derived_texts(name, members[name].drop_null())
            kinds[places] = kind
            source[places] = numbers + sum(map(len, pieces))
            pieces.append(texts)
    return pa.concat_arrays(pieces).take(pa.array(source)), kinds


def _derived_texts(name: str, values: pa.Array) -> tuple[pa.StringArray, npt.NDArray[Any]]:
    """Return texts, and for each value the number of its text."""
    if name in _VECTORISED:
        return values.cast(pa.string()), np.arange(len(values))
    distinct = pc.dictionary_encode(values)
    decode = _DECODERS.get(name)
    plain = (decode(value) if decode else value for value in distinct.dictionary.to_pylist())
    return pa.array(map(as_string, plain), pa.string()), np.asarray(distinct.indices)
