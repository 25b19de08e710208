"""Reading a value as its kind says: null where the span says nothing that can be used."""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue

from collector.attributes import Attributes, Positions, optional
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

_FLAGS = {"true": True, "false": False}


class Reading(NamedTuple):
    """Is what was read at some positions: ``values[choice]``, nothing where *choice* is -1."""

    values: pa.Array | Sequence[Any]
    choice: npt.NDArray[np.int64]


class Texts:
    """Holds the distinct texts at some *positions*; there alone may be looked."""

    def __init__(self, attributes: Attributes, positions: Positions) -> None:
        encoded = attributes.strings(positions).dictionary_encode()
        indices = encoded.indices.fill_null(-1) if encoded.indices.null_count else encoded.indices
        self.own: pa.StringArray = attributes.members["string_value"]
        self._words: list[str] = encoded.dictionary.to_pylist()
        self._codes = np.full(len(attributes.flat), -1, dtype=np.int32)
        self._codes[positions] = np.asarray(indices)
        self._full = np.array([*map(bool, self._words), False])

    def full(self, positions: Positions) -> npt.NDArray[np.bool_]:
        """Tell at which *positions* there is a text that is not empty."""
        return self._full[self._codes[positions]]

    def mapped(self, positions: Positions, new: Callable[[str], Any]) -> Reading:
        """Return ``new(text)`` for each text, asked once per distinct one; what is no text gives nothing."""
        codes = self._codes[positions]
        place = np.full(len(self._words) + 1, -1, dtype=np.int64)
        told: list[Any] = []
        for code in set(codes.tolist()) - {-1}:
            value = new(self._words[code])
            if value is not None:
                place[code] = len(told)
                told.append(value)
        return Reading(told, place[codes])


class Source(NamedTuple):
    """Is where values are read: the attributes of a batch, and the texts at all the positions asked for."""

    attributes: Attributes
    texts: Texts


def read(source: Source, positions: Positions, target: Target) -> Reading:
    """Return the values at *positions* as *target* wants them, of the type of its `MEMBER`."""
    return _READERS[target.kind](source, positions, target)


def usable(source: Source, positions: Positions, target: Target) -> npt.NDArray[np.bool_]:
    """Tell which values at *positions*, already under the target's own name, say something."""
    match target.kind:
        case Kind.COUNT | Kind.SECONDS:
            found = read(source, positions, target)
        case Kind.TEXT:
            found = source.texts.mapped(positions, lambda text: text if target.speaks(text) else None)
        case _:
            return np.ones(len(positions), dtype=bool)
    return found.choice >= 0


@lru_cache(maxsize=4096)
def array_of(texts: tuple[str, ...]) -> bytes:
    """Return an OTLP ArrayValue of strings as protobuf bytes."""
    return ArrayValue(values=[AnyValue(string_value=text) for text in texts]).SerializeToString()


def _counts(source: Source, positions: Positions, _: Target) -> Reading:
    counts = source.attributes.naturals(positions)
    return _each(pa.array(counts), counts >= 0)


def _texts(source: Source, positions: Positions, target: Target) -> Reading:
    texts = source.texts
    if target.is_plain:
        return Reading(texts.own, np.where(texts.full(positions), positions, -1))
    return texts.mapped(positions, target.value_of)


def _text_lists(source: Source, positions: Positions, target: Target) -> Reading:
    def listed(text: str) -> bytes | None:
        value = target.value_of(text)
        return None if value is None else array_of((value,))

    return source.texts.mapped(positions, listed)


def _flags(source: Source, positions: Positions, _: Target) -> Reading:
    flags = source.attributes.booleans(positions)
    if not flags.null_count:
        return Reading(source.attributes.members["bool_value"], positions)
    spelled = source.texts.mapped(positions, lambda text: _FLAGS.get(text.lower()))
    words = pa.array(spelled.values, pa.bool_()).take(optional(spelled.choice))
    flags = pc.coalesce(flags, words)
    return _each(flags, np.asarray(flags.is_valid()))


def _seconds(source: Source, positions: Positions, target: Target) -> Reading:
    numbers = np.asarray(source.attributes.numbers(positions).fill_null(-1.0)) * target.factor
    return _each(pa.array(numbers), np.isfinite(numbers) & (numbers >= 0))


def _hosts(source: Source, positions: Positions, _: Target) -> Reading:
    return source.texts.mapped(positions, lambda url: _address(url)[0])


def _ports(source: Source, positions: Positions, _: Target) -> Reading:
    return source.texts.mapped(positions, lambda url: _address(url)[1])


def _messages(source: Source, positions: Positions, target: Target) -> Reading:
    return source.texts.mapped(positions, lambda text: convert(text, target.role))


_READERS: Mapping[Kind, Callable[[Source, Positions, Target], Reading]] = MappingProxyType(
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


def _each(values: pa.Array, valid: npt.NDArray[np.bool_]) -> Reading:
    """Return values that are in the order of the positions already."""
    return Reading(values, np.where(valid, np.arange(len(values)), -1))
