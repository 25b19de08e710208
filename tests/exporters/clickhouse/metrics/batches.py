"""Batches of points for tests, from plain Python or from the vectors of SigNoz's own conversion."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from google.protobuf import json_format
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    ExponentialHistogramDataPoint,
    HistogramDataPoint,
    Metric,
    NumberDataPoint,
    SummaryDataPoint,
)

from collector.batch import Batch, Signal
from collector.otlp.decode import decode
from exporters.clickhouse.insert import Insert, Unstorable
from exporters.clickhouse.metrics import metric_inserts
from exporters.clickhouse.metrics.written import Written
from tests.exporters.clickhouse.trace_batches import VECTORS, Pairs, key_values

EXPECTED: dict[str, Any] = json.loads((VECTORS / "expected_metrics.json").read_text())
TIME = 1_795_284_060_000_000_000
"""2026-11-21 18:01:00 UTC."""
NOW = TIME / 1e9 + 10
DELTA, CUMULATIVE = 1, 2

_POINTS = {
    "gauge": NumberDataPoint,
    "sum": NumberDataPoint,
    "histogram": HistogramDataPoint,
    "exponential_histogram": ExponentialHistogramDataPoint,
    "summary": SummaryDataPoint,
}


def point(attributes: Pairs = (), **fields: Any) -> dict[str, Any]:
    """Return the fields of a data point of any type."""
    return {"attributes": key_values(attributes), "time_unix_nano": TIME, **fields}


def metric(kind: str, *points: Mapping[str, Any], name: str = "m", **fields: Any) -> Metric:
    """Return a metric of type *kind*; *fields* are its own (``unit``) or its type's (``is_monotonic``)."""
    result = Metric(name=name, **{key: fields.pop(key) for key in ("unit", "description") if key in fields})
    data = getattr(result, kind)
    data.SetInParent()
    for key, value in fields.items():
        setattr(data, key, value)
    data.data_points.extend(_POINTS[kind](**one) for one in points)
    return result


def add_metrics(
    request: ExportMetricsServiceRequest,
    metrics: Iterable[Metric],
    resource: Pairs = (),
    scope: Mapping[str, Any] | None = None,
) -> None:
    holder = request.resource_metrics.add()
    holder.resource.attributes.extend(key_values(resource))
    named = {"attributes": {}, "schema_url": "", **(scope or {})}
    scoped = holder.scope_metrics.add(metrics=metrics, schema_url=named.pop("schema_url"))
    scoped.scope.attributes.extend(key_values(named.pop("attributes")))
    for name, text in named.items():
        setattr(scoped.scope, name, text)


def batch_of(*metrics: Metric, resource: Pairs = (), scope: Mapping[str, Any] | None = None) -> Batch:
    request = ExportMetricsServiceRequest()
    add_metrics(request, metrics, resource, scope)
    return decode(Signal.METRICS, request.SerializeToString())


def vector_batch() -> Batch:
    """Return the points whose rows `EXPECTED` holds."""
    document = (VECTORS / "metrics.json").read_text()
    request = json_format.Parse(document, ExportMetricsServiceRequest())
    return decode(Signal.METRICS, request.SerializeToString())


def inserts_of(batch: Batch, written: Written | None = None) -> list[Insert]:
    found = list(metric_inserts(batch, NOW, written or Written()))
    return [one for one in found if isinstance(one, Insert)]


def refused_by(batch: Batch) -> list[Unstorable]:
    return [one for one in metric_inserts(batch, NOW, Written()) if isinstance(one, Unstorable)]


def rows_of(batch: Batch, table: str = "samples_v4") -> list[dict[str, Any]]:
    """Return the rows for one table, maps as dicts; a map that holds a key twice is an error."""
    return [
        row
        for insert in inserts_of(batch)
        if insert.table == f"signoz_metrics.distributed_{table}"
        for row in insert.rows.to_pylist(maps_as_pydicts="strict")
    ]


def series_of(batch: Batch) -> dict[int, dict[str, Any]]:
    """Return the rows of series by their fingerprint."""
    rows = rows_of(batch, "time_series_v4")
    return {row["fingerprint"]: row for row in rows}


def values_of(batch: Batch) -> dict[str, float]:
    """Return the value of each sample by the name of its metric and, in braces, its own label."""
    series = series_of(batch)
    found = {}
    for row in rows_of(batch):
        attributes = series[row["fingerprint"]]["attrs"]
        label = attributes.get("le", attributes.get("quantile"))
        found[row["metric_name"] + (f"{{{label}}}" if label else "")] = row["value"]
    return found
