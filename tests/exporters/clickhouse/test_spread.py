"""The same definitions for one server and for a cluster. ClickHouse itself reads the statements."""

import pytest

from exporters.clickhouse import schema
from exporters.clickhouse.catalog import Catalog
from exporters.clickhouse.plan import Stamp, plan
from exporters.clickhouse.spread import Spread
from tests.exporters.clickhouse.conftest import Store

CLUSTER = schema.Tables(15, 30, 400, ngram_indexes=True, cluster="it's")
STEPS = plan(schema.wanted(CLUSTER), Catalog(), Stamp())


def find(start: str) -> str:
    return next(step.sql for step in STEPS if step.sql.startswith(start))


def test_clickhouse_understands_every_statement_for_a_cluster(embedded: Store) -> None:
    for step in STEPS:
        embedded.connection.command(f"EXPLAIN AST {step.sql}")


def test_everything_is_made_on_every_server() -> None:
    made = [step.sql.split("\n")[0] for step in STEPS if not step.sql.startswith("INSERT")]

    assert [line for line in made if " ON CLUSTER 'it\\'s'" not in line] == []


def test_tables_are_replicated_and_remember_tokens_for_a_week() -> None:
    table = find("CREATE TABLE IF NOT EXISTS signoz_traces.trace_summary")

    assert "\nENGINE = ReplicatedAggregatingMergeTree\n" in table
    assert ", replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800" in table
    assert "non_replicated" not in table


def test_twins_send_a_trace_to_one_shard() -> None:
    assert find("CREATE TABLE IF NOT EXISTS signoz_traces.distributed_signoz_index_v3") == (
        "CREATE TABLE IF NOT EXISTS signoz_traces.distributed_signoz_index_v3 ON CLUSTER 'it\\'s'"
        " AS signoz_traces.signoz_index_v3"
        " ENGINE = Distributed('it\\'s', 'signoz_traces', 'signoz_index_v3', cityHash64(trace_id))"
    )


def test_a_replay_goes_to_the_same_shard() -> None:
    assert [table.name for table in schema.wanted(CLUSTER).tables if "rand" in table.shard or not table.shard] == []


def test_views_read_from_all_servers_and_materialized_ones_from_their_own() -> None:
    assert "FROM signoz_genai.distributed_rollup_1m" in find("CREATE OR REPLACE VIEW signoz_genai.totals")
    assert "\nFROM signoz_traces.signoz_index_v3\n" in find(
        "CREATE MATERIALIZED VIEW IF NOT EXISTS signoz_traces.trace_summary_mv"
    )
    assert find("INSERT INTO signoz_metadata").startswith(
        "INSERT INTO signoz_metadata.distributed_column_evolution_metadata\n"
    )


def test_one_server_needs_no_cluster() -> None:
    table = schema.wanted(schema.Tables(15, 30, 400, ngram_indexes=True)).tables[0]

    assert Spread().table(table) == table.text
    assert Spread().twin(table).endswith(".distributed_signoz_index_v3 ENGINE = Alias(signoz_traces, signoz_index_v3)")


def test_a_cluster_nobody_knows_is_an_error(embedded: Store) -> None:
    embedded.drop()
    with pytest.raises(schema.Retryable, match="it knows no cluster it's; see"):
        schema.create(embedded.connection, CLUSTER)
