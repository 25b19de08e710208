"""Storing the rows of one batch, each once, except those that ClickHouse can never take.

    insert ──> rows that would die at once are refused
           ──> groups of days ──> stored, or halved until only the refused rows are left

Every part has a token made from the batch's id and the place of its rows, so that a replay repeats the same tokens.
Which rows of a side table a batch brings may change from one try to the next; their token is made from their content
too, so that ClickHouse drops what it has and nothing else.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from collector.batch import content_id
from collector.errors import Permanent
from exporters.clickhouse.client import Connection
from exporters.clickhouse.errors import RowError
from exporters.clickhouse.insert import Insert, Unstorable

MOST_DAYS = 100
"""Partitions that one insert may touch (ClickHouse's max_partitions_per_insert_block); ours are days or longer."""

_DAY = 86_400
_LAST_DAY = 49_709
"""The last day since 1970 that ends half an hour before ClickHouse's clock does. SigNoz keeps some rows so much longer.
A row that should live longer is gone at once, as that clock (DateTime) starts anew in 1970."""
_FEW_SECONDS = 65_536  # ClickHouse's toDate() takes a number below it for days
_PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
_TIME_COLUMNS: Mapping[str, str] = {
    "timestamp": "ns",
    "seen_at_ts_bucket_start": "s",
    "unix_milli": "ms",
    "last_reported_unix_milli": "ms",
    "time": "s",
}
"""The columns that decide the partition, and their unit where they are plain numbers."""


@dataclass
class Refusals:
    """Collects the rows that ClickHouse can never store."""

    rows: set[int] = field(default_factory=set)
    """Row numbers of the batch's items."""
    reason: str = ""
    side_rows: int = 0
    """How many rows of side tables were left out."""

    def add(self, insert: Insert, rows: Iterable[int], reason: str) -> None:
        """Take note of some rows of an insert."""
        self.reason = self.reason or reason
        if insert.sources is None:
            self.side_rows += sum(1 for _ in rows)
        else:
            self.rows.update(int(insert.sources[row]) for row in rows)


def deliver(
    connection: Connection, batch_id: str, inserts: Iterable[Insert | Unstorable], lifetime: int = 0
) -> Refusals:
    """Store every row that can be stored for *lifetime* days and return the others.

    Raises Retryable when ClickHouse cannot be used now.
    """
    refusals = Refusals()
    for insert in inserts:
        if isinstance(insert, Unstorable):
            refusals.reason = refusals.reason or insert.reason
            refusals.rows.update(insert.sources.tolist())
            continue
        name = f"{batch_id}:{insert.table}"
        if insert.sources is None:
            name = f"{name}:{insert.content or _content(insert.rows)}"
        days = _days(insert.rows)
        if days is not None and (late := np.flatnonzero(days > _LAST_DAY - lifetime)).size:
            refusals.add(insert, late, _too_late(lifetime))
        for part, index in _groups(days, insert.rows.num_rows, _LAST_DAY - lifetime):
            rows = insert.rows if index is None else insert.rows.take(pa.array(index))
            for number, reason in _refused(connection, insert.table, rows, f"{name}{part}"):
                refusals.add(insert, [number if index is None else int(index[number])], reason)
    return refusals


def _too_late(lifetime: int) -> str:
    return (
        f"a time {lifetime} days before the end of ClickHouse's clock (February 2106) or later: ClickHouse would delete"
        " the row at once; put the clock of the sender right"
    )


def permanent(refusals: Refusals) -> Permanent:
    """Return the error that names the refused items of a batch whose other items are stored."""
    return Permanent(refusals.reason, rows=sorted(refusals.rows))


def _content(rows: pa.RecordBatch) -> str:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema) as writer:
        writer.write_batch(rows)
    return content_id(sink.getvalue())


def _groups(
    days: npt.NDArray[np.int64] | None, count: int, last: int
) -> Iterator[tuple[str, npt.NDArray[np.int64] | None]]:
    """Yield parts of at most `MOST_DAYS` days up to *last* as (name of the part, row numbers); None stands for all."""
    if count == 0:
        return
    if days is None or (np.ptp(days) < MOST_DAYS and days.max() <= last):
        yield "", None
        return
    kept = days <= last
    distinct = np.unique(days[kept])
    if len(distinct) > MOST_DAYS:
        for first in range(0, len(distinct), MOST_DAYS):
            group = distinct[first : first + MOST_DAYS]
            yield f":{group[0]}", np.flatnonzero((days >= group[0]) & (days <= group[-1]))
    elif kept.all():
        yield "", None
    elif kept.any():
        yield "", np.flatnonzero(kept)


def _days(rows: pa.RecordBatch) -> npt.NDArray[np.int64] | None:
    for name, unit in _TIME_COLUMNS.items():
        if name in rows.schema.names:
            column = rows.column(name)
            if pa.types.is_timestamp(column.type):
                return np.asarray(column.view(pa.int64())) // (_DAY * _PER_SECOND[column.type.unit])
            numbers = np.asarray(column) // _PER_SECOND[unit]
            # The keys of tables with milliseconds take a small number of seconds for that of a day.
            few = (numbers < _FEW_SECONDS) & (unit == "ms")
            return np.where(few, numbers.astype(np.int64) - _FEW_SECONDS, numbers // _DAY).astype(np.int64)
    return None


def _refused(connection: Connection, table: str, rows: pa.RecordBatch, token: str) -> Sequence[tuple[int, str]]:
    """Store *rows* and return (row number, reason) of those that cannot be."""
    try:
        connection.insert(table, rows, token)
    except RowError as error:
        if rows.num_rows == 1:
            return [(0, str(error))]
    else:
        return []
    half = rows.num_rows // 2
    first = _refused(connection, table, rows.slice(0, half), f"{token}/0")
    second = _refused(connection, table, rows.slice(half), f"{token}/1")
    return [*first, *((half + number, reason) for number, reason in second)]
