"""Calls as who answered them saw them: they count where no caller in the same trace tells of a call of their class."""

from processors.rollup.once.facts import CLASS, EMBEDDINGS, TRACE, VIEW, Facts
from processors.rollup.once.ledger import Ledger
from processors.rollup.once.tables import Groups, Table

_Where = tuple[int, int]
"""A trace, and whether it is about embeddings."""


class Views:
    """Knows which traces hold views, and while there are any, which hold calls that their callers tell of."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._views: Groups[_Where] = ledger.groups()
        self._callers: Table[_Where, int] = ledger.table()

    def learn(self, facts: Facts, rows: range) -> set[int]:
        """Take in calls that are to stand in *rows*; return the views among them, and those whose caller is new."""
        if not self._views and not (facts.matrix[CLASS] & VIEW).any():
            return set()
        traces, kinds = facts.matrix[[TRACE, CLASS]].tolist()
        views = [(row, trace, kind) for row, trace, kind in zip(rows, traces, kinds, strict=True) if kind & VIEW]
        if not self._views:
            self._learn_callers_so_far()
        touched = {row for row, _, _ in views}
        for row, trace, kind in views:
            self._views.add((trace, kind & EMBEDDINGS), row)
        callers = {
            (trace, kind & EMBEDDINGS): row
            for row, trace, kind in zip(rows, traces, kinds, strict=True)
            if not kind & VIEW
        }
        for where, row in callers.items():
            self._callers.put(where, row)
            touched.update(self._views.of(where))
        return touched

    def _learn_callers_so_far(self) -> None:
        traces, kinds = (line.tolist() for line in self._ledger.lines((TRACE, CLASS)))
        for row, (trace, kind) in enumerate(zip(traces, kinds, strict=True), self._ledger.first):
            if not kind & VIEW:
                self._callers.put((trace, kind & EMBEDDINGS), row)

    def is_repeated(self, row: int) -> bool:
        """Tell whether *row* is a view of a call that its caller tells of too."""
        kind = self._ledger.read(CLASS, row)
        return bool(kind & VIEW) and (self._ledger.read(TRACE, row), kind & EMBEDDINGS) in self._callers

    def forget(self, gone: range) -> None:
        """Forget the oldest rows; without views nobody asks for callers."""
        for where in [where for where, row in self._callers.items() if row < gone.stop]:
            del self._callers[where]
        self._views.forget(list(self._views), range(gone.stop))
        if not self._views:
            self._callers.clear()
