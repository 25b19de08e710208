"""Pairing what is nearest, one to one, as things come and go.

    a ──3── x          the nearest of all pair first (b x), then the nearest of the rest, ...
    b ──1── x          so it is stable: no two would rather have each other than what they have
    b ──2── y

As every two agree on how near they are, there is one such pairing, whatever the order of arrival: those who come take
the nearest that would rather have them, the nearest of all first, and who is left so looks again.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from processors.rollup.once.tables import Table

_AT_ONCE = 1024
"""So many look at the same time: more would hold too many edges, fewer would take what others leave them."""


class Edge(NamedTuple):
    """Leads to *other*; *weight* is the same from both ends, and no two edges weigh the same."""

    weight: tuple[int, int, int]
    other: int


def edge(distance: int, keys: tuple[int, int], other: int) -> Edge:
    """Return the edge between two things with these *keys*, which say who is nearer where *distance* does not."""
    return Edge((distance, min(keys), max(keys)), other)


class Pairs:
    """Keeps in *mates* the edge that each paired thing has; *edges* yields all that one may have."""

    def __init__(self, mates: Table[int, Edge], edges: Callable[[int], Iterable[Edge]]) -> None:
        self._mates = mates
        self._edges = edges
        self._free: set[int] = set()
        self._changed: set[int] = set()

    def of(self, one: int) -> int | None:
        """Return what *one* is paired with."""
        mine = self._mates.get(one)
        return mine.other if mine else None

    def add(self, one: int) -> None:
        """Let *one* be paired."""
        self._free.add(one)

    def remove(self, one: int) -> None:
        """Let *one* be paired no more."""
        self._free.discard(one)
        mine = self._mates.get(one)
        if mine:
            self._part(one, mine.other)
            self._free.add(mine.other)

    def settle(self) -> set[int]:
        """Pair anew whatever the changes touch, and return all whose mate was or is another."""
        while self._free:
            self._seek([self._free.pop() for _ in range(min(len(self._free), _AT_ONCE))])
        changed, self._changed = self._changed, set()
        return changed

    def forget(self, one: int) -> None:
        """Forget *one*; what it is paired with stays so."""
        self._mates.pop(one, None)

    def _seek(self, some: Sequence[int]) -> None:
        """Pair each of *some* with the nearest that would rather have it, if that is nearer than what it has."""
        edges = [(found.weight, each, found.other) for each in some for found in self._edges(each)]
        for weight, one, other in sorted(edges):
            had = {each: mine.other for each in (one, other) if (mine := self._mates.get(each))}
            if any(self._mates[each].weight <= weight for each in had):
                continue
            for each, left in had.items():
                self._part(each, left)
                self._free.add(left)
            self._mates.put(one, Edge(weight, other))
            self._mates.put(other, Edge(weight, one))
            self._changed |= {one, other}

    def _part(self, one: int, other: int) -> None:
        self._mates.drop(one)
        self._mates.drop(other)
        self._changed |= {one, other}
