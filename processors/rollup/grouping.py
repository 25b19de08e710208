"""Summing calls into rollup rows, with integers only.

dimensions   one number per call and dimension, in the order of the sorted values
key          those numbers as one, so that equal keys are one group and sorted keys are sorted rows
sums         calls in the order of their group, added up from each group's first to its last
weight       1 for a call that is added, -1 for one that is taken out again
histograms   map, group and key of every count as one number, sorted; equal ones are one entry
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from collector.models import model_of
from collector.schema import CONTEXT_BANDS, ROLLUP_DIMENSIONS, ROLLUP_MAPS, ROLLUP_SUMS, ROLLUPS
from collector.sketch import bucket_of
from processors.rollup.calls import Calls, Flags, Numbers, Places
from processors.rollup.once import Change

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
_OTHERS = (
    "usage_calls",
    "priced_calls",
    "cache_covered_calls",
    "cache_covered_read_tokens",
    "cache_covered_input_tokens",
    "calls",
    "errors",
    "duration_nano",
    "timed_calls",
)
_MEASURES = (*_TOKENS, *(f"{name}_calls" for name in _TOKENS), *_OTHERS)
_COST = _TOKENS.index("cost_nano_usd")
_LINES = [_MEASURES.index(name) for name in ROLLUP_SUMS]

_BANDS = ("", *map(str, CONTEXT_BANDS))
_BEYOND = np.array(CONTEXT_BANDS)
_REQUESTED, _ANSWERED = (ROLLUP_DIMENSIONS.index(name) for name in ("request_model", "response_model"))

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


class Entries(NamedTuple):
    """Holds one entry per call that is added or taken out; see `Calls` for what arrays hold.

    *codes* are row numbers of *words*, a line for each of `ROLLUP_DIMENSIONS` but the last two. *weight* is 1 or -1.
    """

    words: Sequence[str]
    codes: Numbers
    embeddings: Flags
    start: Numbers
    duration: Numbers
    tokens: Numbers
    first_chunk: npt.NDArray[np.float64]
    error_class: Numbers
    weight: Numbers


def entries_of(calls: Calls, places: Places, counts: Flags) -> Entries:
    """Return the calls that count; the usage of one that failed before its answer ended is unknown."""
    which = np.flatnonzero(counts)
    error_class, tokens = calls.error_class[which], calls.tokens[:, which]
    tokens[:, calls.cut[which]] = -1
    return Entries(
        [*places.words, *calls.words],
        np.concatenate((places.codes[:, calls.resource[which]], calls.texts[:, which] + len(places.words))),
        calls.embeddings[which],
        calls.start[which].astype(np.int64),
        calls.duration[which],
        tokens,
        calls.first_chunk[which],
        error_class,
        np.ones(len(which), dtype=np.int64),
    )


def changed_entries(changes: Sequence[Change]) -> Entries:
    """Return calls that are put right."""
    records = [change.record for change in changes]
    words = [word for record in records for word in record.texts]
    return Entries(
        words,
        np.arange(len(words)).reshape(len(records), -1).T,
        np.array([record.embeddings for record in records], dtype=bool),
        np.array([record.start for record in records], dtype=np.int64),
        np.array([record.duration for record in records], dtype=np.int64),
        np.array([record.tokens for record in records], dtype=np.int64).T,
        np.array([record.first_chunk for record in records], dtype=np.float64),
        np.array([record.error for record in records], dtype=np.int64),
        np.array([change.sign for change in changes], dtype=np.int64),
    )


def together(one: Entries, other: Entries) -> Entries:
    """Return both."""
    codes = np.concatenate((one.codes, other.codes + len(one.words)), axis=1)
    rest = (np.concatenate(pair, axis=-1) for pair in zip(one[2:], other[2:], strict=True))
    return Entries([*one.words, *other.words], codes, *rest)


def rollups_of(entries: Entries, classes: list[str], limits: Limits) -> pa.RecordBatch:
    """Return the rollup rows (`collector.schema.ROLLUPS`) of *entries*, sorted by time and dimensions.

    Rows of which nothing stays when what is taken out is subtracted are left out.
    """
    slots = entries.start // (limits.interval * 10**9)
    words = [*entries.words, *_BANDS]
    band = _BEYOND.searchsorted(entries.tokens[0], side="left") + len(entries.words)
    named = np.array([word != "" for word in words], dtype=bool)
    asked, answered = entries.codes[_REQUESTED], entries.codes[_ANSWERED]
    models = np.where(named[answered], answered, asked)
    used = np.zeros(len(words), dtype=bool)
    used[models] = True
    codes = np.concatenate((entries.codes, [band], [(np.cumsum(used) - 1)[models] + len(words)]))
    words += [model_of(words[code]) for code in np.flatnonzero(used).tolist()]
    dimensions = _dimensions(words, codes, limits.max_value_length)
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
        *_sums(entries, groups),
        *_histograms(entries, groups, classes),
    ]
    rows = pa.RecordBatch.from_arrays(columns, schema=ROLLUPS)
    return rows if (entries.weight > 0).all() else _left(rows)


def added(rows: pa.RecordBatch) -> pa.RecordBatch:
    """Return the rows that only add."""
    grows = np.ones(rows.num_rows, dtype=bool)
    for name in ROLLUP_SUMS:
        grows &= np.asarray(rows.column(name)) >= 0
    for name in ROLLUP_MAPS:
        column = rows.column(name)
        taken = np.flatnonzero(np.asarray(column.items) < 0) + column.offsets[0].as_py()
        grows[np.searchsorted(np.asarray(column.offsets), taken, side="right") - 1] = False
    return rows if grows.all() else rows.filter(pa.array(grows))


def _left(rows: pa.RecordBatch) -> pa.RecordBatch:
    """Return the rows that say something."""
    says = np.zeros(rows.num_rows, dtype=bool)
    for name in ROLLUP_SUMS:
        says |= np.asarray(rows.column(name)) != 0
    for name in ROLLUP_MAPS:
        says |= np.diff(np.asarray(rows.column(name).offsets)) > 0
    return rows if says.all() else rows.filter(pa.array(says))


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


def _sums(entries: Entries, groups: Groups) -> list[pa.Int64Array]:
    """Return the columns of `ROLLUP_SUMS`."""
    input_tokens, cache_read = entries.tokens[0], entries.tokens[2]
    known = entries.tokens >= 0
    used, failed = known[0] | known[1], entries.error_class >= 0
    covered = (cache_read >= 0) & (input_tokens > 0) & ~entries.embeddings
    count = len(_TOKENS)
    matrix = np.empty((len(_MEASURES), len(groups.member)), dtype=np.int64)
    np.maximum(entries.tokens, 0, out=matrix[:count])
    matrix[count : 2 * count] = known
    others = (
        used,
        used & known[_COST],
        covered & ~failed,
        cache_read * covered,
        input_tokens * covered,
        1,
        failed,
        np.maximum(entries.duration, 0),
        entries.duration >= 0,
    )
    for line, measure in enumerate(others, 2 * count):
        matrix[line] = measure
    matrix *= entries.weight
    sums = np.add.reduceat(matrix.take(groups.order, axis=1), groups.starts, axis=1)
    return _lines(pa.array(sums[_LINES].ravel()), len(groups.starts))


def _histograms(entries: Entries, groups: Groups, classes: list[str]) -> Iterable[pa.MapArray]:
    """Yield the columns of `ROLLUP_MAPS`."""
    size = len(groups.starts)
    failed = (entries.error_class >= 0).nonzero()[0]
    timed, waited = entries.duration >= 0, entries.first_chunk >= 0
    base = groups.member * _WIDE + _HALF
    buckets = bucket_of(np.concatenate((entries.duration / 1e9, entries.first_chunk[waited])))
    durations = base + buckets[: len(base)]
    slow = failed[timed[failed]]
    waits = base[waited] + buckets[len(base) :]
    parts = [base[failed] + entries.error_class[failed], durations[timed], durations[slow], waits]
    weights = [entries.weight[which] for which in (failed, timed, slow, waited)]
    keys = np.concatenate([part + number * size * _WIDE for number, part in enumerate(parts)])
    distinct, counts = _added(keys, np.concatenate(weights))
    bounds = distinct.searchsorted(np.arange(len(ROLLUP_MAPS) * size + 1) * _WIDE).astype(np.int32)
    numbers = (distinct % _WIDE - _HALF).astype(np.int16)
    offsets, items = pa.array(bounds), pa.array(counts)
    labels = pa.array([classes[code] for code in numbers[: bounds[size]].tolist()], pa.string())
    columns = [(labels, items.slice(0, len(labels))), *[(pa.array(numbers), items)] * 3]
    for number, ((keys, values), kind) in enumerate(zip(columns, ROLLUP_MAPS.values(), strict=True)):
        yield pa.MapArray.from_arrays(offsets.slice(number * size, size + 1), keys, values, type=kind)


def _added(keys: Numbers, weights: Numbers) -> tuple[Numbers, Numbers]:
    """Return the distinct *keys*, sorted, and the sum of the weights of each where it is not 0."""
    if (weights > 0).all():
        keys.sort()
        starts, counts = _runs(keys)
        return keys[starts], counts
    order = keys.argsort(kind="stable")
    keys = keys[order]
    starts, _ = _runs(keys)
    counts = np.add.reduceat(weights[order], starts)
    stays = counts != 0
    return keys[starts][stays], counts[stays]
