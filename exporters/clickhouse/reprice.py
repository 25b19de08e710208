"""Computing past cost again: new prices times the tokens that rollup rows hold, and the difference as rows of its own.

    rows of a day, added up ──> cost by these prices ──> minus what is stored ──> rows that hold the difference

Rollup rows are never rewritten. What was priced by the same prices before gives no difference, so a second run changes
nothing, and neither does one that was interrupted and is run again.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple
from uuid import uuid4

import pyarrow as pa

from collector.prices import PriceBook, Quantities, nanodollars
from collector.schema import ROLLUP_DIMENSIONS, ROLLUP_MAPS, ROLLUP_SUMS, ROLLUPS
from exporters.clickhouse.client import Connection
from exporters.clickhouse.rollups import TABLE

_TOKENS = ("input", "cache_read", "cache_write", "cache_write_1h", "output", "reasoning")
_COST = ("cost_nano_usd", "cost_nano_usd_calls", "priced_calls")
_SUMS = ("calls", "usage_calls", *(f"{name}_tokens" for name in _TOKENS), *_COST)


class Change(NamedTuple):
    """Is what a model's calls cost before and after, in 10^-9 USD; None where that is known of none of them."""

    calls: int = 0
    before: int | None = None
    after: int | None = None

    @property
    def difference(self) -> int:
        """How much more they cost than before, what is unknown taken for nothing."""
        return (self.after or 0) - (self.before or 0)

    def plus(self, other: "Change") -> "Change":
        """Return both added up."""
        return Change(self.calls + other.calls, _sum(self.before, other.before), _sum(self.after, other.after))


def reprice(
    connection: Connection, book: PriceBook, start: datetime, end: datetime, *, dry_run: bool
) -> Mapping[tuple[str, str], Change]:
    """Price the calls of [*start*, *end*) anew and return what changes, by provider and model.

    A model that has no price keeps the cost it has. Nothing is stored on a *dry_run*.
    """
    changes: defaultdict[tuple[str, str], Change] = defaultdict(Change)
    for day, first, last in _days(start, end):
        corrections: list[Mapping[str, Any]] = []
        for row in _rows(connection, first, last):
            change, correction = _priced(row, book, day)
            model = (row["provider"], row["model"])
            changes[model] = changes[model].plus(change)
            corrections += correction
        if corrections and not dry_run:
            rows = pa.RecordBatch.from_pylist(corrections, schema=ROLLUPS)
            connection.insert(TABLE, rows, f"reprice:{day}:{uuid4().hex}")
    return changes


def _sum(one: int | None, other: int | None) -> int | None:
    return one if other is None else other if one is None else one + other


def _days(start: datetime, end: datetime) -> Iterator[tuple[date, datetime, datetime]]:
    """Yield each day of a time range with the part of it that lies in the range."""
    while start < end:
        midnight = datetime.combine(start.date() + timedelta(days=1), datetime.min.time(), UTC)
        last = min(midnight, end)
        yield start.date(), start, last
        start = last


def _rows(connection: Connection, first: datetime, last: datetime) -> Iterator[Mapping[str, Any]]:
    names = ("time", *ROLLUP_DIMENSIONS, *_SUMS)
    summed = ", ".join(f"sum({name}) AS {name}" for name in _SUMS)
    found = connection.rows(
        f"SELECT toUnixTimestamp(r.time) AS time, {', '.join(ROLLUP_DIMENSIONS)}, {summed} FROM {TABLE} AS r"
        f" WHERE r.time >= {int(first.timestamp())} AND r.time < {int(last.timestamp())} GROUP BY ALL"
    )
    for row in found:
        yield dict(zip(names, row, strict=True))


def _priced(row: Mapping[str, Any], book: PriceBook, day: date) -> tuple[Change, Sequence[Mapping[str, Any]]]:
    """Return what changes for the calls of one row, and the row that makes it so."""
    stored, counted, priced = (int(row[name]) for name in _COST)
    known = stored if counted else None
    unchanged = Change(int(row["calls"]), known, known)
    used = int(row["usage_calls"])
    models = tuple(dict.fromkeys(name for name in (row["response_model"], row["request_model"]) if name))
    price = book.price(row["provider"], models, row["service_tier"], day.isoformat())
    if price is None or not used:
        return unchanged, []
    rates = price.rates[price.step(int(row["context_band"] or 0) + 1)]
    cost = nanodollars(Quantities(*(int(row[f"{name}_tokens"]) for name in _TOKENS)), rates)
    # Each call was rounded to a whole nanodollar, and a sum of them is rounded once.
    if counted == priced == used and abs(cost - stored) <= counted // 2 + 1:
        return unchanged, []
    difference = {
        "time": datetime.fromtimestamp(int(row["time"]), UTC),
        **{name: row[name] for name in ROLLUP_DIMENSIONS},
        **dict.fromkeys(ROLLUP_SUMS, 0),
        **{name: [] for name in ROLLUP_MAPS},
        "cost_nano_usd": cost - stored,
        "cost_nano_usd_calls": used - counted,
        "priced_calls": used - priced,
    }
    return Change(int(row["calls"]), known, cost), [difference]
