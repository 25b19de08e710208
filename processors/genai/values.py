"""Reading a value as its kind says: null where the span says nothing that can be used."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue

from collector.attributes import Attributes, Positions
from processors.genai.messages import convert
from processors.genai.table import Kind, Target

MEMBER: Mapping[Kind, str] = MappingProxyType(
    {
        Kind.COUNT: "int_value",
        Kind.TEXT: "string_value",
        Kind.TEXTS: "array_value",
        Kind.FLAG: "bool_value",
        Kind.SECONDS: "double_value",
        Kind.HOST: "string_value",
        Kind.PORT: "int_value",
        Kind.MESSAGES: "string_value",
    }
)
"""The member of `collector.schema.ANY_VALUE` that each kind is written as."""


def read(attributes: Attributes, positions: Positions, target: Target) -> pa.Array:
    """Return the values at *positions* as *target* wants them, of the type of its `MEMBER`."""
    return _READERS[target.kind](attributes, positions, target)


def usable(attributes: Attributes, positions: Positions, target: Target) -> npt.NDArray[np.bool_]:
    """Tell which values at *positions*, already under the target's own name, say something."""
    match target.kind:
        case Kind.COUNT | Kind.SECONDS:
            values = read(attributes, positions, target)
        case Kind.TEXT:
            values = _mapped(
                attributes.strings(positions), lambda text: text if target.speaks(text) else None, pa.string()
            )
        case _:
            return np.ones(len(positions), dtype=bool)
    return np.asarray(values.is_valid())


@lru_cache(maxsize=4096)
def array_of(texts: tuple[str, ...]) -> bytes:
    """Return an OTLP ArrayValue of strings as protobuf bytes."""
    return ArrayValue(values=[AnyValue(string_value=text) for text in texts]).SerializeToString()


def _counts(attributes: Attributes, positions: Positions, _: Target) -> pa.Array:
    return attributes.counts(positions)


def _texts(attributes: Attributes, positions: Positions, target: Target) -> pa.Array:
    return _mapped(attributes.strings(positions), target.value_of, pa.string())


def _text_lists(attributes: Attributes, positions: Positions, target: Target) -> pa.Array:
    def listed(text: str) -> bytes | None:
        value = target.value_of(text)
        return None if value is None else array_of((value,))

    return _mapped(attributes.strings(positions), listed, pa.binary())


def _flags(attributes: Attributes, positions: Positions, _: Target) -> pa.Array:
    flags = attributes.booleans(positions)
    if not flags.null_count:
        return flags
    words = {"true": True, "false": False}
    return pc.coalesce(flags, _mapped(attributes.strings(positions), lambda text: words.get(text.lower()), pa.bool_()))


def _seconds(attributes: Attributes, positions: Positions, target: Target) -> pa.Array:
    numbers = np.asarray(attributes.numbers(positions).fill_null(-1.0)) * target.factor
    return pa.array(numbers, mask=~(np.isfinite(numbers) & (numbers >= 0)))


def _hosts(attributes: Attributes, positions: Positions, _: Target) -> pa.Array:
    return _mapped(attributes.strings(positions), lambda url: _address(url)[0], pa.string())


def _ports(attributes: Attributes, positions: Positions, _: Target) -> pa.Array:
    return _mapped(attributes.strings(positions), lambda url: _address(url)[1], pa.int64())


def _messages(attributes: Attributes, positions: Positions, target: Target) -> pa.Array:
    return _mapped(attributes.strings(positions), lambda text: convert(text, target.role), pa.string())


_READERS: Mapping[Kind, Callable[[Attributes, Positions, Target], pa.Array]] = MappingProxyType(
    {
        Kind.COUNT: _counts,
        Kind.TEXT: _texts,
        Kind.TEXTS: _text_lists,
        Kind.FLAG: _flags,
        Kind.SECONDS: _seconds,
        Kind.HOST: _hosts,
        Kind.PORT: _ports,
        Kind.MESSAGES: _messages,
    }
)


@lru_cache(maxsize=1024)
def _address(url: str) -> tuple[str | None, int | None]:
    """Return the host and port that *url* names, each None where it does not."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None, None
    return host or None, port


def _mapped(strings: pa.StringArray, new: Callable[[str], Any], kind: pa.DataType) -> pa.Array:
    """Return ``new(text)`` for each text, asked once per distinct one; null stays null."""
    encoded = strings.dictionary_encode()
    return pa.array([new(text) for text in encoded.dictionary.to_pylist()], kind).take(encoded.indices)
