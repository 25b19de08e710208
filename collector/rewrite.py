"""Adding, replacing, renaming and dropping attributes of many rows at once.

    lists      [[a b] [c] []]     additions  x to row 0, x and y to row 2;  dropped  b;  replaced  c
    result     [[a x] [C] [x y]]

No value moves: `Pool` takes in the new ones, and each row lists the numbers of those it has now. The keys of rows that
had the same and change in the same way are worked out once for all of them.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from collector.attributes import (
    FEW,
    Attributes,
    Positions,
    Shapes,
    Unlaid,
    attributes_of,
    distinct,
    elements_of,
    first_rows,
    offsets_of,
    ranges,
    with_attributes,
)
from collector.batch import Batch
from collector.pool import Pool
from collector.schema import ANY_VALUE

Numbers = npt.NDArray[np.int64]
Rows = Numbers
"""Row numbers, each at most once."""

_NONE: Positions = np.array([], dtype=np.int64)
_NO_NAMES: Mapping[str, Positions] = {}
_DROPPED = 1
_MOST_BITS = 40
"""So many additions can be told by the bits of a number, which is quicker than by a text of their numbers."""


class Addition(NamedTuple):
    """Is one attribute for many rows: ``values[choice]``, non-null, of the type of *member* of an AnyValue.

    Without *values* they get those that stand at the positions *choice* already, which are of this *member*.
    """

    key: str
    rows: Rows
    member: str
    values: pa.Array | Sequence[Any] | None
    choice: npt.NDArray[np.int64]


class Replacement(NamedTuple):
    """Is another value for the attributes at *positions*: ``values[choice]``, non-null, as *member* of an AnyValue."""

    positions: Positions
    member: str
    values: pa.Array | Sequence[Any] | None
    choice: npt.NDArray[np.int64]


class _Change(NamedTuple):
    """Says what becomes of rows: the *fate* of each old attribute, and which additions each row gets.

    A fate is 0, for none, or `_DROPPED`, or higher for another name. A row is made of *kept* old attributes and, behind
    them, *added* new ones; *places* are the numbers of these among the additions, row by row.
    """

    fate: npt.NDArray[np.int32]
    places: Numbers
    kept: Numbers
    added: Numbers


def rewritten(
    attributes: Attributes,
    *,
    additions: Sequence[Addition] = (),
    replacements: Sequence[Replacement] = (),
    dropped: Positions = _NONE,
    renamed: Mapping[str, Positions] = _NO_NAMES,
) -> Attributes:
    """Return the attributes without the *dropped* positions, and with the additions at the rows' ends.

    *renamed* are positions by the name that they get. A position is replaced once at most, and not also dropped.
    """
    pool, slots = _pooled(attributes, [*additions, *replacements])
    old = attributes.slots.copy() if replacements else attributes.slots
    for replacement, new in zip(replacements, slots[len(additions) :], strict=True):
        old[replacement.positions] = new
    if not (additions or renamed or len(dropped)):
        offsets = np.append(attributes.starts, np.int32(attributes.size))
        return Attributes(Unlaid(attributes.kind, offsets, attributes.shapes, pool, old, attributes.keys))
    fate = np.zeros(attributes.size, dtype=np.int32)
    for number, positions in enumerate((dropped, *renamed.values()), start=_DROPPED):
        fate[positions] = number
    kept = attributes.lengths.astype(np.int64)
    if len(dropped):
        gone = fate == _DROPPED
        kept -= np.bincount(attributes.rows[gone], minlength=attributes.count)
        old = old[~gone]
    rows = np.concatenate([_NONE, *(addition.rows for addition in additions)])
    by_row = np.argsort(rows, kind="stable")
    places = np.repeat(np.arange(len(additions)), [len(addition.rows) for addition in additions])[by_row]
    change = _Change(fate, places, kept, np.bincount(rows, minlength=attributes.count))
    new = np.concatenate([_NONE, *slots[: len(additions)]])[by_row]
    shapes = _shapes(attributes, change, list(renamed), [addition.key for addition in additions])
    offsets = offsets_of(kept + change.added)
    return Attributes(Unlaid(attributes.kind, offsets, shapes, pool, _joined(old, new, kept, change.added)))


def with_rewritten(
    batch: Batch,
    *,
    additions: Sequence[Addition] = (),
    replacements: Sequence[Replacement] = (),
    dropped: Positions = _NONE,
    renamed: Mapping[str, Positions] = _NO_NAMES,
) -> Batch:
    """Return the batch with the attributes of its items changed as `rewritten` does."""
    attributes = attributes_of(batch)
    changed = rewritten(attributes, additions=additions, replacements=replacements, dropped=dropped, renamed=renamed)
    return with_attributes(batch, changed)


def _pooled(attributes: Attributes, writes: Sequence[Addition | Replacement]) -> tuple[Pool, list[Numbers]]:
    """Return the pool with all that is written, and where in it that is; equal arrays are taken in once."""
    blocks: dict[str, dict[int, pa.Array | Sequence[Any]]] = {}
    for write in writes:
        if write.values is not None:
            blocks.setdefault(write.member, {})[id(write.values)] = write.values
    pool = attributes.pool
    given: dict[str, pa.Array] = {}
    starts: dict[tuple[str, int], int] = {}
    end = pool.size
    for member, block in blocks.items():
        kind = ANY_VALUE.field(member).type
        arrays = [values if isinstance(values, pa.Array) else pa.array(values, kind) for values in block.values()]
        for name, array in zip(block, arrays, strict=True):
            starts[member, name] = end
            end += len(array)
        given[member] = pa.concat_arrays(arrays) if len(arrays) > 1 else arrays[0]
    slots = [
        attributes.slots_of(write.choice)
        if write.values is None
        else starts[write.member, id(write.values)] + write.choice
        for write in writes
    ]
    return pool.with_given(given), slots


def _joined(old: Numbers, new: Numbers, kept: Numbers, added: Numbers) -> Numbers:
    """Return what is *kept* of each row of *old* and, behind it, what is *added* of *new*, row by row."""
    if not len(new):
        return old
    is_new = np.repeat(np.tile([False, True], len(kept)), np.stack((kept, added), axis=1).ravel())
    joined = np.empty(len(is_new), dtype=old.dtype)
    joined[~is_new] = old
    joined[is_new] = new
    return joined


def _shapes(attributes: Attributes, change: _Change, renamed: Sequence[str], added: Sequence[str]) -> Shapes:
    """Return the shapes of the changed rows; *renamed* are new names of old attributes, *added* those of additions."""
    alike = _alike(attributes, change)
    rows = first_rows(alike)
    known = len(attributes.names)
    fate = change.fate[ranges(attributes.starts[rows], attributes.lengths[rows])]
    old = attributes.codes_of(attributes.shapes.shape[rows])
    old = np.where(fate > _DROPPED, known - _DROPPED - 1 + fate, old)[fate != _DROPPED]
    places = elements_of(rows, change.added)
    new = known + len(renamed) + change.places[places]
    lengths = change.kept[rows] + change.added[rows]
    codes, names = _compact(
        _joined(old, new, change.kept[rows], change.added[rows]), [*attributes.names, *renamed, *added]
    )
    if attributes.count <= FEW:
        return Shapes(alike, rows, lengths.astype(np.int32), codes, names)
    # Rows that had other keys, or changed in another way, may have come to have the same.
    same = distinct(pa.py_buffer(codes), offsets_of(lengths) * codes.itemsize) if len(codes) else np.zeros_like(rows)
    first = first_rows(same)
    codes = codes[elements_of(first, lengths)]
    return Shapes(same[alike], rows[first], lengths[first].astype(np.int32), codes, names)


def _alike(attributes: Attributes, change: _Change) -> Numbers:
    """Return a number for each row: equal ones only for rows that had the same keys and change in the same way."""
    if attributes.count <= FEW:
        return np.arange(attributes.count)
    alike = attributes.shapes.shape
    if len(change.places):
        alike = _together(alike, _added(change))
    touched = np.flatnonzero(change.fate)
    if len(touched):
        rows = attributes.rows[touched]
        told = np.stack((touched - attributes.starts[rows], change.fate[touched]), axis=1)
        counts = np.bincount(rows, minlength=attributes.count)
        alike = _together(alike, distinct(pa.py_buffer(told), offsets_of(counts) * told.itemsize * 2))
    return alike


def _added(change: _Change) -> Numbers:
    """Return a number for each row, of less than 2**40; equal ones for rows that get the same additions."""
    if change.places.max() >= _MOST_BITS:
        return distinct(pa.py_buffer(change.places), offsets_of(change.added) * change.places.itemsize)
    rows = np.repeat(np.arange(len(change.added)), change.added)
    return np.bincount(rows, np.exp2(change.places), len(change.added)).astype(np.int64)


def _together(some: Numbers, others: Numbers) -> Numbers:
    """Return a number for each row, in the order of their first rows; equal ones for rows that have both equal."""
    pairs = pa.array(others * (some.max() + 1) + some)
    return np.asarray(pairs.dictionary_encode().indices).astype(np.int64)


def _compact(codes: Numbers, names: Sequence[str]) -> tuple[npt.NDArray[np.int32], list[str]]:
    """Return the keys ``names[code]`` by the numbers of distinct names, those that occur."""
    used = np.zeros(len(names), dtype=bool)
    used[codes] = True
    numbers: dict[str, int] = {}
    place = np.zeros(len(names), dtype=np.int32)
    for code in np.flatnonzero(used).tolist():
        place[code] = numbers.setdefault(names[code], len(numbers))
    return place[codes], list(numbers)
