"""How metrics and their data points look."""

from collections.abc import Iterator, Sequence
from itertools import chain

from exporters.debug.text import Row, attribute_lines, field_lines, name_of, pairs, time_of

_TEMPORALITIES = ("Unspecified", "Delta", "Cumulative")
_TYPES = {
    "gauge": ("Gauge", "NumberDataPoints"),
    "sum": ("Sum", "NumberDataPoints"),
    "histogram": ("Histogram", "HistogramDataPoints"),
    "exponential_histogram": ("ExponentialHistogram", "ExponentialHistogramDataPoints"),
    "summary": ("Summary", "SummaryDataPoints"),
}


def point_line(metric: Row, point: Row) -> str:
    """Return a data point on one line."""
    return f"{metric['name']}{{{pairs(point['attributes'], ',')}}} {' '.join(_values(point))}".rstrip()


def _values(point: Row) -> Iterator[str]:
    if point["count"] is None:
        if (value := _number(point)) is not None:
            yield str(value)
        return
    for name in ("count", "sum", "min", "max"):
        if point[name] is not None:
            yield f"{name}={point[name]}"
    bounds = [f"le{bound}=" for bound in point["explicit_bounds"] or ()]
    for bound, count in zip([*bounds, ""], point["bucket_counts"] or (), strict=False):
        yield f"{bound}{count}"
    for one in point["quantile_values"] or ():
        yield f"q{one['quantile']}={one['value']}"


def _number(holder: Row) -> int | float | None:
    """Return the value of a number or of an exemplar, whichever type it has."""
    value: int | float | None = holder["as_double"] if holder["as_int"] is None else holder["as_int"]
    return value


def metric_lines(metric: Row, number: int) -> Iterator[str]:
    """Yield what a metric says about all its points."""
    has_temporality = metric["type"] in ("sum", "histogram", "exponential_histogram")
    yield f"Metric #{number}"
    yield "Descriptor:"
    fields = {
        "Name": metric["name"],
        "Description": metric["description"],
        "Unit": metric["unit"],
        "DataType": _TYPES[metric["type"]][0],
        "IsMonotonic": str(metric["is_monotonic"]).lower() if metric["type"] == "sum" else None,
        "AggregationTemporality": name_of(_TEMPORALITIES, metric["aggregation_temporality"])
        if has_temporality
        else None,
    }
    yield from (f"     -> {line}" for line in field_lines(fields))
    yield from attribute_lines("Metadata:", metric["metadata"])


def point_lines(metric: Row, point: Row, number: int) -> Iterator[str]:
    """Yield everything about a data point."""
    yield f"{_TYPES[metric['type']][1]} #{number}"
    yield from attribute_lines("Data point attributes:", point["attributes"])
    fields = {
        "StartTimestamp": time_of(point["start_time_unix_nano"]),
        "Timestamp": time_of(point["time_unix_nano"]),
        "Value": _number(point),
        **{name.capitalize(): point[name] for name in ("count", "sum", "min", "max")},
        "Flags": point["flags"] or None,
    }
    yield from field_lines(fields)
    yield from _bucket_lines(point)
    for place, one in enumerate(point["quantile_values"] or ()):
        yield f"QuantileValue #{place}: Quantile {one['quantile']}, Value {one['value']}"
    yield from _exemplar_lines(point["exemplars"])


def _bucket_lines(point: Row) -> Iterator[str]:
    for place, bound in enumerate(point["explicit_bounds"] or ()):
        yield f"ExplicitBounds #{place}: {bound}"
    for place, count in enumerate(point["bucket_counts"] or ()):
        yield f"Buckets #{place}, Count: {count}"
    if point["scale"] is None:
        return
    yield f"Scale: {point['scale']}"
    negative = reversed(list(_exponential(point, "negative")))
    zero = [f"Bucket [-{point['zero_threshold']}, {point['zero_threshold']}], Count: {point['zero_count']}"]
    yield from chain(negative, zero if point["zero_count"] else (), _exponential(point, "positive"))


def _exponential(point: Row, side: str) -> Iterator[str]:
    """Yield the buckets of one side, from zero outwards; a bound is named by its power of the base."""
    offset = point[f"{side}_offset"]
    for place, count in enumerate(point[f"{side}_bucket_counts"] or ()):
        lower, upper = (_bound(point["scale"], offset + place + step) for step in (0, 1))
        range_ = f"({lower}, {upper}]" if side == "positive" else f"[-{upper}, -{lower})"
        yield f"Bucket {range_}, Count: {count}"


def _bound(scale: int, index: int) -> str:
    """Return the bound (2^(2^-scale))^index, or how it is computed where no float holds it."""
    try:
        return f"{2.0 ** (index * 2.0**-scale):f}"
    except OverflowError:
        return f"2^({index}*2^{-scale})"


def _exemplar_lines(exemplars: Sequence[Row]) -> Iterator[str]:
    if exemplars:
        yield "Exemplars:"
    for number, exemplar in enumerate(exemplars):
        yield f"Exemplar #{number}"
        fields = {
            "Trace ID": exemplar["trace_id"].hex(),
            "Span ID": exemplar["span_id"].hex(),
            "Timestamp": time_of(exemplar["time_unix_nano"]),
            "Value": _number(exemplar),
        }
        yield from (f"     -> {line}" for line in field_lines(fields))
        yield from attribute_lines("     -> FilteredAttributes::", exemplar["filtered_attributes"], "         ")
