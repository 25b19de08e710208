"""What is shown of metrics and logs."""

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from collector.batch import Batch, Signal
from collector.otlp.decode import decode
from exporters.debug.lines import long_lines, short_lines
from tests.collector.otlp.test_decode import CAPTURES_OF

NOON = 1_795_284_000_000_000_000
KEY = KeyValue(key="k", value=AnyValue(string_value="v"))


def metrics_batch() -> Batch:
    request = ExportMetricsServiceRequest()
    holder = request.resource_metrics.add(schema_url="https://r")
    holder.resource.attributes.append(KEY)
    scope = holder.scope_metrics.add()
    scope.scope.name, scope.scope.version = "lib", "1"
    gauge = scope.metrics.add(name="depth", unit="1", description="how deep", metadata=[KEY]).gauge
    gauge.data_points.add(attributes=[KEY, KEY], time_unix_nano=NOON, as_double=0.5)
    gauge.data_points.add(time_unix_nano=NOON, flags=1)
    total = scope.metrics.add(name="calls").sum
    total.aggregation_temporality, total.is_monotonic = 2, True
    point = total.data_points.add(start_time_unix_nano=NOON - 10**9, time_unix_nano=NOON, as_int=7)
    point.exemplars.add(filtered_attributes=[KEY], time_unix_nano=NOON, as_int=1, trace_id=b"\1", span_id=b"\2")
    histogram = scope.metrics.add(name="latency").histogram
    histogram.aggregation_temporality = 1
    histogram.data_points.add(count=3, sum=4.5, min=0.5, max=3, bucket_counts=[1, 2], explicit_bounds=[1.0])
    exponential = scope.metrics.add(name="size").exponential_histogram.data_points.add(count=4, zero_count=1)
    exponential.positive.offset, exponential.negative.offset = 1, 0
    exponential.positive.bucket_counts.extend([2])
    exponential.negative.bucket_counts.extend([1])
    summary = scope.metrics.add(name="old").summary.data_points.add(count=2, sum=3)
    summary.quantile_values.add(quantile=0.5, value=1.5)
    return decode(Signal.METRICS, request.SerializeToString())


def logs_batch() -> Batch:
    request = ExportLogsServiceRequest()
    scope = request.resource_logs.add().scope_logs.add(schema_url="https://s")
    record = scope.log_records.add(
        time_unix_nano=NOON, observed_time_unix_nano=NOON + 1, severity_number=10, severity_text="info2"
    )
    record.body.kvlist_value.values.append(KEY)
    record.attributes.append(KEY)
    record.event_name, record.trace_id, record.span_id = "gen_ai.choice", bytes(15) + b"\1", b"\2"
    scope.log_records.add().body.string_value = "plain"
    scope.log_records.add(severity_number=99, dropped_attributes_count=2)
    return decode(Signal.LOGS, request.SerializeToString())


def test_a_line_per_point() -> None:
    assert list(short_lines(metrics_batch())) == [
        "depth{k=v,k=v} 0.5",
        "depth{}",
        "calls{} 7",
        "latency{} count=3 sum=4.5 min=0.5 max=3.0 le1.0=1 2",
        "size{} count=4",
        "old{} count=2 sum=3.0 q0.5=1.5",
    ]


def test_a_line_per_record() -> None:
    assert list(short_lines(logs_batch())) == ['{"k": "v"} k=v', "plain", ""]


METRICS = """\
ResourceMetrics #0
Resource SchemaURL: https://r
Resource attributes:
     -> k: Str(v)
ScopeMetrics #0
ScopeMetrics SchemaURL:\x20
InstrumentationScope lib 1
Metric #0
Descriptor:
     -> Name: depth
     -> Description: how deep
     -> Unit: 1
     -> DataType: Gauge
Metadata:
     -> k: Str(v)
NumberDataPoints #0
Data point attributes:
     -> k: Str(v)
     -> k: Str(v)
StartTimestamp: 1970-01-01 00:00:00.000000000 +0000 UTC
Timestamp: 2026-11-21 18:00:00.000000000 +0000 UTC
Value: 0.5
NumberDataPoints #1
StartTimestamp: 1970-01-01 00:00:00.000000000 +0000 UTC
Timestamp: 2026-11-21 18:00:00.000000000 +0000 UTC
Flags: 1
Metric #1
Descriptor:
     -> Name: calls
     -> Description:\x20
     -> Unit:\x20
     -> DataType: Sum
     -> IsMonotonic: true
     -> AggregationTemporality: Cumulative
NumberDataPoints #0
StartTimestamp: 2026-11-21 17:59:59.000000000 +0000 UTC
Timestamp: 2026-11-21 18:00:00.000000000 +0000 UTC
Value: 7
Exemplars:
Exemplar #0
     -> Trace ID: 01
     -> Span ID: 02
     -> Timestamp: 2026-11-21 18:00:00.000000000 +0000 UTC
     -> Value: 1
     -> FilteredAttributes::
         -> k: Str(v)
Metric #2
Descriptor:
     -> Name: latency
     -> Description:\x20
     -> Unit:\x20
     -> DataType: Histogram
     -> AggregationTemporality: Delta
HistogramDataPoints #0
StartTimestamp: 1970-01-01 00:00:00.000000000 +0000 UTC
Timestamp: 1970-01-01 00:00:00.000000000 +0000 UTC
Count: 3
Sum: 4.5
Min: 0.5
Max: 3.0
ExplicitBounds #0: 1.0
Buckets #0, Count: 1
Buckets #1, Count: 2
Metric #3
Descriptor:
     -> Name: size
     -> Description:\x20
     -> Unit:\x20
     -> DataType: ExponentialHistogram
     -> AggregationTemporality: Unspecified
ExponentialHistogramDataPoints #0
StartTimestamp: 1970-01-01 00:00:00.000000000 +0000 UTC
Timestamp: 1970-01-01 00:00:00.000000000 +0000 UTC
Count: 4
Scale: 0
Bucket [-2.000000, -1.000000), Count: 1
Bucket [-0.0, 0.0], Count: 1
Bucket (2.000000, 4.000000], Count: 2
Metric #4
Descriptor:
     -> Name: old
     -> Description:\x20
     -> Unit:\x20
     -> DataType: Summary
SummaryDataPoints #0
StartTimestamp: 1970-01-01 00:00:00.000000000 +0000 UTC
Timestamp: 1970-01-01 00:00:00.000000000 +0000 UTC
Count: 2
Sum: 3.0
QuantileValue #0: Quantile 0.5, Value 1.5
"""
LOGS = """\
ResourceLogs #0
Resource SchemaURL:\x20
ScopeLogs #0
ScopeLogs SchemaURL: https://s
InstrumentationScope \x20
LogRecord #0
ObservedTimestamp: 2026-11-21 18:00:00.000000001 +0000 UTC
Timestamp: 2026-11-21 18:00:00.000000000 +0000 UTC
SeverityText: info2
SeverityNumber: Info2(10)
EventName: gen_ai.choice
Body: Map({"k": "v"})
Attributes:
     -> k: Str(v)
Trace ID: 00000000000000000000000000000001
Span ID: 02
Flags: 0
LogRecord #1
ObservedTimestamp: 1970-01-01 00:00:00.000000000 +0000 UTC
Timestamp: 1970-01-01 00:00:00.000000000 +0000 UTC
SeverityText:\x20
SeverityNumber: Unspecified(0)
Body: Str(plain)
Trace ID:\x20
Span ID:\x20
Flags: 0
LogRecord #2
ObservedTimestamp: 1970-01-01 00:00:00.000000000 +0000 UTC
Timestamp: 1970-01-01 00:00:00.000000000 +0000 UTC
SeverityText:\x20
SeverityNumber: Unspecified(99)
Body: Empty()
Dropped attributes count: 2
Trace ID:\x20
Span ID:\x20
Flags: 0
"""


@pytest.mark.parametrize(("batch", "shown"), [(metrics_batch(), METRICS), (logs_batch(), LOGS)], ids=["points", "logs"])
def test_everything_about_every_item(batch: Batch, shown: str) -> None:
    assert "\n".join(long_lines(batch)) + "\n" == shown


@pytest.mark.parametrize("signal", CAPTURES_OF)
def test_whatever_was_captured_is_shown(signal: Signal) -> None:
    for path in CAPTURES_OF[signal]:
        batch = decode(signal, path.read_bytes())
        assert len(list(short_lines(batch))) == batch.rows
        assert len(list(long_lines(batch))) > batch.rows


@pytest.mark.parametrize(("scale", "offset"), [(2**31 - 1, 5), (-(2**31), 5), (-(2**31), -5), (-10, 2**31 - 1)])
def test_an_impossible_scale_does_not_stop_the_exporter(scale: int, offset: int) -> None:
    request = ExportMetricsServiceRequest()
    metric = request.resource_metrics.add().scope_metrics.add().metrics.add()
    point = metric.exponential_histogram.data_points.add(scale=scale)
    point.positive.offset = offset
    point.positive.bucket_counts.append(1)
    lines = list(long_lines(decode(Signal.METRICS, request.SerializeToString())))
    assert lines[-1].startswith("Bucket (")
