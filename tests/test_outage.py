"""ClickHouse away: what was accepted waits, then arrives, once, whoever dies in between."""

import random
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

from tests.clickhouse_http import ClickhouseServer, Fault
from tests.requests import Call, request
from tests.running import CONFIG, Collector
from tests.test_crash import ROLLUPS, SPANS, SUMMARIES, totals
from tests.waiting import until


@pytest.fixture
def server(tmp_path):
    (tmp_path / "server").mkdir()
    server = ClickhouseServer(tmp_path / "server").start()
    yield server
    server.stop()


def send(collector: Collector, chance: random.Random, times: int) -> list[Call]:
    calls = []
    with collector.exporting() as export:
        for _ in range(times):
            data, sent = request(20, chance)
            export(data)
            calls += sent
    return calls


def check(collector: Collector, server: ClickhouseServer, calls: list[Call]) -> None:
    """Compare what the server holds, after it ended, with what was sent."""
    server.stop()
    collector.database = server.folder
    rows, [summary], [rollup] = collector.query(SPANS, SUMMARIES, ROLLUPS)

    assert {row["span_id"]: int(row["n"]) for row in rows} == {call.span_id: 1 for call in calls}
    assert int(summary["n"]) == len(calls)
    assert rollup == totals(calls)


def test_down_at_the_start_and_killed_while_waiting(tmp_path, server):
    server.stop()
    chance = random.Random(1)
    collector = Collector(tmp_path, dsn=server.dsn)
    collector.start()
    calls = send(collector, chance, 3)
    collector.kill()
    collector.start()
    calls += send(collector, chance, 3)
    server.start()
    calls += send(collector, chance, 3)
    until(lambda: not collector.waiting())

    assert collector.stop() == 0, collector.text
    check(collector, server, calls)


def test_receivers_open_while_the_server_hangs(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as hanging:
        collector = Collector(tmp_path, dsn=f"clickhouse://127.0.0.1:{hanging.getsockname()[1]}")
        collector.start()
        send(collector, random.Random(3), 1)
        waiting, text = collector.waiting(), collector.text
        collector.kill()

    assert waiting > 0
    assert "cannot be reached" not in text  # it still waits for the answer


def test_without_a_queue_a_delivery_that_hangs_does_not_hold_up_the_end(tmp_path):
    queue = """sending_queue: {{directory: "{outbox}", batch: {{flush_timeout: 100ms}}}}"""
    config = CONFIG.replace(queue, "timeout: 5m\n    sending_queue: {{enabled: false}}")
    with socket.create_server(("127.0.0.1", 0)) as hanging, ThreadPoolExecutor() as pool:
        collector = Collector(tmp_path, dsn=f"clickhouse://127.0.0.1:{hanging.getsockname()[1]}", config=config)
        collector.start()
        collector.until_logged("Everything is ready")
        with collector.exporting() as export:
            answers = [pool.submit(export, request(1, random.Random(seed))[0]) for seed in range(3)]
            time.sleep(1)  # until the requests are in hand
            try:
                assert collector.stop() == 0
            finally:
                collector.kill()
            assert all(isinstance(answer.exception(), grpc.RpcError) for answer in answers)

    assert "a delivery did not end in time; its client has to send it again" in collector.text


def test_answers_lost_connections_cut_errors_and_a_restart(tmp_path, server):
    chance = random.Random(2)
    collector = Collector(tmp_path, dsn=server.dsn)
    collector.start()
    calls = send(collector, chance, 2)
    until(lambda: not collector.waiting())
    server.fail(
        Fault("drop_after", match="signoz_index_v3"),
        Fault("drop_after", match="rollup_1m"),
        Fault("drop_before", match="signoz_index_v3"),
        Fault("status", match="traces_v3_resource", times=2, status=500, code=241),
        Fault("status", match="rollup_1m", times=1, status=503),
    )
    calls += send(collector, chance, 4)
    until(lambda: not collector.waiting())
    server.stop()
    calls += send(collector, chance, 2)
    server.start()
    until(lambda: not collector.waiting())

    assert collector.stop() == 0, collector.text
    check(collector, server, calls)
