"""The .sql files as definitions."""

import pytest

from exporters.clickhouse import ddl
from exporters.clickhouse.ddl import Database, Seed, Table, View

TEXT = """\
-- A database.

CREATE DATABASE IF NOT EXISTS d;

-- What it is for.
-- essential
-- may lack: new, `odd`
-- shard: cityHash64(b)
CREATE TABLE IF NOT EXISTS d.t
(
    `a$$b` Map(LowCardinality(String), String) DEFAULT map('x', '; y') CODEC(ZSTD(1)) COMMENT 'it''s',
    b LowCardinality(String) ALIAS a,
    new DateTime64(3) CODEC(Delta(8), ZSTD(1)),
    c Int64,
    INDEX i c TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree
PARTITION BY toDate(c)
ORDER BY (b, c)
TTL toDateTime(c) + toIntervalSecond(5)
SETTINGS a = 'v3', non_replicated_deduplication_window = 10;

CREATE MATERIALIZED VIEW IF NOT EXISTS d.m TO d.t AS
SELECT 1;

INSERT INTO d.t
SELECT 1;

CREATE OR REPLACE VIEW d.v AS
SELECT 1
"""


def test_statements_become_what_they_make():
    database, table, view, seed, plain = ddl.parse(TEXT)

    assert (type(database), database.name) == (Database, "d")
    assert (type(view), view.name, view.materialized) == (View, "d.m", True)
    assert (type(seed), seed.name, seed.text) == (Seed, "d.t", "INSERT INTO d.t\nSELECT 1")
    assert (type(plain), plain.name, plain.materialized) == (View, "d.v", False)
    assert table.text.startswith("CREATE TABLE")


def test_a_table_knows_its_parts():
    table = ddl.parse(TEXT)[1]

    assert isinstance(table, Table)
    assert (table.name, table.twin, table.engine) == ("d.t", "d.distributed_t", "ReplacingMergeTree")
    assert {name: (column.type, column.default) for name, column in table.columns.items()} == {
        "a$$b": ("Map(LowCardinality(String), String)", "map('x', '; y')"),
        "b": ("LowCardinality(String)", "a"),
        "new": ("DateTime64(3)", ""),
        "c": ("Int64", ""),
    }
    assert table.key == ("b", "c")
    assert table.indexes == {"i": "INDEX i c TYPE minmax GRANULARITY 1"}
    assert table.ttl == "toDateTime(c) + toIntervalSecond(5)"
    assert table.settings == {"a": "'v3'", "non_replicated_deduplication_window": "10"}
    assert (table.essential, table.required, table.shard) == (True, {"c"}, "cityHash64(b)")


def test_rows_are_sharded_by_the_sorting_key_without_what_may_be_null():
    text = "CREATE TABLE d.t\n(\n    a Int64,\n    b Nullable(Float64)\n)\nENGINE = MergeTree\nORDER BY (a, b)"

    assert ddl.parse(text)[0].shard == "cityHash64(a)"


@pytest.mark.parametrize("text", ["DROP TABLE x", "CREATE TABLE d.t (a Int64) ENGINE = MergeTree ORDER BY a"])
def test_what_is_written_otherwise_is_no_definition(text):
    with pytest.raises(ValueError):
        ddl.parse(text)


def test_values_are_filled_in():
    assert "toIntervalSecond(7)" in ddl.read("traces.sql", {"retention": "7"})
