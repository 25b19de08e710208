"""What a client hears, whichever door it came through."""

import json

import pytest
from google.protobuf import json_format
from google.rpc.code_pb2 import Code
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from structlog.testing import capture_logs

from collector.batch import Batch
from collector.component import Host
from collector.errors import Divided, Permanent, Retryable
from collector.receivers.otlp.intake import Answer, Intake
from tests.collector.receivers.otlp.receiving import Pipeline, own_metrics, request


def intake(pipeline: Pipeline) -> tuple[Intake, Host]:
    host = Host("otlp/in")
    return Intake(host, pipeline.consume, "grpc"), host


def raising(error: Exception) -> Pipeline:
    def behave(_batch: object) -> None:
        raise error

    return Pipeline(behave)


def test_full_success_leaves_partial_success_unset() -> None:
    pipeline = Pipeline()
    door, host = intake(pipeline)
    answer = door.take(request("a", "b").SerializeToString())
    assert answer == Answer()
    assert answer.encode() == b""
    assert answer.encode(json=True) == b"{}"
    assert pipeline.names == ["a", "b"]
    labels = 'receiver="otlp/in",transport="grpc"'
    assert own_metrics(host) == {
        f"otelcol_receiver_accepted_spans{{{labels}}}": 2,
        f'otelcol_receiver_requests{{outcome="success",{labels}}}': 1,
    }


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
    assert door.take(message.SerializeToString()) == door.take(body, json=True) == Answer()
    first, second = pipeline.batches
    assert first.main.equals(second.main)


@pytest.mark.parametrize("body", [b"", request().SerializeToString()])
def test_an_empty_request_succeeds_without_troubling_the_pipeline(body: bytes) -> None:
    door, host = intake(raising(AssertionError("consume was called")))
    assert door.take(body) == Answer()
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
    answer = door.take(message.SerializeToString())
    response = ExportTraceServiceResponse.FromString(answer.encode())
    assert response.partial_success.rejected_spans == 2
    assert "start_time_unix_nano" in response.partial_success.error_message
    assert json.loads(answer.encode(json=True))["partialSuccess"]["rejectedSpans"] == "2"
    assert pipeline.names == ["good"]
    metrics = own_metrics(host)
    assert metrics['otelcol_receiver_accepted_spans{receiver="otlp/in",transport="grpc"}'] == 1
    assert metrics['otelcol_receiver_refused_spans{receiver="otlp/in",transport="grpc"}'] == 2


def test_a_request_of_nothing_but_rejected_spans_does_not_trouble_the_pipeline() -> None:
    door, _ = intake(raising(AssertionError("consume was called")))
    answer = door.take(request("a", "b", start=0).SerializeToString())
    assert (answer.code, answer.rejected) == (Code.OK, 2)


@pytest.mark.parametrize(("after", "seconds"), [(None, 1.0), (0.25, 0.25), (7.0, 7.0), (-1.0, 0.0)])
def test_retryable_carries_the_delay(after: float | None, seconds: float) -> None:
    door, host = intake(raising(Retryable("outbox is full", after=after)))
    answer = door.take(request("a").SerializeToString())
    status = Status.FromString(answer.encode())
    delay = RetryInfo()
    assert status.details[0].Unpack(delay)
    assert (status.code, status.message) == (Code.UNAVAILABLE, "outbox is full")
    assert delay.retry_delay.ToMilliseconds() == seconds * 1000
    assert own_metrics(host)['otelcol_receiver_refused_spans{receiver="otlp/in",transport="grpc"}'] == 1
    parsed = json_format.Parse(answer.encode(json=True), Status())
    assert parsed == status


def test_permanent_has_no_delay() -> None:
    door, host = intake(raising(Permanent("no such table")))
    answer = door.take(request("a").SerializeToString())
    assert Status.FromString(answer.encode()) == Status(code=Code.INVALID_ARGUMENT, message="no such table")
    assert own_metrics(host)['otelcol_receiver_refused_spans{receiver="otlp/in",transport="grpc"}'] == 1


@pytest.mark.parametrize(("body", "is_json"), [(b"\xff\xff", False), (b"{", True), (b"[]", True)])
def test_malformed_bytes_are_refused_for_good(body: bytes, is_json: bool) -> None:
    door, host = intake(Pipeline())
    answer = door.take(body, json=is_json)
    assert answer.code == Code.INVALID_ARGUMENT
    assert answer.retry_after is None
    assert own_metrics(host) == {
        'otelcol_receiver_requests{outcome="refused",receiver="otlp/in",transport="grpc"}': 1,
    }


def test_a_bug_is_logged_whole_and_told_to_the_client_without_its_details() -> None:
    door, host = intake(raising(ZeroDivisionError("secret detail")))
    with capture_logs() as logs:
        answer = door.take(request("a").SerializeToString())
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
    assert Status.FromString(answer.encode()).message == answer.text


def together(pipeline: Pipeline, requests: list[bytes]) -> tuple[list[Answer], dict[str, float]]:
    """Return what clients hear whose requests came at the same time, and the collector's own metrics."""
    door, host = intake(pipeline)
    answers = door._answers(requests)
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
