"""Native answers for clients of newer protocols, as clickhouse-go is one: Grafana's ClickHouse data source.

    what the embedded ClickHouse writes     columns, rows, then of each column: name, type, data
    what these clients read        info, columns, rows, then of each column: name, type, kind, data

What is missing are two constants. Where they go is known when the data before them has been read past. (The time zone
that a DateTime may have is not told; its instants are.)
"""

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate

import numpy as np

from exporters.clickhouse.http.handler import RefusedError

MARKED, SIZED = 54_454, 54_492
"""The protocols from which on columns say how they are serialized, and strings come without their lengths between."""

_INFO = b"\x01\x00\x02\xff\xff\xff\xff\x00"  # no overflow row, no bucket of an aggregation
_PLAIN = b"\x00"

Body = Callable[[int], None]
"""Reads past so many values."""
Column = Callable[["_Reader"], Body]
"""Reads past what stands before all values of a type."""

_WIDTHS = {
    1: ("Bool", "Enum8", "Int8", "Nothing", "UInt8"),
    2: ("BFloat16", "Date", "Enum16", "Int16", "UInt16"),
    4: ("Date32", "DateTime", "Float32", "IPv4", "Int32", "Time", "UInt32"),
    8: ("DateTime64", "Float64", "Int64", "Time64", "UInt64"),
    16: ("IPv6", "Int128", "Point", "UInt128", "UUID"),
    32: ("Int256", "UInt256"),
}
_FIXED = {name: width for width, names in _WIDTHS.items() for name in names}
_ALIASES = {
    "LineString": "Array(Point)",
    "MultiLineString": "Array(Array(Point))",
    "MultiPolygon": "Array(Array(Array(Point)))",
    "Polygon": "Array(Array(Point))",
    "Ring": "Array(Point)",
}
_TYPE = re.compile(r"(\w+)(?:\((.*)\))?\Z", re.DOTALL)
_NAMED = re.compile(r"(?:`(?:[^`\\]|\\.)*`|[\w.])+ (?=\w)")
_PART = re.compile(r"'(?:[^'\\]|\\.|'')*'|`(?:[^`\\]|\\.)*`|[(),]|[^'`(),]+", re.DOTALL)
_TEXTS, _FLAT = 1, 3  # how JSON and Dynamic may be written
_OWN_KEYS = 1 << 9  # a LowCardinality column that brings its dictionary


def marked(data: bytes) -> bytes:
    """Return *data*, Native of protocol 0, as it is from `MARKED` on; raise RefusedError where that is not known."""
    reader = _Reader(data)
    try:
        parts = list(_parts(reader, data))
    except IndexError:
        reader.at = len(data) + 1
    if reader.at > len(data):
        raise RefusedError(48, "This answer cannot be written as Native; ask for JSON or Arrow. (NOT_IMPLEMENTED)")
    return b"".join(parts)


def _parts(reader: "_Reader", data: bytes) -> Iterator[bytes]:
    while reader.at < len(data):
        start = reader.at
        columns, rows = reader.number(), reader.number()
        yield from (_INFO, data[start : reader.at])
        for _ in range(columns):
            start = reader.at
            reader.text()
            kind = reader.text()
            yield from (data[start : reader.at], _PLAIN)
            start = reader.at
            if rows:
                _column(kind)(reader)(rows)
            yield data[start : reader.at]


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data + bytes(10)  # so that what ends too early is found out at the end, not everywhere
        self.at = 0

    def number(self) -> int:
        """Read a number of as many bytes as it needs."""
        number = shift = 0
        while (byte := self.data[self.at]) >= 128:
            number |= (byte & 127) << shift
            shift += 7
            self.at += 1
        self.at += 1
        return number | byte << shift

    def word(self) -> int:
        """Read a number of eight bytes."""
        self.at += 8
        return int.from_bytes(self.data[self.at - 8 : self.at], "little")

    def text(self) -> str:
        """Read a string."""
        length = self.number()
        self.at += length
        return self.data[self.at - length : self.at].decode(errors="replace")

    def numbers(self, count: int, width: int) -> np.ndarray:
        """Read numbers of *width* bytes each."""
        start = self.at
        self.at += count * width
        return np.frombuffer(self.data[start : self.at], f"<u{width}")

    def texts(self, count: int) -> None:
        """Read past strings."""
        data, at = self.data, self.at
        for _ in range(count):
            length = data[at]
            at += 1
            if length >= 128:
                self.at = at - 1
                length = self.number()
                at = self.at
            at += length
        self.at = at


def _column(kind: str) -> Column:
    found = _TYPE.match(_ALIASES.get(kind, kind))
    name, written = (found[1], found[2] or "") if found else (kind, "")
    arguments = _split(written)
    if name in _FIXED:
        return _fixed(_FIXED[name])
    if name.startswith("Interval"):
        return _fixed(8)
    if name in _MAKERS:
        return _MAKERS[name](arguments)
    raise RefusedError(48, f"No {name} in Native here; convert it, or ask for JSON or Arrow. (NOT_IMPLEMENTED)")


def _split(written: str) -> list[str]:
    """Return what stands between the outer commas."""
    parts = _PART.findall(written)
    depth = accumulate((part == "(") - (part == ")") for part in parts)
    arguments = [""] if parts else []
    for part, level in zip(parts, depth, strict=True):
        if part == "," and not level:
            arguments.append("")
        else:
            arguments[-1] += part
    return [argument.strip() for argument in arguments]


def _fixed(width: int) -> Column:
    def open_(reader: _Reader) -> Body:
        def body(rows: int) -> None:
            reader.at += rows * width

        return body

    return open_


def _strings(_: Sequence[str]) -> Column:
    return lambda reader: reader.texts


def _decimal(arguments: Sequence[str]) -> Column:
    digits = int(arguments[0])
    return _fixed(next(width for most, width in ((9, 4), (18, 8), (38, 16), (76, 32)) if digits <= most))


def _nullable(arguments: Sequence[str]) -> Column:
    return _row_of([_fixed(1), _column(arguments[0])])


def _tuple(arguments: Sequence[str]) -> Column:
    if not arguments:
        return _fixed(1)
    return _row_of([_column(_NAMED.sub("", argument, count=1)) for argument in arguments])


def _row_of(columns: Sequence[Column]) -> Column:
    def open_(reader: _Reader) -> Body:
        bodies = [column(reader) for column in columns]

        def body(rows: int) -> None:
            for one in bodies:
                one(rows)

        return body

    return open_


def _array(inner: Column) -> Column:
    def open_(reader: _Reader) -> Body:
        values = inner(reader)

        def body(rows: int) -> None:
            if rows:
                values(int(reader.numbers(rows, 8)[-1]))

        return body

    return open_


def _low_cardinality(arguments: Sequence[str]) -> Column:
    word = arguments[0]
    keys = _column(word.removeprefix("Nullable(")[:-1] if word.startswith("Nullable(") else word)

    def open_(reader: _Reader) -> Body:
        reader.word()
        dictionary = keys(reader)

        def body(rows: int) -> None:
            if rows:
                form = reader.word()
                dictionary(reader.word() if form & _OWN_KEYS else 0)
                reader.numbers(reader.word(), 1 << (form & 255))

        return body

    return open_


def _variant(arguments: Sequence[str]) -> Column:
    columns = [_column(argument) for argument in arguments]

    def open_(reader: _Reader) -> Body:
        reader.word()
        bodies = [column(reader) for column in columns]
        return lambda rows: _chosen(reader, bodies, rows)

    return open_


def _dynamic(_: Sequence[str]) -> Column:
    def open_(reader: _Reader) -> Body:
        _expect(reader.word(), _FLAT)
        columns = [_column(kind) for kind in [reader.text() for _ in range(reader.number())]]
        bodies = [column(reader) for column in columns]
        return lambda rows: _chosen(reader, bodies, rows)

    return open_


def _chosen(reader: _Reader, bodies: Sequence[Body], rows: int) -> None:
    """Read past values that are each of one of several types, or of none."""
    counts = np.bincount(reader.numbers(rows, 1), minlength=256)
    for body, count in zip(bodies, counts.tolist(), strict=False):
        body(count)


def _json(arguments: Sequence[str]) -> Column:
    typed = [_column(_NAMED.sub("", one, count=1)) for one in arguments if _NAMED.match(one) and one[:5] != "SKIP "]

    def open_(reader: _Reader) -> Body:
        form = reader.word()
        if form == _TEXTS:
            return reader.texts
        _expect(form, _FLAT)
        paths = [reader.text() for _ in range(reader.number())]
        return _row_of([*typed, *(_dynamic(()) for _ in paths)])(reader)

    return open_


def _expect(form: int, known: int) -> None:
    if form != known:
        raise RefusedError(48, "No such Dynamic in Native here; ask for JSON or Arrow. (NOT_IMPLEMENTED)")


_MAKERS: dict[str, Callable[[Sequence[str]], Column]] = {
    "Array": lambda arguments: _array(_column(arguments[0])),
    "Decimal": _decimal,
    "Dynamic": _dynamic,
    "FixedString": lambda arguments: _fixed(int(arguments[0])),
    "JSON": _json,
    "LowCardinality": _low_cardinality,
    "Map": lambda arguments: _array(_tuple(arguments)),
    "Nested": lambda arguments: _array(_tuple(arguments)),
    "Nullable": _nullable,
    "SimpleAggregateFunction": lambda arguments: _column(arguments[1]),
    "String": _strings,
    "Tuple": _tuple,
    "Variant": _variant,
}
