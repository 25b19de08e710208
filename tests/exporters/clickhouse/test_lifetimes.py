"""Rows dated so late that their lifetime ends after ClickHouse's clock: refused, beside others that live."""

import pytest

from collector.batch import Batch
from collector.errors import Permanent
from tests.exporters.clickhouse import log_batches, trace_batches
from tests.exporters.clickhouse.conftest import DATABASES, MakeExporter, Store
from tests.exporters.clickhouse.metrics import batches as metric_batches
from tests.exporters.clickhouse.samples import rollup, rollups_batch

DAY = 86_400
SECOND = 1_000_000_000
LAST = 49_709
DAYS = {"retention": 20, "metrics_retention": 400, "rollup_retention": 30}


def traces(*times: int) -> Batch:
    spans = [
        trace_batches.span(
            {"gen_ai.request.model": "gpt-4o"},
            start_time_unix_nano=time * SECOND,
            trace_id=number.to_bytes(16),
            events=[trace_batches.event("exception", {"exception.type": "E"}, time * SECOND)],
        )
        for number, time in enumerate(times)
    ]
    return trace_batches.batch_of(*spans, resource={"service.name": "a"})


def logs(*times: int) -> Batch:
    records = [log_batches.record({"a": "b"}, time_unix_nano=time * SECOND) for time in times]
    return log_batches.batch_of(*records, resource={"service.name": "a"})


def metrics(*times: int) -> Batch:
    points = [metric_batches.point({"a": "b"}, time_unix_nano=time * SECOND, as_double=1.5) for time in times]
    return metric_batches.batch_of(metric_batches.metric("gauge", *points), resource={"service.name": "a"})


def rollups(*times: int) -> Batch:
    return rollups_batch([rollup(time=time, calls=1) for time in times])


@pytest.mark.parametrize(
    ("make", "lifetime", "tables"),
    [
        (
            traces,
            20,
            [
                *("signoz_traces.signoz_index_v3", "signoz_traces.traces_v3_resource", "signoz_traces.trace_summary"),
                *("signoz_traces.signoz_error_index_v2", "signoz_traces.tag_attributes_v2"),
            ],
        ),
        (logs, 20, ["signoz_logs.logs_v2", "signoz_logs.logs_v2_resource", "signoz_logs.tag_attributes_v2"]),
        (
            metrics,
            400,
            [
                *("signoz_metrics.samples_v4", "signoz_metrics.samples_v4_agg_5m", "signoz_metrics.time_series_v4"),
                "signoz_metrics.time_series_v4_1week",
            ],
        ),
        (rollups, 30, ["signoz_genai.rollup_1m"]),
    ],
)
def test_what_cannot_live_as_long_as_it_should_is_refused_and_the_rest_lives(
    store: Store, make_exporter: MakeExporter, make, lifetime: int, tables: list[str]
) -> None:
    end = (LAST - lifetime + 1) * DAY
    exporter = make_exporter(store.dsn, **DAYS)
    with pytest.raises(Permanent, match="the end of ClickHouse's clock") as refusal:
        exporter.export(make(end - 1, end, 2**32 + 10, 9_000_000_000))
    for database, table in store.rows(
        f"SELECT database, name FROM system.tables WHERE database IN {DATABASES} AND engine LIKE '%MergeTree'"
    ):
        store.connection.command(f"OPTIMIZE TABLE {database}.{table} FINAL")

    assert refusal.value.rows == (1, 2, 3)
    assert {table: store.value(f"SELECT count() > 0 FROM {table}") for table in tables} == dict.fromkeys(tables, 1)
    assert store.value(f"SELECT count() FROM {tables[0]}") == 1
