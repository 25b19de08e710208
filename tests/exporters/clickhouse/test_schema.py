"""The tables: what is there after the first delivery, and what a second start leaves alone."""

import pytest

from collector.errors import Retryable
from collector.schema import ROLLUPS
from exporters.clickhouse import schema
from tests.exporters.clickhouse.conftest import DATABASES, Store

TABLES = schema.Tables(retention=15, metrics_retention=30, rollup_retention=400, ngram_indexes=False)
OURS = f"database IN {DATABASES}"

SIGNOZ_TABLES = {
    "signoz_traces": {
        "signoz_index_v3", "traces_v3_resource", "trace_summary", "span_attributes_keys", "tag_attributes_v2",
        "top_level_operations", "signoz_error_index_v2", "dependency_graph_minutes_v2",
    },
    "signoz_metrics": {
        "samples_v4", "samples_v4_agg_5m", "samples_v4_agg_30m", "time_series_v4", "time_series_v4_6hrs",
        "time_series_v4_1day", "time_series_v4_1week", "exp_hist", "metadata", "updated_metadata",
    },
    "signoz_meter": {"samples_agg_1d"},
    "signoz_logs": {
        "logs_v2", "logs_v2_resource", "logs_attribute_keys", "logs_resource_keys", "tag_attributes_v2",
    },
    "signoz_metadata": {"column_evolution_metadata"},
    "signoz_genai": {"rollup_1m"},
}  # fmt: skip


@pytest.fixture
def fresh(store: Store) -> Store:
    """A ClickHouse with nothing but the tables."""
    store.drop()
    schema.create(store.connection, TABLES)
    return store


def definitions(store: Store) -> list[tuple]:
    return store.rows(
        f"SELECT database, name, create_table_query, total_rows FROM system.tables WHERE {OURS} ORDER BY database, name"
    )


def test_making_the_tables_again_changes_nothing(fresh: Store) -> None:
    before = definitions(fresh)
    schema.create(fresh.connection, TABLES)

    assert definitions(fresh) == before


def test_every_table_of_signoz_has_a_twin_with_the_same_columns(fresh: Store) -> None:
    columns = fresh.rows(
        "SELECT database, table, groupArray((name, type)) FROM system.columns"
        f" WHERE {OURS} AND default_kind != 'ALIAS' GROUP BY database, table"
    )
    by_table = {(database, table): found for database, table, found in columns}

    for database, tables in SIGNOZ_TABLES.items():
        for table in tables:
            assert by_table[database, f"distributed_{table}"] == by_table[database, table]


def test_every_table_remembers_the_tokens_of_its_inserts(fresh: Store) -> None:
    forgetful = fresh.rows(
        f"SELECT name FROM system.tables WHERE {OURS} AND engine LIKE '%MergeTree'"
        " AND NOT position(engine_full, 'non_replicated_deduplication_window = 10000')"
    )
    assert forgetful == []


def test_the_rollup_table_has_the_columns_of_a_rollup_batch(fresh: Store) -> None:
    found = fresh.rows("SELECT name FROM system.columns WHERE table = 'rollup_1m' ORDER BY position")

    assert [name for (name,) in found] == ROLLUPS.names


def test_every_column_of_our_own_tables_says_what_it_is(fresh: Store) -> None:
    silent = fresh.rows(
        "SELECT table, name FROM system.columns WHERE database = 'signoz_genai' AND comment = ''"
        " AND table IN (SELECT name FROM system.tables WHERE database = 'signoz_genai' AND engine LIKE '%MergeTree')"
    )
    assert silent == []


def test_every_view_says_what_it_is(fresh: Store) -> None:
    found = fresh.rows(
        "SELECT name FROM system.tables WHERE database = 'signoz_genai' AND engine = 'View' AND comment = ''"
    )

    assert found == []


def test_text_indexes_are_an_option(fresh: Store) -> None:
    indexes = f"SELECT count() FROM system.data_skipping_indices WHERE {OURS} AND type = 'ngrambf_v1'"
    indexes += " AND table NOT LIKE 'distributed%'"
    assert fresh.value(indexes) == 0

    fresh.drop()
    schema.create(fresh.connection, schema.Tables(15, 30, 400, ngram_indexes=True))

    assert fresh.value(indexes) == 11


def test_another_retention_reaches_tables_that_are_there(fresh: Store) -> None:
    schema.create(
        fresh.connection, schema.Tables(retention=3, metrics_retention=4, rollup_retention=5, ngram_indexes=False)
    )

    lifetimes = dict(
        fresh.rows(
            "SELECT name, extractAll(engine_full, 'toIntervalSecond\\\\((\\\\d+)\\\\)') FROM system.tables"
            f" WHERE {OURS} AND position(engine_full, 'toIntervalSecond')"
        )
    )
    assert lifetimes.pop("logs_v2_resource") == ["1800"]
    assert lifetimes.pop("rollup_1m") == [str(5 * 86_400)]
    assert lifetimes.pop("traces_v3_resource") == [str(3 * 86_400), "1800"]
    metrics = {table for table, kept in lifetimes.items() if kept == [str(4 * 86_400)]}
    assert metrics == SIGNOZ_TABLES["signoz_metrics"] - {"updated_metadata"}
    assert set(map(tuple, lifetimes.values())) == {(str(3 * 86_400),), (str(4 * 86_400),)}
    days = "SELECT table, default_expression FROM system.columns WHERE name = '_retention_days' ORDER BY table"
    assert [row for row in fresh.rows(days) if not row[0].startswith("distributed")] == [
        ("logs_v2", "3"),
        ("logs_v2_resource", "3"),
    ]


@pytest.mark.parametrize("signal", ["traces", "logs"])
def test_signoz_finds_the_json_column_of_resources(fresh: Store, signal: str) -> None:
    newest = fresh.rows(
        "SELECT column_name FROM signoz_metadata.distributed_column_evolution_metadata"
        f" WHERE signal = '{signal}' AND field_context = 'resource' AND release_time <= 1795284000000000000"
        " ORDER BY release_time DESC"
    )
    assert newest == [("resource",), ("resources_string",)]


def test_the_tables_of_signoz_itself_are_left_alone(store: Store) -> None:
    store.drop()
    store.connection.command("CREATE DATABASE signoz_traces")
    store.connection.command(
        "CREATE TABLE signoz_traces.schema_migrations_v2 (id UInt64) ENGINE = MergeTree ORDER BY id"
    )

    with pytest.raises(Retryable, match="belong to SigNoz"):
        schema.create(store.connection, TABLES)
    assert store.rows("SHOW TABLES FROM signoz_traces") == [("schema_migrations_v2",)]
    store.drop()


def test_tables_of_a_newer_version_are_left_alone(fresh: Store) -> None:
    fresh.connection.command(f"INSERT INTO signoz_genai.schema_versions (version) VALUES ({schema.VERSION + 1})")

    with pytest.raises(Retryable, match="install the newer genai-collector"):
        schema.create(fresh.connection, TABLES)
    fresh.drop()
