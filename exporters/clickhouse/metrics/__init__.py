"""Turns a batch of metric points into the rows of SigNoz's metric tables.

    Batch ── points ──> samples ──> samples_v4        one row per number of a point
                    ──> sketches ─> exp_hist          one row per exponential histogram of delta temporality
          ── series ──> time_series_v4                one row per series and hour
          ── labels ──> metadata                      one row per metric and value of a label

Exemplars have no place in these tables. A point whose number is NaN holds nothing to store; an exponential histogram
that is not of delta temporality has no place in these tables, and is refused.
"""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from collector.batch import Batch
from exporters.clickhouse.insert import Insert, Unstorable
from exporters.clickhouse.metrics.metadata import metadata_insert
from exporters.clickhouse.metrics.parts import SKETCH, samples_of
from exporters.clickhouse.metrics.series import identity_columns, milliseconds, series_of
from exporters.clickhouse.metrics.sketches import sketches
from exporters.clickhouse.metrics.time_series import time_series_inserts
from exporters.clickhouse.metrics.written import Written

_NO_PLACE = (
    "an exponential histogram has a place in SigNoz's tables only with delta temporality;"
    " set the SDK to delta, or to histograms with explicit buckets"
)


def metric_inserts(batch: Batch, now: float, written: Written) -> Iterator[Insert | Unstorable]:
    """Yield the rows of a batch of points, table by table in the order in which they should be inserted.

    What readers look samples up by comes first. *now* is the Unix time in seconds. *written* is what is known to be
    stored of the series; it learns of each block of them when the next insert is asked for.
    """
    samples = samples_of(batch)
    if len(samples.unstorable):
        yield Unstorable(samples.unstorable, _NO_PLACE)
    if not len(samples.points):
        return
    yield from time_series_inserts(batch, now, written)
    yield metadata_insert(batch)
    is_sketch = samples.parts == SKETCH
    for table, rows, make in (
        ("exp_hist", np.flatnonzero(is_sketch), _sketches),
        ("samples_v4", np.flatnonzero(~is_sketch), _values),
    ):
        if len(rows):
            points = samples.points[rows]
            columns = {
                **_identity(batch, rows),
                "unix_milli": pa.array(milliseconds(batch.main)[points]),
                **make(batch, rows),
                "flags": pa.array(samples.flags[points]),
                "inserted_at_unix_milli": pa.array(np.full(len(rows), int(now * 1000))),
            }
            found = pa.RecordBatch.from_arrays(list(columns.values()), list(columns))
            yield Insert(f"signoz_metrics.distributed_{table}", found, points)


def points_without_a_number(batch: Batch) -> int:
    """Return how many of the batch's points are NaN, which no table holds."""
    return samples_of(batch).empty


def _identity(batch: Batch, rows: np.ndarray) -> dict[str, pa.Array]:
    found = series_of(batch)
    numbers = found.numbers[rows]
    return identity_columns(found.distinct.take(numbers), found.fingerprints[numbers])


def _values(batch: Batch, rows: np.ndarray) -> dict[str, pa.Array]:
    return {"value": pa.array(samples_of(batch).values[rows])}


def _sketches(batch: Batch, rows: np.ndarray) -> dict[str, pa.Array]:
    points = batch.main.take(pa.array(samples_of(batch).points[rows]))
    return {
        "count": points.column("count"),
        **{name: points.column(name).fill_null(0.0) for name in ("sum", "min", "max")},
        "sketch": sketches(points),
    }
