"""The steps from what is there to what is wanted; whether ClickHouse takes them is test_schema's matter."""

from dataclasses import replace

import pytest

from exporters.clickhouse import schema
from exporters.clickhouse.catalog import Catalog, Found
from exporters.clickhouse.ddl import View, parse
from exporters.clickhouse.plan import VERSION, VERSIONS, Stamp, Wanted, conflicts, plan
from exporters.clickhouse.spread import Spread

TEXT = """\
CREATE DATABASE IF NOT EXISTS d;

CREATE TABLE IF NOT EXISTS d.t
(
    a Int64 CODEC(Delta(8), ZSTD(1)),
    days UInt16 DEFAULT 15,
    b String,
    INDEX i b TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree
ORDER BY (a)
TTL toDateTime(a) + toIntervalSecond(5)
SETTINGS non_replicated_deduplication_window = 10;
"""
ALL = schema.wanted(schema.Tables(15, 30, 400, ngram_indexes=False))
WANTED = Wanted([*parse(TEXT), *(table for table in ALL.tables if table.name == VERSIONS)], Spread())
STAMP = Stamp(VERSION, WANTED.fingerprint, 1)
ENGINE = (
    "MergeTree ORDER BY a TTL toDateTime(a) + toIntervalSecond(5) SETTINGS non_replicated_deduplication_window = 10"
)
THERE = Found("MergeTree", ENGINE, 0, "", "a", {"a": "Int64", "days": "UInt16", "b": "String"}, {"days": "15"}, {"i"})
DISTRIBUTED = "Distributed('c', 'd', 't', cityHash64(a))"


def steps(there: Found = THERE, twin: Found | None = None, spread: Spread = WANTED.spread) -> list[str]:
    tables = {"d.t": there, "d.distributed_t": twin or Found("Alias", "Alias('d', 't')", None)}
    return [
        step.sql
        for step in plan(Wanted(WANTED.definitions, spread), Catalog(frozenset({"d"}), tables), STAMP)
        if step.object.startswith("d.")
    ]


def test_nothing_is_done_where_everything_is_as_wanted() -> None:
    assert steps() == []


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            {"columns": {"days": "", "b": ""}, "key": "(b)"},
            "ADD COLUMN IF NOT EXISTS a Int64 CODEC(Delta(8), ZSTD(1)) FIRST, MODIFY ORDER BY (b, a)",
        ),
        ({"columns": {"a": "Int64", "days": "UInt16"}}, "ADD COLUMN IF NOT EXISTS b String AFTER `days`"),
        ({"defaults": {"days": "30"}}, "MODIFY COLUMN `days` DEFAULT 15"),
        ({"indexes": set()}, "ADD INDEX IF NOT EXISTS i b TYPE minmax GRANULARITY 1"),
        ({"engine_full": ENGINE.replace("(5)", "(6)")}, "MODIFY TTL toDateTime(a) + toIntervalSecond(5)"),
        ({"engine_full": ENGINE.replace(" = 10", " = 9")}, "MODIFY SETTING non_replicated_deduplication_window = 10"),
        ({"engine_full": ENGINE.partition(" SETT")[0]}, "MODIFY SETTING non_replicated_deduplication_window = 10"),
    ],
)
def test_each_difference_is_one_change(change: dict, expected: str) -> None:
    assert steps(replace(THERE, **change)) == [f"ALTER TABLE d.t {expected}"]


def test_distributed_twins_get_new_columns_too() -> None:
    twin = Found("Distributed", DISTRIBUTED, None, "", "", {"a": "Int64", "days": "UInt16"})
    found = steps(replace(THERE, columns=twin.columns), twin, Spread("c", everywhere=True))

    assert found == [
        "ALTER TABLE d.t ON CLUSTER 'c' ADD COLUMN IF NOT EXISTS b String AFTER `days`",
        "ALTER TABLE d.distributed_t ON CLUSTER 'c' ADD COLUMN IF NOT EXISTS b String AFTER `days`",
    ]


def test_tables_of_another_spread_are_a_conflict() -> None:
    catalog = Catalog(frozenset({"d"}), {"d.t": THERE, "d.distributed_t": Found("Alias", "Alias('d', 't')", None)})

    assert conflicts(WANTED, catalog) == []
    assert conflicts(Wanted(WANTED.definitions, Spread("c", replicated=True)), catalog) == [
        "table d.t has the engine MergeTree and `cluster` wants ReplicatedMergeTree",
        "table d.distributed_t has the engine Alias and `cluster` wants Distributed",
    ]


def test_a_column_that_is_there_cannot_become_a_part_of_the_key() -> None:
    catalog = Catalog(frozenset({"d"}), {"d.t": replace(THERE, key="b")})

    assert conflicts(WANTED, catalog) == ["table d.t is not sorted by a"]


def test_views_and_first_rows_are_made_anew_when_one_of_them_changed() -> None:
    wanted = ALL
    again = {one.name for one in wanted.definitions if isinstance(one, View)}
    tables = {one.name: Found("View", "", 1) for one in wanted.definitions}

    def made(stamp: Stamp) -> set[str]:
        steps = plan(wanted, Catalog(frozenset(), tables), stamp)
        return {step.object for step in steps if step.why.startswith("view")} | {
            step.object for step in steps if step.sql.startswith("INSERT INTO signoz_metadata")
        }

    assert made(Stamp(VERSION, wanted.fingerprint, 3)) == set()
    for stamp in (Stamp(VERSION, "other", 3), Stamp(VERSION - 1, wanted.fingerprint, 3)):
        assert made(stamp) == again | {"signoz_metadata.column_evolution_metadata"}


def test_a_materialized_view_that_reads_what_it_should_is_left_alone() -> None:
    wanted = ALL
    tables = {one.name: Found("View", "", 1) for one in wanted.definitions}
    name = "signoz_traces.trace_summary_mv"

    def changed(*unchanged: str) -> list[str]:
        steps = plan(wanted, Catalog(frozenset(), tables), Stamp(), unchanged)
        return [step.sql.split("\n")[0] for step in steps if step.object == name]

    assert changed(name) == []
    assert [sql.startswith(f"ALTER TABLE {name} MODIFY QUERY SELECT trace_id") for sql in changed()] == [True]


def test_the_fingerprint_changes_with_a_view() -> None:
    wanted = ALL
    last = wanted.definitions[-1]

    assert isinstance(last, View)
    changed = [*wanted.definitions[:-1], replace(last, text=f"{last.text} ")]
    assert Wanted(changed, wanted.spread).fingerprint != wanted.fingerprint
