import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.attributes import Attributes, attributes_of, offsets_of, ranges, resource_attributes_of
from collector.batch import Signal
from collector.otlp.decode import decode
from collector.schema import ATTRIBUTE

KEYS = ["a", "b", "c", ""]
NONE = dict.fromkeys(member.name for member in ATTRIBUTE.field("value").type)
LISTS = pa.list_(pa.field("item", ATTRIBUTE, nullable=False))

texts = st.sampled_from(
    ["", "x", "7", " 42 ", "-3", "+5", "1.5", "2.0", "1e3", "1e999", "-1e999", "5.", "0x10", "1_000"]
)
numeric_texts = st.from_regex(r"\A\s?[+-]?[0-9]{1,30}(\.[0-9]{0,3})?([eE][+-]?[0-9]{1,4})?\s?\Z")
int64s = st.integers(-(2**63), 2**63 - 1) | st.sampled_from([0, 1, -1, 2**53 + 1, 2**63 - 1])
values = st.one_of(
    st.none(),
    st.just({}),
    st.fixed_dictionaries({"string_value": texts | numeric_texts | st.text(max_size=4)}),
    st.fixed_dictionaries({"bool_value": st.booleans()}),
    st.fixed_dictionaries({"int_value": int64s}),
    st.fixed_dictionaries({"double_value": st.floats() | st.sampled_from([3.0, -0.0, 2.0**63, 2.0**62])}),
    st.fixed_dictionaries({"array_value": st.just(b"")}),
)
rows = st.lists(st.lists(st.tuples(st.sampled_from(KEYS), values), max_size=5), max_size=12)


def column(rows: list[list[tuple[str, dict[str, Any] | None]]]) -> pa.ListArray:
    """Return rows of (key, value) as a batch has them."""
    cells = [[{"key": k, "value": None if v is None else {**NONE, **v}} for k, v in row] for row in rows]
    return pa.array(cells, LISTS)


def last_values(rows: Any, key: str) -> list[dict[str, Any]]:
    """Return the members of each row's last value of *key*; none where it is missing."""
    return [(dict(row).get(key) or {}) if key in dict(row) else {} for row in rows]


def number(value: dict[str, Any]) -> float | None:
    if "int_value" in value:
        return float(value["int_value"])
    if "double_value" in value:
        return value["double_value"]
    text = value.get("string_value", "").strip(" \t\n\r\f\v")
    try:
        plain = text.isascii() and "_" not in text and text[-1:].isdigit() | text.endswith(".")
        return float(text) if plain else None
    except ValueError:
        return None


def whole_number(value: dict[str, Any]) -> int | None:
    if "int_value" in value:
        return value["int_value"] if value["int_value"] >= 0 else None
    found = number(value)
    if found is None or not math.isfinite(found) or found < 0 or found != int(found) or found >= 2.0**63:
        return None
    return int(found)


def same(left: list[Any], right: list[Any]) -> bool:
    return [repr(item) for item in left] == [repr(item) for item in right]


@given(rows)
@settings(max_examples=200, deadline=None)
def test_last_value_of_every_key_is_found(rows: Any) -> None:
    attributes = Attributes(column(rows))
    flat = [pair for row in rows for pair in row]
    wanted = ["c", "missing", "a", ""]
    located = attributes.locate(wanted)
    assert located.shape == (len(wanted), len(rows))
    for key, positions in zip(wanted, located, strict=True):
        for row, position in zip(rows, positions, strict=True):
            assert (position >= 0) == (key in dict(row))
            if position >= 0:
                assert flat[position] == (key, dict(row)[key])


@given(rows, st.data())
@settings(max_examples=100, deadline=None)
def test_some_rows_are_looked_at_alone(rows: Any, data: Any) -> None:
    attributes = Attributes(column(rows))
    some = np.array([number for number in range(len(rows)) if data.draw(st.booleans())], dtype=np.int64)
    for key in ["a", "missing", ""]:
        assert attributes.locate_in(some, key).tolist() == attributes.locate([key])[0][some].tolist()


def test_many_rows_share_few_shapes() -> None:
    rows = [[("a", None), ("b", None)] if n % 3 else [("b", None)] for n in range(200)]
    attributes = Attributes(column(rows))
    assert len(attributes.shapes.first) == 2
    assert [attributes.names[code] for code in attributes.codes] == [key for row in rows for key, _ in row]


@pytest.mark.parametrize("other", [["a", "bc"], ["abc"], ["abc", ""], []])
def test_other_keys_that_make_the_same_text_are_told_apart(other: list[str]) -> None:
    rows = [[(key, None) for key in (other if n % 2 else ["ab", "c"])] for n in range(200)]
    attributes = Attributes(column(rows))
    assert [attributes.names[code] for code in attributes.codes] == [key for row in rows for key, _ in row]
    found = (attributes.locate(["c"])[0] >= 0).tolist()
    assert found == [n % 2 == 0 for n in range(200)]


@given(rows)
@settings(max_examples=300, deadline=None)
def test_members_are_read_as_plain_python_reads_them(rows: Any) -> None:
    attributes = Attributes(column(rows))
    for key, positions in zip(KEYS, attributes.locate(KEYS), strict=True):
        expected = last_values(rows, key)
        assert attributes.strings(positions).to_pylist() == [value.get("string_value") for value in expected]
        assert attributes.booleans(positions).to_pylist() == [value.get("bool_value") for value in expected]
        assert same(attributes.counts(positions).to_pylist(), [whole_number(value) for value in expected])


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        ({}, None),
        ({"int_value": 2**53 + 1}, 2**53 + 1),
        ({"int_value": -1}, None),
        ({"int_value": 0}, 0),
        ({"double_value": 3.0}, 3),
        ({"double_value": 3.5}, None),
        ({"double_value": math.nan}, None),
        ({"double_value": math.inf}, None),
        ({"double_value": 2.0**63}, None),
        ({"string_value": "12"}, 12),
        ({"string_value": " 12\n"}, 12),
        ({"string_value": "+12"}, 12),
        ({"string_value": "12.0"}, 12),
        ({"string_value": "12."}, 12),
        ({"string_value": "1e3"}, 1000),
        ({"string_value": "1e999"}, None),
        ({"string_value": "9" * 400}, None),
        ({"string_value": "-12"}, None),
        ({"string_value": "12 tokens"}, None),
        ({"string_value": "nan"}, None),
        ({"string_value": "inf"}, None),
        ({"string_value": ""}, None),
        ({"string_value": "\u0661"}, None),
        ({"bool_value": True}, None),
        ({"bytes_value": b"12"}, None),
    ],
)
def test_counts_are_whole_numbers_of_zero_or_more(value: Any, expected: int | None) -> None:
    attributes = Attributes(column([[("a", value)], [("a", {"int_value": 5})]]))
    assert attributes.counts(attributes.locate(["a"])[0]).to_pylist() == [expected, 5]


def test_a_part_of_a_column_is_read_alone() -> None:
    rows = [[("a", {"string_value": str(n)})] * n for n in range(6)]
    part = Attributes(column(rows).slice(2, 3))
    assert part.count == 3
    assert part.strings(part.locate(["a"])[0]).to_pylist() == ["2", "3", "4"]


def test_no_rows_have_nothing() -> None:
    attributes = Attributes(column([]))
    assert attributes.locate(["a", "b"]).shape == (2, 0)
    assert attributes.counts(attributes.locate(["a"])[0]).to_pylist() == []


def test_batch_is_laid_flat_once() -> None:
    request = ExportTraceServiceRequest()
    resource_spans = request.resource_spans.add()
    resource_spans.resource.attributes.add(key="service.name").value.string_value = "chat"
    span = resource_spans.scope_spans.add().spans.add()
    span.attributes.add(key="n").value.int_value = 3
    batch = decode(Signal.TRACES, request.SerializeToString())
    own, owners = attributes_of(batch), resource_attributes_of(batch)
    assert attributes_of(batch) is own
    assert own.names == ["n"]
    assert owners.strings(owners.locate(["service.name"])[0]).to_pylist() == ["chat"]


@given(rows)
def test_filled_are_the_texts_that_are_not_empty(rows: Any) -> None:
    values = [(value or {}).get("string_value") for row in rows for _, value in row]

    assert _filled(column(rows)) == [bool(value) for value in values]


@given(rows, st.integers(0, 3))
def test_filled_is_right_for_a_part_of_a_column(rows: Any, start: int) -> None:
    values = [(value or {}).get("string_value") for row in rows[start:] for _, value in row]

    assert _filled(column(rows).slice(start)) == [bool(value) for value in values]


@given(rows)
def test_what_says_something_is_no_empty_text(rows: Any) -> None:
    attributes = Attributes(column(rows))
    values = [value or {} for row in rows for _, value in row]
    wanted = [any(one not in (None, "") for one in value.values()) for value in values]

    assert attributes.told(np.arange(attributes.size)).tolist() == wanted
    assert attributes.told(np.full(2, -1)).tolist() == [False, False]


def _filled(lists: pa.ListArray) -> list[bool]:
    attributes = Attributes(lists)
    filled: list[bool] = attributes.filled(np.arange(attributes.size)).tolist()
    return filled


def test_ranges_are_the_positions_of_rows_in_any_order() -> None:
    lengths = np.array([2, 0, 3])
    starts = offsets_of(lengths)[:-1]
    assert offsets_of(lengths).tolist() == [0, 2, 2, 5]
    assert ranges(starts, lengths).tolist() == [0, 1, 2, 3, 4]
    assert ranges(starts[[2, 0, 1, 2]], lengths[[2, 0, 1, 2]]).tolist() == [2, 3, 4, 0, 1, 2, 3, 4]
    assert ranges(starts[:0], lengths[:0]).tolist() == []
