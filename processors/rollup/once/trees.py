"""Which calls stand around which: the leaf rule, as spans come in any order.

    W ── tool ── L1           the innermost calls of a class count (L1, L2); W is a wrapper
     └── L2                   LEAVES[W] = 2, LEAF_SUM[W] = L1 + L2;  with one leaf the sum is that leaf

A call looks up through its parents to the next call of its class. Where a span on the way has not come yet, it waits
there, and goes on looking when that span comes. So the numbers are those of the tree, whatever came first.
A span without length is no wrapper and makes none: it may be a part of a stream.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from processors.rollup.once.blocks import ABOVE, LEAF_SUM, LEAVES, WAITS
from processors.rollup.once.facts import CLASS, KEY, PARENT, PART, Facts, Hashes
from processors.rollup.once.ledger import Ledger

_DEEPEST = 256  # spans that are looked through
_NESTED = 64  # calls of one class around each other


class Trees:
    """Keeps the lines `ABOVE`, `LEAVES` and `LEAF_SUM` of a ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._roots: frozenset[int] = frozenset()
        self._changed: set[int] = set()

    def within(self, facts: Facts, first: int) -> tuple[Hashes, Hashes, Hashes]:
        """Return the three lines for calls in the rows from *first* on, as far as they stand around each other."""
        keys, parents, classes = facts.matrix[[KEY, PARENT, CLASS]]
        count = len(keys)
        places = pc.index_in(pa.array(parents), value_set=pa.array(keys)).fill_null(-1)
        above = np.asarray(places).astype(np.int64)
        above[(parents == 0) | (classes[above] != classes) | (classes == PART)] = -1
        leaves, sums = np.zeros(count, dtype=np.int64), np.zeros(count, dtype=np.int64)
        if (above >= 0).any():
            _cut_circles(above)
            inner = np.ones(count, dtype=bool)
            inner[above[above >= 0]] = False
            rows = np.flatnonzero(inner & (above >= 0))
            outer = above[rows]
            while len(rows):
                np.add.at(leaves, outer, 1)
                np.add.at(sums, outer, rows + first)
                outer = above[outer]
                rows, outer = rows[outer >= 0], outer[outer >= 0]
        return np.where(above >= 0, above + first, -1), leaves, sums

    def plant(self, facts: Facts, rows: range, above: Hashes) -> set[int]:
        """Join new calls and links to what was known, and return the rows whose place among others changed."""
        self._changed = set()
        link_keys, link_parents = facts.links
        self._roots = frozenset(link_keys[link_parents == 0].tolist())
        keys, parents = facts.matrix[KEY], facts.matrix[PARENT]
        for place in np.flatnonzero((parents != 0) & (above < 0) & (facts.matrix[CLASS] != PART)).tolist():
            self._climb(rows[place], int(parents[place]))
        waiting = self._ledger.waiting
        if waiting:
            self._wake(filter(waiting.__contains__, [*keys.tolist(), *link_keys.tolist()]))
        return self._changed

    def _wake(self, keys: Iterable[int]) -> None:
        waiting = self._ledger.waiting
        for key in list(keys):
            rows = waiting.get(key, ())
            waiting.drop(key)
            for row in rows:
                self._ledger.write(WAITS, row, 0)
                self._climb(row, key)

    def _climb(self, row: int, key: int) -> None:
        """Look for the next call of the class of *row* at *key* and above."""
        ledger = self._ledger
        kind = ledger.read(CLASS, row)
        for _ in range(_DEEPEST):
            if not key:
                return
            other = ledger.calls.get(key)
            if other is not None:
                if ledger.read(CLASS, other) == kind:
                    self._attach(row, other)
                    return
                key = ledger.read(PARENT, other)
            elif key in ledger.links:
                key = ledger.links[key]
            else:
                if key not in self._roots:
                    ledger.waiting.put(key, (*ledger.waiting.get(key, ()), row))
                    ledger.write(WAITS, row, key)
                return

    def _attach(self, row: int, above: int) -> None:
        """Put *row*, with what is below it, below the call *above*."""
        ledger = self._ledger
        path = list(self.path(above))
        if row in path or len(path) > _NESTED:
            return
        ledger.write(ABOVE, row, above)
        leaves, total = ledger.read(LEAVES, row), ledger.read(LEAF_SUM, row)
        more, plus = (leaves, total) if leaves else (1, row)
        less, minus = (0, 0) if ledger.read(LEAVES, above) else (1, above)
        for place, outer in enumerate(path):
            if place == 1:
                more, plus = more - less, plus - minus
            old, old_sum = ledger.read(LEAVES, outer), ledger.read(LEAF_SUM, outer)
            ledger.write(LEAVES, outer, old + more)
            ledger.write(LEAF_SUM, outer, old_sum + plus)
            self._note(outer, old, old_sum)
            self._note(outer, old + more, old_sum + plus)

    def _note(self, row: int, leaves: int, total: int) -> None:
        if leaves <= 1:
            self._changed.add(row)
        if leaves == 1:
            self._changed.add(total)

    def path(self, row: int) -> Sequence[int]:
        """Return *row* and the calls around it that are remembered, inner ones first."""
        path: list[int] = []
        while row >= self._ledger.first and len(path) <= _NESTED:
            path.append(row)
            row = self._ledger.read(ABOVE, row)
        return path


def _cut_circles(above: Hashes) -> None:
    """Let no call stand around itself, and not too many around one: those that do stand alone."""
    outer = above.copy()
    for _ in range(_NESTED):
        if not (outer >= 0).any():
            return
        outer = np.where(outer >= 0, above[outer], -1)
    above[outer >= 0] = -1
