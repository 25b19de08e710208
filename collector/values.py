"""Attribute values as text, as bytes and as plain Python, and plain Python as attribute values.

`collector.schema.ANY_VALUE` keeps arrays and maps as the bytes of their protobuf messages; they are read here, once per
distinct value.
"""

import base64
import json
from collections.abc import Callable, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList

MESSAGES: Mapping[str, type[ArrayValue] | type[KeyValueList]] = MappingProxyType(
    {"array_value": ArrayValue, "kvlist_value": KeyValueList}
)
"""The members that hold the bytes of a message."""


class Typed(NamedTuple):
    """Is one value: the *member* of an AnyValue that holds it, and what it holds."""

    member: str
    value: Any


def typed(value: Any) -> Typed:
    """Return what a configuration or JSON says as an attribute value; raise ValueError for what is none."""
    match value:
        case bool():
            return Typed("bool_value", value)
        case int() if -(2**63) <= value < 2**63:
            return Typed("int_value", value)
        case float():
            return Typed("double_value", value)
        case str():
            return Typed("string_value", value)
        case list() | tuple() | dict():
            message = _any(value)
            member = str(message.WhichOneof("value"))
            return Typed(member, getattr(message, member).SerializeToString())
    raise ValueError(f"{value!r} cannot be an attribute value; write a text, a number, true or false, a list or a map")


def as_texts(values: Mapping[str, pa.Array]) -> pa.StringArray:
    """Return values, given as the members of AnyValue, as text: numbers in decimal, arrays and maps as JSON."""
    texts = values["string_value"]
    for name in ("int_value", "double_value", "bool_value"):
        if values[name].null_count < len(values[name]):
            texts = pc.coalesce(texts, values[name].cast(pa.string()))
    for name, spell in _SPELLINGS.items():
        if values[name].null_count < len(values[name]):
            texts = pc.coalesce(texts, each_distinct(values[name], spell, pa.string()))
    return texts


def each_distinct(values: pa.Array, new: Callable[[Any], Any], kind: pa.DataType) -> pa.Array:
    """Return ``new(value)`` of each value, asked once per distinct one; null stays null."""
    encoded = values.dictionary_encode()
    return pa.array([new(value) for value in encoded.dictionary.to_pylist()], kind).take(encoded.indices)


@lru_cache(maxsize=4096)
def array_of_texts(texts: tuple[str, ...]) -> bytes:
    """Return an ArrayValue of strings as protobuf bytes."""
    return ArrayValue(values=[AnyValue(string_value=text) for text in texts]).SerializeToString()


def to_python(value: AnyValue) -> Any:
    """Return the value as what JSON would read; bytes as base64."""
    kind = value.WhichOneof("value")
    match kind:
        case None:
            return None
        case "array_value":
            return [to_python(item) for item in value.array_value.values]
        case "kvlist_value":
            return {pair.key: to_python(pair.value) for pair in value.kvlist_value.values}
        case "bytes_value":
            return _base64(value.bytes_value)
    return getattr(value, kind)


def _any(value: Any) -> AnyValue:
    match value:
        case None:
            return AnyValue()
        case list() | tuple():
            return AnyValue(array_value=ArrayValue(values=[_any(item) for item in value]))
        case dict():
            pairs = [KeyValue(key=str(key), value=_any(item)) for key, item in value.items()]
            return AnyValue(kvlist_value=KeyValueList(values=pairs))
    member, plain = typed(value)
    return AnyValue(**{member: plain})


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _array_text(data: bytes) -> str:
    return _json(to_python(AnyValue(array_value=ArrayValue.FromString(data))))


def _map_text(data: bytes) -> str:
    return _json(to_python(AnyValue(kvlist_value=KeyValueList.FromString(data))))


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


_SPELLINGS: Mapping[str, Callable[[bytes], str]] = MappingProxyType(
    {"array_value": _array_text, "kvlist_value": _map_text, "bytes_value": _base64}
)
