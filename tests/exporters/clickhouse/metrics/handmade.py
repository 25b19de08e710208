"""Points as columns, made one by one."""

from typing import Any

import pyarrow as pa
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from collector.batch import Batch, Signal, content_id
from collector.schema import METRICS, POINTS, RESOURCES, SCOPES


def _value(value):
    kind = value.WhichOneof("value")
    if kind is None:
        return {}
    plain = getattr(value, kind)
    return {kind: plain.SerializeToString() if kind in ("array_value", "kvlist_value") else plain}


def _attributes(pairs):
    return [{"key": pair.key, "value": _value(pair.value)} for pair in pairs]


def decode(signal: Signal, body: bytes) -> Batch:
    request = ExportMetricsServiceRequest.FromString(body)
    resources, scopes, metrics, points = [], [], [], []
    for holder in request.resource_metrics:
        resources.append(
            {
                "attributes": _attributes(holder.resource.attributes),
                "dropped_attributes_count": 0,
                "entity_refs": [],
                "schema_url": holder.schema_url,
            }
        )
        for scoped in holder.scope_metrics:
            scope = scoped.scope
            scopes.append(
                {
                    "name": scope.name,
                    "version": scope.version,
                    "attributes": _attributes(scope.attributes),
                    "dropped_attributes_count": 0,
                    "schema_url": scoped.schema_url,
                }
            )
            for metric in scoped.metrics:
                kind = metric.WhichOneof("data") or ""
                data = getattr(metric, kind) if kind else None
                metrics.append(
                    {
                        "name": metric.name,
                        "description": metric.description,
                        "unit": metric.unit,
                        "type": kind,
                        "aggregation_temporality": getattr(data, "aggregation_temporality", 0),
                        "is_monotonic": getattr(data, "is_monotonic", False),
                        "metadata": [],
                    }
                )
                for point in data.data_points if data else ():
                    points.append(  # noqa: PERF401
                        {
                            "resource": len(resources) - 1,
                            "scope": len(scopes) - 1,
                            "metric": len(metrics) - 1,
                            "attributes": _attributes(point.attributes),
                            "start_time_unix_nano": point.start_time_unix_nano,
                            "time_unix_nano": point.time_unix_nano,
                            "flags": point.flags,
                            "exemplars": [],
                            **_point(kind, point),
                        }
                    )
    tables = {
        "points": (points, POINTS),
        "metrics": (metrics, METRICS),
        "resources": (resources, RESOURCES),
        "scopes": (scopes, SCOPES),
    }
    return Batch(
        content_id(body),
        signal,
        {name: pa.RecordBatch.from_pylist(rows, schema) for name, (rows, schema) in tables.items()},
    )


def _point(kind: str, point: Any) -> dict[str, Any]:
    if kind in ("gauge", "sum"):
        member = point.WhichOneof("value")
        return {member: getattr(point, member)} if member else {}
    row = {"count": point.count}
    if kind == "summary":
        return {
            **row,
            "sum": point.sum,
            "quantile_values": [{"quantile": one.quantile, "value": one.value} for one in point.quantile_values],
        }
    row |= {name: getattr(point, name) for name in ("sum", "min", "max") if point.HasField(name)}
    if kind == "histogram":
        return {**row, "bucket_counts": list(point.bucket_counts), "explicit_bounds": list(point.explicit_bounds)}
    sides = {
        f"{side}_{name}": value
        for side in ("positive", "negative")
        for name, value in (
            ("offset", getattr(point, side).offset),
            ("bucket_counts", list(getattr(point, side).bucket_counts)),
        )
    }
    return {
        **row,
        **sides,
        "scale": point.scale,
        "zero_count": point.zero_count,
        "zero_threshold": point.zero_threshold,
    }
