"""What answers mean, by OTLP's tables."""

import grpc
import pytest
from google.protobuf.any_pb2 import Any
from google.protobuf.json_format import MessageToJson
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from collector.batch import Signal
from collector.errors import Permanent, Retryable
from exporters.otlp.answers import (
    Unwelcome,
    details,
    grpc_refusal,
    http_refusal,
    partial_success,
    retry_after,
    retry_info,
)

from .receiver import delay

LATER = {"CANCELLED", "DEADLINE_EXCEEDED", "ABORTED", "OUT_OF_RANGE", "UNAVAILABLE", "DATA_LOSS"}
CONTENT = {"UNKNOWN", "INVALID_ARGUMENT", "INTERNAL", "RESOURCE_EXHAUSTED"}
SENDER = {
    "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "FAILED_PRECONDITION", "UNIMPLEMENTED", "UNAUTHENTICATED",
}  # fmt: skip


def test_every_grpc_code_has_a_meaning() -> None:
    assert {code.name for code in grpc.StatusCode} - {"OK"} == LATER | CONTENT | SENDER


@pytest.mark.parametrize("code", [code for code in grpc.StatusCode if code.name != "OK"], ids=lambda code: code.name)
def test_grpc_codes_mean_what_otlp_says(code: grpc.StatusCode) -> None:
    kind = Retryable if code.name in LATER else Permanent if code.name in CONTENT else Unwelcome
    refusal = grpc_refusal(code.value[0], "text", None)
    assert type(refusal) is kind
    assert str(refusal) == "text"


def test_exhausted_with_a_delay_is_overload_and_without_is_size() -> None:
    refusal = grpc_refusal(grpc.StatusCode.RESOURCE_EXHAUSTED.value[0], "", 3.0)
    assert isinstance(refusal, Retryable)
    assert refusal.after == 3.0
    assert isinstance(grpc_refusal(grpc.StatusCode.RESOURCE_EXHAUSTED.value[0], "", None), Permanent)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        *((status, Retryable) for status in (408, 429, 502, 503, 504)),
        *((status, Permanent) for status in (400, 413, 422, 500)),
        *((status, Unwelcome) for status in (301, 307, 401, 402, 403, 404, 405, 410, 415, 501, 505)),
    ],
)
def test_http_statuses_mean_what_otlp_says(status: int, kind: type[Exception]) -> None:
    assert type(http_refusal(status, "text", None)) is kind


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        (" 1.5 ", 1.5),
        ("Sat, 21 Nov 2026 18:01:10 GMT", 10.0),
        ("Sat, 21 Nov 2026 18:00:00 GMT", 0.0),
        ("-3", 0.0),
        ("1e99", 3600.0),
        ("nan", 0.0),
        ("soon", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after_is_a_number_or_a_date(header: str | None, seconds: float | None) -> None:
    assert retry_after(header, 1_795_284_060.0) == seconds


def test_retry_info_is_found_among_details_and_bounded() -> None:
    assert retry_info(Status()) is None
    assert retry_info(delay(2.5)) == 2.5
    assert retry_info(delay(10**9)) == 3600.0
    broken = Status(details=[Any(type_url=f"type.googleapis.com/{RetryInfo.DESCRIPTOR.full_name}", value=b"\xff")])
    assert retry_info(broken) is None


def test_details_come_from_the_trailing_metadata() -> None:
    body = delay(1).SerializeToString()
    assert details((("other", "x"), ("grpc-status-details-bin", body))) == delay(1)
    assert details((("grpc-status-details-bin", b"\xff\xff"),)) == Status()
    assert details(None) == Status()


@pytest.mark.parametrize(
    ("signal", "response", "rejected"),
    [
        (Signal.TRACES, ExportTraceServiceResponse, "rejected_spans"),
        (Signal.METRICS, ExportMetricsServiceResponse, "rejected_data_points"),
        (Signal.LOGS, ExportLogsServiceResponse, "rejected_log_records"),
    ],
)
def test_partial_success_is_read_for_every_signal(signal: Signal, response: type, rejected: str) -> None:
    answer = response()
    setattr(answer.partial_success, rejected, 3)
    answer.partial_success.error_message = "too\nold"
    assert partial_success(signal, answer.SerializeToString()) == (3, "too old")
    assert partial_success(signal, MessageToJson(answer).encode(), json=True) == (3, "too old")


@pytest.mark.parametrize("json", [False, True])
@pytest.mark.parametrize("body", [b"\xff\xff", b"", b"<html>", b"[" * 100_000])
def test_an_answer_that_cannot_be_read_is_a_success_all_the_same(body: bytes, json: bool) -> None:
    assert partial_success(Signal.TRACES, body, json=json) == (0, "")
