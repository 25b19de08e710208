import base64
import json
from typing import Any

import pytest
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from collector.batch import Signal
from collector.errors import Permanent
from collector.otlp.json import from_json, to_json

from . import wires
from .test_decode import CAPTURES, LIGHT

ID_FIELDS = ("traceId", "spanId", "parentSpanId")


def otlp_json(request: ExportTraceServiceRequest, *, numbers: bool = True) -> bytes:
    """Return the request as an OTLP/JSON client writes it."""
    tree = json_format.MessageToDict(request, use_integers_for_enums=numbers)
    for resource_spans in tree.get("resourceSpans", []):
        for scope_spans in resource_spans.get("scopeSpans", []):
            for span in scope_spans.get("spans", []):
                for holder in (span, *span.get("links", [])):
                    for name in ID_FIELDS:
                        if name in holder:
                            holder[name] = base64.b64decode(holder[name]).hex()
    return json.dumps(tree).encode()


@pytest.mark.parametrize("numbers", [True, False])
def test_captured_requests_come_back_equal(numbers: bool) -> None:
    for path in CAPTURES:
        request = ExportTraceServiceRequest.FromString(path.read_bytes())
        back = from_json(Signal.TRACES, otlp_json(request, numbers=numbers))
        assert ExportTraceServiceRequest.FromString(back) == request


@given(wires.requests)
@LIGHT
def test_any_request_comes_back_equal(request: ExportTraceServiceRequest) -> None:
    assert from_json(Signal.TRACES, otlp_json(request)) == request.SerializeToString()


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
        (span_json(name="\ud800"), "name"),
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


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
names = st.sampled_from(
    (
        *(
            "resourceSpans",
            "resource",
            "scopeSpans",
            "scope",
            "spans",
            "attributes",
            "key",
            "value",
            "links",
            "traceId",
        ),
        *("kind", "status", "arrayValue", "values", "bytesValue", "intValue", "name", "startTimeUnixNano", "x"),
    )
)
trees = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4))


@given(trees)
@LIGHT
def test_any_json_is_read_or_refused(tree: Any) -> None:
    wrapped = [tree, {"resourceSpans": [tree]}, {"resourceSpans": [{"scopeSpans": [{"spans": [tree]}]}]}]
    for candidate in wrapped:
        try:
            data = from_json(Signal.TRACES, json.dumps(candidate).encode())
        except Permanent:
            continue
        ExportTraceServiceRequest.FromString(data)


def test_other_signals_are_refused() -> None:
    with pytest.raises(Permanent, match="not supported yet"):
        from_json(Signal.LOGS, b"{}")


def test_answers_are_written_as_json() -> None:
    response = ExportTraceServiceResponse()
    assert json.loads(to_json(response)) == {}
    response.partial_success.rejected_spans = 2
    response.partial_success.error_message = "why"
    assert json.loads(to_json(response)) == {"partialSuccess": {"rejectedSpans": "2", "errorMessage": "why"}}
