"""Attribute values as plain Python, for what is computed once per distinct value: nested values, resources, events.

Everything else stays in Arrow columns; see `collector.schema.ANY_VALUE` for the form these start from.
"""

import math
from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValueList

Value: TypeAlias = "str | bool | int | float | bytes | list[Value] | dict[str, Value] | None"
"""An OTLP value; None is the empty one. Of equal keys in a map the last one counts."""


def array_value(data: bytes) -> Value:
    """Return the list that an encoded ArrayValue holds."""
    return [_plain(item) for item in ArrayValue.FromString(data).values]


def kvlist_value(data: bytes) -> Value:
    """Return the map that an encoded KeyValueList holds."""
    return {pair.key: _plain(pair.value) for pair in KeyValueList.FromString(data).values}


_DECODERS = {"array_value": array_value, "kvlist_value": kvlist_value}


def member_values(name: str, member: pa.Array) -> list[Value]:
    """Return the values of the member *name* of a `collector.schema.ANY_VALUE` column, nulls left out."""
    decode = _DECODERS.get(name)
    values: list[Any] = member.drop_null().to_pylist()
    return [decode(value) for value in values] if decode else values


def python_values(values: pa.StructArray) -> list[Value]:
    """Return every value of a `collector.schema.ANY_VALUE` column as plain Python."""
    result: list[Value] = [None] * len(values)
    for name, member in zip(values.type.names, values.flatten(), strict=True):
        positions = np.flatnonzero(np.asarray(member.is_valid())).tolist()
        for position, value in zip(positions, member_values(name, member), strict=True):
            result[position] = value
    return result


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
