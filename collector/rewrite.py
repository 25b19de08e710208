"""Adding, replacing and dropping attributes of many rows at once.

    lists      [[a b] [c] []]     additions  x to row 0, x and y to row 2;  dropped  b;  replaced  c
    result     [[a x] [C] [x y]]

For the rows that change, each member of the old values and the new ones are laid one after the other, and one `take`
brings them into the order of the rows. Long runs of other rows are copied whole.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from collector.attributes import Attributes, attributes_of, optional, ranges, shapes_by_codes, with_attributes
from collector.batch import Batch

Rows = npt.NDArray[np.int64]
"""Row numbers, each at most once."""

_SHORT_RUN = 32
"""Copying a run costs what it costs to take the attributes of about so many rows one by one."""


class Addition(NamedTuple):
    """Is one attribute for many rows: ``values[choice]``, non-null, of the type of *member* of an AnyValue."""

    key: str
    rows: Rows
    member: str
    values: pa.Array | Sequence[Any]
    choice: Rows


class Replacement(NamedTuple):
    """Is another value for the attributes at *positions*: ``values[choice]``, non-null, as *member* of an AnyValue."""

    positions: npt.NDArray[np.int64]
    member: str
    values: pa.Array | Sequence[Any]
    choice: Rows


class _Layout(NamedTuple):
    """Says what the changed *rows* hold: in *order* the positions of old attributes, -1 in the *slots* of new values.

    *codes* are the numbers of their keys among the names of the batch and those of the additions, one after the other.
    """

    rows: Rows
    order: npt.NDArray[np.int64]
    codes: npt.NDArray[np.int32]
    slots: list[npt.NDArray[np.int64]]
    offsets: npt.NDArray[np.int64]


_NONE = np.array([], dtype=np.int64)


def rewrite(
    attributes: Attributes,
    kind: pa.DataType,
    *,
    additions: Sequence[Addition] = (),
    replacements: Sequence[Replacement] = (),
    dropped: npt.NDArray[np.int64] = _NONE,
) -> pa.ListArray:
    """Return the lists of type *kind* without the *dropped* positions, and with the additions at the rows' ends.

    A position is replaced once at most, and not also dropped.
    """
    return _rewritten(attributes, kind, additions, replacements, dropped)[0]


def with_rewritten(
    batch: Batch,
    *,
    additions: Sequence[Addition] = (),
    replacements: Sequence[Replacement] = (),
    dropped: npt.NDArray[np.int64] = _NONE,
) -> Batch:
    """Return the batch with the attributes of its items changed as `rewrite` does.

    The keys of the new ones follow from those of the old, so nobody has to tell them apart once more.
    """
    attributes = attributes_of(batch)
    kind = batch.main.schema.field("attributes").type
    lists, offsets, layout = _rewritten(attributes, kind, additions, replacements, dropped)
    names = [*attributes.names, *(addition.key for addition in additions)]
    return with_attributes(batch, lists, shapes_by_codes(_codes(attributes, offsets, layout), offsets, names))


def _codes(attributes: Attributes, offsets: npt.NDArray[np.int32], layout: _Layout) -> npt.NDArray[np.int32]:
    """Return the numbers of the keys of all rows, those that did not change too."""
    if len(layout.rows) == attributes.count:
        return layout.codes
    codes = np.empty(offsets[-1], dtype=np.int32)
    same = np.ones(attributes.count, dtype=bool)
    same[layout.rows] = False
    lengths = np.diff(offsets)
    codes[ranges(offsets[:-1][same], lengths[same])] = attributes.codes_of(attributes.shapes.shape[same])
    codes[ranges(offsets[layout.rows], lengths[layout.rows])] = layout.codes
    return codes


def _rewritten(
    attributes: Attributes,
    kind: pa.DataType,
    additions: Sequence[Addition],
    replacements: Sequence[Replacement],
    dropped: npt.NDArray[np.int64],
) -> tuple[pa.ListArray, npt.NDArray[np.int32], _Layout]:
    """Return the new lists, their offsets, and the layout of the rows that changed."""
    edges = _edges(attributes, additions, [dropped, *(each.positions for each in replacements)])
    rows = ranges(edges[::2], edges[1::2] - edges[::2])
    layout = _layout(attributes, rows, additions, replacements, dropped)
    taken = _taken(attributes, additions, replacements, layout)
    lengths = attributes.lengths.astype(np.int64)
    lengths[rows] = np.diff(layout.offsets)
    offsets = np.concatenate(([0], np.cumsum(lengths))).astype(np.int32)
    pieces = list(_pieces(attributes, edges, taken, layout.offsets))
    flat = pa.concat_arrays(pieces) if len(pieces) > 1 else pieces[0]
    return pa.ListArray.from_arrays(pa.array(offsets), flat, type=kind), offsets, layout


def _edges(
    attributes: Attributes, additions: Sequence[Addition], touched: Sequence[npt.NDArray[np.int64]]
) -> npt.NDArray[np.int64]:
    """Return where the runs of rows that change begin and end: first, end, first, end, ..."""
    whole = np.array([0, attributes.count])
    if attributes.count < 2 * _SHORT_RUN:
        return whole
    changed = np.zeros(attributes.count, dtype=bool)
    for positions in touched:
        changed[attributes.rows[positions]] = True
    for addition in additions:
        changed[addition.rows] = True
    edges = np.flatnonzero(np.diff(changed, prepend=False, append=False))
    return whole if len(edges) * _SHORT_RUN > attributes.count else edges


def _layout(
    attributes: Attributes,
    rows: Rows,
    additions: Sequence[Addition],
    replacements: Sequence[Replacement],
    dropped: npt.NDArray[np.int64],
) -> _Layout:
    lengths = attributes.lengths[rows].astype(np.int64)
    kept = ranges(attributes.starts[rows], lengths)
    kept_codes = attributes.codes_of(attributes.shapes.shape[rows])
    place = np.empty(attributes.count, dtype=np.int64)
    place[rows] = np.arange(len(rows))
    if len(dropped):
        keep = np.ones(len(attributes.flat), dtype=bool)
        keep[dropped] = False
        kept, kept_codes = kept[keep[kept]], kept_codes[keep[kept]]
        lengths -= np.bincount(place[attributes.rows[dropped]], minlength=len(rows))
    grown = lengths.copy()
    taken = []
    for addition in additions:
        at = place[addition.rows]
        taken.append((at, grown[at]))
        grown[at] += 1
    offsets = np.concatenate(([0], np.cumsum(grown)))
    order = np.full(offsets[-1], -1, dtype=np.int64)
    codes = np.empty(offsets[-1], dtype=np.int32)
    old = ranges(offsets[:-1], lengths)
    order[old], codes[old] = kept, kept_codes
    slots = [offsets[at] + place_in_row for at, place_in_row in taken]
    for number, new in enumerate(slots, start=len(attributes.names)):
        codes[new] = number
    slots += _replaced_slots(attributes, replacements, order, (kept, old))
    return _Layout(rows, order, codes, slots, offsets)


def _replaced_slots(
    attributes: Attributes,
    replacements: Sequence[Replacement],
    order: npt.NDArray[np.int64],
    moved: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]],
) -> list[npt.NDArray[np.int64]]:
    """Return where the replaced attributes come to stand, and empty those slots; *moved* is from where to where."""
    if not replacements:
        return []
    kept, old = moved
    now = np.empty(len(attributes.flat), dtype=np.int64)
    now[kept] = old
    slots = [now[each.positions] for each in replacements]
    for each in slots:
        order[each] = -1
    return slots


def _taken(
    attributes: Attributes, additions: Sequence[Addition], replacements: Sequence[Replacement], layout: _Layout
) -> pa.StructArray:
    """Return the (key, value) structs of the changed rows, one after the other."""
    old = optional(layout.order)
    value = attributes.values.type
    writes: list[Addition | Replacement] = [*additions, *replacements]
    new = list(zip(writes, layout.slots, strict=True))
    members = []
    for field in value:
        own = [(each, slots) for each, slots in new if each.member == field.name]
        held = attributes.members[field.name]
        members.append(_member(held, own, layout.order) if own else _plain(held, old))
    mask = None
    if attributes.values.null_count:
        missing = np.append(np.asarray(attributes.values.is_null()), False)
        mask = pa.array(missing[layout.order])
    values = pa.StructArray.from_arrays(members, fields=list(value), mask=mask)
    names = [*attributes.names, *(addition.key for addition in additions)]
    return pa.StructArray.from_arrays(
        [pa.array(names, pa.string()).take(pa.array(layout.codes)), values], fields=list(attributes.flat.type)
    )


def _plain(values: pa.Array, order: pa.Int64Array) -> pa.Array:
    if values.null_count == len(values):
        return pa.nulls(len(order), values.type)
    return values.take(order)


def _member(
    values: pa.Array,
    additions: Sequence[tuple[Addition | Replacement, npt.NDArray[np.int64]]],
    order: npt.NDArray[np.int64],
) -> pa.Array:
    """Return one member in the order wanted; equal arrays of new values are laid down once."""
    starts = {id(values): 0}
    sources, end = [values], len(values)
    words: list[Any] = []
    order = order.copy()
    for addition, _ in additions:
        if isinstance(addition.values, pa.Array) and id(addition.values) not in starts:
            starts[id(addition.values)] = end
            sources.append(addition.values)
            end += len(addition.values)
    for addition, slots in additions:
        start = starts.get(id(addition.values), end + len(words))
        order[slots] = start + addition.choice
        if id(addition.values) not in starts:
            words.extend(addition.values)
    order[order < 0] = end + len(words)
    source = pa.concat_arrays([*sources, pa.array([*words, None], values.type)])
    return source.take(pa.array(order))


def _pieces(
    attributes: Attributes, edges: npt.NDArray[np.int64], taken: pa.StructArray, offsets: npt.NDArray[np.int64]
) -> Iterator[pa.StructArray]:
    """Yield the attributes of runs of rows: unchanged up to the first edge, changed up to the next, and so on."""
    ends = np.append(attributes.starts, len(attributes.flat))
    bounds = [0, *edges.tolist(), attributes.count]
    done = 0
    for number, (first, last) in enumerate(pairwise(bounds)):
        if number % 2:
            size = last - first
            yield taken.slice(offsets[done], offsets[done + size] - offsets[done])
            done += size
        elif first < last:
            yield attributes.flat.slice(ends[first], ends[last] - ends[first])
