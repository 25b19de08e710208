import pyarrow as pa
import pytest
from hypothesis import given
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.batch import Batch, Signal, concat
from collector.errors import Permanent
from collector.otlp.decode import decode
from collector.otlp.encode import encode

from . import wires
from .rows import rows_by_protobuf
from .test_decode import CAPTURES, LIGHT
from .wires import request_with_value, sized


def test_captured_requests_come_back_equal() -> None:
    for path in CAPTURES:
        data = path.read_bytes()
        assert rows_by_protobuf(encode(decode(Signal.TRACES, data))) == rows_by_protobuf(data)


@given(wires.requests)
@LIGHT
def test_any_request_comes_back_with_its_spans(request: ExportTraceServiceRequest) -> None:
    for resource_spans in request.resource_spans:
        filled = [scope_spans for scope_spans in resource_spans.scope_spans if scope_spans.spans]
        del resource_spans.scope_spans[:]
        resource_spans.scope_spans.extend(filled)
    filled = [resource_spans for resource_spans in request.resource_spans if resource_spans.scope_spans]
    request = ExportTraceServiceRequest(resource_spans=filled)
    data = request.SerializeToString()
    assert rows_by_protobuf(encode(decode(Signal.TRACES, data))) == rows_by_protobuf(data)


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


def test_other_signals_are_refused() -> None:
    with pytest.raises(Permanent, match="cannot be written as OTLP"):
        encode(Batch("1", Signal.ROLLUPS, {}))
