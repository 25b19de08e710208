"""Which parts of a batch travel under which token, without a ClickHouse."""

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporters.clickhouse.delivery import deliver
from exporters.clickhouse.errors import RowError
from exporters.clickhouse.insert import Insert

DAY = 86_400


class Recorder:
    """Takes inserts as a connection does, except rows with a marked number."""

    def __init__(self, poison: set[int] = frozenset()) -> None:
        self.poison = poison
        self.taken: dict[str, list[int]] = {}

    def insert(self, table: str, rows: pa.RecordBatch, token: str) -> None:
        numbers = rows.column("number").to_pylist()
        if self.poison & set(numbers):
            raise RowError("no")
        assert token not in self.taken
        self.taken[token] = numbers


def insert_of(days: list[int], *, side: bool = False) -> Insert:
    rows = pa.record_batch(
        {"number": pa.array(range(len(days))), "time": pa.array([day * DAY for day in days], pa.timestamp("s", "UTC"))}
    )
    return Insert("d.t", rows, None if side else np.arange(len(days)) * 10)


def test_rows_of_few_days_travel_together() -> None:
    recorder = Recorder()
    deliver(recorder, "id", [insert_of([20_000, 20_099, 20_001])])

    assert recorder.taken == {"id:d.t": [0, 1, 2]}


def test_a_single_stray_day_does_not_split() -> None:
    recorder = Recorder()
    deliver(recorder, "id", [insert_of([0, 20_000])])

    assert list(recorder.taken) == ["id:d.t"]


def test_no_rows_are_not_sent() -> None:
    recorder = Recorder()
    deliver(recorder, "id", [insert_of([])])

    assert recorder.taken == {}


@given(st.lists(st.integers(0, 400), min_size=1, max_size=300))
def test_many_days_travel_in_groups_that_a_replay_repeats(days: list[int]) -> None:
    first, second = Recorder(), Recorder()
    deliver(first, "id", [insert_of(days)])
    deliver(second, "id", [insert_of(days)])

    assert first.taken == second.taken
    assert sorted(number for numbers in first.taken.values() for number in numbers) == list(range(len(days)))
    assert all(len({days[number] for number in numbers}) <= 100 for numbers in first.taken.values())


@given(st.sets(st.integers(0, 299)), st.booleans())
def test_exactly_the_refused_rows_are_left_out(poison: set[int], many_days: bool) -> None:
    days = [number * many_days for number in range(300)]
    recorder = Recorder(poison)
    refusals = deliver(recorder, "id", [insert_of(days)])

    assert refusals.rows == {10 * number for number in poison}
    assert {number for numbers in recorder.taken.values() for number in numbers} == set(range(300)) - poison


def test_refused_rows_of_side_tables_are_counted_only() -> None:
    refusals = deliver(Recorder({1, 2}), "id", [insert_of([0, 0, 0, 0], side=True), insert_of([])])

    assert (refusals.rows, refusals.side_rows, refusals.reason) == (set(), 2, "no")


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_days_follow_from_timestamps_of_any_unit(unit: str) -> None:
    moments = [datetime.fromtimestamp(quarter * DAY // 4, UTC) for quarter in range(600)]
    rows = pa.record_batch({"number": pa.array(range(600)), "time": pa.array(moments, pa.timestamp(unit, "UTC"))})
    recorder = Recorder()
    deliver(recorder, "id", [Insert("d.t", rows, None)])

    assert [len(numbers) for numbers in recorder.taken.values()] == [400, 200]


def test_other_rows_of_a_side_table_travel_under_another_name() -> None:
    """A batch that is tried again may bring other rows of side tables; under one name the second would be dropped."""
    first, other, last = Recorder(), Recorder(), Recorder()
    deliver(first, "id", [insert_of([1, 2], side=True)])
    deliver(other, "id", [insert_of([1, 2, 3], side=True)])
    deliver(last, "id", [insert_of([1, 2], side=True)])

    assert first.taken == last.taken
    assert not first.taken.keys() & other.taken.keys()


@given(st.lists(st.sampled_from([0, 1, 20_000, 49_678, 49_679, 49_680, 80_000]), max_size=30), st.booleans())
def test_rows_that_would_outlive_the_clock_are_refused_alone(days: list[int], many: bool) -> None:
    days += range(200) if many else []
    recorder = Recorder()
    refusals = deliver(recorder, "id", [insert_of(days)], lifetime=30)
    late = {number for number, day in enumerate(days) if day > 49_679}

    assert refusals.rows == {10 * number for number in late}
    assert ("the end of ClickHouse's clock" in refusals.reason) == bool(late)
    assert {number for taken in recorder.taken.values() for number in taken} == set(range(len(days))) - late
    assert all(recorder.taken.values())
