"""genai-collector schema, on the command line."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from collector.cli import main
from exporters.clickhouse import client
from tests.clickhouse_http import ROOT, ClickhouseServer
from tests.exporters.clickhouse.conftest import Store, configuration
from tests.exporters.clickhouse.signoz import install


def run(word: str, dsn: str, *arguments: str, schema: str = "create") -> tuple[int, str]:
    command = ["schema", word, "--config", configuration(dsn, schema), *arguments]
    result = CliRunner().invoke(main, command, prog_name="genai-collector")
    return result.exit_code, result.output


@pytest.fixture
def store(cluster: ClickhouseServer) -> Store:
    found = Store(cluster.dsn, client.Server(cluster.dsn, 60))
    found.drop()
    return found


def test_what_is_planned_is_done_and_then_found_right(store: Store) -> None:
    code, planned = run("plan", store.dsn)
    assert code == 0
    assert "CREATE TABLE IF NOT EXISTS signoz_traces.signoz_index_v3" in planned
    assert store.rows("SHOW DATABASES LIKE 'signoz%'") == []

    code, wrong = run("verify", store.dsn)
    assert code == 1
    assert "clickhouse: table signoz_traces.trace_summary is missing; run `genai-collector schema apply`" in wrong

    code, done = run("apply", store.dsn)
    assert code == 0
    assert "clickhouse: table signoz_traces.trace_summary is missing: done" in done
    assert run("apply", store.dsn) == (0, "clickhouse: nothing to do\n")
    assert run("verify", store.dsn) == (0, "clickhouse: everything is as it should be\n")
    assert run("plan", store.dsn)[1].count("\n") == 1


def test_each_thing_that_is_wrong_is_a_line(store: Store) -> None:
    run("apply", store.dsn)
    for change in (
        "ALTER TABLE signoz_traces.signoz_index_v3 DROP COLUMN scope",
        "ALTER TABLE signoz_traces.signoz_index_v3 MODIFY COLUMN links LowCardinality(String)",
        "ALTER TABLE signoz_traces.trace_summary MODIFY SETTING non_replicated_deduplication_window = 0",
        "DROP TABLE signoz_traces.distributed_tag_attributes_v2",
        "DROP VIEW signoz_genai.totals",
    ):
        store.connection.command(change)
    code, text = run("verify", store.dsn, "--set", "exporters.clickhouse.rollup_retention=7")

    assert code == 1
    for line in (
        "table signoz_traces.signoz_index_v3: column scope is missing",
        "note: table signoz_traces.signoz_index_v3: column links is LowCardinality(String), not String",
        "table signoz_traces.trace_summary: it remembers 0 tokens of inserts",
        "table signoz_traces.distributed_tag_attributes_v2 is missing",
        "view signoz_genai.totals is missing",
        "table signoz_genai.rollup_1m: rows have another lifetime",
    ):
        assert f"clickhouse: {line}" in text
    assert len(text.splitlines()) == 6


def test_a_cluster_over_tables_of_one_server_is_a_conflict(store: Store) -> None:
    run("apply", store.dsn)

    clustered = ("--set", "exporters.clickhouse.cluster=cluster")
    code, text = run("apply", store.dsn, *clustered)

    assert code == 1
    assert "table signoz_traces.signoz_index_v3 has the engine MergeTree and `cluster` wants Replicated" in text
    assert "ClickHouse cannot change that" in run("verify", store.dsn, *clustered)[1]


def test_a_signoz_installation_is_checked_and_only_ours_is_made(store: Store) -> None:
    install(store, "v0.144.4", "cluster")

    code, planned = run("plan", store.dsn, schema="attach")
    assert code == 0
    assert "CREATE DATABASE IF NOT EXISTS signoz_genai" in planned
    made = re.findall(r"^(?:CREATE|ALTER|DROP|INSERT)\b.*?(\bsignoz_\w+)", planned, re.M)
    assert set(made) == {"signoz_genai"}

    assert run("apply", store.dsn, schema="attach")[0] == 0
    code, text = run("verify", store.dsn, schema="attach")
    assert code == 0
    assert "note: signoz_traces.distributed_signoz_index_v3.inserted_at is not in this version of SigNoz" in text
    assert "note: table signoz_traces.signoz_index_v3 forgets deliveries" in text

    install(store, "v0.144.4", "cluster", lost=("signoz_traces.distributed_trace_summary",))
    code, text = run("verify", store.dsn, schema="attach")
    assert code == 1
    assert "clickhouse: table signoz_traces.distributed_trace_summary is missing; run SigNoz's schema migrator" in text
    assert run("apply", store.dsn, schema="attach")[0] == 1


def test_a_plan_needs_no_clickhouse(tmp_path: Path) -> None:
    code, server = run("plan", "clickhouse://user:hidden@localhost:1")
    assert code == 0
    assert server.startswith("-- clickhouse: taken for empty, because clickhouse localhost:1: ")
    assert "hidden" not in server
    code, embedded = run("plan", f"chdb://{tmp_path}/none")

    assert server.partition("\n")[2] == embedded.partition("\n")[2]
    assert list(tmp_path.iterdir()) == []
    assert "CREATE DATABASE IF NOT EXISTS signoz_genai" in run("plan", f"chdb://{tmp_path}/none", schema="attach")[1]


def test_what_cannot_be_asked_is_one_line() -> None:
    for word in ("apply", "verify"):
        code, text = run(word, "clickhouse://localhost:1")
        assert (code, text.count("\n")) == (1, 1)


def test_as_a_process_with_the_embedded_clickhouse(tmp_path: Path) -> None:
    config = configuration("chdb://./data")
    for word, expected in (("apply", "is missing: done"), ("verify", "everything is as it should be")):
        done = subprocess.run(
            [sys.executable, "-m", "collector", "schema", word, "--config", config],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
            env={"PYTHONPATH": str(ROOT)},
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert expected in done.stdout
