from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.exporters.clickhouse.trace_batches import EXPECTED, batch_of, rows_of, span, vector_batch

HOUR = 3_600_000_000_000
KEYS, VALUES = "span_attributes_keys", "tag_attributes_v2"
COLUMNS = ("unix_milli", "tag_key", "tag_type", "tag_data_type", "string_value", "number_value")
FIELDS = {
    "name": "string",
    "kind_string": "string",
    "kind": "float64",
    "status_code_string": "string",
    "status_code": "float64",
}


def values_of(rows: list[dict[str, Any]]) -> list[tuple]:
    return [tuple(row[name] for name in COLUMNS) for row in rows]


def test_keys_are_signoz_s() -> None:
    expected = {
        (tag["Key"], tag["TagType"], tag["DataType"], False)
        for one in EXPECTED["spans"]
        for tag in one["span_attributes"]
    }
    rows = [tuple(row.values()) for row in rows_of(vector_batch(), KEYS)]
    assert set(rows) == expected
    assert len(rows) == len(expected)


def test_values_are_signoz_s() -> None:
    expected = set()
    for one in EXPECTED["spans"]:
        hour = one["timestamp"] // HOUR * 3_600_000
        for tag in one["span_attributes"]:
            number = tag["NumberValue"] if tag["DataType"] == "float64" else None
            expected.add((hour, tag["Key"], tag["TagType"], tag["DataType"], tag["StringValue"], number))
        for key, data_type in FIELDS.items():
            text, number = (one[key], None) if data_type == "string" else ("", one[key])
            expected.add((hour, key, "spanfield", data_type, text, number))
    rows = values_of(rows_of(vector_batch(), VALUES))
    assert set(rows) == expected
    assert len(rows) == len(expected)


def test_each_value_once_per_hour() -> None:
    spans = [span({"k": "v", "n": 1, "b": True}, start_time_unix_nano=start) for start in (0, HOUR - 1, HOUR, 5)]
    rows = values_of(rows_of(batch_of(*spans, resource={"r": "x"}, scope={"name": "s"}), VALUES))
    once = {("k", "tag", "v"), ("n", "tag", ""), ("b", "tag", ""), ("r", "resource", "x"), ("scope.name", "scope", "s")}
    once |= {("name", "spanfield", "chat"), ("kind_string", "spanfield", "Unspecified"), ("kind", "spanfield", "")}
    once |= {("status_code_string", "spanfield", "Unset"), ("status_code", "spanfield", "")}
    found = [(row[0], row[1], row[2], row[4]) for row in rows]
    assert sorted(found) == sorted((hour, *one) for hour in (0, 3_600_000) for one in once)


def test_long_texts_have_a_key_but_no_value() -> None:
    longest, too_long = "ä" * 128, "ä" * 128 + "x"
    batch = batch_of(
        span({"a": longest, "b": too_long}, name=too_long), resource={"r": too_long}, scope={"name": too_long}
    )
    assert {row["tagKey"] for row in rows_of(batch, KEYS)} == {"a", "b", "r", "scope.name"}
    texts = {row["tag_key"]: row["string_value"] for row in rows_of(batch, VALUES)}
    assert texts == {
        "a": longest,
        "kind_string": "Unspecified",
        "kind": "",
        "status_code_string": "Unset",
        "status_code": "",
    }


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 3),
            st.dictionaries(
                st.sampled_from("abc"), st.sampled_from(["", "x", "y", 0, 1, 0.5, True, False]), max_size=3
            ),
        ),
        min_size=1,
        max_size=8,
    )
)
def test_values_are_those_of_the_spans(spans) -> None:
    batch = batch_of(*(span(attributes, start_time_unix_nano=hour * HOUR) for hour, attributes in spans))
    expected = set()
    for hour, attributes in spans:
        for key, value in attributes.items():
            kind = {str: "string", bool: "bool"}.get(type(value), "float64")
            text, number = value if kind == "string" else "", float(value) if kind == "float64" else None
            expected.add((hour * 3_600_000, key, "tag", kind, text, number))
    rows = [row for row in values_of(rows_of(batch, VALUES)) if row[2] == "tag"]
    assert set(rows) == expected
    assert len(rows) == len(expected)
