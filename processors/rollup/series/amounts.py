"""What points and events add to the rollup, as sums that can be taken out again, and the rows of them."""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping
from typing import Any, NamedTuple, TypeVar

import pyarrow as pa

from collector.schema import ROLLUP_DIMENSIONS, ROLLUP_MAPS, ROLLUP_SUMS, ROLLUPS

K = TypeVar("K", bound=Hashable)


class Row(NamedTuple):
    """Is a row of the rollup: its *slot*, in seconds since 1970, and its `ROLLUP_DIMENSIONS`."""

    slot: int
    dimensions: tuple[str, ...]


class Amounts(NamedTuple):
    """Is what is added: by the name of a sum, and by the name and key of a map."""

    sums: dict[str, int]
    maps: dict[str, dict[Any, int]]


class Change(NamedTuple):
    """Is something to add to (*sign* 1) or to take out of (-1) a row."""

    sign: int
    row: Row
    amounts: Amounts


def added(one: Amounts, other: Amounts, sign: int = 1) -> Amounts:
    """Return both together, without what is 0."""
    names = one.maps.keys() | other.maps.keys()
    return Amounts(
        _added(one.sums, other.sums, sign),
        {name: _added(one.maps.get(name, {}), other.maps.get(name, {}), sign) for name in names},
    )


def _added(one: Mapping[K, int], other: Mapping[K, int], sign: int) -> dict[K, int]:
    totals = dict(one)
    for key, amount in other.items():
        totals[key] = totals.get(key, 0) + sign * amount
    return {key: amount for key, amount in totals.items() if amount}


def rows_of(changes: Iterable[Change]) -> pa.RecordBatch:
    """Return the rollup rows of *changes*, sorted; those of which nothing stays are left out."""
    nothing = Amounts({}, {})
    totals: dict[Row, Amounts] = defaultdict(lambda: nothing)
    for change in changes:
        totals[change.row] = added(totals[change.row], change.amounts, change.sign)
    kept = sorted((row, amounts) for row, amounts in totals.items() if amounts.sums or any(amounts.maps.values()))
    columns: list[list[Any]] = [[row.slot for row, _ in kept]]
    columns += [[row.dimensions[place] for row, _ in kept] for place in range(len(ROLLUP_DIMENSIONS))]
    columns += [[_wrapped(amounts.sums.get(name, 0)) for _, amounts in kept] for name in ROLLUP_SUMS]
    columns += [[_pairs(amounts.maps.get(name, {})) for _, amounts in kept] for name in ROLLUP_MAPS]
    arrays = [pa.array(column, field.type) for column, field in zip(columns, ROLLUPS, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=ROLLUPS)


def _pairs(amounts: Mapping[Any, int]) -> list[tuple[Any, int]]:
    return [(key, _wrapped(amount)) for key, amount in sorted(amounts.items())]


def _wrapped(amount: int) -> int:
    """Return what ClickHouse's own sums make of an amount beyond 64 bits, so that taking it out leaves nothing."""
    return (amount + 2**63) % 2**64 - 2**63


def amounts_of(rollups: pa.RecordBatch) -> Iterable[tuple[Row, Amounts]]:
    """Yield what each of the rollup's rows holds."""
    slots = rollups.column("time").view(pa.int64()).to_pylist()
    for slot, told in zip(slots, rollups.to_pylist(), strict=True):
        sums = {name: told[name] for name in ROLLUP_SUMS if told[name]}
        maps = {name: dict(told[name]) for name in ROLLUP_MAPS if told[name]}
        yield Row(slot, tuple(told[name] for name in ROLLUP_DIMENSIONS)), Amounts(sums, maps)
