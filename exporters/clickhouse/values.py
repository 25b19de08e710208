"""Attribute values as plain Python, for what is computed once per distinct value: nested values, resources, events.

Everything else stays in Arrow columns; see `collector.schema.ANY_VALUE` for the form these start from.
"""

import math
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from google.protobuf.message import DecodeError
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValueList

Value: TypeAlias = "str | bool | int | float | bytes | list[Value] | dict[str, Value] | None"
"""An OTLP value; None is the empty one. Of equal keys in a map the last one counts."""


def array_value(data: bytes) -> Value:
    """Return the list that an encoded ArrayValue holds; bytes that are none are returned as they are."""
    try:
        return [_plain(item) for item in ArrayValue.FromString(data).values]
    except DecodeError:
        return data


def kvlist_value(data: bytes) -> Value:
    """Return the map that an encoded KeyValueList holds; bytes that are none are returned as they are."""
    try:
        return {pair.key: _plain(pair.value) for pair in KeyValueList.FromString(data).values}
    except DecodeError:
        return data


def value_of(members: Mapping[str, Any] | None) -> Value:
    """Return the value of one row of a `collector.schema.ANY_VALUE` column."""
    for name, member in (members or {}).items():
        if member is not None:
            if name == "array_value":
                return array_value(member)
            if name == "kvlist_value":
                return kvlist_value(member)
            plain: Value = member
            return plain
    return None


def flatten(key: str, value: Value) -> Iterator[tuple[str, Value]]:
    """Yield the leaves of a nested value with keys like ``key.member`` and ``key.0``."""
    if isinstance(value, dict):
        for name, member in value.items():
            yield from flatten(f"{key}.{name}", member)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from flatten(f"{key}.{number}", item)
    else:
        yield key, value


def is_number(value: Value) -> bool:
    """Tell whether the value is a finite int or double."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _plain(value: AnyValue) -> Value:
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    if kind == "array_value":
        return [_plain(item) for item in value.array_value.values]
    if kind == "kvlist_value":
        return {pair.key: _plain(pair.value) for pair in value.kvlist_value.values}
    plain: Value = getattr(value, kind)
    return plain
