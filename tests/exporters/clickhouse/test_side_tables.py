"""Which rows of side tables are stored, and which are known to be stored already."""

from itertools import product

import pyarrow as pa
import pytest

from collector.batch import Batch
from collector.errors import Retryable
from exporters.clickhouse import ClickhouseExporter, side_tables
from exporters.clickhouse.insert import Insert
from exporters.clickhouse.side_tables import CROWD_REFRESH_SECONDS, CROWD_SECONDS, REFRESH_SECONDS, SideTables
from tests.clock import Clock
from tests.exporters.clickhouse import log_batches
from tests.exporters.clickhouse.conftest import MakeExporter, Store
from tests.exporters.clickhouse.samples import START
from tests.exporters.clickhouse.trace_batches import batch_of, span

SECOND = 10**9
TABLES = {
    "traces": (
        "signoz_traces.span_attributes_keys",
        "signoz_traces.tag_attributes_v2",
        "signoz_traces.traces_v3_resource",
    ),
    "logs": (
        "signoz_logs.logs_attribute_keys",
        "signoz_logs.logs_resource_keys",
        "signoz_logs.tag_attributes_v2",
        "signoz_logs.logs_v2_resource",
    ),
}


@pytest.fixture
def clock() -> Clock:
    return Clock(START + 100.0)


@pytest.fixture
def exporter(embedded: Store, make_exporter: MakeExporter, clock: Clock) -> ClickhouseExporter:
    embedded.empty()
    return make_exporter(embedded.dsn, clock, retention=20_000)


def batch(signal: str, number: int, at: int = START) -> Batch:
    """Return a batch with the same keys and values whatever the number, which stands in the items' ids only."""
    time, resource = at * SECOND, {"service.name": "chat-svc"}
    if signal == "logs":
        return log_batches.batch_of(
            log_batches.record({"k": "v"}, time_unix_nano=time, span_id=number.to_bytes(8)), resource=resource
        )
    return batch_of(span({"k": "v"}, start_time_unix_nano=time, span_id=number.to_bytes(8)), resource=resource)


def counts(store: Store, signal: str) -> list[int]:
    return [int(store.value(f"SELECT count() FROM {table} FINAL")) for table in TABLES[signal]]


def forget_rows(store: Store, signal: str) -> None:
    for table in TABLES[signal]:
        store.connection.command(f"TRUNCATE TABLE {table} SYNC")


@pytest.mark.parametrize("signal", TABLES)
def test_rows_are_stored_once_and_again_before_they_expire(
    embedded: Store, exporter: ClickhouseExporter, clock: Clock, signal: str
) -> None:
    exporter.export(batch(signal, 1))
    first = counts(embedded, signal)
    assert all(first)

    forget_rows(embedded, signal)
    clock.now = START + 3000
    exporter.export(batch(signal, 2))
    assert counts(embedded, signal) == [0] * len(first)

    clock.now += REFRESH_SECONDS
    exporter.export(batch(signal, 3))
    assert counts(embedded, signal) == first


@pytest.mark.parametrize("signal", TABLES)
def test_rows_are_stored_again_by_another_process(
    embedded: Store, exporter: ClickhouseExporter, make_exporter: MakeExporter, clock: Clock, signal: str
) -> None:
    exporter.export(batch(signal, 1))
    first = counts(embedded, signal)
    forget_rows(embedded, signal)

    make_exporter(embedded.dsn, clock, retention=20_000).export(batch(signal, 2))

    assert counts(embedded, signal) == first


@pytest.mark.parametrize(("signal", "table"), [("traces", "signoz_index_v3"), ("logs", "logs_v2")])
def test_rows_are_stored_again_after_a_failure(
    embedded: Store, exporter: ClickhouseExporter, signal: str, table: str
) -> None:
    exporter.export(batch(signal, 1))
    first = counts(embedded, signal)
    forget_rows(embedded, signal)
    embedded.connection.command(f"DROP TABLE signoz_{signal}.{table} SYNC")

    with pytest.raises(Retryable):
        exporter.export(batch(signal, 2))
    exporter.export(batch(signal, 2))

    assert counts(embedded, signal) == first


@pytest.mark.parametrize("signal", TABLES)
def test_every_half_hour_has_its_resource_row(embedded: Store, exporter: ClickhouseExporter, signal: str) -> None:
    for number, start in enumerate((START, START + 1799, START + 1800, START + 9000)):
        exporter.export(batch(signal, number, start))

    buckets = embedded.rows(
        f"SELECT fingerprint, seen_at_ts_bucket_start FROM {TABLES[signal][-1]} FINAL ORDER BY seen_at_ts_bucket_start"
    )
    assert [bucket for _, bucket in buckets] == [START, START + 1800, START + 9000]
    assert len({fingerprint for fingerprint, _ in buckets}) == 1


def test_a_replay_brings_what_another_batch_had_brought_before(
    embedded: Store, exporter: ClickhouseExporter, make_exporter: MakeExporter
) -> None:
    exporter.export(batch_of(span({"a": "1"}, span_id=b"1" * 8)))
    second = batch_of(span({"a": "1", "b": "2"}, span_id=b"2" * 8))
    exporter.export(second)
    forget_rows(embedded, "traces")

    make_exporter(embedded.dsn, retention=20_000).export(second)

    keys = embedded.rows("SELECT tagKey FROM signoz_traces.distributed_span_attributes_keys ORDER BY tagKey")
    assert keys == [("a",), ("b",)]
    assert embedded.value("SELECT count() FROM signoz_traces.distributed_signoz_index_v3") == 2


def values_of(store: Store, signal: str, key: str) -> set[str]:
    return {value for (value,) in store.rows(f"SELECT string_value FROM {TABLES[signal][1]} WHERE tag_key = '{key}'")}


def test_keys_with_too_many_values_are_not_offered_for_a_while(
    embedded: Store, exporter: ClickhouseExporter, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(side_tables, "MOST_VALUES", 20)
    start = START * SECOND
    many = [f"{number}" for number in range(21)]
    exporter.export(batch_of(*(span({"id": text, "k": "v"}, start_time_unix_nano=start) for text in many)))
    assert values_of(embedded, "traces", "id") == set(many)

    clock.now += CROWD_REFRESH_SECONDS
    exporter.export(batch_of(span({"id": "new", "k": "w", "later": 1}, start_time_unix_nano=start)))
    assert values_of(embedded, "traces", "id") == set(many)
    assert values_of(embedded, "traces", "k") == {"v", "w"}
    keys = embedded.rows("SELECT tagKey FROM signoz_traces.span_attributes_keys ORDER BY tagKey")
    assert keys == [("id",), ("k",), ("later",)]

    clock.now += CROWD_SECONDS
    exporter.export(batch_of(span({"id": "again"}, start_time_unix_nano=int(clock.now) * SECOND)))
    assert "again" in values_of(embedded, "traces", "id")


def test_numbers_and_logs_are_counted_too(
    embedded: Store, exporter: ClickhouseExporter, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(side_tables, "MOST_VALUES", 20)
    exporter.export(log_batches.batch_of(*(log_batches.record({"n": number, "k": "v"}) for number in range(21))))
    clock.now += CROWD_REFRESH_SECONDS
    exporter.export(log_batches.batch_of(log_batches.record({"n": 99, "k": "w"})))

    numbers = "SELECT max(number_value) FROM signoz_logs.tag_attributes_v2 WHERE tag_key = 'n'"
    assert embedded.value(numbers) == 20.0
    assert embedded.value("SELECT count() FROM signoz_logs.tag_attributes_v2 WHERE string_value = 'w'") == 1


def test_what_is_remembered_is_bounded(
    embedded: Store, exporter: ClickhouseExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(side_tables, "MOST_REMEMBERED", 10)
    for number in range(5):
        exporter.export(batch_of(*(span({"id": f"{number} {place}"}) for place in range(7 + number))))
        assert all(len(recent.marks) <= 10 for recent in exporter._side_tables._recent.values())

    values = embedded.value("SELECT uniqExact(string_value) FROM signoz_traces.tag_attributes_v2 WHERE tag_key = 'id'")
    assert values == 7 + 8 + 9 + 10 + 11


def test_rows_that_differ_in_one_column_only_are_told_apart(embedded: Store, clock: Clock) -> None:
    values = {
        "hour": pa.array([1, 2, -1, -2]),
        "key": pa.array(["a", "b", "", "ab"]),
        "type": pa.array(["a", "b", "", "ab"]).dictionary_encode(),
        "number": pa.array([None, 0.0, -1.0, -2.0]),
        "flag": pa.array([True, False, True, False]),
    }
    numbers = sorted(set(product(range(4), range(4), range(4), range(4), range(2))))
    columns = zip(*numbers, strict=True)
    taken = [column.take(pa.array(places)) for column, places in zip(values.values(), columns, strict=True)]
    rows = pa.RecordBatch.from_arrays(taken, list(values))
    tables = SideTables(clock, None)

    def due(rows: pa.RecordBatch) -> list[pa.RecordBatch]:
        found = tables.due(embedded.connection, [Insert("d.t", rows, None, lasting=True)])
        return [one.rows for one in found if isinstance(one, Insert)]

    for part in (rows.slice(0, 100), rows.slice(100)):
        assert due(part) == [part]
    assert due(rows) == []
