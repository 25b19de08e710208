"""How much a series grew since its last point, whatever came twice, late or after a restart.

    cumulative   10 ── 13 ── 13 ── 4          adds 10, 3, 0, 4: a value that falls begins anew
    delta        10    13          4          adds what it says, once per moment

A series is known by its resource, scope, metric, attributes and start, so that two processes under one name, or one
that was started again, are two series, each of which adds all it counted.
"""

from collections.abc import Mapping
from typing import NamedTuple


class Value(NamedTuple):
    """Is what a point says: how often, how much, and latencies by bucket of the sketch.

    Buckets of another *layout* cannot be compared.
    """

    times: int
    amount: int
    layout: int = 0
    buckets: Mapping[int, int] = {}

    def minus(self, other: "Value") -> "Value | None":
        """Return what came to *other* since, None where something fell."""
        times, amount = self.times - other.times, self.amount - other.amount
        if min(times, amount) < 0:
            return None
        if self.layout != other.layout:
            return Value(times, amount)
        grown = {bucket: calls - other.buckets.get(bucket, 0) for bucket, calls in self.buckets.items()}
        fell = any(calls < 0 for calls in grown.values()) or other.buckets.keys() - self.buckets.keys()
        if fell:
            return None
        return Value(times, amount, self.layout, {bucket: calls for bucket, calls in grown.items() if calls})


class Moment(NamedTuple):
    """Is a point of a series: from *start* to *time*, in nanoseconds; *start* is 0 where it is unknown."""

    key: int
    start: int
    time: int
    value: Value


class Last(NamedTuple):
    """Is the last point of a series, and when it was seen and written down, in seconds."""

    time: int
    value: Value
    seen: float
    noted: float


class Growth(NamedTuple):
    """Is what was added between *since* and *until*, in nanoseconds."""

    since: int
    until: int
    value: Value


def growth_of(moment: Moment, last: Last | None, longest: int) -> Growth | None:
    """Return what a cumulative point adds to the *last* one, which is older; None if nobody can tell.

    The first point adds all it says, if its series began at most *longest* nanoseconds before: what began earlier may
    have been counted and forgotten.
    """
    _, start, time, value = moment
    if last is None:
        return Growth(start, time, value) if start and time - start <= longest else None
    return Growth(last.time, time, value.minus(last.value) or value)
