import json
import math
from typing import Any

import pytest

from collector.batch import Batch, concat
from exporters.clickhouse.logs import log_inserts
from exporters.clickhouse.schema import Tables, create
from tests.exporters.clickhouse.conftest import Store
from tests.exporters.clickhouse.log_batches import EXPECTED, NOW, TIME, batch_of, record, rows_of, vector_batch

COLUMNS = [
    "ts_bucket_start", "resource_fingerprint", "timestamp", "observed_timestamp", "id", "trace_id", "span_id",
    "trace_flags", "severity_text", "severity_number", "body", "attributes_string", "attributes_number",
    "attributes_bool", "resources_string", "resource", "scope_name", "scope_version", "scope_string", "inserted_at",
]  # fmt: skip
SECOND = 10**9


def shown(row: dict[str, Any]) -> dict[str, Any]:
    """Return the row as the vectors show it."""
    return {**row, "body": row["body"].decode()}


@pytest.mark.parametrize("number", range(len(EXPECTED["logs"])))
def test_every_column_is_signoz_s(number) -> None:
    row = shown(rows_of(vector_batch())[number])
    expected = dict(EXPECTED["logs"][number])
    labels = json.loads(expected.pop("labels"))
    assert json.loads(row["resource"]) == row["resources_string"] == labels
    assert {name: row[name] for name in expected} == expected


def test_the_columns_that_the_vectors_do_not_show() -> None:
    rows = rows_of(vector_batch())
    assert [row["timestamp"] for row in rows] == [second * SECOND for second in range(1_795_284_061, 1_795_284_064)]
    observed = [1_795_284_061 * SECOND + 3, 1_795_284_062 * SECOND, int(NOW * SECOND)]
    assert [row["observed_timestamp"] for row in rows] == observed
    assert {row["ts_bucket_start"] for row in rows} == {1_795_284_000}
    assert [row["trace_id"] for row in rows] == ["0af7651916cd43dd8448eb211c80319c", "", ""]
    assert [row["span_id"] for row in rows] == ["00f067aa0ba902b7", "", ""]
    assert {(row["scope_name"], row["scope_version"]) for row in rows} == {("lib.a", "1.2")}
    assert rows[0]["scope_string"] == {"sa": "1"}
    assert rows[0]["inserted_at"].timestamp() != 0


def test_columns_and_tables_come_in_the_order_of_the_insert() -> None:
    inserts = log_inserts(vector_batch(), NOW)
    assert [insert.table for insert in inserts] == [
        "signoz_logs.distributed_logs_attribute_keys",
        "signoz_logs.distributed_logs_resource_keys",
        "signoz_logs.distributed_tag_attributes_v2",
        "signoz_logs.distributed_logs_v2_resource",
        "signoz_logs.distributed_logs_v2",
    ]
    assert inserts[-1].rows.schema.names == COLUMNS
    assert inserts[-1].sources is not None
    assert inserts[-1].sources.tolist() == [0, 1, 2]
    assert [insert.sources for insert in inserts[:-1]] == [None] * 4


def test_nothing_follows_from_no_records() -> None:
    assert log_inserts(batch_of(), NOW) == []


def test_a_batch_sent_again_gives_the_same_rows() -> None:
    batch = vector_batch()
    again = Batch.load(batch.dump())
    for first, second in zip(log_inserts(batch, NOW), log_inserts(again, NOW), strict=True):
        assert first.table == second.table
        assert first.rows.equals(second.rows)
    assert [row["id"] for row in rows_of(again, now=NOW + 86_400)] == [row["id"] for row in rows_of(batch)]


def test_part_of_a_batch_gives_its_part_of_the_rows() -> None:
    batch = vector_batch()
    whole = [{name: value for name, value in row.items() if name != "id"} for row in rows_of(batch)]
    for part, rows in ((batch.take([2, 0]), [2, 0]), (concat("both", [batch, batch]), [0, 1, 2] * 2)):
        found = [{name: value for name, value in row.items() if name != "id"} for row in rows_of(part)]
        assert found == [whole[row] for row in rows]


@pytest.mark.parametrize(
    ("time", "observed", "expected"),
    [(5, 7, (5, 7)), (0, 7, (7, 7)), (5, 0, (5, int(NOW * SECOND))), (0, 0, (int(NOW * SECOND),) * 2)],
)
def test_missing_times_fall_back(time, observed, expected) -> None:
    row = rows_of(batch_of(record(time_unix_nano=time, observed_time_unix_nano=observed)))[0]
    assert (row["timestamp"], row["observed_timestamp"]) == expected
    assert row["ts_bucket_start"] == expected[0] // SECOND // 1800 * 1800


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("text <&>", b"text <&>"),
        ("", b""),
        (None, b""),
        (5, b"5"),
        (1e21, b"1e+21"),
        (2.0, b"2"),
        (True, b"true"),
        (b"\xff\x00", b"\xff\x00"),
        ([1, "x", None], b'[1,"x",null]'),
        ({"message": "boom", "<": {"a": [b"\x01"]}}, b'{"\\u003c":{"a":["AQ=="]},"message":"boom"}'),
        ({}, b"{}"),
    ],
)
def test_bodies_of_every_type(body, text) -> None:
    others = [record(body="before"), record(body={"k": 1}), record(body=7), record(body=b"raw")]
    rows = rows_of(batch_of(record(body=body), *others, record(body=body)))
    assert [row["body"] for row in rows] == [text, b"before", b'{"k":1}', b"7", b"raw", text]


def test_attributes_of_every_type_are_not_flattened() -> None:
    values = {"s": "x", "e": None, "l": [1, {"k": "<"}], "m": {"z": 1, "a": {"b": True}}, "r": b"\xff", "i": 2**53}
    values |= {"nan": math.nan, "inf": -math.inf, "d": 0.5, "b": False}
    row = rows_of(batch_of(record(values)))[0]
    texts = {"s": "x", "e": "", "l": '[1,{"k":"\\u003c"}]', "m": '{"a":{"b":true},"z":1}', "r": "/w=="}
    assert row["attributes_string"] == texts
    assert math.isnan(row["attributes_number"].pop("nan"))
    assert row["attributes_number"] == {"i": 2.0**53, "inf": -math.inf, "d": 0.5}
    assert row["attributes_bool"] == {"b": False}


def test_of_equal_keys_the_last_counts() -> None:
    row = rows_of(batch_of(record([("k", "first"), ("k", 2), ("k", "last"), ("m", {"a": 1}), ("m", {"a": 2})])))[0]
    assert row["attributes_string"] == {"k": "last", "m": '{"a":2}'}
    assert row["attributes_number"] == {"k": 2.0}


def test_resources_are_not_flattened() -> None:
    resource = {"service.name": "x", "m": {"k": "v", "n": 2}, "n": 1.5, "b": b"\x01\x02"}
    row = rows_of(batch_of(record(), resource=resource))[0]
    assert row["resources_string"] == {"service.name": "x", "m": '{"k":"v","n":2}', "n": "1.5", "b": "AQI="}
    assert json.loads(row["resource"]) == row["resources_string"]


@pytest.mark.parametrize(("sent", "stored"), [(0, 0), (24, 24), (255, 255), (256, 0), (-1, 0)])
def test_severity_is_stored_as_it_came(sent, stored) -> None:
    row = rows_of(batch_of(record(severity_number=sent, severity_text="weird")))[0]
    assert (row["severity_number"], row["severity_text"]) == (stored, "weird")


def test_ids_of_any_length_and_none() -> None:
    rows = rows_of(
        batch_of(
            record(trace_id=b"\0" * 16, span_id=b"\0" * 8),
            record(trace_id=b"\x0a" * 16, span_id=b"\x0b" * 8, flags=257),
        )
    )
    assert [(row["trace_id"], row["span_id"]) for row in rows] == [("", ""), ("0a" * 16, "0b" * 8)]
    assert [row["trace_flags"] for row in rows] == [0, 257]


def test_event_names_are_attributes() -> None:
    records = [
        record({"a": 1}, event_name="gen_ai.choice"),
        record({"event.name": "theirs", "b": True}, event_name="ours"),
        record({"c": "x"}),
        record(event_name="last"),
    ]
    batch = batch_of(*records)
    found = [row["attributes_string"] for row in rows_of(batch)]
    assert found == [{"event.name": "gen_ai.choice"}, {"event.name": "theirs"}, {"c": "x"}, {"event.name": "last"}]
    assert [row["attributes_number"] for row in rows_of(batch)] == [{"a": 1.0}, {}, {}, {}]
    assert [row["attributes_bool"] for row in rows_of(batch)] == [{}, {"b": True}, {}, {}]
    assert rows_of(batch.take([3, 0]))[0]["attributes_string"] == {"event.name": "last"}
    keys = {(row["name"], row["datatype"]) for row in rows_of(batch, "logs_attribute_keys")}
    assert keys == {("event.name", "string"), ("a", "float64"), ("b", "bool"), ("c", "string")}


def test_one_resource_row_per_half_hour_of_the_records() -> None:
    half_hour = 1800 * SECOND
    times = [TIME, TIME + half_hour, TIME, TIME + 5 * half_hour]
    resource = {"service.name": "a<b", "m": {"k": 1}}
    rows = rows_of(batch_of(*(record(time_unix_nano=time) for time in times), resource=resource), "logs_v2_resource")
    first = TIME // half_hour * 1800
    assert [row["seen_at_ts_bucket_start"] for row in rows] == [first, first + 1800, first + 9000]
    assert {row["labels"] for row in rows} == {'{"m":"{\\"k\\":1}","service.name":"a<b"}'}
    records = rows_of(batch_of(*(record(time_unix_nano=time) for time in times), resource=resource))
    assert {row["fingerprint"] for row in rows} == {row["resource_fingerprint"] for row in records}


def store_all(store: Store, batch: Batch, token: str) -> None:
    create(store.connection, Tables(20_000, 20_000, 20_000, ngram_indexes=False))
    for insert in log_inserts(batch, NOW):
        store.connection.insert(insert.table, insert.rows, token)


def test_clickhouse_reads_back_what_signoz_would_have_written(store: Store) -> None:
    store_all(store, vector_batch(), "vectors")
    names = [name for name in EXPECTED["logs"][0] if name != "labels"]
    rows = store.rows(f"SELECT {', '.join(names)} FROM signoz_logs.distributed_logs_v2 ORDER BY timestamp")
    expected = [tuple(one[name] for name in names) for one in EXPECTED["logs"]]
    assert rows == expected
    assert store.rows("SELECT DISTINCT labels FROM signoz_logs.logs_v2_resource") == [(EXPECTED["logs"][0]["labels"],)]


def test_clickhouse_takes_extremes(store: Store) -> None:
    last = 2**64 - 1
    batch = batch_of(
        record(time_unix_nano=last, observed_time_unix_nano=last, severity_number=-1, flags=2**32 - 1),
        record({"k": "\0'\\\n", "n": math.nan}, body="\0'\\\n"),
        record(body=b"\xff\xfe", time_unix_nano=TIME + 1),
        record(body={"day": "2024-01-02"}, time_unix_nano=TIME + 2),
        resource={"day": "2024-01-02", "a": "1", "a.b": "2"},
    )
    store_all(store, batch, "extremes")
    rows = store.rows(
        "SELECT timestamp, hex(body), attributes_string, resource.day::String, resource.`a`.`b`::String, length(id)"
        f" FROM signoz_logs.logs_v2 WHERE timestamp <= {TIME + 2} ORDER BY timestamp"
    )
    others = ("2024-01-02", "2", 27)
    assert rows == [
        (TIME, b"\0'\\\n".hex().upper(), {"k": "\0'\\\n"}, *others),
        (TIME + 1, "FFFE", {}, *others),
        (TIME + 2, b'{"day":"2024-01-02"}'.hex().upper(), {}, *others),
    ]
