"""What the points of one export add, told together: many of them do not say of how many calls they tell.

    calls 4 ─────────┐
    input 300 ───────┼──> input_tokens_calls 4, usage_calls 4
    cache read 150 ──┼──> 150 of 300 tokens from cache
    cost 0.02 USD ───┘    priced_calls 4

Together are the points of one process, source and row. What each adds is claimed for itself, since each may be void.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, NamedTuple

from collector.schema import ROLLUP_DIMENSIONS
from processors.rollup.call_table import call_table
from processors.rollup.series.amounts import Amounts
from processors.rollup.series.choice import ClaimKey
from processors.rollup.series.differences import Growth
from processors.rollup.series.readings import Reading

_OPERATION = ROLLUP_DIMENSIONS.index("operation")
_INPUT, _OUTPUT, _CACHED, _COST = "input_tokens", "output_tokens", "cache_read_tokens", "cost"


class Grown(NamedTuple):
    """Is a point, what it claims, and how much that is."""

    reading: Reading
    key: ClaimKey
    growth: Growth

    @property
    def amount(self) -> int:
        """How much it grew by."""
        return self.growth.value.amount


class _Line(NamedTuple):
    """Is points of one measure and rank, and how many calls each of them tells of."""

    points: Sequence[Grown]
    told: Sequence[int]

    @property
    def amount(self) -> int:
        return sum(one.amount for one in self.points)


_Lines = Mapping[tuple[str, int], _Line]


def amounts_told(grown: Iterable[Grown]) -> Iterator[tuple[ClaimKey, Amounts]]:
    """Yield what each point adds."""
    together: dict[Any, list[Grown]] = defaultdict(list)
    for one in grown:
        together[one.reading.process, one.reading.source, one.key.row].append(one)
    for group in together.values():
        calls = [one for one in group if one.reading.rule.feeds == "calls"]
        answered = _answered(calls)
        yield from ((one.key, _calls(one)) for one in calls)
        yield from _uses(_lines([one for one in group if one.reading.rule.feeds != "calls"], answered), answered)


def _answered(calls: Sequence[Grown]) -> int:
    """Return how many calls were answered, 0 where nothing says it."""
    by_rank: dict[int, int] = defaultdict(int)
    for reading, _, growth in calls:
        if reading.error is None:
            by_rank[reading.rule.rank] += growth.value.times
    return max(by_rank.values(), default=0)


def _calls(one: Grown) -> Amounts:
    reading, value = one.reading, one.growth.value
    sums = {"calls": value.times, "duration_nano": value.amount, "timed_calls": value.times if reading.timed else 0}
    maps: dict[str, dict[Any, int]] = {"duration_buckets": dict(value.buckets)} if value.buckets else {}
    if reading.error is not None:
        sums["errors"] = value.times
        maps |= {"errors_by_class": {reading.error: value.times}} if value.times else {}
        maps |= {"error_duration_buckets": dict(value.buckets)} if value.buckets else {}
    return _amounts(sums, maps)


def _lines(points: Iterable[Grown], answered: int) -> _Lines:
    """Return points of tokens and costs by measure and rank, the best rank first."""
    by_line: dict[tuple[str, int], list[Grown]] = defaultdict(list)
    for one in points:
        by_line[one.key.cover.measure, one.key.cover.rank].append(one)
    return {line: _Line(by_line[line], _told(by_line[line], answered)) for line in sorted(by_line)}


def _told(points: Iterable[Grown], answered: int) -> list[int]:
    """Return how many calls each point of a line tells of: a histogram counts them.

    A counter does not: the first that grew tells of the calls that were answered, or of one. A cost of nothing, and a
    counter that did not grow, say nothing.
    """
    told, left = [], answered or 1
    for one in points:
        if one.reading.counter:
            told.append(left if one.amount else 0)
            left -= told[-1]
        else:
            told.append(one.growth.value.times if one.amount or one.reading.columns else 0)
    return told


def _uses(lines: _Lines, answered: int) -> Iterator[tuple[ClaimKey, Amounts]]:
    """Yield what points of tokens and costs add; calls with input tokens are those with tokens, if there are any."""
    used_by = [(measure, sum(line.told)) for (measure, _), line in lines.items() if measure in (_INPUT, _OUTPUT)]
    telling, used = next((one for one in used_by if one[1]), (_INPUT, 0))
    covered = _covered(lines, answered)
    for (measure, rank), (points, told) in lines.items():
        left = used
        for place, (one, calls) in enumerate(zip(points, told, strict=True)):
            columns = one.reading.columns or ("cost_nano_usd",)
            sums = dict.fromkeys(columns, one.amount) | {f"{columns[0]}_calls": calls}
            if measure == telling:
                sums["usage_calls"] = calls
            elif measure == _COST:
                sums["priced_calls"] = min(calls, left)
                left -= min(calls, left)
            if "cache_covered_read_tokens" in columns:
                sums["cache_covered_calls"] = min(calls, answered)
            yield one.key, _amounts(sums | (covered.get(rank, {}) if measure == _CACHED and not place else {}), {})


def _covered(lines: _Lines, answered: int) -> Mapping[int, dict[str, int]]:
    """Return by its rank what each line of cache reads tells of calls that report both these and their input.

    Counters of both tell of the same calls; histograms if they count as many. Sources that say themselves what the
    cache held of their input need none of this.
    """
    whole = next((line for (measure, _), line in lines.items() if measure == _INPUT and line.amount), None)
    if whole is None or _is_embedding(whole.points[0]):
        return {}
    found = {}
    for (measure, rank), line in lines.items():
        told = any("cache_covered_read_tokens" in one.reading.columns for one in line.points)
        if measure == _CACHED and not told and _tell_of_the_same(line, whole):
            found[rank] = {
                "cache_covered_read_tokens": line.amount,
                "cache_covered_input_tokens": whole.amount,
                "cache_covered_calls": min(sum(line.told) or answered, answered),
            }
    return found


def _tell_of_the_same(reads: _Line, whole: _Line) -> bool:
    counted = not any(one.reading.counter for one in chain(reads.points, whole.points))
    return not counted or sum(reads.told) == sum(whole.told)


def _is_embedding(one: Grown) -> bool:
    return call_table().operations.get(one.key.row.dimensions[_OPERATION]) == "embeddings"


def _amounts(sums: Mapping[str, int], maps: dict[str, dict[Any, int]]) -> Amounts:
    return Amounts({name: number for name, number in sums.items() if number}, maps)
