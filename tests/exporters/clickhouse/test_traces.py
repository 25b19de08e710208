import json
from typing import Any

import pyarrow as pa
import pytest

from collector.batch import Batch, concat
from exporters.clickhouse.schema import Tables, create
from exporters.clickhouse.traces import trace_inserts
from tests.exporters.clickhouse.conftest import Store
from tests.exporters.clickhouse.trace_batches import (
    EXPECTED,
    batch_of,
    event,
    inserts_of,
    rows_of,
    span,
    vector_batch,
)

COLUMNS = [
    "ts_bucket_start", "resource_fingerprint", "timestamp", "trace_id", "span_id", "trace_state", "parent_span_id",
    "flags", "name", "kind", "kind_string", "duration_nano", "status_code", "status_message", "status_code_string",
    "attributes_string", "attributes_number", "attributes_bool", "resources_string", "resource", "scope", "events",
    "links", "response_status_code", "external_http_url", "http_url", "external_http_method", "http_method",
    "http_host", "db_name", "db_operation", "has_error", "is_remote", "inserted_at",
]  # fmt: skip
ELSEWHERE = {"errors", "labels", "span_attributes", "service_name"}
"""What the vectors say of a span that other tables hold; the tests of those tables compare it."""


def expected_row(one: dict[str, Any]) -> dict[str, Any]:
    row = {name: value for name, value in one.items() if name not in ELSEWHERE}
    return {**row, "events": one["events"] or []}


@pytest.mark.parametrize("number", range(len(EXPECTED["spans"])))
def test_every_column_is_signoz_s(number) -> None:
    insert = inserts_of(vector_batch())["signoz_index_v3"]
    row = rows_of(vector_batch())[number]
    row["timestamp"] = insert.rows.column("timestamp").cast(pa.int64())[number].as_py()
    assert json.loads(row.pop("resource")) == row["resources_string"]
    assert row.pop("inserted_at").timestamp() != 0
    assert row == expected_row(EXPECTED["spans"][number])


def test_columns_and_tables_come_in_the_order_of_the_insert() -> None:
    inserts = trace_inserts(vector_batch(), 0.0)
    assert [insert.table for insert in inserts] == [
        "signoz_traces.distributed_span_attributes_keys",
        "signoz_traces.distributed_tag_attributes_v2",
        "signoz_traces.distributed_traces_v3_resource",
        "signoz_traces.distributed_signoz_error_index_v2",
        "signoz_traces.distributed_signoz_index_v3",
    ]
    assert inserts[-1].rows.schema.names == COLUMNS
    assert inserts[-1].sources is not None
    assert inserts[-1].sources.tolist() == [0, 1, 2, 3]
    assert [insert.sources for insert in inserts[:3]] == [None] * 3


def test_nothing_follows_from_no_spans() -> None:
    assert trace_inserts(batch_of(), 0.0) == []


def test_a_batch_sent_again_gives_the_same_rows() -> None:
    batch = vector_batch()
    again = Batch.load(batch.dump())
    for first, second in zip(trace_inserts(batch, 5.0), trace_inserts(again, 5.0), strict=True):
        assert first.table == second.table
        assert first.rows.equals(second.rows)


def test_part_of_a_batch_gives_its_part_of_the_rows() -> None:
    batch = vector_batch()
    assert rows_of(batch.take([3, 1])) == [rows_of(batch)[3], rows_of(batch)[1]]
    assert rows_of(concat("both", [batch, batch])) == rows_of(batch) * 2


def test_values_that_the_columns_cannot_hold() -> None:
    rows = rows_of(
        batch_of(
            span(start_time_unix_nano=9, end_time_unix_nano=5),
            span(start_time_unix_nano=2**64 - 1, end_time_unix_nano=2**64 - 1),
            span(start_time_unix_nano=0, end_time_unix_nano=2**64 - 1, trace_id=b"\0" * 16, parent_span_id=b"\0" * 8),
        )
    )
    assert [row["duration_nano"] for row in rows] == [0, 0, 2**64 - 1]
    assert [row["ts_bucket_start"] for row in rows] == [0, (2**63 - 1) // (1800 * 10**9) * 1800, 0]
    assert (rows[2]["trace_id"], rows[2]["parent_span_id"]) == ("", "")
    assert rows_of(batch_of(span(trace_id=b"\x0a" * 20)))[0]["trace_id"] == "0a" * 16


@pytest.mark.parametrize(
    ("flags", "remote"), [(0, "unknown"), (0x200, "unknown"), (0x100, "no"), (0x301, "yes"), (2**32 - 1, "yes")]
)
def test_is_remote(flags, remote) -> None:
    row = rows_of(batch_of(span(flags=flags)))[0]
    assert (row["flags"], row["is_remote"]) == (flags, remote)


def store_all(store: Store, batch: Batch, token: str) -> None:
    create(
        store.connection,
        Tables(20_000, 20_000, 20_000, ngram_indexes=False),
    )
    for insert in trace_inserts(batch, 1_795_284_070.1234):
        store.connection.insert(insert.table, insert.rows, token)


def test_clickhouse_reads_back_what_signoz_would_have_written(store: Store) -> None:
    store_all(store, vector_batch(), "vectors")
    plain = [name for name in COLUMNS if name not in ("timestamp", "trace_id", "resource", "scope", "inserted_at")]
    rows = store.rows(
        f"SELECT toUnixTimestamp64Nano(timestamp), toString(trace_id), {', '.join(plain)} FROM "
        "signoz_traces.distributed_signoz_index_v3 ORDER BY timestamp"
    )
    expected = sorted(map(expected_row, EXPECTED["spans"]), key=lambda one: one["timestamp"])
    assert [dict(zip(("timestamp", "trace_id", *plain), row, strict=True)) for row in rows] == [
        {name: value for name, value in one.items() if name != "scope"} for one in expected
    ]


def test_clickhouse_fills_defaults_and_json_paths(store: Store) -> None:
    resource = {
        "service.name": "svc",
        "built": "2024-1-2",
        "at": "2024-01-02 03:04:05",
        "a": "1",
        "a.b": "2",
        "m": {"k": "<"},
    }
    batch = batch_of(
        span({"http.route": "/r"}), resource=resource, scope={"name": "lib", "attributes": {"day": "2024-01-02"}}
    )
    store_all(store, batch, "json")
    paths = "service.name", "built", "at", "a", "a.b", "m.k"
    shown = ", ".join(f"resource.{'.'.join(f'`{part}`' for part in path.split('.'))}::String" for path in paths)
    row = store.rows(f"SELECT {shown}, JSONAllPathsWithTypes(resource) FROM signoz_traces.signoz_index_v3")[0]
    assert row[:-1] == ("svc", "2024-1-2", "2024-01-02 03:04:05", "1", "2", "<")
    assert row[-1] == dict.fromkeys(sorted(paths), "String")
    columns = "`resource_string_service$$name`, `attribute_string_http$$route`, `attribute_string_http$$route_exists`"
    scope = "scope.name, scope.attributes.day::String, toUnixTimestamp64Milli(inserted_at)"
    assert store.rows(f"SELECT {columns}, {scope} FROM signoz_traces.signoz_index_v3") == [
        ("svc", "/r", True, "lib", "2024-01-02", 1_795_284_070_123)
    ]


def test_clickhouse_takes_extremes(store: Store) -> None:
    start, last = 1_795_284_060_000_000_000, 2**64 - 1
    batch = batch_of(
        span({"k": "\0'\\\n", "n": -(2**63)}, start_time_unix_nano=last, trace_id=b"\0" * 16, flags=2**32 - 1),
        span(start_time_unix_nano=start, end_time_unix_nano=last, events=[event("exception", time=last)]),
    )
    store_all(store, batch, "extremes")
    rows = store.rows(
        "SELECT toUnixTimestamp64Nano(timestamp), duration_nano, flags, attributes_string, attributes_number"
        " FROM signoz_traces.signoz_index_v3 ORDER BY timestamp"
    )
    assert rows == [
        (start, last - start, 0, {}, {}),
        (2**63 - 1, 0, 2**32 - 1, {"k": "\0'\\\n"}, {"n": -(2.0**63)}),
    ]
    assert store.value("SELECT count() FROM signoz_traces.signoz_error_index_v2") == 1
