import itertools

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.batch import Signal
from collector.component import Host
from collector.otlp.decode import decode
from exporters.clickhouse.metrics import metric_inserts
from exporters.clickhouse.metrics.written import Written
from processors.genai import GenaiConfig, GenaiProcessor
from processors.rollup.call_table import call_table
from processors.rollup.calls import calls_of
from tests.bench import payload, points
from tests.bench.spans import PAYLOADS, SPANS_A_TRACE


def spans_of(data: bytes):
    request = ExportTraceServiceRequest.FromString(data)
    return [span for rs in request.resource_spans for scope in rs.scope_spans for span in scope.spans]


@pytest.mark.parametrize("count", payload.SIZES)
@pytest.mark.parametrize("kind", PAYLOADS)
def test_every_request_is_valid_and_holds_as_many_spans_as_asked(kind, count):
    for data in itertools.islice(payload.requests(kind, count, seed=1), 3):
        spans = spans_of(data)

        assert count == len(spans)
        assert all(15 <= len(span.attributes) <= 25 for span in spans if span.status.code == 0)
        assert all(0 < span.start_time_unix_nano < span.end_time_unix_nano < 2**63 for span in spans)


def test_a_slim_span_is_small_and_content_has_one_to_four_kib():
    slim = len(payload.template("slim", 512, 0).fresh()) / 512
    content = len(payload.template("content", 512, 0).fresh()) / 512

    assert slim < 1200
    assert 1024 <= content - slim <= 4096


def test_no_two_requests_share_an_id_a_time_or_a_response():
    template = payload.template("slim", 32, 0)
    first, second = spans_of(template.fresh()), spans_of(template.fresh())

    def facts(spans):
        responses = [a.value.string_value for span in spans for a in span.attributes if a.key == "gen_ai.response.id"]
        return [
            {span.trace_id for span in spans},
            {span.span_id for span in spans},
            {span.end_time_unix_nano for span in spans},
            set(responses),
        ]

    for one, other in zip(facts(first), facts(second), strict=True):
        assert not one & other


def test_spans_of_a_trace_name_its_agent_as_their_parent():
    spans = spans_of(payload.template("slim", 32, 0).fresh())
    roots = {span.trace_id: span.span_id for span in spans if not span.parent_span_id}

    assert len(roots) == 8
    assert all(roots[span.trace_id] == span.parent_span_id for span in spans if span.parent_span_id)
    assert len({span.span_id for span in spans}) == 32


def test_numbers_of_tokens_differ_from_request_to_request():
    template = payload.template("slim", 512, 0)

    def tokens(spans):
        return [
            a.value.int_value
            for span in spans
            for a in span.attributes
            if a.key in ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens")
        ]

    first, second = tokens(spans_of(template.fresh())), tokens(spans_of(template.fresh()))

    assert len(first) > 350
    assert all(128 <= count < 4096 for count in first + second)
    assert sum(a != b for a, b in zip(first, second, strict=True)) > 350


def test_some_calls_fail_with_an_exception_event_of_the_same_minute():
    spans = spans_of(payload.template("slim", 512, 0).fresh())
    failed = [span for span in spans if span.status.code == 2]

    assert 4 <= len(failed) <= 40
    for span in failed:
        assert [event.name for event in span.events] == ["exception"]
        assert span.end_time_unix_nano == span.events[0].time_unix_nano


@pytest.mark.parametrize("kind", PAYLOADS)
def test_nearly_every_span_is_a_model_call_that_reports_tokens_whatever_the_dialect(kind):
    data = payload.template(kind, 512, 0).fresh()
    [batch] = GenaiProcessor(GenaiConfig(), Host("genai")).process(decode(Signal.TRACES, data))

    calls = calls_of(batch, call_table())

    assert calls is not None
    agents = 512 // SPANS_A_TRACE
    assert 512 - agents - 5 <= len(calls.resource) <= 512 - agents
    assert (calls.tokens[0] > 0).sum() >= 0.9 * len(calls.resource)


def points_of(data: bytes):
    request = ExportMetricsServiceRequest.FromString(data)
    metrics = [one for rm in request.resource_metrics for scope in rm.scope_metrics for one in scope.metrics]
    return [point for one in metrics for point in getattr(one, one.WhichOneof("data")).data_points]


@pytest.mark.parametrize("count", payload.SIZES)
def test_metrics_are_cumulative_series_that_go_up(count):
    template = payload.template("metrics", count, 0)
    first, second = points_of(template.fresh()), points_of(template.fresh())

    assert count == len(first) == len(second)
    for before, after in zip(first, second, strict=True):
        assert before.attributes == after.attributes
        assert before.start_time_unix_nano == after.start_time_unix_nano < before.time_unix_nano
        assert before.time_unix_nano < after.time_unix_nano
        if hasattr(before, "bucket_counts"):
            assert after.count == sum(after.bucket_counts) > before.count
            assert after.sum > before.sum
        else:
            assert after.as_int > before.as_int > 0


@pytest.mark.parametrize("count", payload.SIZES)
def test_the_rows_of_metrics_are_known(count):
    batch = decode(Signal.METRICS, payload.template("metrics", count, 0).fresh())

    inserts = list(metric_inserts(batch, 1.0, Written()))

    assert [one.rows.num_rows for one in inserts if one.table.endswith("samples_v4")] == [points.rows_of(count)]


def records_of(data: bytes):
    request = ExportLogsServiceRequest.FromString(data)
    return [record for rl in request.resource_logs for scope in rl.scope_logs for record in scope.log_records]


@pytest.mark.parametrize("count", payload.SIZES)
def test_records_are_events_of_model_calls_no_two_alike(count):
    template = payload.template("logs", count, 0)
    found = [*records_of(template.fresh()), *records_of(template.fresh())]

    assert 2 * count == len(found)
    assert all(record.event_name.startswith("gen_ai.") for record in found)
    assert len({record.span_id for record in found}) == 2 * count
    assert all(record.time_unix_nano <= record.observed_time_unix_nano for record in found)
