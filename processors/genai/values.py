"""Reading a value as its kind says: null where the span says nothing that can be used."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import cached_property, lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from opentelemetry.proto.common.v1.common_pb2 import ArrayValue

from collector.attributes import Attributes, Positions
from collector.jsontext import is_unicode
from collector.pool import optional
from collector.values import array_of_texts
from processors.genai.documents import at, document
from processors.genai.grammar import Kind, address
from processors.genai.messages import convert, convert_value
from processors.genai.table import Step

MEMBER: Mapping[Kind, str] = MappingProxyType(
    {
        Kind.COUNT: "int_value",
        Kind.NUMBER: "double_value",
        Kind.COST: "double_value",
        Kind.TEXT: "string_value",
        Kind.TEXTS: "array_value",
        Kind.FLAG: "bool_value",
        Kind.SECONDS: "double_value",
        Kind.MOMENT: "double_value",
        Kind.HOST: "string_value",
        Kind.PORT: "int_value",
        Kind.MESSAGES: "string_value",
    }
)
"""The member of `collector.schema.ANY_VALUE` that each kind is written as."""

_FLAGS = {"true": True, "false": False}
_MOST = 2.0**63


class Told(NamedTuple):
    """Is what was read at some positions: ``values[choice]``, nothing where *choice* is -1."""

    values: pa.Array | Sequence[Any]
    choice: npt.NDArray[np.int64]


class Held(NamedTuple):
    """Is what was read where that is as good as it stands: what is at the positions *choice*, nothing where -1."""

    choice: Positions
    values: None = None


Reading = Told | Held


class Texts:
    """Holds the distinct texts at some *positions*, which ascend; there alone may be looked."""

    def __init__(self, attributes: Attributes, positions: Positions) -> None:
        encoded = attributes.strings(positions).dictionary_encode()
        indices = encoded.indices.fill_null(-1) if encoded.indices.null_count else encoded.indices
        self.words: list[str] = encoded.dictionary.to_pylist()
        self._positions = positions
        self._codes = np.asarray(indices)
        self._documents: dict[int, Any] = {}
        self._accounts: dict[Sequence[Sequence[str]], dict[int, list[dict[str, Any]]]] = {}

    @cached_property
    def numbers(self) -> Mapping[str, int]:
        """The number in `words` of each."""
        return {word: number for number, word in enumerate(self.words)}

    def codes(self, positions: Positions) -> npt.NDArray[np.int32]:
        """Return the number in `words` of each text, -1 for what is none."""
        if len(positions) == len(self._positions):
            return self._codes
        return self._codes[np.searchsorted(self._positions, positions)]

    def mapped(self, positions: Positions, new: Callable[[str], Any]) -> Told:
        """Return ``new(text)`` for each text, asked once per distinct one; what is no text gives nothing."""
        return self._looked_up(positions, lambda code: new(self.words[code]))

    def picked(self, positions: Positions, path: Sequence[str], new: Callable[[Any], Any]) -> Told:
        """Return ``new(value)`` for what stands at *path* in the document that each text is."""

        def value(code: int) -> Any:
            found = at(self._document(code), path)
            return None if found is None else new(found)

        return self._looked_up(positions, value)

    def named(self, positions: Positions, step: Step, new: Callable[[Any], Any]) -> Told:
        """Return ``new(value)`` for the first of the step's *names* that gives one in an account each text holds."""
        accounts, names = self._accounts.setdefault(step.accounts, {}), step.names

        def value(code: int) -> Any:
            if code not in accounts:
                told = self._document(code)
                accounts[code] = [found for path in step.accounts if isinstance(found := at(told, path), dict)]
            for account in accounts[code]:
                for name in names:
                    if name[0] in account or name[0][-1] == "*":
                        found = at(account, name)
                        told = None if found is None else new(found)
                        if told is not None:
                            return told
            return None

        return self._looked_up(positions, value)

    def _document(self, code: int) -> Any:
        if code not in self._documents:
            self._documents[code] = document(self.words[code])
        return self._documents[code]

    def _asked(self, codes: npt.NDArray[np.int32]) -> Iterable[int]:
        """Return which of `words` occur among *codes*."""
        if codes is self._codes:
            return range(len(self.words))
        asked = np.zeros(len(self.words) + 1, dtype=bool)
        asked[codes] = True
        occurring: list[int] = asked[:-1].nonzero()[0].tolist()
        return occurring

    def _looked_up(self, positions: Positions, new: Callable[[int], Any]) -> Told:
        codes = self.codes(positions)
        place = np.full(len(self.words) + 1, -1, dtype=np.int64)
        told: list[Any] = []
        for code in self._asked(codes):
            value = new(code)
            if value is not None:
                place[code] = len(told)
                told.append(value)
        return Told(told, place[codes])


class Source:
    """Is where the values of one key are read: the attributes of a batch, and the texts at the key's *positions*."""

    def __init__(self, attributes: Attributes, positions: Positions) -> None:
        self.attributes = attributes
        self._positions = positions

    @cached_property
    def texts(self) -> Texts:
        """The texts, told apart once they are looked at."""
        return Texts(self.attributes, self._positions[self._positions >= 0])


def read(source: Source, positions: Positions, step: Step) -> Reading:
    """Return the values at *positions* as *step* wants them, of the type of its `MEMBER`."""
    if step.names:
        return source.texts.named(positions, step, lambda value: _of_value(value, step))
    if step.path is not None:
        return source.texts.picked(positions, step.path, lambda value: _of_value(value, step))
    return _READERS[step.kind](source, positions, step)


def usable(source: Source, positions: Positions, step: Step) -> npt.NDArray[np.bool_]:
    """Tell which values at *positions*, already under today's name, say something."""
    match step.kind:
        case Kind.COUNT | Kind.SECONDS | Kind.NUMBER:
            return _READERS[step.kind](source, positions, step._replace(factor=1.0)).choice >= 0
        case Kind.TEXT:
            word = step.word
            if word is None:
                return source.attributes.filled(positions)
            return source.texts.mapped(positions, lambda text: word.speaks(text) or None).choice >= 0
    return np.ones(len(positions), dtype=bool)


def judged(source: Source, positions: Positions, step: Step) -> tuple[npt.NDArray[np.bool_], Reading]:
    """Tell which values under today's name are `usable`, and return today's spelling of those spelled otherwise."""
    if step.kind is Kind.TEXTS:
        return np.ones(len(positions), dtype=bool), _respelled_lists(source, positions, step)
    if step.kind is Kind.HOST:
        told = source.texts.mapped(positions, lambda text: None if (new := _host(text)) == text else new)
        return np.ones(len(positions), dtype=bool), told
    word = step.word
    if word is None:
        return source.attributes.filled(positions), Told([], np.full(len(positions), -1))
    pairs = source.texts.mapped(positions, lambda text: (text, word(text) or text) if word.speaks(text) else None)
    if all(old == new for old, new in pairs.values):
        return pairs.choice >= 0, Told([], np.full(len(positions), -1))
    alike = np.array([*(old == new for old, new in pairs.values), False], dtype=bool)
    choice = np.where(alike[pairs.choice], -1, pairs.choice)
    return pairs.choice >= 0, Told([new for _, new in pairs.values], choice)


def _counts(source: Source, positions: Positions, _: Step) -> Reading:
    counts = source.attributes.naturals(positions)
    return _each(pa.array(counts), counts >= 0)


def _numbers(source: Source, positions: Positions, step: Step) -> Reading:
    numbers = np.asarray(source.attributes.numbers(positions).fill_null(-1.0)) * step.factor
    least = numbers > 0 if step.kind is Kind.COST else numbers >= 0
    return _each(pa.array(numbers), np.isfinite(numbers) & least)


def _texts(source: Source, positions: Positions, step: Step) -> Reading:
    if step.word is None:
        spoken = source.attributes.filled(positions)
        if step.ignored is not None:
            spoken &= ~np.asarray(pc.is_in(source.attributes.strings(positions), value_set=step.ignored))
        return Held(np.where(spoken, positions, -1))
    return source.texts.mapped(positions, step.word)


def _text_lists(source: Source, positions: Positions, step: Step) -> Told:
    return source.texts.mapped(positions, lambda text: _listed(document(text) if text[:1] == "[" else text, step))


def _respelled_lists(source: Source, positions: Positions, step: Step) -> Told:
    """Return arrays for texts, and other arrays for those whose words are not today's."""
    encoded = source.attributes.member("array_value", positions).dictionary_encode()
    indices = np.asarray(encoded.indices.fill_null(-1) if encoded.indices.null_count else encoded.indices)
    told = [_respelled_list(data, step) for data in encoded.dictionary.to_pylist()]
    place = np.array([number if data is not None else -1 for number, data in enumerate(told)] + [-1], dtype=np.int64)
    choice = place[indices]
    if (indices >= 0).all():
        return Told(told, choice)
    spelled = _text_lists(source, positions, step)
    texts = np.where(spelled.choice >= 0, spelled.choice + len(told), -1)
    return Told([*told, *spelled.values], np.where(indices >= 0, choice, texts))


def _respelled_list(data: bytes, step: Step) -> bytes | None:
    told = _strings(data)
    if told is None:
        return None
    words = tuple((step.word(text) if step.word else None) or text for text in told)
    return None if words == told else array_of_texts(words)


@lru_cache(maxsize=4096)
def _strings(data: bytes) -> tuple[str, ...] | None:
    """Return the texts of an ArrayValue, None where it holds others too."""
    values = ArrayValue.FromString(data).values
    texts = tuple(value.string_value for value in values if value.WhichOneof("value") == "string_value")
    return texts if len(texts) == len(values) else None


def _flags(source: Source, positions: Positions, step: Step) -> Reading:
    if step.word is not None:
        word = step.word
        return source.texts.mapped(positions, lambda text: _FLAGS.get(str(word(text)).lower()))
    flags = source.attributes.booleans(positions)
    if not flags.null_count:
        return Held(positions)
    spelled = source.texts.mapped(positions, lambda text: _FLAGS.get(text.lower()))
    words = pa.array(spelled.values, pa.bool_()).take(optional(spelled.choice))
    flags = pc.coalesce(flags, words)
    return _each(flags, np.asarray(flags.is_valid()))


def _hosts(source: Source, positions: Positions, _: Step) -> Reading:
    return source.texts.mapped(positions, _host)


def _ports(source: Source, positions: Positions, _: Step) -> Reading:
    return source.texts.mapped(positions, lambda url: address(url)[1])


def _messages(source: Source, positions: Positions, step: Step) -> Reading:
    return source.texts.mapped(positions, lambda text: convert(text, step.role))


def _moments(source: Source, positions: Positions, _: Step) -> Reading:
    return source.texts.mapped(positions, _moment)


_READERS: Mapping[Kind, Callable[[Source, Positions, Step], Reading]] = MappingProxyType(
    {
        Kind.COUNT: _counts,
        Kind.NUMBER: _numbers,
        Kind.COST: _numbers,
        Kind.TEXT: _texts,
        Kind.TEXTS: _text_lists,
        Kind.FLAG: _flags,
        Kind.SECONDS: _numbers,
        Kind.MOMENT: _moments,
        Kind.HOST: _hosts,
        Kind.PORT: _ports,
        Kind.MESSAGES: _messages,
    }
)


def _of_value(value: Any, step: Step) -> Any:
    """Return what a value out of a document says, None where it says nothing."""
    if step.kind in _OF_TEXT:
        return _OF_TEXT[step.kind](value, step) if isinstance(value, str) and value and is_unicode(value) else None
    return _OF_VALUE[step.kind](value, step)


def _flag(value: Any, step: Step) -> bool | None:
    if isinstance(value, bool):
        return value
    return _FLAGS.get(str(step.word(value) if step.word else value).lower()) if isinstance(value, str) else None


def _scaled(value: Any, step: Step) -> float | None:
    number = _number(value)
    if number is None or number < 0 or (number == 0 and step.kind is Kind.COST):
        return None
    return number * step.factor


def _listed(value: Any, step: Step) -> bytes | None:
    texts = [
        text for text in (value if isinstance(value, list) else [value]) if isinstance(text, str) and is_unicode(text)
    ]
    words = tuple(word for text in texts if (word := step.word(text) if step.word else text))
    return array_of_texts(words) if words else None


def natural(value: Any) -> int | None:
    """Return a whole number of zero or more as which *value* can be read, None when it cannot."""
    number = _number(value)
    if number is None or number < 0 or number != int(number) or number >= _MOST:
        return None
    return value if isinstance(value, int) else int(number)


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if np.isfinite(number) else None


def _host(url: str) -> str | None:
    return address(url)[0]


def _moment(text: str) -> int | None:
    """Return the nanoseconds since 1970 of a time of day, None where it is none."""
    try:
        moment = datetime.fromisoformat(text.strip('"'))
    except ValueError:
        return None
    return int(moment.timestamp() * 1e6) * 1000 if moment.tzinfo else None


_OF_TEXT: Mapping[Kind, Callable[[str, Step], Any]] = MappingProxyType(
    {
        Kind.TEXT: lambda text, step: step.word(text) if step.word else text,
        Kind.MOMENT: lambda text, _: _moment(text),
        Kind.HOST: lambda text, _: _host(text),
        Kind.PORT: lambda text, _: address(text)[1],
    }
)
_OF_VALUE: Mapping[Kind, Callable[[Any, Step], Any]] = MappingProxyType(
    {
        Kind.COUNT: lambda value, _: natural(value),
        Kind.NUMBER: _scaled,
        Kind.COST: _scaled,
        Kind.SECONDS: _scaled,
        Kind.TEXTS: _listed,
        Kind.FLAG: _flag,
        Kind.MESSAGES: lambda value, step: convert_value(value, step.role),
    }
)


def _each(values: pa.Array, valid: npt.NDArray[np.bool_]) -> Reading:
    """Return values that are in the order of the positions already."""
    return Told(values, np.where(valid, np.arange(len(values)), -1))
