"""The text forms of attribute values that SigNoz's tables hold.

as_string   what a string column shows:     1.5    true   AQI=    ["a",1]
json_text   a value inside JSON:            1.5    true  "AQI="   ["a",1]
go_text     as Go prints it with %v:        1.5    true  [1 2]    [a 1]
"""

import math
import re
from base64 import b64encode
from collections.abc import Callable, Mapping
from decimal import Decimal
from json.encoder import encode_basestring

from exporters.clickhouse.values import Value

_MARKUP = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
_SHORT_ESCAPES = {"\\b": "\\u0008", "\\f": "\\u000c"}  # those that Python knows and Go does not write
_ESCAPE = re.compile(r"\\.")


def as_string(value: Value) -> str:
    """Return the value as SigNoz shows it in columns of strings."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, float):
        return double_text(value)
    if isinstance(value, bytes):
        return b64encode(value).decode()
    return json_text(value)


def json_text(value: Value) -> str:
    """Return compact JSON with sorted keys; bytes as base64; NaN and infinities, which JSON lacks, as strings."""
    match value:
        case dict():
            text = json_object({key: json_text(member) for key, member in value.items()})
        case list():
            text = f"[{','.join(map(json_text, value))}]"
        case str() | bytes():
            text = quoted(as_string(value))
        case float():
            text = double_text(value) if math.isfinite(value) else quoted(_special_double(value))
        case bool():
            text = "true" if value else "false"
        case _:
            text = "null" if value is None else str(value)
    return text


def quoted(text: str) -> str:
    """Return *text* as a JSON string with ``<``, ``>``, ``&`` and the line separators U+2028 and U+2029 escaped."""
    result = plain_quoted(text)
    for character, escape in _MARKUP.items():
        if character in result:
            result = result.replace(character, escape)
    return result


def json_object(members: Mapping[str, str], quote: Callable[[str], str] = quoted) -> str:
    """Return the JSON object with these members, which are JSON texts already, sorted by key."""
    return "{" + ",".join(f"{quote(key)}:{members[key]}" for key in sorted(members, key=str.encode)) + "}"


def plain_quoted(text: str) -> str:
    """Return *text* as a JSON string in which nothing is escaped without need."""
    result = encode_basestring(text)
    if "\b" in text or "\f" in text:
        result = _ESCAPE.sub(lambda match: _SHORT_ESCAPES.get(match[0], match[0]), result)
    return result


def double_text(value: float) -> str:
    """Return the fewest digits that give *value* back, with an exponent only below 1e-6 and from 1e21."""
    if not math.isfinite(value):
        return f"json: unsupported value: {_special_double(value)}"
    if value != 0 and not 1e-6 <= abs(value) < 1e21:
        return repr(value).replace("e-0", "e-")
    return _without_exponent(value)


def decimal_text(value: float) -> str:
    """Return the fewest digits that give *value* back, never with an exponent."""
    return _without_exponent(value) if math.isfinite(value) else _special_double(value)


def go_text(value: Value) -> str:
    """Return the value as Go prints it with ``%v``."""
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _go_double(value)
    if isinstance(value, bytes):
        return f"[{' '.join(map(str, value))}]"
    if isinstance(value, list | dict):
        return _go_container(value, go_text)
    return str(value)


def go_string_verb(value: Value) -> str:
    """Return the value as Go prints it with ``%s``, which complains about everything that is no string."""
    if isinstance(value, str):
        return value
    if value is None:
        return "%!s(<nil>)"
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, list | dict):
        return _go_container(value, go_string_verb)
    kind = {bool: "bool", int: "int64", float: "float64"}[type(value)]
    return f"%!s({kind}={go_text(value)})"


def _go_container(value: "list[Value] | dict[str, Value]", text: Callable[[Value], str]) -> str:
    if isinstance(value, list):
        return f"[{' '.join(map(text, value))}]"
    return f"map[{' '.join(f'{key}:{text(value[key])}' for key in sorted(value, key=str.encode))}]"


def _go_double(value: float) -> str:
    if not math.isfinite(value):
        return _special_double(value)
    sign, digits, _ = Decimal(repr(value)).normalize().as_tuple()
    exponent = Decimal(repr(value)).adjusted()
    if value == 0 or -4 <= exponent < 6:
        return _without_exponent(value)
    fraction = "".join(map(str, digits[1:]))
    mantissa = f"{digits[0]}.{fraction}" if fraction else f"{digits[0]}"
    return f"{'-' if sign else ''}{mantissa}e{exponent:+03d}"


def _without_exponent(value: float) -> str:
    return f"{Decimal(repr(value)):f}".removesuffix(".0")


def _special_double(value: float) -> str:
    return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"
