"""What each call counts for, worked out again where something new was learned.

    changed rows ──> innermost calls ──> reports ──> clusters (same response) ──> pairs (at the same time), twice
                                                                                      │
    what a row counted for before  <── compared with ──  what the call as a whole counts for

A row that counted together with rows that are forgotten by now is final: it stays what it was.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from processors.rollup.once.blocks import ABOVE, ITSELF, LEAF_SUM, LEAVES, MERGED, NEW, NOTHING, STATE
from processors.rollup.once.facts import CLASS, PART, VIEW
from processors.rollup.once.ledger import Ledger
from processors.rollup.once.merging import Record, Report, clusters_of, joined, record_of, report_of
from processors.rollup.once.overlaps import Overlaps
from processors.rollup.once.streams import Streams
from processors.rollup.once.tables import Table, forget_rows
from processors.rollup.once.views import Views

MOST_SHARING = 64  # calls with one response id: an id that more have says nothing


class Change(NamedTuple):
    """Is a call that is added to sums (*sign* 1) or taken out of them (-1)."""

    sign: int
    record: Record


class Counted(NamedTuple):
    """Is what several spans count for together."""

    record: Record
    rows: tuple[int, ...]


class Resolution:
    """Keeps the line `STATE` of a ledger, and what calls of more than one span count for."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.streams = Streams(ledger)
        self.overlaps = (Overlaps(ledger), Overlaps(ledger))
        """Who tells of the same calls by twos, and by twos of those."""
        self.views = Views(ledger)
        self.counted: Table[int, Counted] = ledger.table()
        self.counted_by: Table[int, int] = ledger.table()
        self.final: Table[int, bool] = ledger.table()
        self._clusters: Table[int, tuple[int, ...]] = ledger.table()
        self.settled: set[int] = set()
        """The rows that counted for something else after the last `settle`."""

    def settle(self, rows: set[int]) -> list[Change]:
        """Work out anew what *rows*, and all that they touch, count for, and return what differs from before."""
        self.settled = set()
        if not rows:
            return []
        rows = {row for row in rows if self._ledger.alive(row)}
        rows |= self._earlier(rows)
        reports = self._touched({leaf for row in rows if (leaf := self._leaf_of(row)) is not None})
        rows |= {row for report in reports.values() for row in report.rows}
        anchors = self._cluster(reports)
        touched = rows
        for overlaps in self.overlaps:
            anchors, moved = overlaps.join(touched, anchors)
            touched = touched | moved
        return self._compare(rows, anchors)

    def forget(self, rows: range) -> None:
        """Forget *rows*; what they counted for stays."""
        self.streams.forget(rows)
        for overlaps in self.overlaps:
            overlaps.forget(rows)
        self.views.forget(rows)
        forget_rows((self.counted, self.counted_by, self.final, self._clusters), rows)

    def reason_of(self, row: int) -> str:
        """Return why *row* counts for nothing."""
        ledger = self._ledger
        if self.views.is_repeated(row):
            return "server_view"
        if ledger.read(LEAVES, row):
            return "wrapper"
        if ledger.read(CLASS, row) == PART and self.streams.part_of(row) is not None:
            return "stream_part"
        by = self.counted_by.get(row)
        if ledger.read(CLASS, row) & VIEW:
            return "server_view"
        return "same_response" if by in self._clusters.get(row, ()) else "contained"

    def _leaf_of(self, row: int) -> int | None:
        """Return the call that *row* says something about, None where it says nothing about one alone."""
        ledger = self._ledger
        if not ledger.alive(row) or self.views.is_repeated(row):
            return None
        kind, leaves = ledger.read(CLASS, row), ledger.read(LEAVES, row)
        if kind == PART:
            request = self.streams.part_of(row)
            return row if request is None else self._leaf_of(request)
        if leaves == 1:
            return self._leaf_of(ledger.read(LEAF_SUM, row))
        return None if leaves else row

    def _report(self, leaf: int) -> Report:
        ledger = self._ledger
        chain, row = [leaf], ledger.read(ABOVE, leaf)
        while ledger.alive(row) and ledger.read(LEAVES, row) == 1:
            chain.append(row)
            row = ledger.read(ABOVE, row)
        parts = [part for row in chain if (part := self.streams.part_of(row)) is not None and part not in chain]
        facts = [ledger.fact(row) for row in chain]
        report = report_of(facts[0], facts[1:], [ledger.fact(part) for part in parts if ledger.alive(part)])
        silent = {id for id in report.responses if len(ledger.sharing(id)) > MOST_SHARING}
        return report._replace(responses=report.responses - silent) if silent else report

    def _touched(self, leaves: set[int]) -> dict[int, Report]:
        """Return the reports of *leaves*, and of all that share a response with them or did so before."""
        reports: dict[int, Report] = {}
        while leaves:
            leaf = leaves.pop()
            if leaf in reports:
                continue
            reports[leaf] = self._report(leaf)
            others = [row for id in reports[leaf].responses for row in self._ledger.sharing(id)]
            for row in (*others, *self._clusters.get(leaf, ())):
                other = self._leaf_of(row)
                if other is not None and other not in reports:
                    leaves.add(other)
        return reports

    def _earlier(self, rows: Iterable[int]) -> set[int]:
        """Return the rows that counted together with *rows* before."""
        found: set[int] = set()
        for row in rows:
            anchor = self.counted_by.get(row, row)
            if anchor in self.counted:
                found.update(self.counted[anchor].rows)
            found.update(self._clusters.get(row, ()))
        return {row for row in found if self._ledger.alive(row)}

    def _cluster(self, reports: dict[int, Report]) -> dict[int, Report]:
        """Return the reports that tell of the same response as one, by anchor."""
        anchors = {}
        for cluster in clusters_of(reports.values()):
            callers = [report for report in cluster if not report.fact.kind & VIEW] or cluster
            whole = joined(callers)
            leaves = tuple(report.anchor for report in cluster)
            for leaf in leaves:
                if len(leaves) > 1:
                    self._clusters.put(leaf, leaves)
                else:
                    self._clusters.drop(leaf)
            anchors[whole.anchor] = whole
        return anchors

    def _compare(self, rows: set[int], calls: dict[int, Report]) -> list[Change]:
        changes: list[Change] = []
        for call in calls.values():
            changes += self._count(call)
        for row in rows.difference(*(call.rows for call in calls.values())):
            changes += self._set(row, None, None)
        return changes

    def _count(self, call: Report) -> Iterator[Change]:
        """Let *call* count by its anchor, and yield what changes; not where part of it is final."""
        final = {row for row in call.rows if self._is_final(row)}
        yield from self._set(call.anchor, None if final else call, None)
        for row in call.rows[1:]:
            yield from self._set(row, None, call.anchor)

    def _is_final(self, row: int) -> bool:
        if row in self.final or not self._ledger.alive(row):
            return True
        if self._ledger.read(STATE, row) == MERGED:
            return not all(map(self._ledger.alive, self.counted[row].rows))
        return row in self.counted_by and not self._ledger.alive(self.counted_by[row])

    def _set(self, row: int, call: Report | None, by: int | None) -> Iterator[Change]:
        """Let *row* count for *call*, or for nothing because *by* does, and yield what changes."""
        if self._is_final(row):
            return
        ledger = self._ledger
        state = ledger.read(STATE, row)
        old = self.record(row) if state in (ITSELF, MERGED) else None
        new = record_of(call) if call else None
        fresh = NOTHING if call is None else (ITSELF if call.rows == (row,) else MERGED)
        if fresh == MERGED and call and new:
            self.counted.put(row, Counted(new, call.rows))
        else:
            self.counted.drop(row)
        if by is None:
            self.counted_by.drop(row)
        else:
            self.counted_by.put(row, by)
        if state != fresh:
            ledger.write(STATE, row, fresh)
        if state != fresh or old != new:
            self.settled.add(row)
        if old != new:
            if old:
                yield Change(-1, old)
            if new and not (state == NEW and fresh == ITSELF):
                yield Change(1, new)

    def record(self, row: int) -> Record:
        """Return what *row* counts for."""
        if row in self.counted:
            return self.counted[row].record
        return record_of(report_of(self._ledger.fact(row), (), ()))

    def hold(self, row: int, state: int, record: Record | None) -> None:
        """Let *row* count for what it is known to have counted for; if that is not what is known now, it is final."""
        known = self.counted.get(row)
        if (self._ledger.read(STATE, row), known and known.record) == (state, record):
            return
        self._ledger.write(STATE, row, state)
        self.final.put(row, value=True)
        if record:
            self.counted.put(row, Counted(record, (row,)))
        else:
            self.counted.drop(row)
