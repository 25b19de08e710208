"""Counting calls that no spans tell of: from metrics and log events, never from two signals at once.

points ──> readings ──> differences ──> exports ──> claims ─┐
records ────────────────────> events ─────────────> claims ─┼──> choice ──> what to add, what to take out again
spans ────────────────────────────────────────────> covers ─┘
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from collector.batch import Batch
from processors.rollup.call_table import call_table
from processors.rollup.calls import Calls, Numbers, places_of
from processors.rollup.grouping import Limits, entries_of, rollups_of
from processors.rollup.series.amounts import Amounts, Change, Row, amounts_of, rows_of
from processors.rollup.series.choice import ANY, Choice, ClaimKey, Cover, covers_of_spans
from processors.rollup.series.differences import Growth, Last, growth_of
from processors.rollup.series.events import Events, Told
from processors.rollup.series.exports import Grown, amounts_told
from processors.rollup.series.ledger import Ledger
from processors.rollup.series.notes import Note, dump, load
from processors.rollup.series.readings import Reading, Source, readings_of
from processors.rollup.series.sources import sources

__all__ = ["MARK", "Memory", "Series"]

MARK = b"series/1\0"
"""What notes begin with."""

_NANO = 10**9
_LAST = np.iinfo(np.int64).max


class Memory(NamedTuple):
    """Says how much is remembered: seconds for series and covers, and for claims; most series and claims."""

    forget_after: float
    take_back: float
    max_series: int
    reported_cost: bool


class Series:
    """Remembers series, claims and what covers them, and tells what is to be counted."""

    def __init__(self, memory: Memory, limits: Limits) -> None:
        self._memory = memory
        self._limits = limits
        self._reach = int(memory.forget_after * _NANO)
        self._ledger = Ledger()
        self._choice = Choice(self._ledger, self._reach)
        self._series: dict[int, Last] = {}
        self._seen: dict[int, float] = {}
        self._lasting, self._passing = Note(), Note()
        self.refused = 0
        """Points of series that were not counted since too many are remembered."""

    def __len__(self) -> int:
        """Return how many series are remembered."""
        return len(self._series)

    def undo(self) -> None:
        """Take back what was learned last."""
        self._ledger.rollback()

    def notes(self, now: float) -> Iterable[tuple[bytes, float]]:
        """Yield what is to be written down about the batch in hand, and until when."""
        for note, until in (
            (self._lasting, now + 2 * self._memory.forget_after),
            (self._passing, now + self._memory.take_back),
        ):
            if not note.is_empty:
                yield MARK + dump(note), until

    def restore(self, notes: Iterable[bytes]) -> None:
        """Learn again what was written down."""
        for data in notes:
            note = load(data.removeprefix(MARK))
            for key, last in note.series:
                self._ledger.put(self._series, key, last)
            for cover, covered in note.covers:
                self._choice.put(cover, covered)
            for claim, value in note.claims:
                if value is None:
                    self._ledger.drop(self._choice.claims, claim)
                else:
                    self._ledger.put(self._choice.claims, claim, value)
            for key, seen in note.seen:
                self._ledger.put(self._seen, key, seen)
            self._ledger.begin()

    def spans(self, batch: Batch, calls: Calls, now: float) -> pa.RecordBatch | None:
        """Take in the calls that spans tell of, and return the rows of what is to be taken out."""
        self._begin(now)
        scopes = [_group_of(name) for name in batch.tables["scopes"].column("name").to_pylist()]
        owner = np.asarray(batch.column("scope"))[calls.rows]
        which, member = np.unique(calls.resource.astype(np.int64) * len(scopes) + owner, return_inverse=True)
        starts = calls.start.astype(np.int64)
        first = np.full(len(which), _LAST)
        last = np.zeros(len(which), dtype=np.int64)
        np.minimum.at(first, member, starts)
        np.maximum.at(last, member, starts)
        places = batch.memo(places_of)
        services = [places.words[code] for code in places.codes[0].tolist()]
        news = set()
        for code, since, until in zip(which.tolist(), first.tolist(), last.tolist(), strict=True):
            source = Source(services[code // len(scopes)], scopes[code % len(scopes)])
            for cover in covers_of_spans(source):
                news |= self._cover(cover, since, until, now)
        return self._rows(self._voided(news))

    def points(self, batch: Batch, now: float) -> pa.RecordBatch | None:
        """Take in the points of a batch, and return the rows of what is to be counted or taken out."""
        self._begin(now)
        grown = []
        for reading in readings_of(batch, self._limits.max_value_length):
            growth = self._growth(reading, now)
            if growth is not None and (reading.rule.feeds != "cost" or self._memory.reported_cost):
                grown.append(Grown(reading, self._key(reading, growth), growth))
        news = set()
        for _, key, _ in grown:
            news |= self._cover(key.cover, key.since, key.until, now)
        changes = self._voided(news)
        for key, amounts in amounts_told(grown):
            changes += self._claim(key, amounts, now)
        return self._rows(changes)

    def records(self, batch: Batch, now: float) -> pa.RecordBatch | None:
        """Take in the log events of a batch, and return the rows of what is to be counted or taken out."""
        self._begin(now)
        changes: list[Change] = []
        events = Events(batch)
        for told in events.told():
            fresh = told._replace(rows=self._unseen(events, told, now))
            calls = events.calls(fresh) if len(fresh.rows) else None
            if calls is not None:
                entries = entries_of(calls, events.places, np.ones(len(calls.rows), dtype=bool))
                changes += self._happened(told, rollups_of(entries, call_table().classes, self._limits), now)
        return self._rows(changes)

    def _begin(self, now: float) -> None:
        """Let the last batch stand, and forget what is out of date."""
        self._ledger.begin()
        self._lasting, self._passing = Note(), Note()
        self.refused = 0
        while self._series:
            key = next(iter(self._series))
            if self._series[key].seen > now - self._memory.forget_after:
                break
            del self._series[key]
        while self._seen:
            key = next(iter(self._seen))
            if self._seen[key] > now - self._memory.take_back and len(self._seen) <= self._memory.max_series:
                break
            del self._seen[key]
        self._choice.expire(now, 2 * self._memory.forget_after, self._memory.max_series)

    def _cover(self, cover: Cover, since: int, until: int, now: float) -> set[str]:
        """Let *cover* tell of the time between, and return the services for which that is news."""
        if not self._choice.cover(cover, since, until, now):
            return set()
        self._lasting.covers.append((cover, self._choice.covered[cover]))
        return {cover.source.service}

    def _voided(self, services: set[str]) -> list[Change]:
        if not services:
            return []
        gone = self._choice.void(services)
        self._passing.claims.extend((key, None) for key in gone)
        return [Change(-1, key.row, claim.amounts) for key, claim in gone.items()]

    def _claim(self, key: ClaimKey, amounts: Amounts, now: float) -> list[Change]:
        change = self._choice.claim(key, amounts, now + self._memory.take_back)
        if change is None:
            return []
        self._passing.claims.append((key, self._choice.claims[key]))
        return [change]

    def _growth(self, reading: Reading, now: float) -> Growth | None:
        moment = reading.moment
        if reading.delta:
            return (
                Growth(moment.start or moment.time, moment.time, moment.value)
                if self._is_new(moment.key, now)
                else None
            )
        last = self._series.get(moment.key)
        if last is None and len(self._series) >= self._memory.max_series:
            self.refused += 1
            return None
        if last is not None and moment.time <= last.time:
            return None
        growth = growth_of(moment, last, self._reach)
        noted = now
        if last is not None and last.value == moment.value and now - last.noted < self._memory.forget_after / 4:
            noted = last.noted
        kept = Last(moment.time, moment.value, now, noted)
        self._ledger.put(self._series, moment.key, kept)
        if noted == now:
            self._lasting.series.append((moment.key, kept))
        return growth

    def _is_new(self, key: int, now: float) -> bool:
        if key in self._seen:
            return False
        self._ledger.put(self._seen, key, now)
        self._passing.seen.append((key, now))
        return True

    def _key(self, reading: Reading, growth: Growth) -> ClaimKey:
        rule = reading.rule
        measure = reading.columns[0] if reading.columns else rule.feeds
        interval = self._limits.interval
        slot = max(growth.until - 1, 0) // (interval * _NANO) * interval
        besides = reading.lossy.unless if reading.lossy else None
        row = Row(slot, reading.dimensions)
        return ClaimKey(Cover(reading.source, measure, rule.rank), growth.since, growth.until, besides, row)

    def _unseen(self, events: Events, told: Told, now: float) -> Numbers:
        """Return the rows of events that did not come before; all that spans cover need no second look."""
        services = {events.places.words[code] for code in self._services(events, told)}
        times = events.times[told.rows].astype(np.int64)
        if len(times) and all(self._is_covered(Source(one, told.group), times) for one in services):
            return told.rows[:0]
        fresh = [self._is_new(key, now) for key in events.keys(told.rows)]
        unseen: Numbers = told.rows[np.array(fresh, dtype=bool)]
        return unseen

    @staticmethod
    def _services(events: Events, told: Told) -> Sequence[int]:
        resources = np.unique(np.asarray(events.batch.column("resource"))[told.rows])
        codes: Sequence[int] = events.places.codes[0, resources].tolist()
        return codes

    def _is_covered(self, source: Source, times: Numbers) -> bool:
        covered = self._choice.covered.get(covers_of_spans(source)[0])
        first, last = int(times.min()), int(times.max())
        return covered is not None and any(since <= first and last < until for since, until in covered.spans)

    def _happened(self, told: Told, rollups: pa.RecordBatch, now: float) -> list[Change]:
        """Claim the rows of log events, each for the whole slot."""
        claims = []
        for row, amounts in amounts_of(rollups):
            cover = Cover(Source(row.dimensions[0], told.group), ANY, told.rule.rank)
            since = row.slot * _NANO
            key = ClaimKey(cover, since, since + self._limits.interval * _NANO - 1, None, row)
            claims.append((key, amounts))
        news = set()
        for key, _ in claims:
            news |= self._cover(key.cover, key.since, key.until, now)
        changes = self._voided(news)
        for key, amounts in claims:
            changes += self._claim(key, amounts, now)
        return changes

    @staticmethod
    def _rows(changes: list[Change]) -> pa.RecordBatch | None:
        rows = rows_of(changes) if changes else None
        return rows if rows is not None and rows.num_rows else None


@lru_cache(maxsize=1024)
def _group_of(scope: str) -> str:
    return sources().group_of(scope)
