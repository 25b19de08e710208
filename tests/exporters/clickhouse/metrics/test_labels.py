import json

import pytest

from collector.batch import concat
from tests.exporters.clickhouse.metrics.batches import batch_of, metric, point, rows_of, series_of

EVERY_KIND = {
    "text": "x", "flag": True, "int": -(2**63), "double": 1e21, "small": 9.9e-7, "list": ["<", 1, None],
    "map": {"b": 1, "a": b"\x01"}, "bytes": b"\x01\x02", "nothing": None, "": "no name",
}  # fmt: skip
TEXTS = {
    "text": "x", "flag": "true", "int": "-9223372036854775808", "double": "1e+21", "small": "9.9e-7",
    "list": '["\\u003c",1,null]', "map": '{"a":"AQ==","b":1}', "bytes": "AQI=", "nothing": "", "": "no name",
}  # fmt: skip
KINDS = {
    "text": "Str", "flag": "Bool", "int": "Int", "double": "Double", "small": "Double", "list": "Slice", "map": "Map",
    "bytes": "Bytes", "nothing": "Empty", "": "Str",
}  # fmt: skip


def one_series(attributes=(), **owners):
    (row,) = rows_of(batch_of(metric("gauge", point(attributes, as_int=1)), **owners), "time_series_v4")
    return row


@pytest.mark.parametrize("owner", ["attrs", "resource_attrs", "scope_attrs"])
def test_values_of_every_kind_become_texts(owner: str) -> None:
    places = {
        "attrs": {"attributes": EVERY_KIND},
        "resource_attrs": {"resource": EVERY_KIND},
        "scope_attrs": {"scope": {"attributes": EVERY_KIND}},
    }
    row = one_series(**places[owner])

    assert {key: text for key, text in row[owner].items() if not key.startswith("__")} == TEXTS
    assert {key: text for key, text in json.loads(row["labels"]).items() if not key.startswith("__")} == TEXTS


def test_metadata_name_the_kind_of_every_value() -> None:
    rows = rows_of(batch_of(metric("gauge", point(EVERY_KIND, as_int=1))), "metadata")

    found = {row["attr_name"]: (row["attr_datatype"], row["attr_string_value"]) for row in rows}
    assert {key: both for key, both in found.items() if not key.startswith("__")} == {
        key: (KINDS[key], TEXTS[key]) for key in TEXTS
    }
    assert found["__temporality__"] == ("Str", "Unspecified")


def test_of_equal_keys_the_last_one_counts() -> None:
    row = one_series([("k", "first"), ("a", 1), ("k", 2)])

    assert row["attrs"] == {"__temporality__": "Unspecified", "a": "1", "k": "2"}
    assert row["fingerprint"] == one_series([("k", "2"), ("a", "1")])["fingerprint"]


def test_of_equal_labels_that_of_the_resource_counts() -> None:
    row = one_series({"k": "point", "p": "1"}, resource={"k": "resource"}, scope={"attributes": {"k": "s", "p": "s"}})

    assert json.loads(row["labels"])["k"] == "resource"
    assert json.loads(row["labels"])["p"] == "s"
    assert row["attrs"]["k"] == "point"


def test_our_own_labels_count_more_than_attributes_of_their_names() -> None:
    own = {"__temporality__": "mine", "__name__": "mine", "le": "mine"}
    row = one_series(own, scope={"name": "lib", "attributes": {"__scope.name__": "mine"}})

    assert row["attrs"] == {"__temporality__": "Unspecified", "__name__": "mine", "le": "mine"}
    assert row["scope_attrs"]["__scope.name__"] == "lib"
    assert json.loads(row["labels"])["__name__"] == "m"


def test_labels_are_compact_json_in_the_order_of_bytes() -> None:
    row = one_series({"z": '<&>\\"\n\r\t', "Z": "ü\u2028", "é": "", "a": "\x01\x08\x0c"})

    assert row["labels"] == (
        '{"Z":"ü\u2028","__name__":"m","__scope.name__":"","__scope.schema_url__":"","__scope.version__":"",'
        '"__temporality__":"Unspecified","a":"\\u0001\\u0008\\u000c","z":"<&>\\\\\\"\\n\\r\\t","é":""}'
    )


def test_keys_that_would_break_the_json_are_escaped() -> None:
    row = one_series({'a"b\\': "x"})

    assert json.loads(row["labels"])['a"b\\'] == "x"
    assert row["attrs"]['a"b\\'] == "x"


def test_the_order_of_attributes_makes_no_series() -> None:
    points = [point([("a", 1), ("b", 2)], as_int=1), point([("b", 2), ("a", 1)], as_int=2)]

    assert len(series_of(batch_of(metric("gauge", *points)))) == 1


def test_series_that_differ_only_in_where_a_text_ends_are_two() -> None:
    points = [point([("a", "xb"), ("c", "")], as_int=1), point([("a", "x"), ("bc", "")], as_int=2)]

    assert len(series_of(batch_of(metric("gauge", *points)))) == 2


def test_requests_together_share_their_series() -> None:
    batch = batch_of(metric("gauge", point({"a": "b"}, as_int=1)), resource={"service.name": "svc"})
    other = batch_of(metric("gauge", point({"a": "b"}, as_int=1)), resource={"service.name": "other"})
    rows = rows_of(concat("all", [batch, other, batch]))

    assert [row["fingerprint"] for row in rows] == [
        row["fingerprint"] for one in (batch, other, batch) for row in rows_of(one)
    ]
    assert len(rows_of(concat("all", [batch, other, batch]), "time_series_v4")) == 2
