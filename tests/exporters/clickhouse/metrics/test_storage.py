"""Metrics in every kind of ClickHouse: read back as they were sent, and once, however often that was."""

from math import nan

import pytest

from collector.errors import Permanent, Retryable
from exporters.clickhouse import ClickhouseExporter
from exporters.clickhouse.client import Server
from tests.clickhouse_http import ClickhouseServer, Fault
from tests.exporters.clickhouse.conftest import MakeExporter, Store
from tests.exporters.clickhouse.metrics.batches import (
    CUMULATIVE,
    DELTA,
    EXPECTED,
    TIME,
    batch_of,
    metric,
    point,
    vector_batch,
)

DATABASE = "signoz_metrics"
MINUTE = 60_000_000_000
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


def test_rows_of_series_come_again_with_the_tables(store: Store, exporter: ClickhouseExporter) -> None:
    exporter.export(vector_batch())
    store.drop()

    with pytest.raises(Retryable):
        exporter.export(vector_batch())
    exporter.export(vector_batch())

    assert store.value(f"SELECT count() FROM {DATABASE}.time_series_v4") == 41


@pytest.mark.parametrize("table", ["time_series_v4", "metadata", "exp_hist", "samples_v4"])
@pytest.mark.parametrize("kind", ["drop_before", "drop_after"])
def test_a_failed_request_is_retryable_and_then_stored_once(
    server: ClickhouseServer, make_exporter: MakeExporter, table: str, kind: str
) -> None:
    store = Store(server.dsn, Server(server.dsn, 60))
    store.empty()
    exporter = make_exporter(server.dsn, metrics_retention=20_000)
    exporter.export(batch_of(metric("gauge", point(as_int=1))))
    before = {name: len(rows) for name, rows in contents(store).items()}

    server.fail(Fault(kind, f"distributed_{table} ", times=9))
    with pytest.raises(Retryable):
        exporter.export(vector_batch())
    server.fail()
    exporter.export(vector_batch())

    added = {name: len(rows) - before[name] for name, rows in contents(store).items()}
    assert [added[f"distributed_{name}"] for name in ("samples_v4", "exp_hist", *SERIES)] == [40, 1, *[41] * 4]
    assert added["distributed_metadata"] == len(EXPECTED["metadata"])


def test_aggregates_follow(store: Store, exporter: ClickhouseExporter) -> None:
    start = TIME // (30 * MINUTE) * 30 * MINUTE
    values = [(0, 5.0, 0), (1, 3.0, 0), (4, 4.0, 0), (5, 7.0, 0), (29, 1.0, 0), (30, 2.0, 0), (3, 100.0, 1)]
    points = [
        point(as_double=value, flags=flags, time_unix_nano=start + minutes * MINUTE) for minutes, value, flags in values
    ]
    exporter.export(batch_of(metric("gauge", *points)))

    def aggregates(minutes: int) -> list[tuple]:
        merged = "min(min), max(max), sum(sum), sum(count)"
        return store.rows(
            f"SELECT intDiv(unix_milli - {start // 10**6}, 60000) AS minute, {merged}"
            f" FROM {DATABASE}.distributed_samples_v4_agg_{minutes}m GROUP BY minute ORDER BY minute"
        )

    assert aggregates(5) == [(0, 3, 5, 12, 3), (5, 7, 7, 7, 1), (25, 1, 1, 1, 1), (30, 2, 2, 2, 1)]
    assert aggregates(30) == [(0, 1, 7, 20, 5), (30, 2, 2, 2, 1)]
    assert store.value(f"SELECT count() FROM {DATABASE}.samples_v4 WHERE flags = 1 AND value = 100") == 1


def test_series_are_in_every_table_at_their_hour_day_and_week(store: Store, exporter: ClickhouseExporter) -> None:
    exporter.export(batch_of(metric("gauge", point({"k": "v"}, as_int=1)), resource={"r": "1"}))

    for table, seconds in zip(SERIES, (3600, 21_600, 86_400, 604_800), strict=True):
        assert store.rows(f"SELECT unix_milli, labels, attrs['k'], resource_attrs FROM {DATABASE}.{table}") == [
            (
                TIME // (seconds * 10**9) * seconds * 1000,
                '{"__name__":"m","__scope.name__":"","__scope.schema_url__":"","__scope.version__":"",'
                '"__temporality__":"Unspecified","k":"v","r":"1"}',
                "v",
                {"r": "1"},
            )
        ]


def test_points_without_a_place_are_refused_and_the_others_stored(store: Store, exporter: ClickhouseExporter) -> None:
    batch = batch_of(
        metric("gauge", point(as_int=1)),
        metric("exponential_histogram", point(count=1), aggregation_temporality=CUMULATIVE),
        metric(
            "exponential_histogram", point(scale=-10), point(scale=2), point(scale=99), aggregation_temporality=DELTA
        ),
        metric("gauge", point(as_double=nan)),
    )
    for _ in range(2):
        with pytest.raises(Permanent, match="delta temporality") as caught:
            exporter.export(batch)
        assert caught.value.rows == (1, 2, 4)

    assert store.value(f"SELECT count() FROM {DATABASE}.exp_hist") == 1
    assert store.value(f"SELECT count() FROM {DATABASE}.samples_v4 WHERE metric_name = 'm'") == 1
    assert exporter.host.metrics.value("clickhouse_exporter_dropped_points", exporter="clickhouse") == 2


def test_times_of_every_kind_are_stored_but_what_the_clock_cannot_count(
    store: Store, make_exporter: MakeExporter
) -> None:
    times = [n * 10**9 for n in range(102)] + [n * 86_400 * 10**9 for n in range(5)] + [TIME, 2**64 - 1]
    batch = batch_of(metric("gauge", *(point({"n": n}, as_int=1, time_unix_nano=time) for n, time in enumerate(times))))
    exporter = make_exporter(store.dsn, metrics_retention=25_000)
    for _ in range(2):
        with pytest.raises(Permanent, match="the end of ClickHouse's clock") as caught:
            exporter.export(batch)
        assert caught.value.rows == (108,)

    for table in ("samples_v4", "time_series_v4"):
        assert store.value(f"SELECT count() FROM {DATABASE}.{table} WHERE unix_milli < {5 * 86_400_000}") == 107
