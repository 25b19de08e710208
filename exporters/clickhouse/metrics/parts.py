"""Taking points apart: a point of a histogram is many numbers in SigNoz's tables, each a sample of its own series.

gauge, sum       name
histogram        name.count  name.sum  name.min  name.max  name.bucket{le}
summary          name.count  name.sum  name.quantile{quantile}
exponential      name.count  name.sum  name.min  name.max  and name, whose sketch stands in a table of its own
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from collector.attributes import ranges
from collector.batch import Batch
from exporters.clickhouse.columns import Ints
from exporters.clickhouse.texts import decimal_text

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Part:
    """One of the series that a metric has."""

    suffix: str
    type: str
    monotonic: bool | None
    """None: as the metric says."""
    temporal: bool
    """Whether it has the metric's temporality."""
    unit: str | None = None
    """None: that of the metric."""
    label: str = ""
    """The label that tells several series of one point apart."""


PARTS = (
    Part("", "Gauge", monotonic=False, temporal=False),
    Part("", "Sum", monotonic=None, temporal=True),
    Part(".count", "Sum", monotonic=True, temporal=True, unit="1"),
    Part(".sum", "Sum", monotonic=True, temporal=True),
    Part(".min", "Gauge", monotonic=False, temporal=False),
    Part(".max", "Gauge", monotonic=False, temporal=False),
    Part(".bucket", "Histogram", monotonic=True, temporal=True, label="le"),
    Part(".quantile", "Summary", monotonic=False, temporal=False, label="quantile"),
    Part("", "ExponentialHistogram", monotonic=True, temporal=True),
)
GAUGE, SUM, COUNT, TOTAL, MIN, MAX, BUCKET, QUANTILE, SKETCH = range(len(PARTS))

PARTS_OF = {
    "gauge": (GAUGE,),
    "sum": (SUM,),
    "histogram": (COUNT, TOTAL, MIN, MAX, BUCKET),
    "exponential_histogram": (COUNT, TOTAL, MIN, MAX),
    "summary": (COUNT, TOTAL, QUANTILE),
}
"""The parts of each type of metric, sketches aside."""

DELTA = 1
"""The aggregation temporality of OTLP that sketches need."""

NO_LABEL = -1
_NO_RECORDED_VALUE = 1  # bit 0 of a point's flags
_COLUMNS = {COUNT: "count", TOTAL: "sum", MIN: "min", MAX: "max"}
_INFINITY = float("inf")


@dataclass(frozen=True, slots=True)
class _Rows:
    points: Ints
    part: int
    values: Floats
    labels: Floats | None = None


@dataclass(frozen=True, slots=True)
class Samples:
    """All numbers of a batch's points, in the order of their points; sketches are rows without a value.

    ``label_texts[labels[row]]`` is the text of a row's ``le`` or ``quantile``, where it has one. *flags* are those of
    the points. *empty* is the number of points that hold no number at all (NaN), *unstorable* are the points for
    which SigNoz has no place.
    """

    points: Ints
    parts: Ints
    labels: Ints
    values: Floats
    label_texts: pa.StringArray
    flags: npt.NDArray[np.uint32]
    empty: int
    unstorable: Ints


def samples_of(batch: Batch) -> Samples:
    """Return the numbers of the batch's points, worked out once per batch."""
    return batch.memo(_samples)


def _samples(batch: Batch) -> Samples:
    points, metrics = batch.main, batch.tables["metrics"]
    metric = np.asarray(points.column("metric"))
    types = np.asarray(metrics.column("type").to_pylist(), object)[metric]
    is_delta = np.asarray(metrics.column("aggregation_temporality"))[metric] == DELTA
    exponential = types == "exponential_histogram"
    unstorable = np.flatnonzero(exponential & ~is_delta)
    exploded = [
        *(_plain(points, np.flatnonzero(types == name), part) for name, part in (("gauge", GAUGE), ("sum", SUM))),
        *_histograms(points, _with_numbers(points, np.flatnonzero(types == "histogram"))),
        *_exponential(points, _with_numbers(points, np.flatnonzero(exponential & is_delta))),
        *_summaries(points, np.flatnonzero(types == "summary")),
    ]
    return _collected(points, [rows for rows in exploded if len(rows.points)], unstorable)


def _collected(points: pa.RecordBatch, exploded: list[_Rows], unstorable: Ints) -> Samples:
    owners = np.concatenate([rows.points for rows in exploded] or [np.zeros(0, np.int64)])
    values = np.concatenate([rows.values for rows in exploded] or [np.zeros(0)])
    parts = np.repeat([rows.part for rows in exploded], [len(rows.points) for rows in exploded]).astype(np.int64)
    labels, texts = _labels(exploded)
    kept = np.flatnonzero(~np.isnan(values))
    kept = kept[np.argsort(owners[kept], kind="stable")]
    flags = np.asarray(points.column("flags"))
    lacking = pc.and_(points.column("as_double").is_null(), points.column("as_int").is_null())
    silent = np.asarray(pc.and_(lacking, points.column("count").is_null()))
    # A point without a value says what the flag says; a plain 0 would be a number nobody sent.
    flags = np.where(silent, flags | np.uint32(_NO_RECORDED_VALUE), flags)
    empty = points.num_rows - len(np.unique(owners[kept])) - len(unstorable)
    return Samples(owners[kept], parts[kept], labels[kept], values[kept], texts, flags, empty, unstorable)


def _labels(exploded: list[_Rows]) -> tuple[Ints, pa.StringArray]:
    """Return the number of each row's label text, or `NO_LABEL`, and the texts."""
    bounds = np.concatenate([rows.labels for rows in exploded if rows.labels is not None] or [np.zeros(0)])
    distinct = pc.dictionary_encode(pa.array(bounds))
    numbers = np.full(sum(len(rows.points) for rows in exploded), NO_LABEL, np.int64)
    has_label = np.repeat([rows.labels is not None for rows in exploded], [len(rows.points) for rows in exploded])
    numbers[has_label.astype(np.bool_)] = np.asarray(distinct.indices)
    return numbers, pa.array(map(decimal_text, distinct.dictionary.to_pylist()), pa.string())


def _plain(points: pa.RecordBatch, chosen: Ints, part: int) -> _Rows:
    doubles, ints = (points.column(name).take(pa.array(chosen)) for name in ("as_double", "as_int"))
    values = pc.coalesce(doubles, ints.cast(pa.float64(), safe=False)).fill_null(0.0)
    return _Rows(chosen, part, np.asarray(values))


def _with_numbers(points: pa.RecordBatch, chosen: Ints) -> Ints:
    """Return those of the points whose sum, minimum and maximum are numbers."""
    for name in ("sum", "min", "max"):
        values = points.column(name).take(pa.array(chosen)).fill_null(0.0)
        chosen = chosen[~np.isnan(np.asarray(values))]
    return chosen


def _scalars(points: pa.RecordBatch, chosen: Ints) -> Iterator[_Rows]:
    for part, name in _COLUMNS.items():
        column = points.column(name).take(pa.array(chosen))
        present = np.flatnonzero(np.asarray(column.is_valid()))
        values = column.drop_null().cast(pa.float64(), safe=False)
        yield _Rows(chosen[present], part, np.asarray(values))


def _histograms(points: pa.RecordBatch, chosen: Ints) -> Iterator[_Rows]:
    yield from _scalars(points, chosen)
    counts, bounds = (points.column(name).take(pa.array(chosen)) for name in ("bucket_counts", "explicit_bounds"))
    lengths = np.minimum(np.diff(np.asarray(counts.offsets)), np.diff(np.asarray(bounds.offsets)))
    first = np.asarray(counts.offsets)[:-1]
    # Differences of running sums: an overflow cancels out.
    running = np.concatenate([[np.uint64(0)], np.cumsum(np.asarray(counts.flatten()), dtype=np.uint64)])
    reached = running[ranges(first + 1, lengths)] - np.repeat(running[first], lengths)
    labels = np.asarray(bounds.flatten())[ranges(np.asarray(bounds.offsets)[:-1], lengths)]
    yield _Rows(np.repeat(chosen, lengths), BUCKET, reached.astype(np.float64), labels)
    total = np.asarray(points.column("count").take(pa.array(chosen)).cast(pa.float64(), safe=False))
    yield _Rows(chosen, BUCKET, total, np.full(len(chosen), _INFINITY))


def _exponential(points: pa.RecordBatch, chosen: Ints) -> Iterator[_Rows]:
    yield from _scalars(points, chosen)
    yield _Rows(chosen, SKETCH, np.zeros(len(chosen)))


def _summaries(points: pa.RecordBatch, chosen: Ints) -> Iterator[_Rows]:
    yield from _scalars(points, chosen)
    quantiles = points.column("quantile_values").take(pa.array(chosen))
    lengths = np.diff(np.asarray(quantiles.offsets))
    flat = quantiles.flatten()
    values, labels = np.asarray(flat.field("value")), np.asarray(flat.field("quantile"))
    yield _Rows(np.repeat(chosen, lengths), QUANTILE, values, labels)
