"""How times, attributes and values look in what the debug exporter shows."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from opentelemetry.proto.common.v1.common_pb2 import ArrayValue, KeyValueList

Row = Mapping[str, Any]


def attribute_lines(head: str, attributes: Sequence[Row], indent: str = "     ") -> Iterator[str]:
    """Yield *head* and a line for each attribute; nothing where there is none."""
    if attributes:
        yield head
    for attribute in attributes:
        kind, value = value_of(attribute["value"])
        yield f"{indent}-> {attribute['key']}: {kind}({value})"


def pairs(attributes: Sequence[Row], separator: str = " ") -> str:
    """Return the attributes as ``key=value``."""
    return separator.join(f"{attribute['key']}={value_of(attribute['value'])[1]}" for attribute in attributes)


def field_lines(fields: Row, width: int = 0) -> Iterator[str]:
    """Yield a line for each of the fields that is not None."""
    for name, value in fields.items():
        if value is not None:
            yield f"{'    ' if width else ''}{name:<{width}}: {value}"


def value_of(value: Row | None) -> tuple[str, str]:
    """Return the name of a value's type and its text."""
    for name, found in (value or {}).items():
        if found is not None:
            parse = _NESTED.get(name)
            return _TYPES[name], text_of(_plain(parse(found)) if parse else found)
    return "Empty", ""


def _plain(value: Any) -> object:
    """Return a parsed nested value as JSON has it."""
    if isinstance(value, ArrayValue):
        return [_plain(item) for item in value.values]
    if isinstance(value, KeyValueList):
        return {item.key: _plain(item.value) for item in value.values}
    kind = value.WhichOneof("value")
    found = getattr(value, kind) if kind else None
    return _plain(found) if kind in _NESTED else found


_NESTED = {"array_value": ArrayValue.FromString, "kvlist_value": KeyValueList.FromString}
_TYPES = {
    "string_value": "Str",
    "bool_value": "Bool",
    "int_value": "Int",
    "double_value": "Double",
    "array_value": "Slice",
    "kvlist_value": "Map",
    "bytes_value": "Bytes",
}


def text_of(value: object) -> str:
    """Return a text as it is, anything else as JSON has it."""
    if isinstance(value, str):
        return value
    return json.dumps(value, default=_unknown_to_json, ensure_ascii=False).strip('"')


def _unknown_to_json(value: Any) -> str:
    return value.hex() if isinstance(value, bytes) else f"{value:%Y-%m-%d %H:%M:%S}"


def time_of(nanoseconds: int) -> str:
    """Return a time in nanoseconds since 1970 as Go prints it."""
    seconds, rest = divmod(nanoseconds, 10**9)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}.{rest:09d} +0000 UTC"


def name_of(names: Sequence[str], number: int) -> str:
    """Return the name of a value of an enum, or its number when it has none."""
    return names[number] if 0 <= number < len(names) else str(number)
