"""Summing calls into rollup rows, with integers only.

dimensions   one number per call and dimension, in the order of the sorted values
key          those numbers as one, so that equal keys are one group and sorted keys are sorted rows
sums         calls in the order of their group, added up from each group's first to its last
histograms   map, group and key of every count as one number, sorted; equal ones are one entry
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from collector.schema import CONTEXT_BANDS, ROLLUP_MAPS, ROLLUP_SUMS, ROLLUPS
from collector.sketch import bucket_of
from processors.rollup.calls import Calls, Numbers, Places

OTHER = "__other__"
"""Stands in a dimension for values that are too long or too many."""

_TOKENS = (
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "cache_write_1h_tokens",
    "reasoning_tokens",
    "cost_nano_usd",
)
"""The sums of `Calls.tokens`, line by line; each has a sum of how many calls reported it."""
_COVERED = ("cache_covered_calls", "cache_covered_read_tokens", "cache_covered_input_tokens")
_MEASURES = (*_TOKENS, *(f"{name}_calls" for name in _TOKENS), *_COVERED, "calls", "errors", "duration_nano")
_LINES = [_MEASURES.index(name) for name in ROLLUP_SUMS]

_BANDS = ("", *map(str, CONTEXT_BANDS))

_TIME = ROLLUPS.field("time").type
_ROOM = 2**62  # numbers that groups may have before they are made small again
_NARROW = 2**16  # numbers that sort fastest
_WIDE = 2**16  # numbers that buckets may have
_HALF = _WIDE // 2


class Limits(NamedTuple):
    """Says how finely calls are told apart: interval in seconds, characters a value, groups a batch."""

    interval: int
    max_value_length: int
    max_groups: int


class Dimensions(NamedTuple):
    """Is what to group by, a line of each: *codes* (one per call) are row numbers of the sorted, distinct *values*."""

    values: list[list[str]]
    codes: Numbers


class Groups(NamedTuple):
    """Is who belongs together: calls in the *order* of their groups, the *starts* of these there, each call's group."""

    order: Numbers
    starts: Numbers
    member: Numbers


def rollups_of(calls: Calls, places: Places, classes: list[str], limits: Limits) -> pa.RecordBatch:
    """Return the rollup rows (`collector.schema.ROLLUPS`) of *calls*, sorted by time and dimensions."""
    slots = (calls.start // np.uint64(limits.interval * 10**9)).astype(np.int64)
    words = [*places.words, *calls.words]
    band = np.searchsorted(CONTEXT_BANDS, calls.tokens[0], side="left") + len(words)
    codes = np.concatenate((places.codes[:, calls.resource], calls.texts + len(places.words), [band]))
    dimensions = _dimensions([*words, *_BANDS], codes, limits.max_value_length)
    groups = _groups(slots, dimensions)
    if len(groups.starts) > limits.max_groups:
        dimensions = _folded(dimensions, groups, limits.max_groups)
        groups = _groups(slots, dimensions)
    first = groups.order[groups.starts]
    lines = zip(dimensions.values, dimensions.codes[:, first].tolist(), strict=True)
    names = pa.array([values[code] for values, line in lines for code in line], pa.string())
    columns = [
        pa.array(slots[first] * limits.interval).view(_TIME),
        *_lines(names, len(first)),
        *_sums(calls, groups),
        *_histograms(calls, groups, classes),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=ROLLUPS)


def _lines(values: pa.Array, size: int) -> list[pa.Array]:
    """Return *values* in pieces of *size*: one array cut is cheaper than many made."""
    return [values.slice(start, size) for start in range(0, len(values), size)]


def _dimensions(words: Sequence[str], codes: Numbers, longest: int) -> Dimensions:
    """Return the dimensions in the order of `ROLLUP_DIMENSIONS`; *codes* are row numbers of *words*, a line of each."""
    values, ranks = _ranked(words, longest)
    count, width = len(codes), len(words)
    cells = codes + np.arange(count)[:, None] * width
    lines, told = np.bincount(cells.ravel(), minlength=count * width).reshape(count, width).nonzero()
    used = np.zeros((count, len(values)), dtype=bool)
    used[lines, ranks[told]] = True
    kept = [[values[code] for code in line.nonzero()[0].tolist()] for line in used]
    return Dimensions(kept, (used.cumsum(axis=1) - 1)[:, ranks].ravel()[cells])


def _ranked(words: Sequence[str], longest: int) -> tuple[list[str], Numbers]:
    """Return the distinct words, sorted, too long ones as `OTHER`, and where each of *words* is among them."""
    names = [word if len(word) <= longest else OTHER for word in words]
    values = sorted(set(names))
    rank = {value: number for number, value in enumerate(values)}
    return values, np.array([rank[name] for name in names], dtype=np.int64)


def _groups(slots: Numbers, dimensions: Dimensions) -> Groups:
    key = slots - slots.min()
    size = int(key.max()) + 1
    for values, codes in zip(*dimensions, strict=True):
        if size * len(values) >= _ROOM:
            distinct, key = np.unique(key, return_inverse=True)
            size = len(distinct)
        if len(values) > 1:
            key, size = key * len(values) + codes, size * len(values)
    if size <= _NARROW:
        key = key.astype(np.uint16)
    order = key.argsort(kind="stable")
    starts, counts = _runs(key[order])
    member = np.empty(len(key), dtype=np.int64)
    member[order] = np.arange(len(starts)).repeat(counts)
    return Groups(order, starts, member)


def _runs(ordered: npt.NDArray[np.integer]) -> tuple[Numbers, Numbers]:
    """Return where each run of equal numbers starts, and how long it is."""
    new = np.ones(len(ordered) + 1, dtype=bool)
    np.not_equal(ordered[1:], ordered[:-1], out=new[1:-1])
    bounds = new.nonzero()[0]
    return bounds[:-1], bounds[1:] - bounds[:-1]


def _folded(dimensions: Dimensions, groups: Groups, most: int) -> Dimensions:
    """Return the dimensions with all but the groups of most calls under `OTHER`."""
    small = np.ones(len(groups.starts), dtype=bool)
    small[np.argsort(-np.bincount(groups.member), kind="stable")[: most - 1]] = False
    lost = small[groups.member]
    known, codes = [], np.empty_like(dimensions.codes)
    for line, values in enumerate(dimensions.values):
        names = [*values, OTHER]
        ordered, ranks = _ranked(names, max(map(len, names)))
        known.append(ordered)
        codes[line] = ranks[np.where(lost, len(values), dimensions.codes[line])]
    return Dimensions(known, codes)


def _sums(calls: Calls, groups: Groups) -> list[pa.Int64Array]:
    """Return the columns of `ROLLUP_SUMS`."""
    input_tokens, cache_read = calls.tokens[0], calls.tokens[2]
    known = calls.tokens >= 0
    covered = (cache_read >= 0) & (input_tokens > 0) & ~calls.embeddings
    count = len(_TOKENS)
    matrix = np.empty((len(_MEASURES), len(groups.member)), dtype=np.int64)
    np.maximum(calls.tokens, 0, out=matrix[:count])
    matrix[count : 2 * count] = known
    others = (
        covered,
        cache_read * covered,
        input_tokens * covered,
        1,
        calls.error_class >= 0,
        np.maximum(calls.duration, 0),
    )
    for line, measure in enumerate(others, 2 * count):
        matrix[line] = measure
    sums = np.add.reduceat(matrix.take(groups.order, axis=1), groups.starts, axis=1)
    return _lines(pa.array(sums[_LINES].ravel()), len(groups.starts))


def _histograms(calls: Calls, groups: Groups, classes: list[str]) -> Iterable[pa.MapArray]:
    """Yield the columns of `ROLLUP_MAPS`."""
    size = len(groups.starts)
    failed = (calls.error_class >= 0).nonzero()[0]
    timed, waited = calls.duration >= 0, calls.first_chunk >= 0
    base = groups.member * _WIDE + _HALF
    durations = base + bucket_of(calls.duration / 1e9)
    parts = [base[failed] + calls.error_class[failed], durations[timed], durations[failed[timed[failed]]]]
    if waited.any():
        parts.append(base[waited] + bucket_of(calls.first_chunk[waited]))
    keys = np.concatenate([part + number * size * _WIDE for number, part in enumerate(parts)])
    keys.sort()
    starts, counts = _runs(keys)
    distinct = keys[starts]
    bounds = distinct.searchsorted(np.arange(len(ROLLUP_MAPS) * size + 1) * _WIDE).astype(np.int32)
    numbers = (distinct % _WIDE - _HALF).astype(np.int16)
    offsets, items = pa.array(bounds), pa.array(counts)
    labels = pa.array([classes[code] for code in numbers[: bounds[size]].tolist()], pa.string())
    entries = [(labels, items.slice(0, len(labels))), *[(pa.array(numbers), items)] * 3]
    for number, ((keys, values), kind) in enumerate(zip(entries, ROLLUP_MAPS.values(), strict=True)):
        yield pa.MapArray.from_arrays(offsets.slice(number * size, size + 1), keys, values, type=kind)
