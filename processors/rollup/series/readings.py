"""Reading the points of a batch that tell of model calls: whose they are, what they feed, and what they say.

Such points are few (one a series and export), so each is plain Python; of all others only their metric is looked at.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from math import isfinite
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from xxhash import xxh3_64_intdigest

from collector.batch import Batch
from collector.models import model_of
from collector.prices.tiers import tier_of
from collector.sketch import bucket_of
from processors.rollup.call_table import call_table
from processors.rollup.calls import OPERATION, TEXTS, places_of
from processors.rollup.grouping import OTHER
from processors.rollup.series.differences import Moment, Value
from processors.rollup.series.sources import Lossy, MetricRule, sources

_DELTA = 1
_NO_VALUE = 1  # flags
_NANOSECONDS = {"s": 1e9, "ms": 1e6, "us": 1e3, "ns": 1.0}
_MOST = 2**60
_FINE_BELOW, _FINE_COUNT, _FINE_MOST = 10.0, 8, 100.0  # seconds
_COARSEST, _FINEST = 3, 20  # scales of exponential buckets, 9 % wide and what SDKs begin with
_FURTHEST = 500  # power of 2: seconds beyond are in the last bucket of the sketch, or in that of 0
_EXPLICIT = 1000  # layout

_COLUMNS = (
    "resource", "scope", "metric", "attributes", "start_time_unix_nano", "time_unix_nano", "flags", "as_double",
    "as_int", "count", "sum", "bucket_counts", "explicit_bounds", "scale", "zero_count", "positive_offset",
    "positive_bucket_counts",
)  # fmt: skip


class Source(NamedTuple):
    """Is who tells: a service, and the group of the scope."""

    service: str
    group: str


class Reading(NamedTuple):
    """Is one point that feeds something.

    *process* is what its resource is known by. *columns* are the sums that its tokens feed. *timed* says that its
    amount is how long calls took. *error* is the class of its failures, if it says that they are such.
    *lossy* says that they count beside spans.
    """

    source: Source
    process: str
    rule: MetricRule
    moment: Moment
    delta: bool
    counter: bool
    dimensions: tuple[str, ...]
    columns: tuple[str, ...]
    timed: bool
    error: str | None
    lossy: Lossy | None


def readings_of(batch: Batch, longest: int) -> Iterator[Reading]:
    """Yield the points that feed something; values longer than *longest* characters are counted as other."""
    metrics = batch.tables["metrics"].select(["name", "unit", "type", "aggregation_temporality", "is_monotonic"])
    told = [_understood(metric) for metric in metrics.to_pylist()]
    wanted = np.array([metric is not None for metric in told], dtype=bool)
    if not wanted.any():
        return
    rows = np.flatnonzero(wanted[np.asarray(batch.main.column("metric"))])
    points = batch.main.take(pa.array(rows)).select(list(_COLUMNS)).to_pylist()
    places = batch.memo(places_of)
    owners = _Owners(batch)
    for point in points:
        metric = told[point["metric"]]
        if metric is None or point["flags"] & _NO_VALUE:
            continue
        where = tuple(places.words[code] for code in places.codes[:, point["resource"]].tolist())
        yield from _readings(point, metric, where, owners.of(point), longest)


def _understood(metric: Mapping[str, Any]) -> Mapping[str, Any] | None:
    kinds = {"histogram", "exponential_histogram"}
    grows = metric["type"] in kinds or (metric["type"] == "sum" and metric["is_monotonic"])
    return metric if grows and metric["name"] in sources().metrics else None


class _Owner(NamedTuple):
    scope: str
    version: str
    process: str
    identity: str


class _Owners:
    """Knows who stands behind points: scopes, and what resource and scope are known by."""

    def __init__(self, batch: Batch) -> None:
        self._resources = batch.tables["resources"].column("attributes")
        self._scopes = batch.tables["scopes"].select(["name", "version", "attributes"]).to_pylist()
        self._known: dict[tuple[int, int], _Owner] = {}

    def of(self, point: Mapping[str, Any]) -> _Owner:
        """Return the owner of *point*."""
        place = (point["resource"], point["scope"])
        if place not in self._known:
            scope = self._scopes[place[1]]
            process = sorted(_plain(self._resources[place[0]].as_py()).items())
            identity = repr((process, scope["name"], scope["version"], sorted(_plain(scope["attributes"]).items())))
            self._known[place] = _Owner(scope["name"], scope["version"], repr(process), identity)
        return self._known[place]


def _plain(attributes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    values = {one["key"]: one["value"] or {} for one in attributes}
    return {key: next((value for value in told.values() if value is not None), None) for key, told in values.items()}


def _readings(
    point: Mapping[str, Any], metric: Mapping[str, Any], where: tuple[str, ...], owner: _Owner, longest: int
) -> Iterator[Reading]:
    attributes = _plain(point["attributes"])
    error = attributes.get("error.type")
    failed = call_table().classes[call_table().number_of(-1, str(error))] if error not in (None, "") else None
    known = sources()
    lossy = known.lossy_of(owner.scope, owner.version) if failed else None
    if lossy and metric["name"] not in lossy.metrics:
        lossy = None
    identity = repr((owner.identity, metric["name"], metric["unit"], sorted(attributes.items())))
    for number, rule in enumerate(known.metrics[metric["name"]]):
        kind = rule.type or _first(attributes, known.type_keys)
        columns = known.types[rule.types].get(kind, ())
        operation = str(attributes.get(OPERATION) or rule.operation)
        wanted = bool(columns) or rule.feeds != "tokens"
        if rule.only:
            wanted = kind in rule.only and metric["type"] != "sum"
        value = _value(point, metric, rule) if wanted and operation in call_table().operations else None
        if value is None:
            continue
        yield Reading(
            Source(where[0], rule.group or known.group_of(owner.scope)),
            owner.process,
            rule,
            _moment(point, metric, identity, number, value),
            metric["aggregation_temporality"] == _DELTA,
            metric["type"] == "sum",
            tuple(
                word if len(word) <= longest else OTHER
                for word in (*where, *_dimensions(attributes, rule, operation, lossy))
            ),
            columns if rule.feeds == "tokens" else (),
            rule.feeds == "calls" and not rule.only and point["sum"] is not None,
            failed,
            lossy if rule.feeds == "calls" else None,
        )


def _dimensions(
    attributes: Mapping[str, Any], rule: MetricRule, operation: str, lossy: Lossy | None
) -> tuple[str, ...]:
    provider, _, requested, answered, tier = (str(attributes.get(key) or "") for key in TEXTS)
    requested = requested or _first(attributes, sources().model_keys)
    provider = provider or rule.provider or (lossy.provider if lossy else "")
    band = ""  # of calls whose own input is unknown
    return provider, operation, requested, answered, tier_of(tier), band, model_of(answered or requested)


def _first(attributes: Mapping[str, Any], keys: Sequence[str]) -> str:
    return next((str(attributes[key]) for key in keys if attributes.get(key) is not None), "")


def _moment(point: Mapping[str, Any], metric: Mapping[str, Any], identity: str, rule: int, value: Value) -> Moment:
    start, time = point["start_time_unix_nano"], point["time_unix_nano"]
    parts = [identity, rule, point["explicit_bounds"], start]
    if metric["aggregation_temporality"] == _DELTA:
        parts.append(time)
    return Moment(xxh3_64_intdigest(repr(parts).encode(errors="surrogatepass")), start, time, value)


def _value(point: Mapping[str, Any], metric: Mapping[str, Any], rule: MetricRule) -> Value | None:
    """Return what a point says, None where it says nothing usable."""
    counts = rule.feeds == "calls"
    if metric["type"] == "sum":
        told = point["as_double"] if point["as_int"] is None else point["as_int"]
        number = _whole(told, 1e9 if rule.feeds == "cost" else 1)
        return None if number is None else Value(number, 0) if counts else Value(0, number)
    told = (point["count"], point["zero_count"] or 0, *_buckets(point))
    if max(told) > _MOST:
        return None
    if rule.only:
        return Value(point["count"], 0)
    factor = {"calls": _NANOSECONDS.get(metric["unit"], 1e9), "tokens": 1, "cost": 1e9}[rule.feeds]
    amount = _whole(point["sum"] or 0, factor)
    if amount is None:
        return None
    layout, buckets = _latencies(point, factor / 1e9) if counts else (0, {})
    return Value(point["count"], amount, layout, buckets)


def _buckets(point: Mapping[str, Any]) -> Sequence[int]:
    return (point["bucket_counts"] if point["scale"] is None else point["positive_bucket_counts"]) or ()


def _whole(told: float | None, factor: float) -> int | None:
    if told is None or not isfinite(told) or not 0 <= told * factor <= _MOST:
        return None
    return round(told * factor)


def _latencies(point: Mapping[str, Any], unit: float) -> tuple[int, Mapping[int, int]]:
    """Return the calls by bucket of the sketch, where the point's own buckets are fine enough to tell.

    All calls of a bucket go where its middle is on a scale of ratios, so that sums of points are the points of sums.
    """
    if point["scale"] is not None:
        return _exponential(point, unit)
    bounds = tuple(unit * bound for bound in point["explicit_bounds"] or ())
    counts = _buckets(point)
    places = _places(bounds)
    if not places or len(counts) != len(places):
        return 0, {}
    return _EXPLICIT, _summed(zip(places, counts, strict=True))


@lru_cache(maxsize=256)
def _places(bounds: tuple[float, ...]) -> tuple[int, ...]:
    """Return the sketch's bucket of each bucket between *bounds*, in seconds; nothing where they are too coarse."""
    fine = bounds and bounds[-1] <= _FINE_MOST and sum(0 < bound < _FINE_BELOW for bound in bounds) >= _FINE_COUNT
    if not fine or not all(lower < upper for lower, upper in pairwise(bounds)):
        return ()
    lower, upper = np.array([0.0, *bounds]), np.array([*bounds, bounds[-1]])
    middle = np.where(lower > 0, np.sqrt(np.maximum(lower, 0) * np.maximum(upper, 0)), upper / 2)
    return tuple(bucket_of(middle).tolist())


def _exponential(point: Mapping[str, Any], unit: float) -> tuple[int, Mapping[int, int]]:
    scale, counts = point["scale"], _buckets(point)
    if not _COARSEST <= scale <= _FINEST:
        return 0, {}
    numbers = (point["positive_offset"] or 0) + np.arange(len(counts))
    powers = np.clip((numbers + 0.5) / 2.0**scale, -_FURTHEST, _FURTHEST)
    places = bucket_of(unit * np.exp2(powers)).tolist()
    zero = (int(bucket_of(np.zeros(1))[0]), point["zero_count"] or 0)
    return scale, _summed([zero, *zip(places, counts, strict=True)])


def _summed(pairs: Any) -> Mapping[int, int]:
    totals: dict[int, int] = {}
    for bucket, calls in pairs:
        if calls:
            totals[bucket] = totals.get(bucket, 0) + calls
    return totals
