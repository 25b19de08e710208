"""Which calls stand around which: the leaf rule, as spans come in any order.

    W ── tool ── L1           the innermost calls of a class count (L1, L2); W is a wrapper
     └── L2                   LEAVES[W] = 2, LEAF_SUM[W] = L1 + L2;  with one leaf the sum is that leaf

A call looks up through its parents to the next call of its class. Where a span on the way has not come yet, it waits
there, and goes on looking when that span comes. So the numbers are those of the tree, whatever came first.
A span without length is no wrapper and makes none: it may be a part of a stream.
"""

from collections.abc import Sequence

import numpy as np

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
        above = np.full(count, -1, dtype=np.int64)
        leaves, sums = np.zeros((2, count), dtype=np.int64)
        below = np.flatnonzero((parents != 0) & (classes != PART))
        if len(below):
            order = keys.argsort()
            places = order[np.minimum(keys[order].searchsorted(parents[below]), count - 1)]
            near = (keys[places] == parents[below]) & (classes[places] == classes[below])
            above[below[near]] = places[near]
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
        outer = np.flatnonzero((parents != 0) & (above < 0) & (facts.matrix[CLASS] != PART))
        self._climb(outer + rows.start, parents[outer], facts.matrix[CLASS, outer])
        if self._ledger.waiting:
            self._wake(np.concatenate((keys, link_keys)))
        return self._changed

    def _wake(self, keys: Hashes) -> None:
        """Let the rows go on that wait for one of *keys*."""
        ledger = self._ledger
        told = [(row, key) for key in keys.tolist() for row in ledger.waiting.of(key)]
        for key in {key for _, key in told}:
            ledger.waiting.drop(key)
        if told:
            rows, waited = np.array(told, dtype=np.int64).T
            kinds = np.array([ledger.read(CLASS, row) for row, _ in told], dtype=np.int64)
            self._climb(rows, np.ascontiguousarray(waited), kinds)

    def _climb(self, rows: Hashes, keys: Hashes, kinds: Hashes) -> None:
        """Look for the next calls of these *kinds* at *keys* and above, and put *rows* below them."""
        ledger = self._ledger
        found: list[tuple[int, int]] = []
        waits: list[tuple[int, int]] = []
        for _ in range(_DEEPEST):
            climbing = np.flatnonzero(keys)
            if not len(climbing):
                break
            rows, keys, kinds = rows[climbing], keys[climbing], kinds[climbing]
            others = ledger.calls.find(keys)
            above = ledger.links.parents_of(keys)
            for place in np.flatnonzero(others >= 0).tolist():
                other = int(others[place])
                if ledger.read(CLASS, other) == kinds[place]:
                    found.append((int(rows[place]), other))
                else:
                    above[place] = ledger.read(PARENT, other)
            lost = (others < 0) & (above == 0)
            waits += zip(rows[lost].tolist(), keys[lost].tolist(), strict=True)
            keys = above
        self._wait(waits)
        for row, other in found:
            self._attach(row, other)

    def _wait(self, waits: Sequence[tuple[int, int]]) -> None:
        """Let rows wait until the spans with these keys come, except those that came and have no parent."""
        ledger = self._ledger
        for row, key in waits:
            if key not in self._roots:
                ledger.waiting.add(key, row)
                ledger.write(WAITS, row, key)

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
