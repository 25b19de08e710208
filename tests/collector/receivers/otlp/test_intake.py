"""What a client hears, whichever door it came through."""

import json

import pytest
from google.protobuf import json_format
from google.rpc.code_pb2 import Code
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from structlog.testing import capture_logs

from collector.batch import Batch, Signal
from collector.component import Host
from collector.errors import Divided, Permanent, Retryable
from collector.receivers.otlp.intake import Answer, Intake, _Request
from tests.collector.receivers.otlp.receiving import Pipeline, own_metrics, request

TRACES = Signal.TRACES
MOST = 1000


def intake(pipeline: Pipeline) -> tuple[Intake, Host]:
    host = Host("otlp/in")
    return Intake(host, pipeline.consume, "grpc", MOST), host


def raising(error: Exception) -> Pipeline:
    def behave(_batch: object) -> None:
        raise error

    return Pipeline(behave)


def test_full_success_leaves_partial_success_unset() -> None:
    pipeline = Pipeline()
    door, host = intake(pipeline)
    answer = door.take(TRACES, request("a", "b").SerializeToString())
    assert answer == Answer()
    assert answer.encode(TRACES) == b""
    assert answer.encode(TRACES, json=True) == b"{}"
    assert pipeline.names == ["a", "b"]
    labels = 'receiver="otlp/in",transport="grpc"'
    assert own_metrics(host) == {
        f"otelcol_receiver_accepted_spans{{{labels}}}": 2,
        f'otelcol_receiver_requests{{outcome="success",{labels}}}': 1,
    }


def test_a_request_of_too_many_elements_is_refused_before_it_is_read() -> None:
    pipeline = Pipeline()
    door, _ = intake(pipeline)
    empty = ExportTraceServiceRequest()
    spans = empty.resource_spans.add().scope_spans.add().spans
    for _ in range(MOST):
        spans.add(start_time_unix_nano=1)
    one = request("a")
    attributes = one.resource_spans[0].scope_spans[0].spans[0].attributes
    for _ in range(MOST - 3):
        attributes.add()
    json_ones = b'{"resourceSpans": [{"scopeSpans": [{"spans": [%s]}]}]}' % b",".join([b"{}"] * 2 * MOST)
    answers = [door.take(TRACES, empty.SerializeToString()), door.take(TRACES, json_ones, json=True)]

    assert door.take(TRACES, one.SerializeToString()).code == Code.OK
    attributes.add()
    for answer in (*answers, door.take(TRACES, one.SerializeToString())):
        assert answer.code == Code.INVALID_ARGUMENT
        assert answer.text.startswith(
            "more than 1000 items, attributes, events and the like in one request; send smaller"
        )
    assert pipeline.names == ["a"]


def test_json_gives_the_same_batch_as_protobuf() -> None:
    pipeline = Pipeline()
    door, _ = intake(pipeline)
    message = request("a")
    span = {"traceId": "0" * 31 + "1", "spanId": "0" * 15 + "1", "name": "a"}
    for side in ("start", "end"):
        span[f"{side}TimeUnixNano"] = str(
            getattr(message.resource_spans[0].scope_spans[0].spans[0], f"{side}_time_unix_nano")
        )
    body = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}).encode()
    assert door.take(TRACES, message.SerializeToString()) == door.take(TRACES, body, json=True) == Answer()
    first, second = pipeline.batches
    assert first.main.equals(second.main)


@pytest.mark.parametrize("body", [b"", request().SerializeToString()])
def test_an_empty_request_succeeds_without_troubling_the_pipeline(body: bytes) -> None:
    door, host = intake(raising(AssertionError("consume was called")))
    assert door.take(TRACES, body) == Answer()
    assert own_metrics(host) == {
        'otelcol_receiver_requests{outcome="success",receiver="otlp/in",transport="grpc"}': 1,
    }


def test_spans_without_a_usable_time_are_rejected_and_the_others_go_on() -> None:
    pipeline = Pipeline()
    door, host = intake(pipeline)
    message = request("good", "zero", "huge")
    spans = message.resource_spans[0].scope_spans[0].spans
    spans[1].start_time_unix_nano = 0
    spans[2].start_time_unix_nano = 2**63
    answer = door.take(TRACES, message.SerializeToString())
    response = ExportTraceServiceResponse.FromString(answer.encode(TRACES))
    assert response.partial_success.rejected_spans == 2
    assert "start_time_unix_nano" in response.partial_success.error_message
    assert json.loads(answer.encode(TRACES, json=True))["partialSuccess"]["rejectedSpans"] == "2"
    assert pipeline.names == ["good"]
    metrics = own_metrics(host)
    assert metrics['otelcol_receiver_accepted_spans{receiver="otlp/in",transport="grpc"}'] == 1
    assert metrics['otelcol_receiver_refused_spans{receiver="otlp/in",transport="grpc"}'] == 2


def test_a_request_of_nothing_but_rejected_spans_does_not_trouble_the_pipeline() -> None:
    door, _ = intake(raising(AssertionError("consume was called")))
    answer = door.take(TRACES, request("a", "b", start=0).SerializeToString())
    assert (answer.code, answer.rejected) == (Code.OK, 2)


@pytest.mark.parametrize(("after", "seconds"), [(None, 1.0), (0.25, 0.25), (7.0, 7.0), (-1.0, 0.0)])
def test_retryable_carries_the_delay(after: float | None, seconds: float) -> None:
    door, host = intake(raising(Retryable("outbox is full", after=after)))
    answer = door.take(TRACES, request("a").SerializeToString())
    status = Status.FromString(answer.encode(TRACES))
    delay = RetryInfo()
    assert status.details[0].Unpack(delay)
    assert (status.code, status.message) == (Code.UNAVAILABLE, "outbox is full")
    assert delay.retry_delay.ToMilliseconds() == seconds * 1000
    assert own_metrics(host)['otelcol_receiver_refused_spans{receiver="otlp/in",transport="grpc"}'] == 1
    parsed = json_format.Parse(answer.encode(TRACES, json=True), Status())
    assert parsed == status


def test_permanent_has_no_delay() -> None:
    door, host = intake(raising(Permanent("no such table")))
    answer = door.take(TRACES, request("a").SerializeToString())
    assert Status.FromString(answer.encode(TRACES)) == Status(code=Code.INVALID_ARGUMENT, message="no such table")
    assert own_metrics(host)['otelcol_receiver_refused_spans{receiver="otlp/in",transport="grpc"}'] == 1


@pytest.mark.parametrize(("body", "is_json"), [(b"\xff\xff", False), (b"{", True), (b"[]", True)])
def test_malformed_bytes_are_refused_for_good(body: bytes, is_json: bool) -> None:
    door, host = intake(Pipeline())
    answer = door.take(TRACES, body, json=is_json)
    assert answer.code == Code.INVALID_ARGUMENT
    assert answer.retry_after is None
    assert own_metrics(host) == {
        'otelcol_receiver_requests{outcome="refused",receiver="otlp/in",transport="grpc"}': 1,
    }


def test_a_bug_is_logged_whole_and_told_to_the_client_without_its_details() -> None:
    door, host = intake(raising(ZeroDivisionError("secret detail")))
    with capture_logs() as logs:
        answer = door.take(TRACES, request("a").SerializeToString())
    assert answer.code == Code.INTERNAL
    assert "secret" not in answer.message
    assert [(line["event"], line["exc_info"], line["component"]) for line in logs] == [
        ("request failed", True, "otlp/in")
    ]
    metrics = own_metrics(host)
    assert metrics['otelcol_receiver_failed_spans{receiver="otlp/in",transport="grpc"}'] == 1
    assert metrics['otelcol_receiver_requests{outcome="failure",receiver="otlp/in",transport="grpc"}'] == 1


def test_long_and_unprintable_messages_are_cut_to_fit() -> None:
    answer = Answer(Code.INVALID_ARGUMENT, "x\udc80" * 10_000)
    assert len(answer.text) == 500
    assert Status.FromString(answer.encode(TRACES)).message == answer.text


def together(pipeline: Pipeline, requests: list[bytes]) -> tuple[list[Answer], dict[str, float]]:
    """Return what clients hear whose requests came at the same time, and the collector's own metrics."""
    door, host = intake(pipeline)
    answers = door._answers([_Request(TRACES, body) for body in requests])
    return answers, {name.partition("{")[0]: value for name, value in own_metrics(host).items()}


def bytes_of(*names: str) -> bytes:
    return request(*names).SerializeToString()


def test_requests_that_come_at_the_same_time_are_handed_on_as_one_batch() -> None:
    pipeline = Pipeline()
    answers, metrics = together(pipeline, [bytes_of("a"), bytes_of("b", "c")])
    assert answers == [Answer(), Answer()]
    assert [batch.rows for batch in pipeline.batches] == [3]
    assert len(pipeline.batches[0].members) == 2
    assert metrics["otelcol_receiver_accepted_spans"] == 3
    assert metrics["otelcol_receiver_requests"] == 2


def test_the_same_request_from_two_clients_at_once_is_handed_on_once() -> None:
    pipeline = Pipeline()
    answers, _ = together(pipeline, [bytes_of("a"), bytes_of("a"), bytes_of("b")])
    assert answers == [Answer()] * 3
    assert sorted(pipeline.names) == ["a", "b"]


def test_a_malformed_request_is_refused_alone_and_does_not_eat_its_neighbour() -> None:
    pipeline = Pipeline()
    broken = bytes_of("x" * 50)[:-20]
    answers, _ = together(pipeline, [broken, bytes_of("b")])
    assert [answer.code for answer in answers] == [Code.INVALID_ARGUMENT, Code.OK]
    assert pipeline.names == ["b"]


def test_a_request_with_an_impossible_time_hears_of_it_alone() -> None:
    pipeline = Pipeline()
    odd = request("a", "b")
    odd.resource_spans[0].scope_spans[0].spans[0].start_time_unix_nano = 0
    answers, _ = together(pipeline, [odd.SerializeToString(), bytes_of("c")])
    assert [answer.rejected for answer in answers] == [1, 0]
    assert sorted(pipeline.names) == ["b", "c"]


def test_a_group_that_must_be_divided_is_sent_one_by_one() -> None:
    def behave(batch: Batch) -> None:
        if batch.members:
            raise Divided("one by one")

    pipeline = Pipeline(behave)
    answers, _ = together(pipeline, [bytes_of("a"), bytes_of("b")])
    assert answers == [Answer(), Answer()]


def test_a_group_that_finds_no_room_is_told_at_once() -> None:
    calls = []

    def behave(batch: Batch) -> None:
        calls.append(batch.rows)
        raise Retryable("full", after=5)

    answers, _ = together(Pipeline(behave), [bytes_of("a"), bytes_of("b")])
    assert [(answer.code, answer.retry_after) for answer in answers] == [(Code.UNAVAILABLE, 5)] * 2
    assert calls == [2]


def test_a_bug_over_one_request_does_not_reach_the_others() -> None:
    def behave(batch: Batch) -> None:
        if "bad" in batch.main.column("name").to_pylist():
            raise ZeroDivisionError

    with capture_logs() as logs:
        answers, _ = together(Pipeline(behave), [bytes_of("bad"), bytes_of("b")])
    assert [answer.code for answer in answers] == [Code.INTERNAL, Code.OK]
    assert [line["event"] for line in logs] == ["request failed"]


def metrics_request(*times: int) -> bytes:
    message = ExportMetricsServiceRequest()
    metric = message.resource_metrics.add().scope_metrics.add().metrics.add(name="tokens")
    for time in times:
        metric.gauge.data_points.add(time_unix_nano=time, as_int=1)
    return message.SerializeToString()


def logs_request(*times: tuple[int, int]) -> bytes:
    message = ExportLogsServiceRequest()
    scope = message.resource_logs.add().scope_logs.add()
    for time, observed in times:
        scope.log_records.add(time_unix_nano=time, observed_time_unix_nano=observed)
    return message.SerializeToString()


@pytest.mark.parametrize(
    ("signal", "body", "items"),
    [(Signal.METRICS, metrics_request(1, 2), "metric_points"), (Signal.LOGS, logs_request((1, 0)) * 2, "log_records")],
)
def test_each_signal_is_counted_under_its_own_name(signal: Signal, body: bytes, items: str) -> None:
    pipeline = Pipeline()
    door, host = intake(pipeline)
    assert door.take(signal, body) == Answer()
    assert [(batch.signal, batch.rows) for batch in pipeline.batches] == [(signal, 2)]
    assert own_metrics(host)[f'otelcol_receiver_accepted_{items}{{receiver="otlp/in",transport="grpc"}}'] == 2


def test_points_without_a_time_are_rejected_in_the_words_of_their_signal() -> None:
    pipeline = Pipeline()
    door, host = intake(pipeline)
    answer = door.take(Signal.METRICS, metrics_request(0, 5, 2**63))
    response = ExportMetricsServiceResponse.FromString(answer.encode(Signal.METRICS))
    assert response.partial_success.rejected_data_points == 2
    assert "2 metric points rejected: time_unix_nano is 0" in response.partial_success.error_message
    assert json.loads(answer.encode(Signal.METRICS, json=True))["partialSuccess"]["rejectedDataPoints"] == "2"
    assert [batch.rows for batch in pipeline.batches] == [1]
    assert own_metrics(host)['otelcol_receiver_refused_metric_points{receiver="otlp/in",transport="grpc"}'] == 2


def test_records_are_rejected_only_for_an_impossible_time() -> None:
    pipeline = Pipeline()
    door, _ = intake(pipeline)
    answer = door.take(Signal.LOGS, logs_request((0, 0), (0, 7), (2**63, 7), (0, 2**63), (5, 2**63)))
    response = ExportLogsServiceResponse.FromString(answer.encode(Signal.LOGS))
    assert response.partial_success.rejected_log_records == 2
    assert [batch.rows for batch in pipeline.batches] == [3]


def test_requests_of_different_signals_at_once_are_handed_on_apart() -> None:
    pipeline = Pipeline()
    door, _ = intake(pipeline)
    requests = [
        _Request(Signal.LOGS, logs_request((1, 0))),
        _Request(TRACES, bytes_of("a")),
        _Request(Signal.METRICS, metrics_request(0)),
        _Request(TRACES, bytes_of("b")),
        _Request(Signal.LOGS, logs_request((2, 0))),
    ]
    answers = door._answers(requests)
    assert [answer.rejected for answer in answers] == [0, 0, 1, 0, 0]
    assert sorted((batch.signal, batch.rows) for batch in pipeline.batches) == [("logs", 2), ("traces", 2)]


def test_a_signal_without_a_pipeline_says_what_to_add() -> None:
    door = Intake(Host("otlp/in", signals=frozenset({TRACES})), Pipeline().consume, "grpc", MOST)
    assert door.closed(TRACES) == ""
    assert door.closed(Signal.LOGS) == (
        "no pipeline takes logs from receiver otlp/in; add service::pipelines::logs with receivers: [otlp/in]"
    )
