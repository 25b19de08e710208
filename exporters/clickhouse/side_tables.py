"""What of the side tables still has to be stored: nearly every batch names the same keys, values and resources.

    rows of a batch ──> without crowded keys ──> without what was stored lately ──> stored ──> remembered

Side tables tell readers what there is; they hold each row once however often it is stored, and forget it some days
after it was stored last. So a row is skipped while it was stored in the last hours, and only while this process knows
that it was: what is remembered is lost with the process and given up after every failure.

That makes the rows of a batch depend on what came before it, and a batch that is tried again may need others than at
the first try. Nothing is lost by that: a row is skipped only if it is in the table, and `deliver` names other rows by
another token, so that ClickHouse never takes them for those of the first try.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from collector.errors import Retryable
from exporters.clickhouse.client import Connection
from exporters.clickhouse.columns import Ints
from exporters.clickhouse.insert import Insert, Unstorable

REFRESH_SECONDS = 4 * 3600
"""Rows are stored again after this long; the tables forget them after a day at the earliest."""
MOST_REMEMBERED = 1 << 17
"""Rows remembered per table, 8 bytes each; when there are more, all are forgotten and stored once again."""

MOST_VALUES = 25_000
"""Keys with more distinct values than this in `CROWD_SECONDS` are not offered: nobody picks from so many."""
CROWD_SECONDS = 6 * 3600
CROWD_REFRESH_SECONDS = 600

_TAG = ("tag_key", "tag_type", "tag_data_type")

_SPREAD = np.uint64(0x9E3779B97F4A7C15)
_HALF = np.uint64(32)


class SideTables:
    """Leaves out of inserts what need not be stored again; used by one thread."""

    def __init__(self, clock: Callable[[], float], log: Any) -> None:
        self._clock = clock
        self._log = log
        self._recent: dict[str, _Recent] = {}
        self._crowded: dict[str, _Crowded] = {}

    def due(self, connection: Connection, inserts: Iterable[Insert | Unstorable]) -> Iterator[Insert | Unstorable]:
        """Yield the inserts with the rows that have to be stored.

        Asking for the next one says that the one before is stored.
        """
        for insert in inserts:
            if isinstance(insert, Unstorable) or not insert.lasting:
                yield insert
                continue
            rows = self._without_crowded(connection, insert)
            marks = _marks(rows)
            recent = self._recent.setdefault(insert.table, _Recent(self._clock()))
            new = recent.unknown(marks, self._clock())
            if new.any():
                yield replace(insert, rows=rows.filter(pa.array(new)))
                recent.add(marks[new])

    def forget(self) -> None:
        """Store everything again: the tables may have lost it."""
        self._recent.clear()
        self._crowded.clear()

    def _without_crowded(self, connection: Connection, insert: Insert) -> pa.RecordBatch:
        rows = insert.rows
        if not set(_TAG) <= set(rows.schema.names):
            return rows
        crowded = self._crowded.setdefault(insert.table, _Crowded())
        if not crowded.since <= self._clock() < crowded.since + CROWD_REFRESH_SECONDS:
            crowded.since = self._clock()
            try:
                crowded.tags = _crowded_tags(connection, insert.table, self._clock())
            except Retryable as error:
                # Whoever may insert may not be allowed to ask. Too many values on offer are no reason to keep spans.
                self._log.warning("Cannot count the values of keys", table=insert.table, reason=str(error))
        if not len(crowded.tags):
            return rows
        return rows.filter(pc.invert(pc.is_in(_texts(rows, _TAG), crowded.tags)))


@dataclass
class _Recent:
    """The marks of the rows of one table that were stored since a time, in ascending order."""

    since: float
    marks: Ints = field(default_factory=lambda: np.zeros(0, np.int64))

    def unknown(self, marks: Ints, now: float) -> Any:
        """Return a mask of the marks that are not here."""
        if not self.since <= now < self.since + REFRESH_SECONDS:
            self.since, self.marks = now, np.zeros(0, np.int64)
        if not len(self.marks):
            return np.ones(len(marks), np.bool_)
        # Neighbours are found in neighbouring memory.
        order = np.argsort(marks)
        ordered = marks[order]
        places = np.searchsorted(self.marks, ordered)
        unknown = np.empty(len(marks), np.bool_)
        unknown[order] = self.marks[np.minimum(places, len(self.marks) - 1)] != ordered
        return unknown

    def add(self, marks: Ints) -> None:
        """Remember marks that were not here."""
        if len(self.marks) + len(marks) > MOST_REMEMBERED:
            self.marks = np.zeros(0, np.int64)
        marks = np.sort(marks[:MOST_REMEMBERED])
        self.marks = np.insert(self.marks, np.searchsorted(self.marks, marks), marks)


@dataclass
class _Crowded:
    """The tags of one table with too many values, as of a time."""

    since: float = -np.inf
    tags: pa.StringArray = field(default_factory=lambda: pa.array([], pa.string()))


def _crowded_tags(connection: Connection, table: str, now: float) -> pa.StringArray:
    names = ", ".join(_TAG)
    found = connection.rows(
        f"SELECT {names} FROM {table} WHERE unix_milli >= {int(now - CROWD_SECONDS) * 1000} GROUP BY {names}"
        f" HAVING uniq(string_value) > {MOST_VALUES} OR uniq(number_value) > {MOST_VALUES}"
    )
    columns = [pa.array([row[index] for row in found], pa.string()) for index in range(len(_TAG))]
    return _texts(pa.RecordBatch.from_arrays(columns, list(_TAG)), _TAG)


def _marks(rows: pa.RecordBatch) -> Ints:
    """Return one number per row made of all columns: other values, other number."""
    marks = np.zeros(rows.num_rows, np.uint64)
    for column in rows.columns:
        marks = (marks ^ _numbers(column)) * _SPREAD
        marks ^= marks >> _HALF
    return marks.view(np.int64)


def _numbers(column: pa.Array) -> npt.NDArray[np.uint64]:
    """Return one number per value: the same for equal ones, another for others."""
    if column.null_count:
        present = np.asarray(column.is_valid())
        numbers = np.full(len(column), _SPREAD)
        numbers[present] = _numbers(column.drop_null())
        return numbers
    if pa.types.is_int64(column.type) or pa.types.is_float64(column.type):
        bits: npt.NDArray[np.uint64] = np.asarray(column).view(np.uint64)
        return bits
    if not pa.types.is_dictionary(column.type):
        column = pc.dictionary_encode(column)
    texts = column.dictionary.cast(pa.string()).to_pylist()
    distinct = np.array([hash(text) for text in texts], np.int64).view(np.uint64)
    indices: npt.NDArray[np.int64] = np.asarray(column.indices)
    return distinct[indices]


def _texts(rows: pa.RecordBatch, columns: Iterable[str]) -> pa.StringArray:
    """Return one text per row made of the columns: other values, other text."""
    texts = [pc.fill_null(rows.column(name).cast(pa.string()), "") for name in columns]
    return pc.binary_join_element_wise(*texts, "\0")
