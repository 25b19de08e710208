"""Storing in SigNoz's tables: of every age, with both kinds of twins, and never changing them."""

from collections.abc import Iterator

import pytest

from collector.errors import ConfigError, Retryable
from exporters.clickhouse import client
from exporters.clickhouse.attach import UnsuitableError, attach
from tests.clickhouse_http import ClickhouseServer, Fault
from tests.exporters.clickhouse.conftest import MakeExporter, Store
from tests.exporters.clickhouse.log_batches import batch_of as logs_of
from tests.exporters.clickhouse.log_batches import record
from tests.exporters.clickhouse.metrics.batches import batch_of as metrics_of
from tests.exporters.clickhouse.metrics.batches import metric, point
from tests.exporters.clickhouse.samples import rollup, rollups_batch, span, spans_batch
from tests.exporters.clickhouse.signoz import TABLES, VERSIONS, install

THEIRS = "database IN ('signoz_traces', 'signoz_metrics', 'signoz_logs', 'signoz_metadata')"
SPANS = 5


@pytest.fixture
def signoz(cluster: ClickhouseServer) -> Iterator[Store]:
    """A server to install SigNoz on; twins are Distributed, as SigNoz makes them."""
    found = Store(cluster.dsn, client.Server(cluster.dsn, 60))
    yield found
    found.drop()


def definitions(store: Store) -> list[tuple]:
    return store.rows(f"SELECT database, name, create_table_query FROM system.tables WHERE {THEIRS} ORDER BY 1, 2")


def send(exporter: object) -> None:
    exporter.export(spans_batch([span(number) for number in range(SPANS)]))
    exporter.export(rollups_batch([rollup(calls=3, service_name="chat")]))
    exporter.export(logs_of(record()))
    exporter.export(metrics_of(metric("gauge", point(as_int=7))))


@pytest.mark.parametrize("version", ["v0.111.16", "v0.129.13", "v0.144.4", "HEAD"])
def test_every_version_gets_what_it_can_hold_and_stays_as_it_is(
    signoz: Store, make_exporter: MakeExporter, version: str
) -> None:
    install(signoz, version, "cluster")
    before = definitions(signoz)

    send(make_exporter(signoz.dsn, schema="attach"))

    assert definitions(signoz) == before
    table = "signoz_traces.distributed_signoz_index_v3"
    assert signoz.value(f"SELECT count() FROM {table} WHERE resources_string['service.name'] = 'chat-svc'") == SPANS
    assert signoz.value("SELECT sum(num_spans) FROM signoz_traces.distributed_trace_summary") == SPANS
    assert signoz.value("SELECT count() FROM signoz_traces.distributed_traces_v3_resource") == 1
    types = {tag for (tag,) in signoz.rows("SELECT DISTINCT tagType FROM signoz_traces.span_attributes_keys")}
    assert types == ({"tag", "resource"} if "scope" in VERSIONS[version] else {"tag", "resource", "scope"})
    if "resource" not in VERSIONS[version]:
        assert signoz.value(f"SELECT any(resource.`service.name`::String) FROM {table}") == "chat-svc"
    assert signoz.rows("SELECT body FROM signoz_logs.distributed_logs_v2") == [("hello",)]
    assert signoz.rows("SELECT value FROM signoz_metrics.distributed_samples_v4") == [(7.0,)]
    assert signoz.value("SELECT calls FROM signoz_genai.totals") == 3
    assert signoz.value("SELECT engine FROM system.tables WHERE name = 'distributed_rollup_1m'") == "Distributed"


def test_an_older_table_of_ours_gets_the_newer_sums_beside_signoz(signoz: Store, make_exporter: MakeExporter) -> None:
    install(signoz, "HEAD", "cluster")
    make_exporter(signoz.dsn, schema="attach")
    for table in ("distributed_rollup_1m", "rollup_1m"):
        lost = "DROP COLUMN usage_calls, DROP COLUMN priced_calls, DROP COLUMN timed_calls"
        signoz.connection.command(f"ALTER TABLE signoz_genai.{table} {lost}")
    older = "(time, calls, input_tokens_calls, output_tokens_calls, cost_nano_usd_calls, duration_nano)"
    values = "(toStartOfDay(now()), 3, 2, 1, 1, 6000000000)"
    signoz.connection.command(f"INSERT INTO signoz_genai.rollup_1m {older} VALUES {values}")

    newer = rollup(calls=1, usage_calls=2, priced_calls=1, duration_nano=2 * 10**9, timed_calls=1)
    make_exporter(signoz.dsn, schema="attach").export(rollups_batch([newer]))

    asked = "SELECT calls, duration_mean_seconds, cost_coverage FROM signoz_genai.totals"
    assert signoz.rows(asked) == [(4, 2.0, 0.5)]


def test_it_says_what_is_left_out_and_which_promise_holds(
    signoz: Store, make_exporter: MakeExporter, capsys: pytest.CaptureFixture[str]
) -> None:
    install(signoz, "v0.129.3", "cluster")
    make_exporter(signoz.dsn, schema="attach")

    told = capsys.readouterr().out
    assert "distributed_signoz_index_v3.scope" in told
    assert "Stored at least once" in told
    assert "signoz_traces.trace_summary" in told

    local = f"SELECT database || '.' || name FROM system.tables WHERE {THEIRS} AND engine LIKE '%Tree'"
    for (table,) in signoz.rows(local):
        signoz.connection.command(f"ALTER TABLE {table} MODIFY SETTING non_replicated_deduplication_window = 100")
    exporter = make_exporter(signoz.dsn, schema="attach")
    send(exporter)
    send(exporter)

    assert "Stored exactly once" in capsys.readouterr().out
    assert signoz.value("SELECT count() FROM signoz_traces.signoz_index_v3") == SPANS
    assert signoz.value("SELECT sum(num_spans) FROM signoz_traces.trace_summary") == SPANS


def test_what_is_essential_and_missing_is_one_error_at_the_start(embedded: Store, make_exporter: MakeExporter) -> None:
    lost = ("signoz_traces.distributed_traces_v3_resource", "signoz_traces.signoz_index_v3.events")
    install(embedded, lost=lost)

    with pytest.raises(ConfigError) as caught:
        make_exporter(embedded.dsn, schema="attach")

    (problem,) = caught.value.problems
    assert "table signoz_traces.distributed_traces_v3_resource" in str(problem)
    assert "column events of signoz_traces.distributed_signoz_index_v3" in str(problem)
    assert "run SigNoz's schema migrator" in str(problem)
    embedded.drop()


def test_a_table_that_is_not_essential_may_be_missing(embedded: Store, make_exporter: MakeExporter) -> None:
    lost = ("signoz_traces.signoz_error_index_v2", "signoz_traces.distributed_signoz_error_index_v2")
    install(embedded, "v0.111.16", lost=lost)
    failed = {"time_unix_nano": 1, "name": "exception", "attributes": [], "dropped_attributes_count": 0}

    make_exporter(embedded.dsn, schema="attach").export(spans_batch([span(0, events=[failed])]))

    assert embedded.value("SELECT count() FROM signoz_traces.signoz_index_v3") == 1
    assert embedded.value("SELECT engine FROM system.tables WHERE name = 'distributed_rollup_1m'") == "Alias"
    embedded.drop()


def test_without_signoz_it_says_so(embedded: Store, make_exporter: MakeExporter) -> None:
    embedded.drop()

    with pytest.raises(ConfigError, match="without SigNoz write `schema: create`"):
        make_exporter(embedded.dsn, schema="attach")


def test_what_is_missing_does_not_hide_what_to_do(embedded: Store) -> None:
    embedded.drop()

    first, rest = r"table signoz_traces\.signoz_index_v3, ", r" and \d+ more \(`.* schema verify` names all\); run"
    with pytest.raises(UnsuitableError, match=f"{first}.*{rest}") as caught:
        attach(embedded.connection, TABLES)
    assert len(str(caught.value)) < 700


def test_a_server_that_is_down_is_looked_at_when_it_answers(
    cluster: ClickhouseServer, make_exporter: MakeExporter, capsys: pytest.CaptureFixture[str]
) -> None:
    store = Store(cluster.dsn, client.Server(cluster.dsn, 60))
    install(store, "v0.144.4", "cluster", lost=("signoz_traces.signoz_index_v3.events",))
    cluster.stop()
    exporter = make_exporter(cluster.dsn, schema="attach")
    assert "ClickHouse cannot be reached yet" in capsys.readouterr().out
    cluster.start()

    with pytest.raises(UnsuitableError, match="column events"):
        send(exporter)
    assert exporter.host.metrics.value("clickhouse_exporter_ready", exporter="clickhouse") == 0

    install(store, "v0.144.4", "cluster")
    send(exporter)
    assert exporter.host.metrics.value("clickhouse_exporter_ready", exporter="clickhouse") == 1
    assert store.value("SELECT count() FROM signoz_traces.signoz_index_v3") == SPANS
    store.drop()


def test_a_user_who_may_not_make_our_database_hears_what_to_grant(cluster: ClickhouseServer) -> None:
    store = Store(cluster.dsn, client.Server(cluster.dsn, 60))
    install(store, cluster="cluster")
    cluster.fail(Fault("status", "CREATE DATABASE IF NOT EXISTS signoz_genai", status=403, code=497))

    with pytest.raises(UnsuitableError, match=r"GRANT ALL ON signoz_genai\.\* TO default"):
        attach(store.connection, TABLES)
    cluster.fail()
    attach(store.connection, TABLES)
    store.drop()


def test_create_leaves_an_installation_alone_and_names_the_way(embedded: Store, make_exporter: MakeExporter) -> None:
    install(embedded)

    with pytest.raises(Retryable, match="write `schema: attach`"):
        send(make_exporter(embedded.dsn))
    embedded.drop()
