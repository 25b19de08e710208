from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.batch import Batch, Signal, concat
from collector.errors import Permanent
from collector.otlp.decode import decode
from collector.otlp.encode import encode

from . import wires
from .rows import LEVELS, REQUESTS, rows_by_protobuf
from .test_decode import CAPTURED, CAPTURES, CAPTURES_OF, LIGHT, SIGNALS
from .wires import request_with_value, sized


def without_empty_owners(request: Message, signal: Signal) -> Message:
    """Return the request without resources, scopes and metrics that hold nothing."""
    by_resource, by_scope, items = LEVELS[signal]
    for holder in getattr(request, by_resource):
        for inner in getattr(holder, by_scope):
            if signal is Signal.METRICS:
                keep(
                    inner.metrics,
                    lambda one: one.WhichOneof("data") and getattr(one, one.WhichOneof("data")).data_points,
                )
        keep(getattr(holder, by_scope), lambda inner: getattr(inner, items))
    keep(getattr(request, by_resource), lambda holder: getattr(holder, by_scope))
    return request


def points_of(metric: Any) -> Any:
    kind = metric.WhichOneof("data")
    return kind and getattr(metric, kind).data_points


def keep(repeated: Any, wanted: Callable[[Any], object]) -> None:
    kept = [one for one in repeated if wanted(one)]
    del repeated[:]
    repeated.extend(kept)


@pytest.mark.parametrize(("signal", "path"), CAPTURED)
def test_captured_requests_come_back_equal(signal: Signal, path: Path) -> None:
    data = path.read_bytes()
    assert rows_by_protobuf(encode(decode(signal, data)), signal) == rows_by_protobuf(data, signal)


@pytest.mark.parametrize("signal", SIGNALS)
@given(data=st.data())
@LIGHT
def test_any_request_comes_back_with_its_items(signal: Signal, data: st.DataObject) -> None:
    request = without_empty_owners(data.draw(wires.any_request[signal]), signal)
    sent = request.SerializeToString()
    back = encode(decode(signal, sent))
    assert rows_by_protobuf(back, signal) == rows_by_protobuf(sent, signal)


@pytest.mark.parametrize(
    "value",
    [b"", sized(1, b""), b"\x10\x00", b"\x18\x00", b"\x21" + bytes(8), sized(5, b""), sized(6, b""), sized(7, b"")],
)
def test_empty_values_stay_apart(value: bytes) -> None:
    data = request_with_value(value)
    assert encode(decode(Signal.TRACES, data)).endswith(sized(2, value))


def test_missing_value_stays_missing() -> None:
    request = ExportTraceServiceRequest()
    request.resource_spans.add().scope_spans.add().spans.add().attributes.add(key="k")
    back = ExportTraceServiceRequest.FromString(encode(decode(Signal.TRACES, request.SerializeToString())))
    assert not back.resource_spans[0].scope_spans[0].spans[0].attributes[0].HasField("value")


def three_services() -> Batch:
    request = ExportTraceServiceRequest()
    for service in "abc":
        resource_spans = request.resource_spans.add(schema_url=service)
        for scope in "xy":
            scope_spans = resource_spans.scope_spans.add()
            scope_spans.scope.name = scope
            for number in range(2):
                scope_spans.spans.add(name=f"{service}{scope}{number}")
    return decode(Signal.TRACES, request.SerializeToString())


def names_by_owner(data: bytes) -> list[tuple[str, list[tuple[str, list[str]]]]]:
    return [
        (owner.schema_url, [(part.scope.name, [span.name for span in part.spans]) for part in owner.scope_spans])
        for owner in ExportTraceServiceRequest.FromString(data).resource_spans
    ]


def test_chosen_spans_are_grouped_as_first_seen() -> None:
    batch = three_services().take([11, 2, 10, 3, 8, 0])
    assert batch.main.column("name").to_pylist() == ["cy1", "ay0", "cy0", "ay1", "cx0", "ax0"]
    assert names_by_owner(encode(batch)) == [
        ("c", [("y", ["cy1", "cy0"]), ("x", ["cx0"])]),
        ("a", [("y", ["ay0", "ay1"]), ("x", ["ax0"])]),
    ]


def test_spans_of_one_scope_row_under_two_resources_stay_apart() -> None:
    batch = three_services()
    scope = pa.array([0] * batch.rows, pa.int32())
    main = batch.main.set_column(1, batch.main.schema.field("scope"), scope)
    owners = names_by_owner(encode(batch.with_main(main)))
    assert [(owner, [name for name, _ in parts]) for owner, parts in owners] == [
        ("a", ["x"]),
        ("b", ["x"]),
        ("c", ["x"]),
    ]


def test_joined_batches_are_written_as_one_request() -> None:
    one, two = (decode(Signal.TRACES, path.read_bytes()) for path in CAPTURES[:2])
    joined = rows_by_protobuf(encode(concat("joined", [one, two])))
    assert [span["span_id"] for span in joined["spans"]] == [
        *one.main.column("span_id").to_pylist(),
        *two.main.column("span_id").to_pylist(),
    ]


def test_no_spans_are_an_empty_request() -> None:
    assert encode(decode(Signal.TRACES, b"")) == b""
    assert encode(three_services().take([])) == b""


def test_points_that_were_mixed_are_written_by_metric() -> None:
    request = ExportMetricsServiceRequest()
    scope = request.resource_metrics.add().scope_metrics.add()
    for name in "abc":
        points = scope.metrics.add(name=name).sum.data_points
        for number in range(3):
            points.add(as_int=number)
    batch = decode(Signal.METRICS, request.SerializeToString()).take([8, 0, 6, 4, 1])
    back = ExportMetricsServiceRequest.FromString(encode(batch))
    assert [
        (metric.name, [point.as_int for point in metric.sum.data_points])
        for metric in back.resource_metrics[0].scope_metrics[0].metrics
    ] == [("c", [2, 0]), ("a", [0, 1]), ("b", [1])]


@pytest.mark.parametrize("signal", [Signal.METRICS, Signal.LOGS])
def test_joined_metrics_and_logs_are_written_as_one_request(signal: Signal) -> None:
    data = [path.read_bytes() for path in CAPTURES_OF[signal][:3]]
    joined = encode(concat("joined", [decode(signal, one) for one in data]))
    assert REQUESTS[signal].FromString(joined) == REQUESTS[signal].FromString(b"".join(data))


def test_rollups_cannot_be_written_as_otlp() -> None:
    with pytest.raises(Permanent, match="OTLP has no such signal"):
        encode(Batch("1", Signal.ROLLUPS, {}))
