import numpy as np

from collector.attributes import attributes_of
from exporters.clickhouse.distinct import distinct_attributes, distinct_pairs
from tests.exporters.clickhouse.trace_batches import batch_of, span

LISTS = [
    {"a": 1, "b": "x"}, {"a": 1}, {}, {"a": 1, "b": "x"}, {"a": 1.0}, {"a": True}, {"a": "1"}, {"a": b"1"}, {"a": None},
    {}, {"a": [1]}, {"a": {"k": 1}}, {"a": [2]}, {"a": [1]},
]  # fmt: skip


def test_equal_lists_get_one_number_and_others_their_own() -> None:
    found = distinct_attributes(attributes_of(batch_of(*(span(one) for one in LISTS))))
    assert [found.maps[number] for number in found.numbers] == LISTS
    assert len(found.maps) == len(LISTS) - 3
    assert [type(one.get("a")) for one in (found.maps[number] for number in found.numbers[4:6])] == [float, bool]


def test_of_equal_keys_the_last_value_counts() -> None:
    found = distinct_attributes(attributes_of(batch_of(span([("a", 1), ("b", 2), ("a", 3)]))))
    assert found.maps == [{"a": 3, "b": 2}]


def test_rows_without_any_attribute() -> None:
    found = distinct_attributes(attributes_of(batch_of(span(), span())))
    assert (found.maps, found.numbers.tolist()) == ([{}], [0, 0])


def test_distinct_pairs_in_order_of_appearance() -> None:
    first, second = distinct_pairs(np.array([5, 5, 0, 5]), np.array([1, 0, 1, 1]))
    assert list(zip(first.tolist(), second.tolist(), strict=True)) == [(5, 1), (5, 0), (0, 1)]
    assert distinct_pairs(np.zeros(0, np.int64), np.zeros(0, np.int32))[0].tolist() == []
