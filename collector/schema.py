"""The columns of every signal: what a decoder makes, a processor reads and an exporter writes.

Names are those of the OTLP protocol. Attributes stay as they came, in order, duplicates included:
a list of (key, value) per row, a value being the one non-null member of a struct, as in OTLP's AnyValue.
``array_value`` and ``kvlist_value`` hold the undecoded protobuf bytes of ArrayValue and KeyValueList, so that
recursion stops at the first level; all members null is the empty value, a null struct is a missing one.
"""

import pyarrow as pa

ANY_VALUE = pa.struct(
    [
        pa.field("string_value", pa.string()),
        pa.field("bool_value", pa.bool_()),
        pa.field("int_value", pa.int64()),
        pa.field("double_value", pa.float64()),
        pa.field("array_value", pa.binary()),
        pa.field("kvlist_value", pa.binary()),
        pa.field("bytes_value", pa.binary()),
    ]
)
ATTRIBUTE = pa.struct([pa.field("key", pa.string(), nullable=False), pa.field("value", ANY_VALUE)])


def _required(name: str, kind: pa.DataType) -> pa.Field:
    return pa.field(name, kind, nullable=False)


def _list(name: str, kind: pa.DataType) -> pa.Field:
    return _required(name, pa.list_(_required("item", kind)))


EVENT = pa.struct(
    [
        _required("time_unix_nano", pa.uint64()),
        _required("name", pa.string()),
        _list("attributes", ATTRIBUTE),
        _required("dropped_attributes_count", pa.uint32()),
    ]
)
LINK = pa.struct(
    [
        _required("trace_id", pa.binary()),
        _required("span_id", pa.binary()),
        _required("trace_state", pa.string()),
        _list("attributes", ATTRIBUTE),
        _required("dropped_attributes_count", pa.uint32()),
        _required("flags", pa.uint32()),
    ]
)
SPANS = pa.schema(
    [
        _required("resource", pa.int32()),
        _required("scope", pa.int32()),
        _required("trace_id", pa.binary()),
        _required("span_id", pa.binary()),
        _required("trace_state", pa.string()),
        _required("parent_span_id", pa.binary()),
        _required("flags", pa.uint32()),
        _required("name", pa.string()),
        _required("kind", pa.int32()),
        _required("start_time_unix_nano", pa.uint64()),
        _required("end_time_unix_nano", pa.uint64()),
        _list("attributes", ATTRIBUTE),
        _required("dropped_attributes_count", pa.uint32()),
        _list("events", EVENT),
        _required("dropped_events_count", pa.uint32()),
        _list("links", LINK),
        _required("dropped_links_count", pa.uint32()),
        _required("status_code", pa.int32()),
        _required("status_message", pa.string()),
    ]
)
"""One row per span; ``resource`` and ``scope`` are row numbers of the two tables below. Ids are the raw bytes."""

EXEMPLAR = pa.struct(
    [
        _list("filtered_attributes", ATTRIBUTE),
        _required("time_unix_nano", pa.uint64()),
        pa.field("as_double", pa.float64()),
        pa.field("as_int", pa.int64()),
        _required("span_id", pa.binary()),
        _required("trace_id", pa.binary()),
    ]
)
QUANTILE = pa.struct([_required("quantile", pa.float64()), _required("value", pa.float64())])

METRICS = pa.schema(
    [
        _required("name", pa.string()),
        _required("description", pa.string()),
        _required("unit", pa.string()),
        _required("type", pa.string()),
        _required("aggregation_temporality", pa.int32()),
        _required("is_monotonic", pa.bool_()),
        _list("metadata", ATTRIBUTE),
    ]
)
"""One row per Metric of the request. ``type`` is the member of its oneof: gauge, sum, histogram,
exponential_histogram or summary; temporality is 0 and monotonic false where the type has none."""

POINTS = pa.schema(
    [
        _required("resource", pa.int32()),
        _required("scope", pa.int32()),
        _required("metric", pa.int32()),
        _list("attributes", ATTRIBUTE),
        _required("start_time_unix_nano", pa.uint64()),
        _required("time_unix_nano", pa.uint64()),
        _required("flags", pa.uint32()),
        _list("exemplars", EXEMPLAR),
        pa.field("as_double", pa.float64()),
        pa.field("as_int", pa.int64()),
        pa.field("count", pa.uint64()),
        pa.field("sum", pa.float64()),
        pa.field("min", pa.float64()),
        pa.field("max", pa.float64()),
        pa.field("bucket_counts", pa.list_(_required("item", pa.uint64()))),
        pa.field("explicit_bounds", pa.list_(_required("item", pa.float64()))),
        pa.field("scale", pa.int32()),
        pa.field("zero_count", pa.uint64()),
        pa.field("zero_threshold", pa.float64()),
        pa.field("positive_offset", pa.int32()),
        pa.field("positive_bucket_counts", pa.list_(_required("item", pa.uint64()))),
        pa.field("negative_offset", pa.int32()),
        pa.field("negative_bucket_counts", pa.list_(_required("item", pa.uint64()))),
        pa.field("quantile_values", pa.list_(_required("item", QUANTILE))),
    ]
)
"""One row per data point of any type; a column that the point's type does not have is null, and so is an optional
field that was not sent. ``metric`` is a row number of `METRICS`; rows stand in the order of their metrics."""

RECORDS = pa.schema(
    [
        _required("resource", pa.int32()),
        _required("scope", pa.int32()),
        _required("time_unix_nano", pa.uint64()),
        _required("observed_time_unix_nano", pa.uint64()),
        _required("severity_number", pa.int32()),
        _required("severity_text", pa.string()),
        pa.field("body", ANY_VALUE),
        _list("attributes", ATTRIBUTE),
        _required("dropped_attributes_count", pa.uint32()),
        _required("flags", pa.uint32()),
        _required("trace_id", pa.binary()),
        _required("span_id", pa.binary()),
        _required("event_name", pa.string()),
    ]
)
"""One row per log record. Ids are the raw bytes."""

RESOURCES = pa.schema(
    [
        _list("attributes", ATTRIBUTE),
        _required("dropped_attributes_count", pa.uint32()),
        _list("entity_refs", pa.binary()),
        _required("schema_url", pa.string()),
    ]
)
"""One row per ResourceSpans (ResourceMetrics, ResourceLogs) of the request; ``entity_refs`` are undecoded EntityRef
messages."""

SCOPES = pa.schema(
    [
        _required("name", pa.string()),
        _required("version", pa.string()),
        _list("attributes", ATTRIBUTE),
        _required("dropped_attributes_count", pa.uint32()),
        _required("schema_url", pa.string()),
    ]
)
"""One row per ScopeSpans (ScopeMetrics, ScopeLogs) of the request."""

BUCKETS = pa.map_(pa.int16(), pa.int64())
"""A latency histogram: DDSketch bucket number -> calls; see `collector.sketch`."""

ROLLUP_DIMENSIONS = (
    "service_name",
    "language",
    "environment",
    "provider",
    "operation",
    "request_model",
    "response_model",
    "service_tier",
    "context_band",
    "model",
)
"""The columns a rollup row is grouped by, besides ``time``; '' where the call does not say. ``service_tier`` is '' for
the standard one; ``context_band`` is the last of `CONTEXT_BANDS` that the call's input exceeds; ``model`` is the one
name (`collector.models`) of the model that answered, or else of the one asked for."""

CONTEXT_BANDS = (32_000, 100_000, 128_000, 199_999, 200_000, 256_000, 272_000, 512_000, 524_288)
"""Input tokens beyond which some model's tokens cost more: with them sums can be priced as exactly as single calls."""

ROLLUP_SUMS = (
    "calls",
    "errors",
    "input_tokens",
    "input_tokens_calls",
    "output_tokens",
    "output_tokens_calls",
    "cache_read_tokens",
    "cache_read_tokens_calls",
    "cache_write_tokens",
    "cache_write_tokens_calls",
    "cache_write_1h_tokens",
    "cache_write_1h_tokens_calls",
    "reasoning_tokens",
    "reasoning_tokens_calls",
    "cost_nano_usd",
    "cost_nano_usd_calls",
    "usage_calls",
    "priced_calls",
    "cache_covered_calls",
    "cache_covered_read_tokens",
    "cache_covered_input_tokens",
    "duration_nano",
    "timed_calls",
)
"""Int64 sums over calls. ``X_calls`` counts the calls that reported X: a sum over no reports means unknown, not 0.
``usage_calls`` reported input or output tokens, ``priced_calls`` are those of them whose cost is known: a call with a
cost and no tokens is in neither. ``cache_covered_*`` are over the calls that report both cache reads and a positive
input, embeddings excluded; ``cache_covered_calls`` counts only those that succeeded. ``timed_calls`` are the calls
that ``duration_nano`` is over."""

ROLLUP_MAPS = {
    "errors_by_class": pa.map_(pa.string(), pa.int64()),
    "duration_buckets": BUCKETS,
    "error_duration_buckets": BUCKETS,
    "time_to_first_token_buckets": BUCKETS,
}
"""Histograms over calls; adding two rows adds them key by key."""

ROLLUPS = pa.schema(
    [
        _required("time", pa.timestamp("s", tz="UTC")),
        *(_required(name, pa.string()) for name in ROLLUP_DIMENSIONS),
        *(_required(name, pa.int64()) for name in ROLLUP_SUMS),
        *(_required(name, kind) for name, kind in ROLLUP_MAPS.items()),
    ]
)
"""One partial row per interval and set of dimensions found in one batch; rows add up."""

TABLES = {
    "spans": SPANS,
    "metrics": METRICS,
    "points": POINTS,
    "records": RECORDS,
    "resources": RESOURCES,
    "scopes": SCOPES,
    "rollups": ROLLUPS,
}
"""The schema of each table that a batch may have, by its name."""
