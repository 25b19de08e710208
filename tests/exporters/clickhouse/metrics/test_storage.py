"""Metrics in every kind of ClickHouse: read back as they were sent, and once, however often that was."""

import pytest

from exporters.clickhouse import ClickhouseExporter
from tests.exporters.clickhouse.conftest import MakeExporter, Store
from tests.exporters.clickhouse.metrics.batches import (
    EXPECTED,
    vector_batch,
)

DATABASE = "signoz_metrics"
HOUR = 3_600_000_000_000
SERIES = ("time_series_v4", "time_series_v4_6hrs", "time_series_v4_1day", "time_series_v4_1week")
VIEWS = {"samples_v4_agg_5m": 300_000, "samples_v4_agg_30m": 1_800_000}


@pytest.fixture
def exporter(store: Store, make_exporter: MakeExporter) -> ClickhouseExporter:
    return make_exporter(store.dsn, metrics_retention=20_000)


def contents(store: Store) -> dict[str, list[tuple]]:
    """Return all that the tables hold but the time of the insert, rows as they lie there."""
    tables = [name for (name,) in store.rows(f"SHOW TABLES FROM {DATABASE}") if name.startswith("distributed_")]
    return {
        table: store.rows(f"SELECT * EXCEPT '^(inserted_at.*|sketch)$' FROM {DATABASE}.{table} ORDER BY ALL")
        for table in tables
    }


def test_clickhouse_reads_back_what_signoz_would_have_written(store: Store, exporter: ClickhouseExporter) -> None:
    exporter.export(vector_batch())

    names = [name for name in EXPECTED["samples"][0] if name != "fingerprint"]
    rows = store.rows(f"SELECT toString(fingerprint), {', '.join(names)} FROM {DATABASE}.distributed_samples_v4")
    expected = [(row["fingerprint"], *(row[name] for name in names)) for row in EXPECTED["samples"]]
    assert sorted(rows) == sorted(expected)
    names = [name for name in EXPECTED["time_series"][0] if name != "fingerprint"]
    expected = [(row["fingerprint"], *(row[name] for name in names)) for row in EXPECTED["time_series"]]
    rows = store.rows(
        f"SELECT toString(fingerprint), {', '.join(names)} FROM {DATABASE}.time_series_v4 WHERE NOT __normalized"
    )
    assert sorted(rows, key=lambda row: row[0]) == sorted(expected, key=lambda row: row[0])
    assert store.value(f"SELECT count() FROM {DATABASE}.metadata") == len(EXPECTED["metadata"])


def test_sketches_answer(store: Store, exporter: ClickhouseExporter) -> None:
    exporter.export(vector_batch())

    columns = "metric_name, toString(fingerprint), count, sum, min, max, quantilesDDMerge(0.01, 0.95)(sketch)[1]"
    found = store.rows(f"SELECT {columns} FROM {DATABASE}.distributed_exp_hist GROUP BY ALL")
    assert found == [
        ("gen_ai.client.operation.duration", "11531638658799933748", 6, 7.5, 0.1, 4.0, pytest.approx(1.1377, abs=1e-4))
    ]


def test_a_batch_sent_again_and_again_is_stored_once(store: Store, make_exporter: MakeExporter) -> None:
    make_exporter(store.dsn).export(vector_batch())
    once = contents(store)
    for _ in range(2):
        exporter = make_exporter(store.dsn)
        for _ in range(2):
            exporter.export(vector_batch())

    assert contents(store) == once
    assert len(once["distributed_samples_v4"]) == 40
    assert [len(once[f"distributed_{table}"]) for table in SERIES] == [41] * 4
    assert [sum(row[-1] for row in once[f"distributed_{table}"]) for table in VIEWS] == [40, 40]
