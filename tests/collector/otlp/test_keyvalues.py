import random

import pyarrow as pa
import pytest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue

from collector.otlp import keyvalues, wire

from .wires import BYTES, VARINT, sized, tag, varint

VALUES = (
    AnyValue(string_value=""),
    AnyValue(string_value="gpt-4o"),
    AnyValue(string_value="é" * 70),
    AnyValue(string_value="x" * 20_000),
    AnyValue(bool_value=False),
    AnyValue(bool_value=True),
    *(AnyValue(int_value=sign * 2**bits) for sign in (1, -1) for bits in (0, 6, 7, 13, 14, 35, 56, 62)),
    AnyValue(int_value=0),
    AnyValue(int_value=-(2**63)),
    AnyValue(double_value=-0.25),
    AnyValue(array_value=ArrayValue(values=[AnyValue(string_value="stop")])),
    AnyValue(array_value=ArrayValue()),
    AnyValue(kvlist_value={"values": [{"key": "a"}]}),
    AnyValue(bytes_value=b"\xff\x00"),
    AnyValue(),
    None,
)


def messages(size: int, seed: int) -> list[bytes]:
    chance = random.Random(seed)
    return [KeyValue(key=f"key{number % 7}", value=chance.choice(VALUES)).SerializeToString() for number in range(size)]


@pytest.mark.parametrize("size", [1, 2, 9, 1000])
def test_what_encoders_write_is_read_as_by_ptars(size: int) -> None:
    for seed in range(20):
        encoded = pa.array(messages(size, seed), pa.binary())
        found = keyvalues.read(encoded)
        assert found is not None
        keys, values = found
        keys.validate(full=True)
        values.validate(full=True)
        expected = wire.READERS["KeyValue"].array_to_record_batch(encoded).to_pylist()
        assert keys.to_pylist() == [row["key"] for row in expected]
        assert values.to_pylist() == [_with_joined_pieces(row["value"]) for row in expected]


def _with_joined_pieces(value: dict | None) -> dict | None:
    if value is None:
        return None
    joined = {name: b"".join(member) if member else None for name, member in value.items() if isinstance(member, list)}
    return {**value, **joined}


@pytest.mark.parametrize("text", [b"\xff", b"12345678\x80", b"\x8012345678", b"\xed\xa0\x80"])
@pytest.mark.parametrize("number", [1, 2], ids=["key", "value"])
def test_text_that_is_not_utf8_is_an_error(text: bytes, number: int) -> None:
    message = sized(1, text) if number == 1 else sized(1, b"k") + sized(2, sized(1, text))
    with pytest.raises(ValueError, match="UTF8"):
        keyvalues.read(pa.array([message], pa.binary()))


def test_character_cut_between_two_texts_is_an_error() -> None:
    halves = [sized(1, b"k") + sized(2, sized(1, half)) for half in (b"\xc3", b"\xa9")]
    with pytest.raises(ValueError, match="UTF8"):
        keyvalues.read(pa.array(halves, pa.binary()))


OTHERWISE = {
    "no attribute": [],
    "nothing": [b""],
    "value first": [sized(2, sized(1, b"a")) + sized(1, b"k")],
    "long key": [sized(1, b"k" * 128)],
    "two values": [sized(1, b"k") + sized(2, b"") + sized(2, b"")],
    "two members": [sized(1, b"k") + sized(2, sized(1, b"a") + tag(3, VARINT) + b"\x01")],
    "unknown member": [sized(1, b"k") + sized(2, tag(9, VARINT) + b"\x01")],
    "bool of two": [sized(1, b"k") + sized(2, tag(2, VARINT) + b"\x02")],
    "int and more": [sized(1, b"k") + sized(2, tag(3, VARINT) + b"\x01" + tag(9, VARINT) + b"\x01")],
    "int of 65 bits": [sized(1, b"k") + sized(2, tag(3, VARINT) + varint(2**64))],
    "int in eleven bytes": [sized(1, b"k") + sized(2, tag(3, VARINT) + b"\xff" * 10 + b"\x01")],
    "length in five bytes": [sized(1, b"k") + sized(2, tag(1, BYTES) + b"\x80\x80\x80\x80\x00")],
    "beyond the end": [sized(1, b"k") + tag(2, BYTES) + b"\x03" + tag(1, BYTES) + b"\x09a"],
}


@pytest.mark.parametrize("odd", OTHERWISE.values(), ids=OTHERWISE)
def test_anything_written_otherwise_is_left_to_ptars(odd: list[bytes]) -> None:
    assert keyvalues.read(pa.array(odd, pa.binary())) is None
    if odd:
        assert keyvalues.read(pa.array([*messages(5, 1), *odd, *messages(5, 2)], pa.binary())) is None
