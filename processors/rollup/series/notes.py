"""What is written down about a batch, so that a process that starts knows what the one before it knew.

JSON, packed: lists in the order of the named tuples they were.
"""

import json
import zlib
from dataclasses import dataclass, field
from typing import Any

from processors.rollup.series.amounts import Amounts, Row
from processors.rollup.series.choice import Claim, ClaimKey, Cover, Covered
from processors.rollup.series.differences import Last, Value
from processors.rollup.series.readings import Source


@dataclass
class Note:
    """Is what changed: points of series, what is covered, claims (None where one is gone), and what was seen when."""

    series: list[tuple[int, Last]] = field(default_factory=list)
    covers: list[tuple[Cover, Covered]] = field(default_factory=list)
    claims: list[tuple[ClaimKey, Claim | None]] = field(default_factory=list)
    seen: list[tuple[int, float]] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        """Tell whether there is nothing to write down."""
        return not (self.series or self.covers or self.claims or self.seen)


def dump(note: Note) -> bytes:
    """Return *note* as bytes."""
    plain = {
        "series": [(key, last._replace(value=_pairs_of(last.value))) for key, last in note.series],
        "covers": note.covers,
        "claims": [(key, claim and (claim.amounts.sums, _maps_of(claim), claim.until)) for key, claim in note.claims],
        "seen": note.seen,
    }
    return zlib.compress(json.dumps(plain, separators=(",", ":")).encode(errors="surrogatepass"), 1)


def load(data: bytes) -> Note:
    """Return what `dump` wrote."""
    plain = json.loads(zlib.decompress(data))
    return Note(
        [(key, _last(told)) for key, told in plain["series"]],
        [
            (_cover(cover), Covered(tuple((since, until) for since, until in spans), seen))
            for cover, (spans, seen) in plain["covers"]
        ],
        [(_key(key), _claim(claim)) for key, claim in plain["claims"]],
        [(key, seen) for key, seen in plain["seen"]],
    )


def _pairs_of(value: Value) -> Any:
    return [value.times, value.amount, value.layout, list(value.buckets.items())]


def _last(told: Any) -> Last:
    time, (times, amount, layout, buckets), seen, noted = told
    return Last(time, Value(times, amount, layout, dict(buckets)), seen, noted)


def _maps_of(claim: Claim) -> Any:
    return {name: list(pairs.items()) for name, pairs in claim.amounts.maps.items()}


def _claim(told: Any) -> Claim | None:
    if told is None:
        return None
    sums, maps, until = told
    return Claim(Amounts(sums, {name: dict(pairs) for name, pairs in maps.items()}), until)


def _cover(told: Any) -> Cover:
    source, measure, rank = told
    return Cover(Source(*source), measure, rank)


def _key(told: Any) -> ClaimKey:
    cover, since, until, besides, (slot, dimensions) = told
    row = Row(slot, tuple(dimensions))
    return ClaimKey(_cover(cover), since, until, None if besides is None else tuple(besides), row)
