"""Metrics: from the messages of a request to the columns of `collector.schema.METRICS` and `POINTS`, and back.

    Metric ─┬─ Gauge, Sum ─────────────> NumberDataPoint ─────────────────┐
            ├─ Histogram ──────────────> HistogramDataPoint ──────────────┤
            ├─ ExponentialHistogram ───> ExponentialHistogramDataPoint ───┼──> one table of points
            └─ Summary ────────────────> SummaryDataPoint ────────────────┘

Each type that occurs is read by itself; then the points are put into the order of their metrics.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from collector.otlp import wire
from collector.otlp.columns import (
    Columns,
    Numbers,
    Owners,
    Readers,
    attributes,
    children,
    fields_of,
    lists,
    parents,
    single,
    struct,
)
from collector.otlp.nested import Place, check_packed, check_rivals
from collector.schema import EXEMPLAR, METRICS, POINTS

_TYPES = {
    "gauge": ("Gauge", "NumberDataPoint"),
    "sum": ("Sum", "NumberDataPoint"),
    "histogram": ("Histogram", "HistogramDataPoint"),
    "exponential_histogram": ("ExponentialHistogram", "ExponentialHistogramDataPoint"),
    "summary": ("Summary", "SummaryDataPoint"),
}
"""The type of a metric, as the field of Metric is called -> its message, and that of its points."""

_TYPE_NAMES = pa.array(["", *_TYPES])
_BUCKETS = ("positive", "negative")
_PLACES = ("resource", "scope", "metric")
_VALUES = pa.schema([field for field in POINTS if field.name not in _PLACES])


class _Part(NamedTuple):
    """Is what the metrics of one type have: fields of the type, for every metric, and points with their metrics."""

    number: int
    present: npt.NDArray[np.bool_]
    fields: Columns
    points: pa.RecordBatch
    metric: Numbers


def read(metrics: pa.StructArray, owners: Owners, readers: Readers) -> dict[str, pa.RecordBatch]:
    """Return the table of the *metrics*, those without points included, and the table of their points."""
    parts = list(_parts(metrics, readers))
    metric, values = _in_order(parts)
    places = {"resource": owners.resource[metric], "scope": owners.scope[metric], "metric": metric}
    columns = [pa.array(places[name]) if name in places else values.column(name) for name in POINTS.names]
    return {
        "points": pa.RecordBatch.from_arrays(columns, schema=POINTS),
        "metrics": _metrics(metrics, parts),
    }


def _parts(metrics: pa.StructArray, readers: Readers) -> Iterator[_Part]:
    """Yield what there is of each type; raise ValueError when a metric has two."""
    for number, (name, (message, _)) in enumerate(_TYPES.items(), 1):
        pieces = metrics.field(name)
        if len(pieces.values):
            encoded = single(pieces, nullable=False)
            fields = fields_of(message, encoded, readers)
            points = fields.pop("data_points")
            if name == "histogram":
                _check_packed(encoded, points.values)
            present = np.diff(pieces.offsets) > 0
            yield _Part(number, present, fields, _values(points.values), parents(points))


def _check_packed(encoded: pa.BinaryArray, points: pa.StructArray) -> None:
    (pieces,) = wire.PACKED_READER.array_to_record_batch(encoded).columns
    for name in pieces.values.type.names:
        check_packed(points.field(name), pieces.values.field(name))


def _metrics(metrics: pa.StructArray, parts: list[_Part]) -> pa.RecordBatch:
    """Return the table of metrics; a metric that is not of a type has zeros among the fields of that type."""
    numbers, temporality = np.zeros((2, len(metrics)), np.int32)
    monotonic = np.zeros(len(metrics), np.bool_)
    for part in parts:
        if numbers[part.present].any():
            raise ValueError("a metric has two types of data")
        numbers[part.present] = part.number
        if "aggregation_temporality" in part.fields:
            temporality += np.asarray(part.fields["aggregation_temporality"])
        if "is_monotonic" in part.fields:
            monotonic = part.fields["is_monotonic"].to_numpy(zero_copy_only=False)
    own = {
        "type": _TYPE_NAMES.take(pa.array(numbers)),
        "aggregation_temporality": pa.array(temporality),
        "is_monotonic": pa.array(monotonic),
        "metadata": attributes(metrics.field("metadata"), Place.METRIC),
    }
    columns = [own[name] if name in own else metrics.field(name) for name in METRICS.names]
    return pa.RecordBatch.from_arrays(columns, schema=METRICS)


def _in_order(parts: list[_Part]) -> tuple[Numbers, pa.RecordBatch]:
    """Return the metrics of all points, ascending, and the points."""
    if not parts:
        return np.empty(0, np.int32), pa.RecordBatch.from_pylist([], schema=_VALUES)
    if len(parts) == 1:
        return parts[0].metric, parts[0].points
    metric = np.concatenate([part.metric for part in parts])
    points = pa.concat_batches([part.points for part in parts])
    order = np.argsort(metric, kind="stable")
    return metric[order], points.take(pa.array(order))


def _values(points: pa.StructArray) -> pa.RecordBatch:
    """Return points of one type with the columns of all types."""
    columns = dict(zip(points.type.names, (points.field(name) for name in points.type.names), strict=True))
    columns["attributes"] = attributes(columns["attributes"], Place.POINT)
    if "as_int" in columns:
        check_rivals([columns["as_int"], columns["as_double"]], "a data point")
    if "exemplars" in columns:
        columns["exemplars"] = children(columns["exemplars"], EXEMPLAR, _exemplar_columns)
    for name in _BUCKETS:
        if name in columns:
            columns[f"{name}_offset"], columns[f"{name}_bucket_counts"] = columns[name].flatten()
    found = [columns[one.name] if one.name in columns else _absent(one, len(points)) for one in _VALUES]
    return pa.RecordBatch.from_arrays(found, schema=_VALUES)


def _exemplar_columns(encoded: pa.BinaryArray) -> Columns:
    columns = fields_of("Exemplar", encoded)
    check_rivals([columns["as_int"], columns["as_double"]], "an exemplar")
    return {**columns, "filtered_attributes": attributes(columns["filtered_attributes"], Place.EXEMPLAR)}


def _absent(field: pa.Field, size: int) -> pa.Array:
    """Return what stands in a column that points of this type do not have."""
    if field.nullable:
        return pa.nulls(size, field.type)
    return lists(np.zeros(size, np.int32), pa.array([], field.type.value_type))


def write(points: pa.RecordBatch, metrics: pa.RecordBatch, starts: npt.NDArray[Any]) -> pa.StructArray:
    """Return the metrics as in the protocol, each with the *points* from where it *starts* to the next."""
    lengths = np.diff(starts, append=len(points))
    types = metrics.column("type")
    columns = {name: metrics.column(name) for name in ("name", "description", "unit")}
    for name, (message, point_message) in _TYPES.items():
        chosen = np.asarray(pc.equal(types, name))
        if not chosen.any():
            continue
        rows = np.repeat(chosen, lengths)
        own = points if rows.all() else points.filter(pa.array(rows))
        fields = {
            "data_points": lists(np.where(chosen, lengths, 0), _point_messages(own, point_message)),
            **{field: metrics.column(field) for field in wire.FIELDS[message] if field != "data_points"},
        }
        columns[name] = pa.StructArray.from_arrays(list(fields.values()), list(fields), mask=pa.array(~chosen))
    columns["metadata"] = metrics.column("metadata")
    return struct(pa.RecordBatch.from_pydict(columns))


def _point_messages(points: pa.RecordBatch, message: str) -> pa.StructArray:
    columns = {
        name: _buckets(points, name) if name in _BUCKETS else points.column(name) for name in wire.FIELDS[message]
    }
    return struct(pa.RecordBatch.from_pydict(columns))


def _buckets(points: pa.RecordBatch, name: str) -> pa.StructArray:
    offset, counts = points.column(f"{name}_offset"), points.column(f"{name}_bucket_counts")
    return pa.StructArray.from_arrays([offset, counts], ["offset", "bucket_counts"], mask=offset.is_null())
