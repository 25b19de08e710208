"""What a request holds is counted before it is read."""

import pytest
from google.protobuf.message import Message

from collector.batch import Signal
from collector.errors import Permanent
from collector.otlp.count import check_count, check_json
from collector.otlp.protocol import PROTOCOLS
from tests.collector.otlp.test_decode import CAPTURES_OF


def counted(message: Message) -> int:
    """Return how many messages, numbers and keys are in this one; of attributes and bodies, what stands in lists."""
    count = 0
    for field, value in message.ListFields():
        if field.is_repeated and not field.message_type:
            count += len(value)
        elif field.message_type:
            inner = {"KeyValue": lambda pair: nested(pair.value), "AnyValue": nested}.get(
                field.message_type.name, counted
            )
            count += sum(1 + inner(one) for one in (value if field.is_repeated else [value]))
    return count


def nested(value: Message) -> int:
    below = [*value.array_value.values, *(pair.value for pair in value.kvlist_value.values)]
    return sum(1 + nested(one) for one in below)


def fits(signal: Signal, data: bytes, most: int) -> bool:
    try:
        check_count(signal, data, most)
    except Permanent as refusal:
        assert str(refusal).startswith(f"more than {most} items")
        return False
    return True


@pytest.mark.parametrize("signal", PROTOCOLS)
def test_all_that_a_request_holds_is_counted(signal: Signal) -> None:
    message = PROTOCOLS[signal].request()
    for path in CAPTURES_OF[signal]:
        message.MergeFromString(path.read_bytes())
    whole, most = message.SerializeToString(), counted(message)

    assert fits(signal, whole, most)
    assert not fits(signal, whole, most - 1)


@pytest.mark.parametrize(
    ("signal", "path"),
    [
        *((Signal.TRACES, [1, *rest]) for rest in ([], [1], [1, 1], [1, 3], [2], [2, 1], [2, 1, 3], [2, 2])),
        *((Signal.TRACES, [1, 2, 2, *rest]) for rest in ([9], [11], [11, 3], [13], [13, 4], [15])),
        *((Signal.METRICS, [1, 2, 2, *rest]) for rest in ([12], [5], [5, 1], [5, 1, 7], [5, 1, 5], [5, 1, 5, 7])),
        *((Signal.METRICS, [1, 2, 2, *rest]) for rest in ([7, 1], [9, 1], [9, 1, 8, 7], [10, 1], [11, 1], [11, 1, 6])),
        *((Signal.LOGS, [1, 2, 2, *rest]) for rest in ([], [6])),
    ],
)
def test_empty_messages_are_counted_wherever_they_stand(signal: Signal, path: list[int]) -> None:
    data = bytes([path[-1] << 3 | 2, 0]) * 5000
    for number in reversed(path[:-1]):
        data = field_of(number, data)

    PROTOCOLS[signal].request.FromString(data)
    assert not fits(signal, data, 4999)
    assert fits(signal, data, 5000 + len(path) - 1)


VARINT, FIXED64, BYTES = range(3)
POINT_OF = {"histogram": [1, 2, 2, 9, 1], "exponential_histogram": [1, 2, 2, 10, 1]}


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize(
    ("path", "kind", "number"),
    [
        ([*POINT_OF["histogram"], 6], FIXED64, b"\1" * 8),
        ([*POINT_OF["histogram"], 7], FIXED64, b"\1" * 8),
        *(
            ([*POINT_OF["exponential_histogram"], side, 2], VARINT, number)
            for side in (8, 9)
            for number in (b"\0", b"\1", b"\xff" * 9 + b"\1")
        ),
    ],
)
def test_numbers_are_counted_wherever_they_stand(path: list[int], kind: int, number: bytes, packed: bool) -> None:
    tag = path[-1] << 3
    data = field_of(path[-1], number * 5000) if packed else (bytes([tag | kind]) + number) * 5000
    for outer in reversed(path[:-1]):
        data = field_of(outer, data)

    PROTOCOLS[Signal.METRICS].request.FromString(data)
    assert not fits(Signal.METRICS, data, 4999)
    assert fits(Signal.METRICS, data, 5000 + len(path) - 1)


@pytest.mark.parametrize("field", [3, 4])
def test_keys_of_entities_are_counted(field: int) -> None:
    data = bytes([field << 3 | BYTES, 0]) * 5000
    for outer in (3, 1, 1):
        data = field_of(outer, data)

    PROTOCOLS[Signal.LOGS].request.FromString(data)
    assert not fits(Signal.LOGS, data, 4999)
    assert fits(Signal.LOGS, data, 5003)


def field_of(number: int, data: bytes) -> bytes:
    """Return the field of a message with these bytes in it."""
    size = len(data)
    return bytes([number << 3 | BYTES, size & 0x7F | 0x80, size >> 7 & 0x7F | 0x80, size >> 14]) + data


@pytest.mark.parametrize("field", ["array_value", "kvlist_value"])
@pytest.mark.parametrize("depth", [0, 1, 2, 40])
def test_values_in_values_are_counted_however_deep(field: str, depth: int) -> None:
    for signal in (Signal.TRACES, Signal.LOGS):
        message = PROTOCOLS[signal].request()
        if signal is Signal.TRACES:
            span = message.resource_spans.add().scope_spans.add().spans.add()
            value = span.events.add().attributes.add(key="a").value
        else:
            value = message.resource_logs.add().scope_logs.add().log_records.add().body
        for _ in range(depth):
            value = value.array_value.values.add()
        for _ in range(5000):
            getattr(value, field).values.add()
        data = message.SerializeToString()

        assert not fits(signal, data, 4999 + depth)
        assert fits(signal, data, 5006 + depth)


@pytest.mark.parametrize(
    "end",
    [b"\x0a\x7f", b"\x0a" + b"\xff" * 9 + b"\x01", b"\xa2\x06\xf0" + b"\xff" * 8 + b"\x01", b"\x0a\x80", b"\x07"],
)
def test_what_cannot_be_counted_is_malformed(end: bytes) -> None:
    with pytest.raises(Permanent):
        check_count(Signal.TRACES, b"\x0a\x00" * 10 + end, 5)


def test_numbers_that_look_like_huge_lengths_are_numbers() -> None:
    message = PROTOCOLS[Signal.TRACES].request()
    span = message.resource_spans.add().scope_spans.add().spans.add()
    for number in range(-70, 10):
        span.attributes.add(key=f"n{number}").value.int_value = number

    assert fits(Signal.TRACES, message.SerializeToString(), 83)
    assert not fits(Signal.TRACES, message.SerializeToString(), 82)


@pytest.mark.parametrize("element", [b"{}", b"[]", b'{"a":"b"}'])
def test_objects_and_lists_of_json_are_counted(element: bytes) -> None:
    check_json(b"[%s]" % b",".join([element] * 199), 100)
    with pytest.raises(Permanent, match="more than 100 items"):
        check_json(b"[%s]" % b",".join([element] * 201), 100)


@pytest.mark.parametrize("entry", [b"1", b'"1"', b"-1.5e3", b"null", b' "1" ', b'{"a":1}', b'{"a":1,"b":[]}'])
def test_what_stands_in_lists_of_json_is_counted(entry: bytes) -> None:
    """Of an object with several members, too, only itself."""
    check_json(b'{"a":"b","c":[%s]}' % b",".join([entry] * 95), 100)
    with pytest.raises(Permanent, match="more than 100 items"):
        check_json(b"[%s]" % b",".join([entry] * 201), 100)


def test_members_of_objects_are_no_entries() -> None:
    check_json(b"[%s]" % b",".join([b'{"a":1,"b":2,"c":3,"d":4,"e":5}'] * 90), 100)


def test_braces_and_commas_in_texts_are_none() -> None:
    check_json(b'{"a": "%s", "b": [1]}' % (b'{[\\"{,\\\\' * 1000), 100)
