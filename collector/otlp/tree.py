r"""Trees of JSON to protobuf messages, by protobuf's JSON mapping with ids in hex instead of base64.

    {"traceId": "0a", "kind": "2"} ──> {"trace_id": b"\n", "kind": 2} ──> Span(**fields)

protobuf's own reader of JSON makes each message in Python; its constructors, in C, take whole trees at once.
"""

import base64
import binascii
import math
import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, TypeVar

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message

_Read = Callable[[Any, int], Any]
"""Takes a value of JSON, and how many levels of messages may still stand in it."""

_IDS = frozenset({"trace_id", "span_id", "parent_span_id"})
"""The fields in hex."""
_DEEPEST = 100
"""Levels of messages in messages that protobuf reads."""
_HALF_SIGN = re.compile("[\ud800-\udfff]")
"""A sign that JSON writes as two, of which only one is there: what a text cut after so many UTF-16 units ends with."""
_LONGEST = 120

_RANGES = {
    FieldDescriptor.CPPTYPE_INT32: (-(2**31), 2**31),
    FieldDescriptor.CPPTYPE_ENUM: (-(2**31), 2**31),
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32),
    FieldDescriptor.CPPTYPE_INT64: (-(2**63), 2**63),
    FieldDescriptor.CPPTYPE_UINT64: (0, 2**64),
}
"""The least number of a type, and the first that is too large."""

M = TypeVar("M", bound=Message)


class TreeError(Exception):
    """Says what is wrong in a tree, and where."""

    def __init__(self, reason: str, place: str = "") -> None:
        super().__init__(f"{place:.{_LONGEST}}: {reason}" if place else reason)
        self.reason = reason
        self.place = place


def message_of(kind: type[M], tree: Any) -> M:
    """Return the message that a tree of JSON means, which is used up; raise `TreeError` where it means none.

    Enums may be numbers or names, 64-bit integers numbers or strings; unknown fields and names are ignored, and half
    of a sign (a cut emoji) becomes U+FFFD.
    """
    if tree == []:
        raise TreeError("expected an object, not list")
    return kind(**_reader(kind.DESCRIPTOR)(tree, _DEEPEST))


@cache
def _reader(descriptor: Descriptor) -> _Read:
    return _message(descriptor, {})


def _message(descriptor: Descriptor, known: dict[str, _Read]) -> _Read:
    """Return what reads a message; *known* are those that were met on the way, as messages stand in their own kind."""
    if descriptor.full_name not in known:
        fields: dict[str, tuple[str, _Read]] = {}
        rivals = [one.name for oneof in descriptor.oneofs if len(oneof.fields) > 1 for one in oneof.fields]
        known[descriptor.full_name] = _object(fields, frozenset(rivals))
        for field in descriptor.fields:
            one = _one(field, known)
            fields[field.json_name] = fields[field.name] = (field.name, _many(one) if field.is_repeated else one)
    return known[descriptor.full_name]


def _object(fields: Mapping[str, tuple[str, _Read]], rivals: frozenset[str]) -> _Read:
    """Return what reads an object with *fields*, of whose *rivals* it may have one."""

    def read(tree: Any, depth: int) -> Mapping[str, Any]:
        if tree == []:  # what PHP makes of an empty object
            return {}
        if type(tree) is not dict:
            raise TreeError(f"expected an object, not {type(tree).__name__}")
        if not depth:
            raise TreeError("nested too deep")
        found: dict[str, Any] = {}
        for written, value in tree.items():
            if written in fields:
                name, read_field = fields[written]
                try:
                    found[name] = None if value is None else read_field(value, depth - 1)
                except (TreeError, ValueError, TypeError, OverflowError) as error:
                    raise _within(written, error) from error
        if len(found) > 1 and rivals and sum(found.get(name) is not None for name in rivals) > 1:
            raise TreeError(f"only one of {', '.join(sorted(rivals & found.keys()))} may be there")
        return found

    return read


def _one(field: FieldDescriptor, known: dict[str, _Read]) -> _Read:
    """Return what reads one value of a field."""
    if field.message_type is not None:
        return _message(field.message_type, known)
    if field.enum_type is not None:
        return _enum(field.enum_type)
    if field.cpp_type in _RANGES:
        return _integer(*_RANGES[field.cpp_type])
    if field.type == FieldDescriptor.TYPE_BYTES:
        return _id if field.name in _IDS else _bytes
    return _SIMPLE[field.cpp_type]


def _many(read: _Read) -> _Read:
    """Return what reads a list of what *read* reads."""

    def read_all(values: Any, depth: int) -> list[Any]:
        if type(values) is not list:
            raise TreeError(f"expected a list, not {type(values).__name__}")
        for number, value in enumerate(values):
            try:
                # In its place, so that no second tree stands beside the first.
                values[number] = read(value, depth)
            except (TreeError, ValueError, TypeError, OverflowError) as error:
                raise _within(f"[{number}]", error) from error
        return values

    return read_all


def _within(outer: str, error: Exception) -> TreeError:
    """Return what is wrong with the place that it has in *outer*: a field or ``[number]``."""
    inner, reason = (error.place, error.reason) if isinstance(error, TreeError) else ("", str(error))
    return TreeError(reason, f"{outer}{'.' * (inner[:1] not in ('', '['))}{inner}")


def _integer(least: int, end: int) -> _Read:
    def read(value: Any, _depth: int) -> int:
        number = value if type(value) is int else _whole(value)
        if not least <= number < end:
            raise ValueError(f"{_shown(value)} is out of range")
        return number

    return read


def _whole(value: Any) -> int:
    """Return the number that a text or a float means."""
    number = value
    if type(value) is str and " " not in value:
        try:
            return int(value)
        except ValueError:
            number = _float(value)
    if type(number) is not float or not number.is_integer():
        raise ValueError(f"{_shown(value)} is no whole number")
    return int(number)


def _float(value: Any) -> float:
    try:
        return float(value)
    except (ValueError, TypeError, OverflowError) as error:
        raise ValueError(f"{_shown(value)} is no number") from error


def _number(value: Any, _depth: int) -> float:
    number = _float(value)
    if (not math.isfinite(number) and type(value) is float) or value == "nan":
        raise ValueError(f'{_shown(value)} is no number; write "NaN", "Infinity" or "-Infinity"')
    return number


def _enum(kind: EnumDescriptor) -> _Read:
    names = {name: value.number for name, value in kind.values_by_name.items()}
    read_number = _integer(*_RANGES[FieldDescriptor.CPPTYPE_ENUM])

    def read(value: Any, depth: int) -> int | None:
        number: Any = names.get(value)
        if number is None:
            try:
                number = int(value)
            except ValueError:  # a name of a later version
                return None
        return int(read_number(number, depth))

    return read


def _truth(value: Any, _depth: int) -> bool:
    if type(value) is not bool:
        raise ValueError(f"{_shown(value)} is neither true nor false")
    return value


def _text(value: Any, _depth: int) -> str:
    if type(value) is not str:
        raise ValueError(f"{_shown(value)} is no text")
    return value if value.isascii() else _HALF_SIGN.sub("\ufffd", value)


def _bytes(value: Any, _depth: int) -> bytes:
    if type(value) is not str:
        raise ValueError(f"{_shown(value)} is no text")
    return base64.urlsafe_b64decode(value + "===")


_SIMPLE: Mapping[int, _Read] = {
    FieldDescriptor.CPPTYPE_DOUBLE: _number,
    FieldDescriptor.CPPTYPE_FLOAT: _number,
    FieldDescriptor.CPPTYPE_BOOL: _truth,
    FieldDescriptor.CPPTYPE_STRING: _text,
}


def _id(value: Any, _depth: int) -> bytes:
    try:
        return binascii.unhexlify(value)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{_shown(value)} is not hexadecimal") from error


def _shown(value: Any) -> str:
    return f"{value!r:.80}"
