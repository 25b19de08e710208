"""Values of many rows at once: for each kind of value a column, of which each row has at most one."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from collector.rows import Mask
from collector.values import MESSAGES

KINDS: Mapping[str, pa.DataType] = MappingProxyType(
    {
        "string": pa.string(),
        "bool": pa.bool_(),
        "int": pa.int64(),
        "double": pa.float64(),
        "bytes": pa.binary(),
        "time": pa.int64(),
        "duration": pa.int64(),
        "list": pa.binary(),
        "map": pa.binary(),
    }
)
"""The kinds; times and durations are nanoseconds, lists and maps the bytes of their protobuf messages."""

MEMBERS: Mapping[str, str] = MappingProxyType(
    {
        "string_value": "string",
        "bool_value": "bool",
        "int_value": "int",
        "double_value": "double",
        "bytes_value": "bytes",
        "array_value": "list",
        "kvlist_value": "map",
    }
)
"""The kind of each member of an AnyValue."""

COMPARISONS: Mapping[str, Callable[[Any, Any], Any]] = MappingProxyType(
    {
        "==": pc.equal,
        "!=": pc.equal,
        "<": pc.less,
        "<=": pc.less_equal,
        ">": pc.greater,
        ">=": pc.greater_equal,
    }
)
_ALIKE = ("string", "bytes", "time", "duration", "bool")
_NUMBERS = ("int", "double")

Operand = Mapping[str, pa.Array]
"""Columns by kind, all of one length; a kind that no row has may be left out, and a row that has none is nil."""


def constant(kind: str, value: Any, count: int) -> Operand:
    """Return the same value for every row."""
    return {} if kind == "nil" else {kind: pa.repeat(pa.scalar(value, KINDS[kind]), count)}


def from_members(members: Mapping[str, pa.Array]) -> Operand:
    """Return attribute values, given as the members of AnyValue."""
    return {MEMBERS[name]: column for name, column in members.items() if column.null_count < len(column)}


def has(operand: Operand, kinds: Sequence[str], count: int) -> Mask:
    """Tell which rows have a value of one of *kinds*."""
    found = np.zeros(count, dtype=bool)
    for kind in kinds:
        if kind in operand:
            found |= np.asarray(operand[kind].is_valid())
    return found


def compared(operator: str, left: Operand, right: Operand, count: int) -> Mask:
    """Tell for which rows the comparison holds; values of different kinds are unequal, and in no order."""
    compare = COMPARISONS[operator]
    found = np.zeros(count, dtype=bool)
    for kind in _ALIKE:
        if kind in left and kind in right:
            found |= _told(compare, _ordered(left[kind]), _ordered(right[kind]))
    for kind in _NUMBERS:
        for other in _NUMBERS:
            if kind in left and other in right:
                same = kind == other
                found |= _told(compare, *(each if same else _double(each) for each in (left[kind], right[other])))
    if operator not in {"==", "!="}:
        return found
    found |= ~has(left, [*KINDS], count) & ~has(right, [*KINDS], count)
    return ~found if operator == "!=" else found


def descended(operand: Operand, key: str | int) -> Operand:
    """Return what stands under *key* in maps, or at a number in lists; nil elsewhere."""
    kind = "map" if isinstance(key, str) else "list"
    if kind not in operand:
        return {}
    encoded = operand[kind].dictionary_encode()
    message = MESSAGES["kvlist_value" if kind == "map" else "array_value"]
    found = [_under(message.FromString(data), key) for data in encoded.dictionary.to_pylist()]
    return {
        name: pa.array([value if own == name else None for own, value in found], KINDS[name]).take(encoded.indices)
        for name in {own for own, _ in found if own}
    }


def _under(message: Any, key: str | int) -> tuple[str, Any]:
    value = AnyValue()
    if isinstance(key, str):
        value = next((pair.value for pair in reversed(message.values) if pair.key == key), value)
    elif key < len(message.values):
        value = message.values[key]
    member = value.WhichOneof("value")
    if member is None:
        return "", None
    plain = getattr(value, member)
    return MEMBERS[member], plain.SerializeToString() if member in MESSAGES else plain


def _told(compare: Callable[[Any, Any], Any], left: pa.Array, right: pa.Array) -> Mask:
    return np.asarray(compare(left, right).fill_null(False))


def _ordered(column: pa.Array) -> pa.Array:
    return column.cast(pa.uint8()) if column.type == pa.bool_() else column


def _double(column: pa.Array) -> pa.Array:
    return column.cast(pa.float64(), safe=False)
