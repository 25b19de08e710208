"""The one thing that flows: columns of one signal, with a name that says what arrived.

    Batch(id, signal, tables)
      traces   spans ───resource──> resources
                 └──────scope─────> scopes
      metrics  points ──resource──> resources
                 ├──────scope─────> scopes
                 └──────metric────> metrics
      logs     records ─resource──> resources
                 └──────scope─────> scopes
      rollups  rollups

Rows are never Python objects here; a table is an Arrow record batch whose columns `collector.schema` declares.
"""

import json
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache, lru_cache
from types import MappingProxyType
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from collector.schema import TABLES
from collector.scratch import Scratch

T = TypeVar("T")

_HEADER = struct.Struct("<4sII")  # magic, CRC-32 of all that follows, length of the head
_MAGIC = b"GCB2"
_SCRATCH = Scratch()
_NOTHING: Mapping[Any, Any] = MappingProxyType({})


class Signal(StrEnum):
    """Names what the rows of a batch are."""

    TRACES = "traces"
    METRICS = "metrics"
    LOGS = "logs"
    ROLLUPS = "rollups"


MAIN_TABLE: Mapping[Signal, str] = MappingProxyType(
    {
        Signal.TRACES: "spans",
        Signal.METRICS: "points",
        Signal.LOGS: "records",
        Signal.ROLLUPS: "rollups",
    }
)
"""The table whose rows are the items of a signal; every other table is one it refers to by row number."""

UNITS: Mapping[Signal, str] = MappingProxyType(
    {
        Signal.TRACES: "spans",
        Signal.METRICS: "metric_points",
        Signal.LOGS: "log_records",
        Signal.ROLLUPS: "rollups",
    }
)
"""What the collector's own metrics call the items of a signal, as the OpenTelemetry Collector's do."""


def content_id(*parts: bytes) -> str:
    """Return the 32 hex digits that name these bytes: equal bytes, equal name."""
    digest = xxhash.xxh3_128()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()


class _Late(Mapping[str, pa.RecordBatch]):
    """Is tables of which one has a column that is made once somebody asks for that table.

    Several steps may change a column one after the other; only what comes out of the last is made.
    """

    def __init__(
        self, early: Mapping[str, pa.RecordBatch], table: str, column: str, make: Callable[[], pa.Array]
    ) -> None:
        self.early = early
        """The tables with the column as it was before, once it is made as it is."""
        self.column = column
        self._table = table
        self._make: Callable[[], pa.Array] | None = make

    def __getitem__(self, name: str) -> pa.RecordBatch:
        make = self._make
        if name == self._table and make is not None:
            table = self.early[name]
            place = table.schema.get_field_index(self.column)
            made = table.set_column(place, table.schema.field(place), make())
            self.early, self._make = {**self.early, name: made}, None
        return self.early[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.early)

    def __len__(self) -> int:
        return len(self.early)


@dataclass(frozen=True, slots=True)
class Batch:
    """Immutable columns of one signal.

    *id* is the hash of the bytes that arrived; a derived batch has a repeatable id made from its parent's,
    so that a request sent twice gives equal ids all the way. *members* are the ids of the single requests, where a
    batch was made of several that came at the same time. Tables other than the main one are referred to
    by row number from the int32 column of the main table named like the table without its final ``s``.
    """

    id: str
    signal: Signal
    tables: Mapping[str, pa.RecordBatch]
    members: tuple[str, ...] = ()
    _memo: dict[Any, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def main(self) -> pa.RecordBatch:
        """The rows that count as items: spans, points, records or rollups."""
        return self.tables[MAIN_TABLE[self.signal]]

    @property
    def rows(self) -> int:
        """How many items the batch holds."""
        return int(self._early[MAIN_TABLE[self.signal]].num_rows)

    def column(self, name: str) -> pa.Array:
        """Return one column of the items: that of `main`, without having a late one made for it."""
        tables = self.tables
        early = tables if isinstance(tables, _Late) and tables.column == name else self._early
        return early[MAIN_TABLE[self.signal]].column(name)

    @property
    def _early(self) -> Mapping[str, pa.RecordBatch]:
        return self.tables.early if isinstance(self.tables, _Late) else self.tables

    @property
    def requests(self) -> tuple[str, ...]:
        """The ids of the requests that it was made of: its own, if it was made of one."""
        return self.members or (self.id,)

    @property
    def nbytes(self) -> int:
        """Bytes of memory that its columns keep alive, whole buffers counted."""
        return sum(int(table.get_total_buffer_size()) for table in self.tables.values())

    def memo(self, make: Callable[["Batch"], T]) -> T:
        """Return ``make(self)``, computed once: batches never change, so neither does what follows from them."""
        if make not in self._memo:
            self._memo[make] = make(self)
        result: T = self._memo[make]
        return result

    def with_main(self, main: pa.RecordBatch, memo: Mapping[Callable[["Batch"], Any], Any] = _NOTHING) -> "Batch":
        """Return the same batch with other columns for the same items; the id stays.

        *memo* is what is known of the new batch already: what `memo` shall return.
        """
        return Batch(self.id, self.signal, {**self.tables, MAIN_TABLE[self.signal]: main}, self.members, dict(memo))

    def with_late(
        self, column: str, make: Callable[[], pa.Array], memo: Mapping[Callable[["Batch"], Any], Any]
    ) -> "Batch":
        """Return the same batch with another *column* for the same items, which *make* makes if somebody wants it."""
        tables = self.tables
        early = tables.early if isinstance(tables, _Late) and tables.column == column else tables
        late = _Late(early, MAIN_TABLE[self.signal], column, make)
        return Batch(self.id, self.signal, late, self.members, dict(memo))

    def derive(self, name: str, signal: Signal, tables: Mapping[str, pa.RecordBatch]) -> "Batch":
        """Return a new batch made from this one by the step called *name*; its id repeats when this one's does."""
        end = b"/" + name.encode()
        members = tuple(content_id(member.encode(), end) for member in self.members)
        return Batch(content_id(self.id.encode(), end), signal, tables, members)

    def take(self, rows: Sequence[int]) -> "Batch":
        """Return only the given items, in the given order, as a derived batch."""
        index = pa.array(rows, pa.int64())
        tables = {**self.tables, MAIN_TABLE[self.signal]: self.main.take(index)}
        return self.derive("take:" + content_id(index.buffers()[1] or b""), self.signal, tables)

    def dump(self) -> bytes:
        """Return the batch as bytes that `load` understands: a JSON head, then each table's schema and columns."""
        pieces: list[Any] = []
        sizes: dict[str, tuple[int, int, int]] = {}
        for name, table in self.tables.items():
            schema = _schema_bytes(name, table.schema)
            with _SCRATCH.serialized(table) as plain:
                packed = _compressor().compress(plain)
                sizes[name] = (len(schema), packed.size, plain.size)
            pieces += [schema, packed]
        head = json.dumps({"id": self.id, "signal": self.signal, "tables": sizes}, separators=(",", ":")).encode()
        check = 0
        for piece in (head, *pieces):
            check = zlib.crc32(piece, check)
        return b"".join([_HEADER.pack(_MAGIC, check, len(head)), head, *pieces])

    @classmethod
    def load(cls, body: bytes) -> "Batch":
        """Return the batch that `dump` wrote; raise ValueError when the bytes are not exactly those."""
        if len(body) < _HEADER.size or not body.startswith(_MAGIC):
            raise ValueError("not a dumped batch: wrong magic number")
        _, check, head_size = _HEADER.unpack_from(body)
        rest = memoryview(body)[_HEADER.size :]
        if zlib.crc32(rest) != check:
            raise ValueError("damaged batch: wrong checksum")
        head = json.loads(bytes(rest[:head_size]))
        tables = {}
        start = head_size
        for name, (schema_size, packed_size, plain_size) in head["tables"].items():
            middle, end = start + schema_size, start + schema_size + packed_size
            plain = _compressor().decompress(rest[middle:end], plain_size)
            tables[name] = pa.ipc.read_record_batch(plain, _schema_of(bytes(rest[start:middle])))
            start = end
        return cls(head["id"], Signal(head["signal"]), tables)


def concat(batch_id: str, batches: Sequence[Batch]) -> Batch:
    """Return the items of several batches of one signal as one batch, references between tables kept right."""
    signal = batches[0].signal
    main_name = MAIN_TABLE[signal]
    if len(batches) == 1:
        return Batch(batch_id, signal, batches[0].tables, _memo=batches[0]._memo)
    tables = {
        name: _concat_tables([batch.tables[name] for batch in batches])
        for name in batches[0].tables
        if name != main_name
    }
    mains = [batch.main for batch in batches]
    for name in tables:
        mains = list(_shift(mains, name.removesuffix("s"), [batch.tables[name].num_rows for batch in batches]))
    return Batch(batch_id, signal, {**tables, main_name: _concat_tables(mains)})


def _shift(mains: Iterable[pa.RecordBatch], column: str, sizes: Sequence[int]) -> Iterable[pa.RecordBatch]:
    """Yield the tables with the row numbers in *column* moved past the rows of the earlier batches."""
    offset = 0
    for main, size in zip(mains, sizes, strict=True):
        moved = pc.add(main.column(column), pa.scalar(offset, pa.int32()))
        yield main.set_column(main.schema.get_field_index(column), main.schema.field(column), moved)
        offset += size


def _concat_tables(tables: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
    return pa.concat_batches(tables)


def _schema_bytes(name: str, schema: pa.Schema) -> bytes:
    """Return the schema as `_schema_of` reads it; that of the known tables is written once and for all."""
    known = TABLES.get(name)
    return _known_schema(name) if known is not None and schema.equals(known) else _packed_schema(schema)


@cache
def _known_schema(name: str) -> bytes:
    return _packed_schema(TABLES[name])


def _packed_schema(schema: pa.Schema) -> bytes:
    plain = schema.serialize()
    return struct.pack("<I", plain.size) + bytes(_compressor().compress(plain, asbytes=True))


@lru_cache(maxsize=64)
def _schema_of(packed: bytes) -> pa.Schema:
    plain = _compressor().decompress(packed[4:], struct.unpack("<I", packed[:4])[0])
    return pa.ipc.read_schema(plain)


def _compressor() -> pa.Codec:
    # Not shared: nothing says that a codec may be used by two threads at once.
    return pa.Codec("lz4_raw")
