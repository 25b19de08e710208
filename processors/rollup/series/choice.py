"""Choosing one signal for each service and group of scopes: what is claimed twice counts from whom it is known best.

    spans    ├─────────────────────────────────────┤      cover the time from the first one on, and a while after each
    events        ░░░░░                      ▓▓▓▓▓        a claim that touches what a better signal covers is void;
    metrics  ░░░░░                                ▓▓▓     one that was counted is taken out again

What is covered only grows, so what counts in the end does not depend on what came first.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from processors.rollup.series.amounts import Amounts, Change, Row, added
from processors.rollup.series.ledger import Ledger
from processors.rollup.series.readings import Source

ANY = "*"
"""The measure of signals that tell everything about a call: spans and log events."""
SPANS = 0
_SERVICE = "*"  # the group of all spans of a service


class Cover(NamedTuple):
    """Is what tells of a source: its measure, and its rank among those that tell of the same."""

    source: Source
    measure: str
    rank: int


class ClaimKey(NamedTuple):
    """Is what a claim is about: a row, between *since* and *until* in nanoseconds.

    *besides* are groups whose spans make it void; the source's own do not. None where they do.
    """

    cover: Cover
    since: int
    until: int
    besides: tuple[str, ...] | None
    row: Row


class Claim(NamedTuple):
    """Is what was counted, and until when it may be taken out, in seconds."""

    amounts: Amounts
    until: float


class Covered(NamedTuple):
    """Is the times that are covered, sorted and apart, in nanoseconds; and when the last was learned, in seconds."""

    spans: tuple[tuple[int, int], ...]
    seen: float


class Choice:
    """Remembers what covers what, and what was counted."""

    def __init__(self, ledger: Ledger, reach: int) -> None:
        self._ledger = ledger
        self._reach = reach
        self._step = max(reach // 24, 1)
        self.covered: dict[Cover, Covered] = {}
        self.claims: dict[ClaimKey, Claim] = {}
        self._ranks: dict[Source, set[tuple[str, int]]] = {}

    def cover(self, cover: Cover, since: int, until: int, now: float) -> bool:
        """Let *cover* tell of the time between; tell whether that is news."""
        end = (until // self._step + 1) * self._step + self._reach
        old = self.covered[cover].spans if cover in self.covered else ()
        if any(first <= since and end <= last for first, last in old):
            return False
        self.put(cover, Covered(_joined([*old, (since, end)]), now))
        return True

    def put(self, cover: Cover, covered: Covered) -> None:
        """Let *cover* cover what is given."""
        self._ledger.put(self.covered, cover, covered)
        self._ranks.setdefault(cover.source, set()).add((cover.measure, cover.rank))

    def covers(self, cover: Cover, since: int, until: int) -> bool:
        """Tell whether *cover* tells of any time between."""
        covered = self.covered.get(cover)
        return covered is not None and any(first <= until and since < last for first, last in covered.spans)

    def is_void(self, key: ClaimKey) -> bool:
        """Tell whether something better tells of what is claimed."""
        source, measure, rank = key.cover
        for kind, other in self._ranks.get(source, ()):
            same = kind == measure and other < rank
            better = kind == ANY and (measure != ANY or other < rank)
            spared = key.besides is not None and (kind, other) == (ANY, SPANS)
            if (same or better) and not spared and self.covers(Cover(source, kind, other), key.since, key.until):
                return True
        groups = (_SERVICE,) if not source.group else key.besides or ()
        spans = (Cover(Source(source.service, group), ANY, SPANS) for group in groups)
        return any(self.covers(cover, key.since, key.until) for cover in spans)

    def claim(self, key: ClaimKey, amounts: Amounts, until: float) -> Change | None:
        """Count *amounts* if nothing better tells of them."""
        if self.is_void(key):
            return None
        old = self.claims.get(key)
        self._ledger.put(self.claims, key, Claim(added(old.amounts, amounts) if old else amounts, until))
        return Change(1, key.row, amounts)

    def void(self, services: Iterable[str]) -> Mapping[ClaimKey, Claim]:
        """Take out what was claimed of *services* and is void now, and return it."""
        wanted = set(services)
        gone = {key: claim for key, claim in self.claims.items() if key.cover.source.service in wanted}
        gone = {key: claim for key, claim in gone.items() if self.is_void(key)}
        for key in gone:
            self._ledger.drop(self.claims, key)
        return gone

    def expire(self, now: float, age: float, most: int) -> None:
        """Forget claims that are final, the oldest ones beyond *most*, and covers older than *age* seconds."""
        while self.claims:
            key = next(iter(self.claims))
            if self.claims[key].until > now and len(self.claims) <= most:
                break
            del self.claims[key]
        while self.covered:
            cover = next(iter(self.covered))
            if self.covered[cover].seen > now - age:
                break
            del self.covered[cover]
            self._ranks[cover.source].discard((cover.measure, cover.rank))
            if not self._ranks[cover.source]:
                del self._ranks[cover.source]


def covers_of_spans(source: Source) -> tuple[Cover, Cover]:
    """Return what the spans of *source* cover: what else is told of it, and what does not say of which group it is."""
    return Cover(source, ANY, SPANS), Cover(Source(source.service, _SERVICE), ANY, SPANS)


def _joined(spans: list[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    joined: list[tuple[int, int]] = []
    for first, last in sorted(spans):
        if joined and first <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(last, joined[-1][1]))
        else:
            joined.append((first, last))
    return tuple(joined)
