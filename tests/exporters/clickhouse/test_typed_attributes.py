import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporters.clickhouse.texts import as_string, go_text
from exporters.clickhouse.typed_attributes import typed_attributes_of
from exporters.clickhouse.values import flatten
from tests.exporters.clickhouse.trace_batches import batch_of, rows_of, span

COLUMNS = ("attributes_string", "attributes_number", "attributes_bool")

LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(), st.text(max_size=5), st.binary(max_size=5)
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("xyz"), inner, max_size=3),
    max_leaves=6,
)
PAIRS = st.lists(st.tuples(st.sampled_from(["a", "b", "m", "m.x", "m.x.0", ""]), VALUES), max_size=8)


def expected_maps(pairs: list[tuple[str, Any]]) -> tuple[dict, dict, dict]:
    """Say the rules once more, attribute by attribute."""
    maps: tuple[dict, dict, dict] = ({}, {}, {})
    for key, value in pairs:
        nested = isinstance(value, dict)
        for name, leaf in flatten(key, value) if nested else [(key, value)]:
            if isinstance(leaf, bool):
                maps[2][name] = leaf
            elif isinstance(leaf, int | float):
                if math.isfinite(leaf):
                    maps[1][name] = float(leaf)
            else:
                maps[0][name] = go_text(leaf) if nested else as_string(leaf)
    return maps


@settings(deadline=None)
@given(st.lists(PAIRS, min_size=1, max_size=6))
def test_maps_hold_what_the_rules_say(lists) -> None:
    rows = rows_of(batch_of(*(span(pairs) for pairs in lists)))
    assert [tuple(row[name] for name in COLUMNS) for row in rows] == [expected_maps(pairs) for pairs in lists]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, {}, {"k": math.nan}])
def test_what_no_column_can_hold_is_left_out(value) -> None:
    row = rows_of(batch_of(span({"gone": value, "kept": 1})))[0]
    assert [row[name] for name in COLUMNS] == [{}, {"kept": 1.0}, {}]


def test_the_last_of_equal_keys_counts_in_each_map() -> None:
    pairs = [("k", "first"), ("k", 1), ("k", True), ("k", 2), ("other", "x"), ("k", "last")]
    row = rows_of(batch_of(span({"plain": "y"}), span(pairs)))[1]
    assert [row[name] for name in COLUMNS] == [{"k": "last", "other": "x"}, {"k": 2.0}, {"k": True}]


def test_large_whole_numbers_lose_digits_not_rows() -> None:
    assert rows_of(batch_of(span({"n": 2**63 - 1})))[0]["attributes_number"] == {"n": 2.0**63}


def test_attributes_are_sorted_once_per_batch() -> None:
    batch = batch_of(span({"a": 1}))
    assert typed_attributes_of(batch) is typed_attributes_of(batch)
