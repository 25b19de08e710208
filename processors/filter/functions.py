"""The functions that a condition may use."""

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collector.attributes import Attributes
from collector.patterns import check, matching
from collector.rows import Mask
from collector.units import parse_duration
from collector.values import MESSAGES, as_texts, each_distinct
from processors.filter.fields import Frame
from processors.filter.operand import KINDS, MEMBERS, Operand, constant, has


class Failure(NamedTuple):
    """Is a value that could not be told for the rows that *failed*."""

    operand: Operand
    failed: Mask


Work = Callable[..., Operand | Failure]
"""Takes the rows and the values of the parameters that are values, and returns what the function gives."""


class Function(NamedTuple):
    """Says what a function takes: ``value`` is any, the others are written out and given to *make*.

    One that *tells* gives true or false. *context* is the only one it may be used in, '' for all.
    """

    parameters: tuple[str, ...]
    make: Callable[..., Work]
    tells: bool = True
    context: str = ""


def _text(operand: Operand, count: int) -> pa.Array:
    """Return the values as text, null where there are none."""
    empty = {name: pa.nulls(count, kind) for name, kind in _MEMBER_TYPES.items()}
    return as_texts({name: operand.get(kind, empty[name]) for name, kind in MEMBERS.items()})


def _is_match(pattern: str) -> Work:
    check(pattern)
    return lambda frame, value: _bool(matching(_text(value, frame.count), [pattern]))


def _affix(compare: Callable[..., pa.Array]) -> Callable[[str], Work]:
    def make(text: str) -> Work:
        def work(frame: Frame, value: Operand) -> Failure:
            texts = value.get("string", pa.nulls(frame.count, pa.string()))
            return Failure(
                {"bool": compare(texts, pattern=text).fill_null(False)}, ~has(value, ["string"], frame.count)
            )

        return work

    return make


def _is(*kinds: str) -> Callable[[], Work]:
    def work(frame: Frame, value: Operand) -> Operand:
        return _bool(has(value, kinds, frame.count))

    return lambda: work


def _is_root() -> Work:
    return lambda frame: {"bool": pc.equal(pc.binary_length(frame.column("span", "parent_span_id")), 0)}


def _length() -> Work:
    def work(frame: Frame, value: Operand) -> Failure:
        lengths = [pa.nulls(frame.count, pa.int64())]
        if "string" in value:
            lengths.append(pc.binary_length(value["string"]).cast(pa.int64()))
        lengths.extend(
            each_distinct(value[kind], count, pa.int64()) for kind, count in _COUNTS.items() if kind in value
        )
        return Failure({"int": pc.coalesce(*lengths)}, ~has(value, ["string", *_COUNTS], frame.count))

    return work


def _converted(kind: str, read: Callable[[str], int | float | None]) -> Callable[[], Work]:
    def work(frame: Frame, value: Operand) -> Operand:
        made = [pa.nulls(frame.count, KINDS[kind])]
        if "string" in value:
            made.append(each_distinct(value["string"], read, KINDS[kind]))
        made.extend(value[other].cast(KINDS[kind], safe=False) for other in ("int", "bool") if other in value)
        if "double" in value:
            made.append(each_distinct(value["double"], lambda number: read(str(number)), KINDS[kind]))
        return {kind: pc.coalesce(*made)}

    return lambda: work


def _int(text: str) -> int | None:
    try:
        number = int(text) if re.fullmatch(r"[+-]?[0-9]+", text) else int(float(text))
    except (ValueError, OverflowError):
        return None
    return number if -(2**63) <= number < 2**63 else None


def _float(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _string() -> Work:
    return lambda frame, value: {"string": _text(value, frame.count)}


def _cased(change: Callable[[pa.Array], pa.Array]) -> Callable[[], Work]:
    def work(frame: Frame, value: Operand) -> Failure:
        texts = value.get("string", pa.nulls(frame.count, pa.string()))
        return Failure({"string": change(texts)}, ~has(value, ["string"], frame.count))

    return lambda: work


def _duration(text: str) -> Work:
    nanoseconds = round(parse_duration(text.removeprefix("-")) * 1e9) * (-1 if text.startswith("-") else 1)
    return lambda frame: constant("duration", nanoseconds, frame.count)


def _id(size: int) -> Callable[[bytes], Work]:
    def make(data: bytes) -> Work:
        if len(data) != size:
            raise ValueError(f"this id has {size} bytes, not {len(data)}")
        return lambda frame: constant("bytes", data, frame.count)

    return make


def _has_key(key: str) -> Work:
    return lambda frame: _bool(_any_point(frame, _places(frame, key)[1] >= 0))


def _has_attribute(key: str, text: str) -> Work:
    def work(frame: Frame) -> Operand:
        attributes, places = _places(frame, key)
        same = pc.equal(attributes.strings(places), text).fill_null(False)
        return _bool(_any_point(frame, np.asarray(same)))

    return work


def _places(frame: Frame, key: str) -> tuple[Attributes, np.ndarray[tuple[int], np.dtype[np.int64]]]:
    attributes = Attributes(frame.batch.main.column("attributes"))
    return attributes, attributes.locate([key])[0]


def _any_point(frame: Frame, found: Mask) -> Mask:
    """Tell of each data point whether any of its metric's was found."""
    metrics = np.asarray(frame.batch.main.column("metric"))
    told: Mask = (np.bincount(metrics, weights=found) > 0)[metrics]
    return told


def _bool(mask: Mask) -> Operand:
    return {"bool": pa.array(mask)}


_COUNTS: Mapping[str, Callable[[bytes], int]] = MappingProxyType(
    {
        "list": lambda data: len(MESSAGES["array_value"].FromString(data).values),
        "map": lambda data: len(MESSAGES["kvlist_value"].FromString(data).values),
    }
)
_MEMBER_TYPES: Mapping[str, pa.DataType] = MappingProxyType({name: KINDS[kind] for name, kind in MEMBERS.items()})

FUNCTIONS: Mapping[str, Function] = MappingProxyType(
    {
        "IsMatch": Function(("value", "pattern"), _is_match),
        "HasPrefix": Function(("value", "text"), _affix(pc.starts_with)),
        "HasSuffix": Function(("value", "text"), _affix(pc.ends_with)),
        "IsString": Function(("value",), _is("string")),
        "IsBool": Function(("value",), _is("bool")),
        "IsInt": Function(("value",), _is("int")),
        "IsDouble": Function(("value",), _is("double")),
        "IsMap": Function(("value",), _is("map")),
        "IsList": Function(("value",), _is("list")),
        "IsRootSpan": Function((), _is_root, context="span"),
        "HasAttrKeyOnDatapoint": Function(("text",), _has_key, context="metric"),
        "HasAttrOnDatapoint": Function(("text", "text"), _has_attribute, context="metric"),
        "Len": Function(("value",), _length, tells=False),
        "Int": Function(("value",), _converted("int", _int), tells=False),
        "Double": Function(("value",), _converted("double", _float), tells=False),
        "String": Function(("value",), _string, tells=False),
        "ToLowerCase": Function(("value",), _cased(pc.utf8_lower), tells=False),
        "ToUpperCase": Function(("value",), _cased(pc.utf8_upper), tells=False),
        "Duration": Function(("text",), _duration, tells=False),
        "TraceID": Function(("id",), _id(16), tells=False),
        "SpanID": Function(("id",), _id(8), tells=False),
    }
)
"""Every function, by the name that OTTL gives it."""
