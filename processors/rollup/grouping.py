"""Summing calls into rollup rows, with integers only.

dimensions   one number per call and dimension, in the order of the sorted values
key          those numbers as one, so that equal keys are one group and sorted keys are sorted rows
sums         calls in the order of their group, added up from each group's first to its last
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from collector.schema import ROLLUP_MAPS, ROLLUP_SUMS, ROLLUPS
from collector.sketch import bucket_of
from processors.rollup.calls import Calls, Numbers

OTHER = "__other__"
"""Stands in a dimension for values that are too long or too many."""

_TOKENS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens")
_TOKENS_CALLS = tuple(f"{name}_calls" for name in _TOKENS)
"""The sums of `Calls.tokens`, line by line, and of how many calls reported each."""

_ROOM = 2**62  # numbers that groups may have before they are made small again
_WIDE = 2**16  # numbers that buckets may have


class Limits(NamedTuple):
    """Says how finely calls are told apart: interval in seconds, characters a value, groups a batch."""

    interval: int
    max_value_length: int
    max_groups: int


class Dimension(NamedTuple):
    """Is one column to group by: *codes* (one per call) are row numbers of the sorted, distinct *values*."""

    values: list[str]
    codes: Numbers


class Groups(NamedTuple):
    """Is who belongs together: *member* is the group of each call, *first* one call of each group."""

    member: Numbers
    first: Numbers


def rollups_of(calls: Calls, places: Sequence[list[str]], classes: list[str], limits: Limits) -> pa.RecordBatch:
    """Return the rollup rows (`collector.schema.ROLLUPS`) of *calls*, sorted by time and dimensions."""
    times, time_codes = np.unique(calls.start // np.uint64(limits.interval * 10**9), return_inverse=True)
    dimensions = _dimensions(calls, places, limits.max_value_length)
    groups = _groups(time_codes, dimensions)
    if len(groups.first) > limits.max_groups:
        dimensions = _folded(dimensions, groups, limits.max_groups)
        groups = _groups(time_codes, dimensions)
    seconds = times[time_codes[groups.first]].astype(np.int64) * limits.interval
    names = pa.array(
        [values[code] for values, codes in dimensions for code in codes[groups.first].tolist()], pa.string()
    )
    columns = [
        pa.array(seconds.tolist(), ROLLUPS.field("time").type),
        *_lines(names, len(groups.first)),
        *_sums(calls, groups),
        *_histograms(calls, groups, classes),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=ROLLUPS)


def _lines(values: pa.Array, size: int) -> list[pa.Array]:
    """Return *values* in pieces of *size*: one array cut is cheaper than many made."""
    return [values.slice(start, size) for start in range(0, len(values), size)]


def _dimensions(calls: Calls, places: Sequence[list[str]], longest: int) -> list[Dimension]:
    """Return the dimensions in the order of `ROLLUP_DIMENSIONS`."""
    by_resource = (_ranked(place, longest) for place in places)
    values, ranks = _ranked(calls.words, longest)
    return [
        *(Dimension(place, codes[calls.resource]) for place, codes in by_resource),
        *(Dimension(values, codes) for codes in ranks[calls.texts]),
    ]


def _ranked(words: Sequence[str], longest: int) -> tuple[list[str], Numbers]:
    """Return the distinct words, sorted, too long ones as `OTHER`, and where each of *words* is among them."""
    names = [word if len(word) <= longest else OTHER for word in words]
    values = sorted(set(names))
    rank = {value: number for number, value in enumerate(values)}
    return values, np.array([rank[name] for name in names], dtype=np.int64)


def _groups(time_codes: Numbers, dimensions: Sequence[Dimension]) -> Groups:
    key, size = time_codes, int(time_codes.max()) + 1
    for values, codes in dimensions:
        if size * len(values) >= _ROOM:
            distinct, key = np.unique(key, return_inverse=True)
            size = len(distinct)
        if len(values) > 1:
            key, size = key * len(values) + codes, size * len(values)
    _, first, member = np.unique(key, return_index=True, return_inverse=True)
    return Groups(member, first)


def _folded(dimensions: Sequence[Dimension], groups: Groups, most: int) -> list[Dimension]:
    """Return the dimensions with all but the groups of most calls under `OTHER`."""
    small = np.ones(len(groups.first), dtype=bool)
    small[np.argsort(-np.bincount(groups.member), kind="stable")[: most - 1]] = False
    lost = small[groups.member]
    folded = []
    for values, codes in dimensions:
        names = [*values, OTHER]
        known, ranks = _ranked(names, max(map(len, names)))
        folded.append(Dimension(known, ranks[np.where(lost, len(values), codes)]))
    return folded


def _sums(calls: Calls, groups: Groups) -> list[pa.Int64Array]:
    """Return the columns of `ROLLUP_SUMS`."""
    input_tokens, _, cache_read, _, _ = calls.tokens
    covered = (cache_read >= 0) & (input_tokens > 0) & ~calls.embeddings
    known = calls.tokens >= 0
    measures = {
        "calls": 1,
        "errors": calls.error_class >= 0,
        "cache_covered_calls": covered,
        "cache_covered_read_tokens": cache_read * covered,
        "cache_covered_input_tokens": input_tokens * covered,
        "duration_nano": calls.duration * (calls.duration >= 0),
        **dict(zip(_TOKENS, calls.tokens * known, strict=True)),
        **dict(zip(_TOKENS_CALLS, known, strict=True)),
    }
    matrix = np.empty((len(ROLLUP_SUMS), len(groups.member)), dtype=np.int64)
    for line, name in enumerate(ROLLUP_SUMS):
        matrix[line] = measures[name]
    order = np.argsort(groups.member, kind="stable")
    starts = np.searchsorted(groups.member[order], np.arange(len(groups.first)))
    sums = np.add.reduceat(matrix[:, order], starts, axis=1)
    return _lines(pa.array(sums.ravel()), len(groups.first))


def _histograms(calls: Calls, groups: Groups, classes: list[str]) -> Iterable[pa.MapArray]:
    """Yield the columns of `ROLLUP_MAPS`."""
    failed, timed, waited = calls.error_class >= 0, calls.duration >= 0, calls.first_chunk >= 0
    buckets = bucket_of(calls.duration / 1e9).astype(np.int64)
    yield _counted(groups, failed, calls.error_class, ROLLUP_MAPS["errors_by_class"], classes)
    yield _counted(groups, timed, buckets, ROLLUP_MAPS["duration_buckets"])
    yield _counted(groups, timed & failed, buckets, ROLLUP_MAPS["error_duration_buckets"])
    waits = bucket_of(calls.first_chunk).astype(np.int64) if waited.any() else buckets
    yield _counted(groups, waited, waits, ROLLUP_MAPS["time_to_first_token_buckets"])


def _counted(
    groups: Groups, which: npt.NDArray[np.bool_], keys: Numbers, kind: pa.MapType, names: list[str] | None = None
) -> pa.MapArray:
    """Return a map per group: how many of its calls in *which* have each key, or the name of that number."""
    if not which.any():
        return _empty(kind, len(groups.first))
    pairs, counts = np.unique(groups.member[which] * _WIDE + (keys[which] + _WIDE // 2), return_counts=True)
    offsets = np.searchsorted(pairs, np.arange(len(groups.first) + 1) * _WIDE)
    distinct = pairs % _WIDE - _WIDE // 2
    labels = pa.array(distinct.astype(np.int16)) if names is None else [names[key] for key in distinct.tolist()]
    return pa.MapArray.from_arrays(
        pa.array(offsets.astype(np.int32)),
        pa.array(labels, kind.key_type),
        pa.array(counts.astype(np.int64)),
        type=kind,
    )


@lru_cache(maxsize=64)
def _empty(kind: pa.MapType, size: int) -> pa.MapArray:
    return pa.array([()] * size, kind)
