import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporters.clickhouse.columns import (
    binary_rows,
    coded,
    compact,
    constant,
    hex_ids,
    map_rows,
    packed,
    timestamps,
)

IDS = st.lists(st.one_of(st.binary(max_size=20), st.just(b"\0" * 16), st.just(b"\0" * 8)), max_size=20)


@settings(deadline=None)
@given(IDS, st.integers(0, 3))
def test_ids_become_hex_and_zero_ids_nothing(ids, skipped) -> None:
    column = pa.array(ids, pa.binary()).slice(skipped)
    assert hex_ids(column).to_pylist() == [one.hex() if any(one) else "" for one in ids[skipped:]]


def test_timestamps_stop_where_the_column_ends() -> None:
    times = np.array([0, 2**63 - 1, 2**63, 2**64 - 1], np.uint64)
    assert timestamps(times).tolist() == [0, 2**63 - 1, 2**63 - 1, 2**63 - 1]


def test_compact_keeps_only_what_occurs() -> None:
    used, numbers = compact(np.array([7, 2, 7]))
    assert (used.tolist(), numbers.tolist()) == ([2, 7], [1, 0, 1])
    assert [part.tolist() for part in compact(np.zeros(0, np.int64))] == [[], []]


def test_binary_rows_are_equal_where_the_codes_are() -> None:
    codes = np.array([[1, 2], [3, 4], [1, 2], [3, 4], [1, 2]], np.int32)
    rows = binary_rows(codes, np.array([2, 0, 2, 1]))
    assert rows[0] == rows[2]
    assert len(set(rows.to_pylist())) == 3


def test_equal_texts_are_one_entry_of_the_dictionary() -> None:
    column = coded(np.array([2, 0, 1]), ["a", "b", "a"])
    assert column.to_pylist() == ["a", "a", "b"]
    assert column.dictionary.to_pylist() == ["a", "b"]
    assert constant("x", 2).to_pylist() == ["x", "x"]
    assert coded(np.zeros(0, np.int64), []).to_pylist() == []


def test_map_rows_repeat_the_maps() -> None:
    column = map_rows([{"k": "v"}, {}, {"k": "w", "l": "v"}], np.array([2, 1, 0, 2]))
    assert column.to_pylist(maps_as_pydicts="strict") == [{"k": "w", "l": "v"}, {}, {"k": "v"}, {"k": "w", "l": "v"}]


@pytest.mark.parametrize("start", [0, 1])
def test_packed_texts_are_the_chosen_ones(start):
    texts = pa.array(["a", None, "", None, "bcd", "e"])[start:]
    chosen = np.asarray(texts.is_valid())

    found = packed(texts, chosen)

    assert found.to_pylist() == texts.drop_null().to_pylist()
    assert found.buffers()[2].address == texts.buffers()[2].address


def test_packed_leaves_out_the_text_of_what_is_not_chosen():
    texts = pa.array(["a", "left out", "b"])

    assert packed(texts, np.array([True, False, True])).to_pylist() == ["a", "b"]


def test_packed_nothing():
    assert packed(pa.array([], pa.string()), np.zeros(0, np.bool_)).to_pylist() == []
    assert packed(pa.nulls(2, pa.string()), np.zeros(2, np.bool_)).to_pylist() == []
