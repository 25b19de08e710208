import base64
import json
import re
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from collector.batch import Batch, Signal
from collector.errors import Permanent
from collector.otlp.decode import decode
from collector.otlp.encode import encode
from collector.otlp.json import encode_json, from_json, to_json

from . import wires
from .rows import REQUESTS, rows_of
from .test_decode import CAPTURED, LIGHT, SIGNALS

ID_FIELDS = ("traceId", "spanId", "parentSpanId")


def otlp_json(request: Message, *, numbers: bool = True) -> bytes:
    """Return the request as an OTLP/JSON client writes it."""
    tree = json_format.MessageToDict(request, use_integers_for_enums=numbers)
    return json.dumps(with_hex_ids(tree)).encode()


def with_hex_ids(tree: Any) -> Any:
    """Return the tree with every id in hex; in these requests no attribute looks like one."""
    if isinstance(tree, list):
        return [with_hex_ids(item) for item in tree]
    if not isinstance(tree, dict):
        return tree
    return {
        name: base64.b64decode(value).hex() if name in ID_FIELDS else with_hex_ids(value)
        for name, value in tree.items()
    }


@pytest.mark.parametrize("numbers", [True, False])
@pytest.mark.parametrize(("signal", "path"), CAPTURED)
def test_captured_requests_come_back_equal(signal: Signal, path: Path, numbers: bool) -> None:
    request = REQUESTS[signal].FromString(path.read_bytes())
    back = from_json(signal, otlp_json(request, numbers=numbers))
    assert REQUESTS[signal].FromString(back) == request


@pytest.mark.parametrize("signal", SIGNALS)
@given(data=st.data())
@LIGHT
def test_any_request_comes_back_equal(signal: Signal, data: st.DataObject) -> None:
    request = data.draw(wires.any_request[signal])
    assert from_json(signal, otlp_json(request)) == request.SerializeToString()


@pytest.mark.parametrize(("signal", "path"), CAPTURED)
def test_a_batch_is_written_as_an_otlp_json_client_writes_it(signal: Signal, path: Path) -> None:
    batch = decode(signal, path.read_bytes())
    text = encode_json(batch)
    assert b"\n" not in text
    assert json.loads(text) == json.loads(otlp_json(REQUESTS[signal].FromString(encode(batch))))
    assert from_json(signal, text) == REQUESTS[signal].FromString(encode(batch)).SerializeToString()


@pytest.mark.parametrize("signal", SIGNALS)
@given(data=st.data())
@LIGHT
def test_any_batch_written_as_json_comes_back_equal(signal: Signal, data: st.DataObject) -> None:
    batch = decode(signal, data.draw(wires.any_request[signal]).SerializeToString())
    back = decode(signal, from_json(signal, encode_json(batch)))
    again = decode(signal, encode(batch))
    assert rows_of(back) == rows_of(again)


def test_rollups_have_no_otlp_json() -> None:
    for refused in (lambda: from_json(Signal.ROLLUPS, b"{}"), lambda: encode_json(Batch("1", Signal.ROLLUPS, {}))):
        with pytest.raises(Permanent, match="OTLP has no such signal"):
            refused()


def test_ids_of_exemplars_and_records_are_hexadecimal() -> None:
    exemplar = {"traceId": "0102", "spanId": "03", "asInt": "5"}
    for kind in ("gauge", "sum", "histogram", "exponentialHistogram"):
        metric = {"name": "n", kind: {"dataPoints": [{}, {"exemplars": [exemplar]}]}}
        text = json.dumps({"resourceMetrics": [{"scopeMetrics": [{"metrics": [metric]}]}]}).encode()
        (_, exemplars) = decode(Signal.METRICS, from_json(Signal.METRICS, text)).main.column("exemplars").to_pylist()
        assert [(one["trace_id"], one["span_id"], one["as_int"]) for one in exemplars] == [(b"\1\2", b"\3", 5)]
    text = b'{"resourceLogs": [{"scopeLogs": [{"logRecords": [{"traceId": "zz"}]}]}]}'
    with pytest.raises(Permanent) as refusal:
        from_json(Signal.LOGS, text)
    assert "ExportLogsServiceRequest in JSON: resourceLogs[0].scopeLogs[0].logRecords[0].traceId: 'zz'" in str(
        refusal.value
    )


def span_json(**span: Any) -> bytes:
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}).encode()


def value_json(value: Any) -> bytes:
    return span_json(attributes=[{"key": "k", "value": value}])


def read_span(text: bytes) -> Any:
    request = ExportTraceServiceRequest.FromString(from_json(Signal.TRACES, text))
    return request.resource_spans[0].scope_spans[0].spans[0]


def test_spellings_that_mean_the_same() -> None:
    assert read_span(span_json(traceId="ABcd")).trace_id == b"\xab\xcd"
    assert read_span(span_json(trace_id="abcd", span_id=None)).trace_id == b"\xab\xcd"
    assert read_span(span_json(kind=3)).kind == read_span(span_json(kind="SPAN_KIND_CLIENT")).kind == 3
    assert read_span(span_json(startTimeUnixNano="7")).start_time_unix_nano == 7
    assert read_span(span_json(startTimeUnixNano=7)).start_time_unix_nano == 7
    assert read_span(span_json(links=[{"traceId": "0102"}])).links[0].trace_id == b"\x01\x02"
    assert read_span(value_json({"bytesValue": "AQI="})).attributes[0].value.bytes_value == b"\x01\x02"
    assert read_span(value_json({"intValue": "-9223372036854775808"})).attributes[0].value.int_value == -(2**63)


def test_unknown_fields_are_ignored() -> None:
    assert read_span(span_json(name="n", spanIdentity={"a": [1]}, extra=None)).name == "n"


def test_empty_object_is_an_empty_request() -> None:
    assert from_json(Signal.TRACES, b"{}") == b""


DEEP = b'{"arrayValue":{"values":[' * 10_000 + b"]}}" * 10_000
SPAN = "resourceSpans[0].scopeSpans[0].spans[0]"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "Expecting value: line 1 column 1"),
        (b"{", "line 1 column 2"),
        (b"\xff", "utf-8"),
        (b"[]", "expected an object, not list"),
        (b"null", "expected an object, not NoneType"),
        (b"[" * 100_000, "nested too deep"),
        (b'{"x":' * 100_000, "nested too deep"),
        (value_json(None).replace(b"null", DEEP), "nested too deep"),
        (value_json(None).replace(b"null", DEEP[: 25 * 60] + DEEP[-3 * 60 :]), "too deep"),
        (span_json(traceId="zz"), f"{SPAN}.traceId: 'zz' is not hexadecimal"),
        (span_json(spanId="abc"), f"{SPAN}.spanId: 'abc' is not hexadecimal"),
        (span_json(spanId="ab cd"), f"{SPAN}.spanId: 'ab cd' is not hexadecimal"),
        (span_json(parentSpanId=3), f"{SPAN}.parentSpanId: 3 is not hexadecimal"),
        (span_json(links=[{}, {"spanId": "q"}]), f"{SPAN}.links[1].spanId: 'q' is not hexadecimal"),
        (span_json(traceId="z" * 10_000), f"{SPAN}.traceId: 'zzz"),
        (span_json(startTimeUnixNano=2**64), "startTimeUnixNano"),
        (span_json(startTimeUnixNano="x"), "startTimeUnixNano"),
        (span_json(name=3), "name"),
        (span_json(attributes={"a": 1}), "attributes"),
        (value_json({"intValue": 2**63}), "intValue"),
        (value_json({"stringValue": "a", "intValue": 3}), "value"),
        (value_json({"boolValue": "true"}), "value"),
        (b'{"resourceSpans": 3}', "resourceSpans"),
        (b'{"resourceSpans": [3]}', "resourceSpans"),
        (b'{"resourceSpans": "' + b"x" * 10_000 + b'"}', "resourceSpans"),
        (span_json(flags=0).replace(b"0}", b"1" * 5000 + b"}"), "4300 digits"),
    ],
)
def test_what_is_not_a_request_is_refused_with_place_and_reason(text: bytes, message: str) -> None:
    with pytest.raises(Permanent) as refusal:
        from_json(Signal.TRACES, text)
    assert str(refusal.value).startswith("not a valid ExportTraceServiceRequest in JSON: ")
    assert message in str(refusal.value)
    assert len(str(refusal.value)) < 500


scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(
        ["NaN", "nan", "-Infinity", "1e3", "1.5", " 7", "0x1", "SPAN_KIND_CLIENT", "SPAN_KIND_9", "AQI", "-_8="]
    )
    | st.sampled_from([2**31, -(2**31) - 1, 2**32, 2**63, -(2**63) - 1, 2**64, "18446744073709551615", 10**400, 1e300])
)
names = st.sampled_from(
    (
        *("resourceSpans", "resource", "scopeSpans", "scope_spans", "scope", "spans", "attributes", "key", "value"),
        *("resourceMetrics", "scopeMetrics", "metrics", "gauge", "histogram", "exponentialHistogram", "dataPoints"),
        *("asInt", "asDouble", "bucketCounts", "explicitBounds", "positive", "scale", "offset", "sum", "flags"),
        *("kind", "status", "code", "arrayValue", "kvlistValue", "values", "bytesValue", "intValue", "boolValue"),
        *("doubleValue", "stringValue", "name", "startTimeUnixNano", "droppedEventsCount", "entityRefs", "x"),
    )
)
trees = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4))


def wrapped(tree: Any) -> list[tuple[Signal, Any]]:
    """Return the tree in the places where most is read."""
    value, span, point = {"attributes": [{"key": "k", "value": tree}]}, {"kind": tree, "flags": tree}, {"asInt": tree}
    spans = [tree, {"scopeSpans": [{"spans": [tree, value, span]}]}, {"resource": tree}]
    kinds = [{"histogram": {"dataPoints": [tree]}}, {"exponentialHistogram": {"dataPoints": [tree]}}, tree]
    metrics = [*kinds, {"gauge": {"dataPoints": [point, {"asDouble": tree}, {"value": tree}]}}]
    return [
        *((Signal.TRACES, {"resourceSpans": [one]}) for one in spans),
        *((Signal.METRICS, {"resourceMetrics": [{"scopeMetrics": [{"metrics": [one]}]}]}) for one in metrics),
        (Signal.TRACES, tree),
    ]


@given(trees)
@LIGHT
def test_any_json_is_read_as_protobuf_reads_it(tree: Any) -> None:
    for signal, candidate in wrapped(tree):
        text = json.dumps(candidate)
        try:
            data = from_json(signal, text.encode())
        except Permanent as refusal:
            if re.search("expected an object, not (str|list)", str(refusal)):
                continue  # which protobuf takes for an object of unknown fields, one a letter or an entry
            data = None
        try:
            expected = json_format.Parse(text, REQUESTS[signal](), ignore_unknown_fields=True)
        except (json_format.ParseError, OverflowError, AttributeError, TypeError):
            expected = None
        assert (None if data is None else REQUESTS[signal].FromString(data)) == expected, text


def test_answers_are_written_as_json() -> None:
    response = ExportTraceServiceResponse()
    assert json.loads(to_json(response)) == {}
    response.partial_success.rejected_spans = 2
    response.partial_success.error_message = "why"
    assert json.loads(to_json(response)) == {"partialSuccess": {"rejectedSpans": "2", "errorMessage": "why"}}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("hi \ud83d", "hi \ufffd"),
        ("\ude00!", "\ufffd!"),
        ("\ude00\ud83d", "\ufffd\ufffd"),
        ("\ud83d\U0001f600", "\ufffd\U0001f600"),
        ("\\ud83d", "\\ud83d"),
    ],
)
def test_half_a_sign_costs_only_itself(text: str, expected: str) -> None:
    """What a JavaScript program makes of an emoji that it cuts: a client must not send a refused request again."""
    body = span_json(
        name=text,
        attributes=[{"key": text, "value": {"stringValue": text}}, {"key": "n", "value": {"intValue": 2**62}}],
    )
    span = read_span(body)
    first, second = span.attributes
    assert (span.name, first.key, first.value.string_value) == (expected,) * 3
    assert second.value.int_value == 2**62
