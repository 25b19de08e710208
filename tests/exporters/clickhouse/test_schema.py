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


def test_making_the_tables_again_asks_and_runs_nothing(fresh: Store) -> None:
    found = schema.outlook(fresh.connection, TABLES)

    assert (found.steps, found.conflicts) == ([], [])
    assert fresh.rows("SELECT version, number FROM signoz_genai.schema_versions") == [(schema.VERSION, 1)]


def test_a_lost_note_of_the_version_alters_no_materialized_view(fresh: Store) -> None:
    fresh.connection.command("TRUNCATE TABLE signoz_genai.schema_versions")

    steps = schema.outlook(fresh.connection, TABLES).steps

    assert "CREATE OR REPLACE VIEW signoz_genai.totals AS" in {step.sql.split("\n")[0] for step in steps}
    assert [step.sql for step in steps if "MODIFY QUERY" in step.sql] == []


def test_tables_of_an_older_version_become_those_of_this_one(fresh: Store) -> None:
    wanted = parts(fresh)
    for change in (
        "ALTER TABLE signoz_traces.signoz_index_v3 DROP COLUMN inserted_at, DROP COLUMN scope",
        "ALTER TABLE signoz_traces.signoz_index_v3 DROP INDEX idx_kind",
        "ALTER TABLE signoz_traces.trace_summary MODIFY SETTING non_replicated_deduplication_window = 5",
        "ALTER TABLE signoz_genai.rollup_1m DROP COLUMN reasoning_tokens",
        "ALTER TABLE signoz_traces.trace_summary_mv MODIFY QUERY SELECT trace_id, min(timestamp) AS start,"
        " max(timestamp) AS end, toUInt64(7) AS num_spans FROM signoz_traces.signoz_index_v3 GROUP BY trace_id",
        "CREATE OR REPLACE VIEW signoz_genai.totals AS SELECT 1",
        "DROP VIEW signoz_genai.models",
        "ALTER TABLE signoz_genai.schema_versions DROP COLUMN fingerprint, DROP COLUMN number",
        "TRUNCATE TABLE signoz_genai.schema_versions",
        "INSERT INTO signoz_genai.schema_versions (version) VALUES (1)",
    ):
        fresh.connection.command(change)
    assert parts(fresh) != wanted

    schema.create(fresh.connection, TABLES)

    assert parts(fresh) == wanted
    assert schema.outlook(fresh.connection, TABLES).steps == []
    assert fresh.value("SELECT count() FROM signoz_metadata.column_evolution_metadata") == 4


def test_a_new_dimension_keeps_sums_apart_in_an_older_table(fresh: Store) -> None:
    made = next(table for table in schema.wanted(TABLES).tables if table.name == "signoz_genai.rollup_1m")
    later = ("service_tier", "context_band", "model")
    older = made.text.replace(f", {', '.join(later)})", ")")
    older = "\n".join(
        line for line in older.split("\n") if line.split(maxsplit=1)[:1] not in [[name] for name in later]
    )
    fresh.connection.command("DROP TABLE signoz_genai.rollup_1m SYNC")
    fresh.connection.command(older)

    schema.create(fresh.connection, TABLES)
    for tier, calls in (("batch", 2), ("", 5)):
        columns, values = "time, service_tier, calls", f"toStartOfDay(now()), '{tier}', {calls}"
        fresh.connection.command(f"INSERT INTO signoz_genai.distributed_rollup_1m ({columns}) VALUES ({values})")
    fresh.connection.command("OPTIMIZE TABLE signoz_genai.rollup_1m FINAL")

    assert fresh.rows("SELECT service_tier, calls FROM signoz_genai.rollup_1m ORDER BY calls") == [
        ("batch", 2),
        ("", 5),
    ]
    assert schema.outlook(fresh.connection, TABLES).steps == []


def test_rows_of_a_table_without_the_newer_sums_read_as_well_as_they_tell(fresh: Store) -> None:
    made = next(table for table in schema.wanted(TABLES).tables if table.name == "signoz_genai.rollup_1m")
    later = ("usage_calls", "priced_calls", "timed_calls")
    lines = (line for line in made.text.split("\n") if line.split(maxsplit=1)[:1] not in [[name] for name in later])
    fresh.connection.command("DROP TABLE signoz_genai.rollup_1m SYNC")
    fresh.connection.command("\n".join(lines))
    known = (
        "service_name, calls, input_tokens_calls, output_tokens_calls, cost_nano_usd_calls, duration_nano,"
        " duration_buckets"
    )
    time = "toDateTime(toStartOfDay(now()), 'UTC')"
    inserted = f"INSERT INTO signoz_genai.rollup_1m (time, {known}) SELECT {time},"
    for row in (
        "'told', 3, 3, 2, 1, 2000000000, map(-5::Int16, 2::Int64)",
        "'told', -1, -1, 0, 0, -1000000000, map(-5::Int16, -1::Int64)",
        "'coarse', 4, 0, 4, 4, 8000000000, map()",
        "'untimed', 5, 0, 0, 0, 0, map()",
    ):
        fresh.connection.command(f"{inserted} {row}")

    schema.create(fresh.connection, TABLES)

    asked = "SELECT service_name, duration_mean_seconds, cost_coverage FROM signoz_genai.services ORDER BY service_name"
    wanted = [("coarse", 2.0, 1.0), ("told", 1.0, 0.5), ("untimed", None, None)]
    assert fresh.rows(asked) == wanted
    fresh.connection.command("OPTIMIZE TABLE signoz_genai.rollup_1m FINAL")
    assert fresh.rows(asked) == wanted
    sums = f"INSERT INTO signoz_genai.rollup_1m (time, service_name, calls, {', '.join(later)}) SELECT {time},"
    fresh.connection.command(f"{sums} 'told', 2, 2, 2, 0")
    fresh.connection.command("OPTIMIZE TABLE signoz_genai.rollup_1m FINAL")
    assert fresh.rows(asked)[1] == ("told", 1.0, 0.75)
    assert schema.outlook(fresh.connection, TABLES).steps == []


def parts(store: Store) -> list[tuple]:
    """Return what can be compared: settings come in another order after they were altered."""
    columns = "SELECT database, table, name, type, default_expression FROM system.columns"
    tables = "SELECT database, name, as_select, arraySort(splitByString(', ', engine_full)) FROM system.tables"
    indexes = "SELECT database, table, name FROM system.data_skipping_indices"
    return [row for query in (columns, tables, indexes) for row in sorted(store.rows(f"{query} WHERE {OURS}"))]


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
