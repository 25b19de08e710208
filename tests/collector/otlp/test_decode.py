import random
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.protobuf.message import DecodeError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.batch import MAIN_TABLE, Signal
from collector.errors import Permanent
from collector.otlp import decode as decoder
from collector.otlp.decode import decode
from collector.schema import TABLES

from . import wires
from .rows import rows_by_protobuf, rows_of
from .wires import (
    BYTES,
    END_GROUP,
    FIXED32,
    FIXED64,
    GROUP,
    VARINT,
    nested_value,
    request_with,
    request_with_value,
    sized,
    tag,
    varint,
)

CORPUS = Path(__file__).parents[2] / "corpus" / "decode"
CAPTURES = sorted(CORPUS.glob("*.pb"))
CAPTURES_OF = {
    Signal.TRACES: CAPTURES,
    Signal.METRICS: sorted(CORPUS.glob("metrics/*.pb")),
    Signal.LOGS: sorted(CORPUS.glob("logs/*.pb")),
}
CAPTURED = [pytest.param(signal, path, id=path.stem) for signal, paths in CAPTURES_OF.items() for path in paths]
SIGNALS = list(CAPTURES_OF)
LIGHT = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


@pytest.fixture(scope="module", autouse=True, params=[range(2**62), range(0)], ids=["as large", "as small"])
def _reader(request: pytest.FixtureRequest) -> Iterator[None]:
    """Read every request of this file in both ways, whatever its size."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decoder, "_LARGE", request.param)
        yield


def check_like_protobuf(data: bytes, signal: Signal = Signal.TRACES) -> None:
    """Check that the decoder accepts what protobuf accepts, with the same content, and refuses the rest."""
    try:
        expected = rows_by_protobuf(data, signal)
    except DecodeError:
        with pytest.raises(Permanent, match=r"^not a valid Export\w+ServiceRequest: .+; send OTLP protobuf$"):
            decode(signal, data)
        return
    check_rows(data, expected, signal)


def check_rows(data: bytes, expected: object, signal: Signal = Signal.TRACES) -> None:
    batch = decode(signal, data)
    for name, table in batch.tables.items():
        assert table.schema == TABLES[name]
        table.validate(full=True)
    assert rows_of(batch) == expected


@pytest.mark.parametrize(("signal", "path"), CAPTURED)
def test_captured_requests_hold_what_protobuf_finds(signal: Signal, path: Path) -> None:
    data = path.read_bytes()
    expected = rows_by_protobuf(data, signal)
    assert expected[MAIN_TABLE[signal]]
    check_rows(data, expected, signal)


@pytest.mark.parametrize("signal", SIGNALS)
@given(data=st.data())
@LIGHT
def test_any_request_holds_what_protobuf_finds(signal: Signal, data: st.DataObject) -> None:
    encoded = data.draw(wires.any_request[signal]).SerializeToString()
    check_rows(encoded, rows_by_protobuf(encoded, signal), signal)


@pytest.mark.parametrize("signal", SIGNALS)
@given(data=st.data())
@settings(LIGHT, max_examples=200)
def test_careless_encoding_is_read_as_protobuf_reads_it(signal: Signal, data: st.DataObject) -> None:
    check_like_protobuf(data.draw(wires.careless_request[signal]), signal)


def attribute(*fields: bytes) -> bytes:
    return request_with(sized(9, b"".join(fields)))


A, B = sized(1, sized(1, b"a")), sized(1, sized(1, b"b"))
CASES = {
    "nothing": b"",
    "empty span": request_with(b""),
    "two requests joined": request_with(sized(5, b"a")) + request_with(sized(5, b"b")),
    "invalid UTF-8 in a name": request_with(sized(5, b"\xff")),
    "invalid UTF-8 in a key": attribute(sized(1, b"\xff")),
    "invalid UTF-8 in a value": request_with_value(sized(1, b"\xe2\x82")),
    "invalid UTF-8 in an array": request_with_value(sized(5, sized(1, sized(1, b"\xff")))),
    "invalid UTF-8 in a value replaced later": request_with_value(sized(1, b"\xff") + tag(3, VARINT) + b"\x02"),
    "UTF-8 surrogate": request_with(sized(5, b"\xed\xa0\x80")),
    "UTF-8 too long": request_with(sized(5, b"\xc0\x80")),
    "character in two fields": request_with(sized(9, sized(1, b"\xe2\x82")) + sized(9, sized(1, b"\xac"))),
    "name is a number": request_with(tag(5, VARINT) + b"\x03"),
    "kind is packed": request_with(sized(6, b"\x01\x02")),
    "start is a varint": request_with(tag(7, VARINT) + b"\x03"),
    "start is short": request_with(tag(7, FIXED32) + b"1234"),
    "attributes are a number": request_with(tag(9, VARINT) + b"\x03"),
    "status is a number": request_with(tag(15, VARINT) + b"\x03"),
    "resource is a number": sized(1, tag(1, VARINT) + b"\x03"),
    "array is a number": request_with_value(tag(5, VARINT) + b"\x03"),
    "known group": request_with(tag(9, GROUP) + sized(1, b"k") + tag(9, END_GROUP)),
    "unknown group": request_with(tag(20, GROUP) + tag(21, GROUP) + tag(21, END_GROUP) + tag(20, END_GROUP)),
    "group without end": request_with(tag(20, GROUP)),
    "end without group": request_with(tag(20, END_GROUP)),
    "wire type 6": request_with(tag(20, 6)),
    "field 0": request_with(tag(0, VARINT) + b"\x01"),
    "last field number": request_with(tag(2**29 - 1, VARINT) + b"\x01"),
    "tag in five bytes": request_with(b"\xaa\x80\x80\x80\x00\x01x"),
    "length in five bytes": request_with(tag(5, BYTES) + b"\x81\x80\x80\x80\x00x"),
    "varint in ten bytes": request_with_value(tag(3, VARINT) + b"\xff" * 9 + b"\x7f"),
    "varint in eleven bytes": request_with_value(tag(3, VARINT) + b"\xff" * 10 + b"\x01"),
    "bool beyond 32 bits": request_with_value(tag(2, VARINT) + varint(2**63)),
    "negative kind": request_with(tag(6, VARINT) + varint(2**64 - 1)),
    "kind beyond 32 bits": request_with(tag(6, VARINT) + varint(2**32 + 3)),
    "count beyond 32 bits": request_with(tag(10, VARINT) + varint(2**33 + 7)),
    "name twice": request_with(sized(5, b"a") + sized(5, b"")),
    "status merges": request_with(
        sized(15, sized(2, b"a") + tag(3, VARINT) + b"\x01") + sized(15, tag(3, VARINT) + b"\x02")
    ),
    "resource merges": sized(
        1, sized(1, sized(1, sized(1, b"a"))) + sized(1, sized(1, sized(1, b"b")) + tag(2, VARINT) + b"\x03")
    ),
    "scope merges": sized(1, sized(2, sized(1, sized(1, b"a")) + sized(1, sized(2, b"v")))),
    "value merges to the last member": attribute(
        sized(1, b"k"), sized(2, sized(1, b"a")), sized(2, tag(3, VARINT) + b"\x04")
    ),
    "value merges with nothing": attribute(sized(1, b"k"), sized(2, sized(1, b"a")), sized(2, b"")),
    "array in two values": attribute(sized(1, b"k"), sized(2, sized(5, A)), sized(2, sized(5, B))),
    "array in two pieces": request_with_value(sized(5, A) + sized(5, B)),
    "pairs in two pieces": request_with_value(sized(6, A) + sized(6, B)),
    "array, text, array": request_with_value(sized(5, A) + sized(1, b"x") + sized(5, B)),
    "array, then pairs": request_with_value(sized(5, A) + sized(6, B)),
    "pairs, then array": request_with_value(sized(6, A) + sized(5, B)),
    "text, then number": request_with_value(sized(1, b"a") + tag(3, VARINT) + b"\x04"),
    "number, then text": request_with_value(tag(3, VARINT) + b"\x04" + sized(1, b"a")),
    "number, then zero": request_with_value(tag(3, VARINT) + b"\x04" + tag(3, VARINT) + b"\x00"),
    "text, then text of a wrong type": request_with_value(sized(1, b"a") + tag(1, FIXED64) + b"12345678"),
    "empty value": request_with_value(b""),
    "value, then key": attribute(sized(2, sized(1, b"a")), sized(1, b"k")),
    "value without key": attribute(sized(2, sized(1, b"a"))),
    "empty key": attribute(sized(1, b""), sized(2, sized(1, b"a"))),
    "empty key only": attribute(sized(1, b"")),
    "key twice": attribute(sized(1, b"j"), sized(1, b"k")),
    "long key": attribute(sized(1, b"k" * 200), sized(2, sized(1, b"a"))),
    "key cut short": attribute(tag(1, BYTES) + b"\x05k"),
    "key goes on in the next attribute": request_with(sized(9, tag(1, BYTES) + b"\x03k") + sized(9, sized(1, b"j"))),
    "value cut short": attribute(sized(1, b"k"), tag(2, BYTES) + b"\x05" + sized(1, b"a")),
    "text cut short": request_with_value(tag(1, BYTES) + b"\x05a"),
    "text without length": request_with_value(tag(1, BYTES)),
    "text longer than a byte tells": request_with_value(sized(1, "é".encode() * 9_000)),
    "value of a length in five bytes": attribute(
        sized(1, b"k"), tag(2, BYTES) + b"\x83\x80\x80\x80\x00" + sized(1, b"a")
    ),
    "text of a length in two bytes": request_with_value(tag(1, BYTES) + b"\x81\x00a"),
    "unknown field after the value": attribute(sized(1, b"k"), sized(2, sized(1, b"a")), tag(9, VARINT) + b"\x01"),
    "unknown field in the value": request_with_value(sized(1, b"a") + tag(9, VARINT) + b"\x01"),
    "only an unknown field in the value": request_with_value(tag(9, VARINT) + b"\x01"),
    "only field 0 in the value": request_with_value(b"\x00\x01"),
    "other field than a value": attribute(sized(1, b"k"), sized(3, sized(1, b"a"))),
    "bool of two": request_with_value(tag(2, VARINT) + b"\x02"),
    "bool in two bytes": request_with_value(tag(2, VARINT) + b"\x81\x00"),
    "bool cut short": request_with_value(tag(2, VARINT)),
    "int cut short": request_with_value(tag(3, VARINT) + b"\x80"),
    "int missing": request_with_value(tag(3, VARINT)),
    "int in three bytes": request_with_value(tag(3, VARINT) + b"\x81\x80\x00"),
    "int and more": request_with_value(tag(3, VARINT) + b"\x01" + tag(9, VARINT) + b"\x01"),
    "smallest int": request_with_value(tag(3, VARINT) + varint(2**63)),
    "double cut short": request_with_value(tag(4, FIXED64) + b"1234567"),
    "double and more": request_with_value(tag(4, FIXED64) + b"123456789"),
    "bytes": request_with_value(sized(7, b"\xff\x00")),
    "attributes with and without values": request_with(
        b"".join(sized(9, sized(1, b"k") + value) for value in [b"", sized(2, b""), sized(2, sized(1, b"a")), b""])
    ),
    "missing value": attribute(sized(1, b"k")),
    "missing key and value": attribute(b""),
    "empty array": request_with_value(sized(5, b"")),
    "empty text": request_with_value(sized(1, b"")),
    "zero": request_with_value(tag(3, VARINT) + b"\x00"),
    "malformed array": request_with_value(sized(5, b"\xff")),
    "malformed pairs in an event": request_with(sized(11, sized(3, sized(2, sized(6, b"\x0a\x05"))))),
    "malformed array in a link": request_with(sized(13, sized(4, sized(2, sized(5, b"\x0a\x05"))))),
    "malformed array in a resource": sized(1, sized(1, sized(1, sized(2, sized(5, b"\x0a\x05"))))),
    "malformed array in a scope": sized(1, sized(2, sized(1, sized(3, sized(2, sized(5, b"\x0a\x05")))))),
    "malformed entity reference": sized(1, sized(1, sized(3, b"\xff"))),
    "entity reference with invalid UTF-8": sized(1, sized(1, sized(3, sized(1, b"\xff")))),
    "malformed event": request_with(sized(11, b"\xff")),
    "malformed scope": sized(1, sized(2, sized(1, b"\xff"))),
    "flags": request_with(tag(16, FIXED32) + b"\xff" * 4),
    "fixed64 cut short": request_with(tag(7, FIXED64) + b"1234"),
    "fixed32 cut short": request_with(tag(16, FIXED32) + b"12"),
    "varint cut short": request_with(tag(6, VARINT) + b"\x80"),
    "negative int beside a known length": request_with_value(tag(3, VARINT) + varint(2**64 - 5)),
}


@pytest.mark.parametrize("data", CASES.values(), ids=CASES)
def test_edge_of_the_wire_format_is_read_as_protobuf_reads_it(data: bytes) -> None:
    check_like_protobuf(data)


@pytest.mark.parametrize("number", [5, 15, 50], ids=["text", "message", "unknown"])
@pytest.mark.parametrize("length", [5, 2**31 - 1, 2**31, 2**32 + 1, 2**63, *range(2**64 - 16, 2**64)])
def test_length_beyond_the_end_is_refused(number: int, length: int) -> None:
    for tail in (b"x", b"x" * 11):
        with pytest.raises(Permanent, match="not a valid ExportTraceServiceRequest"):
            decode(Signal.TRACES, request_with(tag(number, BYTES) + varint(length) + tail[: length - 1]))


def test_huge_length_takes_no_memory() -> None:
    data = request_with(tag(9, BYTES) + varint(2**31 - 1) + b"x")
    tracemalloc.start()
    with pytest.raises(Permanent):
        decode(Signal.TRACES, data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**20


@pytest.mark.parametrize("levels", [1, 20, 40, 46, 47, 48, 49, 60, 10_000])
def test_nesting_is_taken_as_deep_as_protobuf_takes_it(levels: int) -> None:
    value = nested_value(levels)
    check_like_protobuf(request_with_value(value))
    check_like_protobuf(request_with(sized(11, sized(3, sized(2, value)))))
    check_like_protobuf(sized(1, sized(1, sized(1, sized(2, value)))))


def test_ten_thousand_levels_are_refused() -> None:
    with pytest.raises(Permanent, match="nested value in the attributes of a span is malformed or nested too deep"):
        decode(Signal.TRACES, request_with_value(nested_value(10_000)))


@pytest.mark.parametrize("signal", SIGNALS)
def test_every_truncation_is_like_protobuf(signal: Signal) -> None:
    data = min(CAPTURES_OF[signal], key=lambda path: path.stat().st_size).read_bytes()
    for size in range(len(data)):
        check_like_protobuf(data[:size], signal)


@given(st.sampled_from([param.values for param in CAPTURED]), st.randoms(use_true_random=False))
@settings(LIGHT, max_examples=400)
def test_damaged_request_never_gives_other_values_than_protobuf(
    capture: tuple[Signal, Path], rng: random.Random
) -> None:
    """ptars also takes tags of more than 32 bits and mismatched groups, so that it may refuse less; never more."""
    signal, path = capture
    damaged = bytearray(path.read_bytes())
    for _ in range(rng.choice([1, 1, 2, 4])):
        place = rng.randrange(len(damaged))
        damaged[place : place + rng.choice([0, 1, 1, 1, 3])] = rng.randbytes(rng.choice([0, 1, 1, 2]))
    data = bytes(damaged)
    try:
        expected = rows_by_protobuf(data, signal)
    except DecodeError:
        expected = None
    if expected is not None:
        check_rows(data, expected, signal)
        return
    try:
        batch = decode(signal, data)
    except Permanent:
        return
    for table in batch.tables.values():
        table.validate(full=True)


def metric(field: int, *points: bytes) -> bytes:
    """Return a request with a metric whose type, of this number, has data points of these bytes."""
    return request_with(sized(field, b"".join(sized(1, point) for point in points)))


GAUGE, SUM, HISTOGRAM, EXPONENTIAL, SUMMARY = 5, 7, 9, 10, 11
INT, DOUBLE = tag(6, FIXED64) + b"12345678", tag(4, FIXED64) + b"87654321"
METRIC_CASES = {
    "metric without type": request_with(sized(1, b"n")),
    "metric without points": metric(SUM),
    "point without value": metric(GAUGE, b""),
    "int, then double": metric(GAUGE, INT + DOUBLE),
    "double, then int": metric(SUM, DOUBLE + INT),
    "gauge, then sum": request_with(sized(GAUGE, sized(1, INT)) + sized(SUM, sized(1, DOUBLE))),
    "sum, then gauge": request_with(sized(SUM, sized(1, INT)) + sized(GAUGE, sized(1, DOUBLE))),
    "gauge, then an empty sum": request_with(sized(GAUGE, sized(1, INT)) + sized(SUM, b"")),
    "sum, gauge, sum": request_with(
        sized(SUM, sized(1, INT)) + sized(GAUGE, b"") + sized(SUM, tag(3, VARINT) + b"\x01")
    ),
    "gauge in two pieces": request_with(sized(GAUGE, sized(1, INT)) + sized(GAUGE, sized(1, DOUBLE))),
    "gauge cut between two pieces": request_with(sized(GAUGE, tag(1, BYTES) + b"\x09") + sized(GAUGE, INT)),
    "gauge is a number": request_with(tag(GAUGE, VARINT) + b"\x03"),
    "malformed gauge": request_with(sized(GAUGE, b"\xff")),
    "bucket counts apart": metric(HISTOGRAM, (tag(6, FIXED64) + b"12345678") * 2),
    "bucket counts in two pieces": metric(HISTOGRAM, sized(6, b"12345678") + sized(6, b"1234567812345678")),
    "bucket counts in two pieces, cut": metric(HISTOGRAM, sized(6, b"1234") + sized(6, b"5678")),
    "bucket counts packed and apart": metric(HISTOGRAM, sized(6, b"12345678") + tag(6, FIXED64) + b"12345678"),
    "bucket counts cut short": metric(HISTOGRAM, sized(6, b"123456781234")),
    "bucket counts in two pieces, cut, and one apart": metric(
        HISTOGRAM, sized(6, b"1234") + sized(6, b"5678") + tag(6, FIXED64) + b"12345678"
    ),
    "bounds cut short": metric(HISTOGRAM, sized(7, b"1234567")),
    "bounds are numbers": metric(HISTOGRAM, tag(7, VARINT) + b"\x03"),
    "empty bucket counts": metric(HISTOGRAM, sized(6, b"")),
    "some histograms without buckets": metric(HISTOGRAM, b"", sized(6, bytes(8)), b"", sized(6, bytes(24)) * 2, b""),
    "exponential bucket counts apart": metric(EXPONENTIAL, sized(8, (tag(2, VARINT) + b"\x05") * 2)),
    "exponential bucket counts cut short": metric(EXPONENTIAL, sized(8, sized(2, b"\x80"))),
    "empty buckets": metric(EXPONENTIAL, sized(8, b""), sized(9, b"")),
    "buckets merge": metric(
        EXPONENTIAL, sized(8, sized(2, b"\x01") + tag(1, VARINT) + b"\x02") + sized(8, b"\x12\x01\x05")
    ),
    "zigzag": metric(EXPONENTIAL, tag(6, VARINT) + varint(2**32 - 1), tag(6, VARINT) + varint(2**64 - 1)),
    "exemplar with two values": metric(GAUGE, sized(5, tag(3, FIXED64) + b"12345678" + INT)),
    "malformed exemplar": metric(SUM, sized(5, b"\xff")),
    "malformed array in a point": metric(SUMMARY, sized(7, sized(2, sized(5, b"\x0a\x05")))),
    "malformed array in an exemplar": metric(GAUGE, sized(5, sized(7, sized(2, sized(5, b"\x0a\x05"))))),
    "malformed array in the metadata": request_with(sized(12, sized(2, sized(5, b"\x0a\x05")))),
    "unknown temporality": request_with(sized(SUM, sized(1, INT) + tag(2, VARINT) + varint(2**64 - 1))),
}


@pytest.mark.parametrize("data", METRIC_CASES.values(), ids=METRIC_CASES)
def test_edge_of_metrics_is_read_as_protobuf_reads_it(data: bytes) -> None:
    check_like_protobuf(data, Signal.METRICS)


def test_points_of_several_types_stand_in_the_order_of_their_metrics() -> None:
    request = ExportMetricsServiceRequest()
    scope = request.resource_metrics.add().scope_metrics.add()
    for number, kind in enumerate(["sum", "gauge", "summary", "sum", "histogram", "gauge", "exponential_histogram"]):
        points = getattr(scope.metrics.add(name=f"m{number}"), kind).data_points
        for place in range(2):
            points.add(time_unix_nano=10 * number + place)
    batch = decode(Signal.METRICS, request.SerializeToString())
    assert batch.main.column("metric").to_pylist() == [number for number in range(7) for _ in range(2)]
    assert batch.main.column("time_unix_nano").to_pylist() == [
        10 * number + place for number in range(7) for place in range(2)
    ]
    check_like_protobuf(request.SerializeToString(), Signal.METRICS)


@pytest.mark.parametrize("levels", [1, 40, 43, 44, 45, 46, 47, 48, 49, 60, 10_000])
def test_nesting_in_metrics_and_logs_is_taken_as_deep_as_protobuf_takes_it(levels: int) -> None:
    value = nested_value(levels)
    for field in (GAUGE, SUM):
        check_like_protobuf(metric(field, sized(7, sized(2, value))), Signal.METRICS)
        check_like_protobuf(metric(field, sized(5, sized(7, sized(2, value)))), Signal.METRICS)
    check_like_protobuf(metric(HISTOGRAM, sized(9, sized(2, value))), Signal.METRICS)
    check_like_protobuf(metric(EXPONENTIAL, sized(1, sized(2, value))), Signal.METRICS)
    check_like_protobuf(metric(SUMMARY, sized(7, sized(2, value))), Signal.METRICS)
    check_like_protobuf(request_with(sized(12, sized(2, value))), Signal.METRICS)
    check_like_protobuf(request_with(sized(5, value)), Signal.LOGS)
    check_like_protobuf(request_with(sized(6, sized(2, value))), Signal.LOGS)


BODY_CASES = {
    "record without body": request_with(b""),
    "empty body": request_with(sized(5, b"")),
    "bodies and none": request_with(sized(5, sized(1, b"a"))) + request_with(b"") + request_with(sized(5, b"")),
    "body in two pieces": request_with(sized(5, sized(1, b"a")) + sized(5, tag(3, VARINT) + b"\x03")),
    "body with two members": request_with(sized(5, sized(1, b"a") + tag(3, VARINT) + b"\x03")),
    "map in two pieces": request_with(sized(5, sized(6, b"")) + sized(5, sized(6, sized(1, sized(1, b"k"))))),
    "malformed map": request_with(sized(5, sized(6, b"\x0a\x05"))),
    "body is a number": request_with(tag(5, VARINT) + b"\x03"),
    "severity beyond 32 bits": request_with(tag(2, VARINT) + varint(2**32 + 3)),
}


@pytest.mark.parametrize("data", BODY_CASES.values(), ids=BODY_CASES)
def test_edge_of_logs_is_read_as_protobuf_reads_it(data: bytes) -> None:
    check_like_protobuf(data, Signal.LOGS)


def test_string_indexes_of_profiles_are_unknown_fields() -> None:
    index = tag(8, VARINT) + b"\x03"
    data = request_with_value(index) + request_with_value(sized(1, b"a") + index)
    first, second = rows_of(decode(Signal.TRACES, data))["spans"]
    assert set(first["attributes"][0]["value"].values()) == {None}
    assert second["attributes"][0]["value"]["string_value"] == "a"


@pytest.mark.parametrize("signal", SIGNALS)
def test_request_without_items_has_no_rows(signal: Signal) -> None:
    batch = decode(signal, b"")
    assert batch.rows == 0
    assert set(batch.tables) == set(rows_by_protobuf(b"", signal))
    assert {name: table.schema for name, table in batch.tables.items()} == {name: TABLES[name] for name in batch.tables}


def test_equal_bytes_have_equal_ids() -> None:
    first, second = (path.read_bytes() for path in CAPTURES[:2])
    assert decode(Signal.TRACES, first).id == decode(Signal.TRACES, first).id
    assert decode(Signal.TRACES, first).id != decode(Signal.TRACES, second).id


def test_resource_read_before_is_the_same_again() -> None:
    data = CAPTURES[0].read_bytes()
    assert rows_of(decode(Signal.TRACES, data)) == rows_of(decode(Signal.TRACES, data))


def test_many_resources_and_scopes_keep_their_places() -> None:
    request = ExportTraceServiceRequest()
    for number in range(40):
        resource_spans = request.resource_spans.add(schema_url=f"r{number}")
        resource_spans.resource.attributes.add(key=f"key{number}").value.int_value = number
        for inner in range(number % 3):
            scope_spans = resource_spans.scope_spans.add()
            scope_spans.scope.name = f"s{number}.{inner}"
            for place in range(inner + 1):
                scope_spans.spans.add(name=f"{number}.{inner}.{place}")
    data = request.SerializeToString()
    check_rows(data, rows_by_protobuf(data))


def test_rollups_are_no_signal_of_otlp() -> None:
    with pytest.raises(Permanent, match="OTLP has no such signal"):
        decode(Signal.ROLLUPS, b"")
