"""The exporter against every kind of ClickHouse: stored once, whatever happens on the way."""

import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pytest
from structlog.testing import capture_logs

from collector.batch import Batch, Signal
from collector.component import Host
from collector.errors import ConfigError, Permanent, Retryable
from collector.journal import Journal
from collector.outbox import Outbox
from exporters import clickhouse
from exporters.clickhouse import ClickhouseConfig, ClickhouseExporter, client
from exporters.clickhouse.delivery import deliver
from exporters.clickhouse.insert import Insert
from exporters.clickhouse.traces import trace_inserts
from tests.clickhouse_http import ROOT, ClickhouseServer, Fault
from tests.exporters.clickhouse.conftest import MakeExporter, Store
from tests.exporters.clickhouse.samples import START, rollup, rollups_batch, span, spans_batch

SPANS = 12
DAY = 86_400


def contents(store: Store) -> dict[str, object]:
    """Return a number for every table that a batch of spans or rollups ends up in."""
    return {
        "spans": store.value("SELECT count() FROM signoz_traces.distributed_signoz_index_v3"),
        "ids": store.value("SELECT uniqExact(span_id) FROM signoz_traces.signoz_index_v3"),
        "resources": store.value("SELECT count() FROM signoz_traces.distributed_traces_v3_resource"),
        "keys": store.value("SELECT count() FROM signoz_traces.distributed_span_attributes_keys") > 0,
        "summary": store.value("SELECT sum(num_spans) FROM signoz_traces.distributed_trace_summary"),
        "redis": store.value(
            "SELECT sum(total_count) FROM signoz_traces.distributed_dependency_graph_minutes_v2 WHERE dest = 'redis'"
        ),
        "operations": store.value("SELECT count() FROM signoz_traces.distributed_top_level_operations"),
        "calls": store.value("SELECT sum(calls) FROM signoz_genai.distributed_rollup_1m"),
    }


ONCE = {
    "spans": SPANS, "ids": SPANS, "resources": 1, "keys": True, "summary": SPANS, "redis": SPANS, "operations": 3,
    "calls": 7,
}  # fmt: skip


def both_batches() -> tuple[Batch, Batch]:
    rows = [rollup(calls=4, service_name="a", duration_buckets={5: 4}), rollup(calls=3, errors_by_class={"x": 1})]
    return spans_batch([span(number) for number in range(SPANS)]), rollups_batch(rows)


def test_a_batch_sent_again_and_again_is_stored_once(store: Store, make_exporter: MakeExporter) -> None:
    spans, rollups = both_batches()
    for _ in range(2):
        exporter = make_exporter(store.dsn)
        for _ in range(2):
            exporter.export(spans)
            exporter.export(rollups)

    assert contents(store) == ONCE


def test_a_batch_sent_again_after_clickhouse_was_killed_is_stored_once(
    server: ClickhouseServer, make_exporter: MakeExporter
) -> None:
    store = Store(server.dsn, client.Server(server.dsn, 60))
    store.empty()
    exporter = make_exporter(server.dsn)
    for _ in range(2):
        for batch in both_batches():
            exporter.export(batch)
        server.stop()
        with pytest.raises(Retryable, match="Connection refused"):
            exporter.export(both_batches()[0])
        server.start()

    assert contents(store) == ONCE


@pytest.mark.parametrize(
    ("table", "fault"),
    [
        ("signoz_index_v3", Fault("drop_after", times=9)),
        ("rollup_1m", Fault("drop_after", times=9)),
        ("signoz_index_v3", Fault("drop_before", times=9)),
        ("signoz_index_v3", Fault("status", status=500, code=241)),
        ("rollup_1m", Fault("status", status=503, times=9)),
        ("signoz_index_v3", Fault("page")),
        ("signoz_index_v3", Fault("late")),
    ],
    ids=lambda value: value if isinstance(value, str) else f"{value.kind} {value.status} {value.code}",
)
def test_a_failed_request_is_retryable_and_then_stored_once(
    server: ClickhouseServer, make_exporter: MakeExporter, fault: Fault, table: str
) -> None:
    store = Store(server.dsn, client.Server(server.dsn, 60))
    store.empty()
    exporter = make_exporter(server.dsn)
    spans, rollups = both_batches()
    broken, other = (rollups, spans) if table == "rollup_1m" else (spans, rollups)
    exporter.export(other)

    server.fail(Fault(**{**vars(fault), "match": f"distributed_{table}"}))
    with pytest.raises(Retryable):
        exporter.export(broken)
    server.fail()
    exporter.export(broken)

    assert contents(store) == ONCE


class Deaf(ClickhouseExporter):
    """Stores and never hears of it."""

    def export(self, batch: Batch) -> None:
        super().export(batch)
        raise Retryable("the answer was lost")


def test_a_dead_letter_that_is_resent_is_stored_once_even_if_it_had_been_stored(
    embedded: Store, tmp_path: Path
) -> None:
    embedded.empty()
    queue = {"directory": str(tmp_path), "batch": {"flush_timeout": "0"}}
    options = {"dsn": embedded.dsn, "sending_queue": queue, "retry_on_failure": {"enabled": False}}
    config = ClickhouseConfig.model_validate(options)
    outbox = Outbox(Deaf(config, Host("clickhouse", base=Path("/"))))
    outbox.start()
    outbox.put(both_batches())
    outbox.stop(60)
    assert contents(embedded) == ONCE
    with closing(Journal(tmp_path / "clickhouse.sqlite")) as journal:
        letters = journal.letters.kept()
        assert ([letter.rows for letter in letters], journal.waiting()) == ([SPANS, 2], [])
        journal.resend([(letter.seq, 1) for letter in letters])

    outbox = Outbox(ClickhouseExporter(config, Host("clickhouse", base=Path("/"))))
    outbox.start()
    outbox.stop(60)
    with closing(Journal(tmp_path / "clickhouse.sqlite")) as journal:
        assert (journal.letters.kept(), journal.waiting()) == ([], [])
    assert contents(embedded) == ONCE


def test_a_server_that_does_not_answer_is_retryable(server: ClickhouseServer, make_exporter: MakeExporter) -> None:
    exporter = make_exporter(server.dsn, timeout="1s")
    exporter.export(both_batches()[1])
    server.fail(Fault("hang", "rollup_1m", times=2, seconds=3))

    with pytest.raises(Retryable, match="timed out"):
        exporter.export(both_batches()[1])
    server.fail()


def test_a_server_that_hangs_is_not_waited_for_at_the_start_and_at_the_end() -> None:
    hanging = socket.create_server(("127.0.0.1", 0))
    config = ClickhouseConfig(dsn=f"clickhouse://127.0.0.1:{hanging.getsockname()[1]}", timeout="2m")
    exporter = ClickhouseExporter(config, Host("clickhouse"))
    exporter.start()
    connection, _ = hanging.accept()
    hanging.close()
    with connection, capture_logs() as logs:
        assert connection.recv(4)
        assert exporter.greeting is not None
        exporter.stop()
        assert exporter.greeting.is_alive()
        assert exporter.host.metrics.value("clickhouse_exporter_ready", exporter="clickhouse") == 0
        connection.close()
        exporter.greeting.join()

    assert logs == []


def test_the_exporter_starts_without_a_server_and_delivers_when_there_is_one(
    tmp_path: Path, make_exporter: MakeExporter
) -> None:
    server = ClickhouseServer(tmp_path)
    server.start().stop()
    exporter = make_exporter(server.dsn)
    with pytest.raises(Retryable, match=f"127.0.0.1:{server.port}: .*refused"):
        exporter.export(both_batches()[1])
    server.start()
    try:
        exporter.export(both_batches()[1])

        assert client.Server(server.dsn, 60).rows("SELECT sum(calls) FROM signoz_genai.rollup_1m") == [(7,)]
    finally:
        server.stop()


def test_a_wrong_password_is_retryable_and_never_shown(tmp_path: Path, make_exporter: MakeExporter) -> None:
    server = ClickhouseServer(tmp_path, "right").start()
    try:
        exporter = make_exporter(server.dsn.replace("right", "wr%2Fong"))
        with pytest.raises(Retryable, match="AUTHENTICATION_FAILED") as caught:
            exporter.export(both_batches()[1])
        make_exporter(server.dsn).export(both_batches()[1])
    finally:
        server.stop()

    assert "ong" not in str(caught.value)
    assert "ong" not in repr(exporter.config)


def test_tables_that_vanish_are_made_again(store: Store, make_exporter: MakeExporter) -> None:
    exporter = make_exporter(store.dsn)
    exporter.export(both_batches()[1])
    store.drop()

    with pytest.raises(Retryable):
        exporter.export(both_batches()[1])
    exporter.export(both_batches()[1])

    assert store.value("SELECT sum(calls) FROM signoz_genai.rollup_1m") == 7


def test_texts_that_look_like_dates_stay_texts(store: Store, make_exporter: MakeExporter) -> None:
    labels = {"service.name": "x", "released": "2026-11-21T10:00:00Z", "day": "2026-11-21", "number": "17"}
    make_exporter(store.dsn).export(spans_batch([span(0)], labels))

    found = store.rows(
        "SELECT dynamicType(resource.released), toString(resource.released), resource.day::String,"
        " dynamicType(resource.number), resource.service.name::String FROM signoz_traces.signoz_index_v3"
    )
    assert found == [("String", "2026-11-21T10:00:00Z", "2026-11-21", "String", "x")]


def test_rows_of_more_days_than_one_insert_may_touch(store: Store, make_exporter: MakeExporter) -> None:
    make_exporter(store.dsn).export(both_batches()[1])
    rows = pa.record_batch(
        {
            "labels": [f"{number}" for number in range(300)],
            "fingerprint": ["hash=1"] * 300,
            "seen_at_ts_bucket_start": [START + number // 2 * DAY for number in range(300)],
        }
    )
    for _ in range(2):
        refusals = deliver(store.connection, "b" * 32, [Insert("signoz_traces.traces_v3_resource", rows, None)])
        assert not refusals.rows

    assert store.rows(
        "SELECT count(), uniqExact(labels), uniqExact(toDate(seen_at_ts_bucket_start))"
        " FROM signoz_traces.traces_v3_resource"
    ) == [(300, 300, 150)]


POISON = {0, 5, 6}


def damaged(batch: Batch, now: float) -> list[Insert]:
    """Return the rows of the batch with JSON that ClickHouse cannot read in some of the spans."""
    *side, spans = trace_inserts(batch, now)
    texts = ['{"a":' if row in POISON else "{}" for row in range(batch.rows)]
    place = spans.rows.schema.get_field_index("resource")
    rows = spans.rows.set_column(place, "resource", pa.array(texts))
    return [*side, Insert(spans.table, rows, spans.sources)]


def test_rows_that_cannot_be_stored_are_found_and_the_others_delivered(
    store: Store, make_exporter: MakeExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(clickhouse.INSERTS, Signal.TRACES, damaged)
    exporter = make_exporter(store.dsn)
    for _ in range(2):
        with pytest.raises(Permanent, match="INCORRECT_DATA") as caught:
            exporter.export(both_batches()[0])
        assert caught.value.rows == tuple(sorted(POISON))

    assert store.value("SELECT count() FROM signoz_traces.signoz_index_v3") == SPANS - len(POISON)
    assert store.value("SELECT sum(num_spans) FROM signoz_traces.trace_summary") == SPANS - len(POISON)


def test_a_folder_used_by_another_process_is_named(embedded: Store) -> None:
    program = (
        "from collector.component import Host\n"
        "from exporters.clickhouse import ClickhouseConfig, ClickhouseExporter\n"
        f"ClickhouseExporter(ClickhouseConfig(dsn={embedded.dsn!r}), Host('clickhouse')).start()\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)

    assert ended.returncode == 1
    folder = embedded.dsn.removeprefix("chdb://")
    assert f"clickhouse: dsn: {folder} is used by another process" in ended.stderr


def test_a_folder_that_cannot_be_made_is_told_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    exporter = ClickhouseExporter(ClickhouseConfig(dsn=f"chdb://{tmp_path}/file/data"), Host("clickhouse"))

    with pytest.raises(ConfigError, match=r"file/data cannot be made: Not a directory; name one that this user may"):
        exporter.start()


def test_a_missing_chdb_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(client, "find_spec", lambda name: None)
    exporter = ClickhouseExporter(ClickhouseConfig(dsn=f"chdb://{tmp_path}"), Host("clickhouse"))

    with pytest.raises(ConfigError, match=r"pip install 'genai-collector\[embedded\]'"):
        exporter.start()
    exporter.stop()


def test_a_relative_folder_starts_at_the_base(tmp_path: Path) -> None:
    program = (
        "from pathlib import Path\n"
        "from collector.component import Host\n"
        "from exporters.clickhouse import ClickhouseConfig, ClickhouseExporter\n"
        "host = Host('clickhouse', base=Path(__import__('sys').argv[1]))\n"
        "exporter = ClickhouseExporter(ClickhouseConfig(dsn='chdb://./data/chdb'), host)\n"
        "exporter.start()\n"
        "exporter.stop()\n"
        "exporter.stop()\n"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], cwd=ROOT, check=True)

    assert (tmp_path / "data/chdb").is_dir()


@pytest.mark.parametrize(
    ("dsn", "problem"),
    [
        ("mysql://x", "must start with one of chdb, clickhouse, clickhouses, http, https"),
        ("/var/lib/data", "must start with"),
        ("chdb://", "names no folder"),
        ("clickhouse://", "names no folder and no host"),
        ("clickhouse://user:pa/ss@host", "is no address"),
        ("clickhouse://host:port", "is no address"),
        ("clickhouse://host?verfy=0", "unknown option verfy"),
    ],
)
def test_a_bad_dsn_is_refused_without_repeating_it(dsn: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem) as caught:
        ClickhouseConfig(dsn=dsn)

    assert "pa/ss" not in str(caught.value)


def test_it_consumes_what_it_can_make_rows_of() -> None:
    assert ClickhouseExporter.consumes == set(Signal)
