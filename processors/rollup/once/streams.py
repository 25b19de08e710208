"""Streams that one library tells of in two spans: the request until its headers, and a point when all was read."""

from collections.abc import Iterator

import numpy as np

from processors.rollup.once.facts import CLASS, PART, SCOPE, Fact, Facts
from processors.rollup.once.ledger import Ledger
from processors.rollup.once.merging import gap_of, is_half
from processors.rollup.once.pairs import Edge, Pairs, edge
from processors.rollup.once.tables import Groups, Table, forget_rows

_NEAR_BITS = 25  # 34 milliseconds of nanoseconds: more than may lie between a request's end and where its part begins
_FAR_BITS = 33  # eight seconds of nanoseconds: the same where both name the same prompt
_MOST_AROUND = 256  # requests and parts of one library in such a time: more are not told apart
_FAMILY, _TIME, _PROMPT = range(3)


class Streams:
    """Pairs requests with parts; libraries that never wrote a span without length cost nothing."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._facts: Table[int, Fact] = ledger.table()
        self._groups: Groups[int] = ledger.groups()
        self._mates: Table[int, Edge] = ledger.table()
        self._scopes: Table[int, bool] = ledger.table()
        self._pairs = Pairs(self._mates, self._edges)

    def learn(self, facts: Facts, rows: range) -> set[int]:
        """Take in new calls and return the rows of requests and parts that now belong elsewhere."""
        scopes, kinds = facts.matrix[SCOPE], facts.matrix[CLASS]
        for scope in set(scopes[kinds == PART].tolist()) - self._scopes.keys():
            self._scopes.put(scope, value=True)
            old_scopes, old_kinds = self._ledger.lines((SCOPE, CLASS))
            earlier = np.flatnonzero((old_scopes == scope) & (old_kinds == 0)) + self._ledger.first
            self._admit(earlier[earlier < rows.start].tolist())
        if self._scopes:
            known = np.isin(scopes, list(self._scopes)) & ((kinds == 0) | (kinds == PART))
            self._admit((np.flatnonzero(known) + rows.start).tolist())
        return self._pairs.settle()

    def part_of(self, request: int) -> int | None:
        """Return the part of *request*, or the request of a part."""
        return self._pairs.of(request)

    def forget(self, rows: range) -> None:
        """Forget *rows*; what they belonged to stays as it is."""
        for row in self._facts.keys() & rows:
            self._groups.forget(_groups_of(self._facts[row]), rows)
        forget_rows((self._facts, self._mates), rows)

    def _admit(self, rows: list[int]) -> None:
        for row in rows:
            fact = self._ledger.fact(row)
            if fact.kind == PART or is_half(fact):
                self._facts.put(row, fact)
                for group in _groups_of(fact):
                    self._groups.add(group, row)
                self._pairs.add(row)

    def _edges(self, row: int) -> Iterator[Edge]:
        mine = self._facts.get(row)
        if mine is None:
            return
        for other in self._groups.near(_groups_of(mine, 1), _MOST_AROUND):
            theirs = self._facts[other]
            if (mine.kind == PART) == (theirs.kind == PART):
                continue
            gap = gap_of(theirs, mine) if mine.kind == PART else gap_of(mine, theirs)
            if gap is not None:
                yield edge(gap, (mine.key, theirs.key), other)


def _groups_of(fact: Fact, reach: int = 0) -> list[int]:
    """Return what a request and its part have in common: who is whose child, and about when the one ended.

    *reach* is how many groups before and after, as to time, are named too.
    """
    is_part = fact.kind == PART
    since = fact.start - max(fact.told, 0) if is_part else fact.end
    times = [(_FAMILY, fact.parent if is_part else fact.key, 0)]
    if fact.told >= 0 or not is_part:
        times += [(_TIME, 0, slot) for slot in _slots(since >> _NEAR_BITS, reach)]
    if fact.prompt:
        times += [(_PROMPT, fact.prompt, slot) for slot in _slots(since >> _FAR_BITS, reach)]
    return [hash((fact.process, fact.scope, *each)) for each in times]


def _slots(slot: int, reach: int) -> range:
    return range(slot - reach, slot + reach + 1)
