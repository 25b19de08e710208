"""Adding and dropping attributes of many rows at once.

    lists      [[a b] [c] []]     additions  x to row 0, x and y to row 2;  dropped  b
    result     [[a x] [c] [x y]]

For the rows that change, each member of the old values and the new ones are laid one after the other, and one `take`
brings them into the order of the rows. Long runs of other rows are copied whole.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from collector.attributes import Attributes, optional, ranges

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

    @property
    def words(self) -> Sequence[Any]:
        """The values as Python's."""
        return self.values.to_pylist() if isinstance(self.values, pa.Array) else self.values


class _Layout(NamedTuple):
    """Says what the changed *rows* hold: in *order* the positions of old attributes, -1 in the *slots* of additions.

    *codes* are the numbers of their keys among the names of the batch and those of the additions, one after the other.
    """

    rows: Rows
    order: npt.NDArray[np.int64]
    codes: npt.NDArray[np.int32]
    slots: list[npt.NDArray[np.int64]]
    offsets: npt.NDArray[np.int64]


def rewrite(
    attributes: Attributes, additions: Sequence[Addition], dropped: npt.NDArray[np.int64], kind: pa.DataType
) -> pa.ListArray:
    """Return the lists of type *kind* without the *dropped* positions and with the additions at the rows' ends."""
    edges = _edges(attributes, additions, dropped)
    rows = ranges(edges[::2], edges[1::2] - edges[::2])
    layout = _layout(attributes, rows, additions, dropped)
    taken = _taken(attributes, additions, layout)
    lengths = attributes.lengths.astype(np.int64)
    lengths[rows] = np.diff(layout.offsets)
    offsets = np.concatenate(([0], np.cumsum(lengths)))
    pieces = list(_pieces(attributes, edges, taken, layout.offsets))
    flat = pa.concat_arrays(pieces) if len(pieces) > 1 else pieces[0]
    return pa.ListArray.from_arrays(pa.array(offsets.astype(np.int32)), flat, type=kind)


def _edges(
    attributes: Attributes, additions: Sequence[Addition], dropped: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Return where the runs of rows that change begin and end: first, end, first, end, ..."""
    whole = np.array([0, attributes.count])
    if attributes.count < 2 * _SHORT_RUN:
        return whole
    changed = np.zeros(attributes.count, dtype=bool)
    changed[attributes.rows[dropped]] = True
    for addition in additions:
        changed[addition.rows] = True
    edges = np.flatnonzero(np.diff(changed, prepend=False, append=False))
    return whole if len(edges) * _SHORT_RUN > attributes.count else edges


def _layout(
    attributes: Attributes, rows: Rows, additions: Sequence[Addition], dropped: npt.NDArray[np.int64]
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
    return _Layout(rows, order, codes, slots, offsets)


def _taken(attributes: Attributes, additions: Sequence[Addition], layout: _Layout) -> pa.StructArray:
    """Return the (key, value) structs of the changed rows, one after the other."""
    old = optional(layout.order)
    value = attributes.values.type
    members = []
    for field in value:
        own = [
            (addition, slots)
            for addition, slots in zip(additions, layout.slots, strict=True)
            if addition.member == field.name
        ]
        members.append(
            _member(attributes.members[field.name], own, layout.order)
            if own
            else _plain(attributes.members[field.name], old)
        )
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
    values: pa.Array, additions: Sequence[tuple[Addition, npt.NDArray[np.int64]]], order: npt.NDArray[np.int64]
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
