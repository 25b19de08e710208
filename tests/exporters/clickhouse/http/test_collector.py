"""The numbers while the collector runs: a real process takes spans in and answers queries at the same time."""

import random
import time
from collections.abc import Iterator
from pathlib import Path

import clickhouse_connect
import pytest
from clickhouse_connect.driver.exceptions import Error

from tests.requests import request
from tests.running import CONFIG, Collector, free_port

SERVICE = "service:\n"


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[Collector]:
    port = free_port()
    options = f'extensions: {{{{clickhouse_http: {{{{endpoint: "localhost:{port}", password: secret}}}}}}}}\n'
    config = CONFIG.replace(SERVICE, f"{options}{SERVICE}  extensions: [clickhouse_http]\n")
    started = Collector(tmp_path, config=config)
    started.start()
    started.query_port = port
    yield started
    started.stop()


def test_numbers_are_read_while_spans_come_in(collector: Collector) -> None:
    chance = random.Random(1)
    sent, seen = 0, 0
    client = None
    deadline = time.monotonic() + 60
    with collector.exporting() as export:
        while seen < 9 and time.monotonic() < deadline:
            export(request(3, chance)[0])
            sent += 3
            time.sleep(0.1)
            try:
                client = client or clickhouse_connect.get_client(
                    host="localhost", port=collector.query_port, password="secret"
                )
                seen = client.query("SELECT sum(calls) FROM signoz_genai.models").result_rows[0][0]
            except Error as error:  # the tables come with the first spans
                assert "UNKNOWN_" in str(error), error
    assert client is not None
    ranged = client.query(
        "SELECT sum(calls) FROM signoz_genai.calls_by_model("
        "start = '2020-01-01 00:00:00', end = '2100-01-01 00:00:00', step = 0, by = [])"
    )

    assert 9 <= seen <= ranged.result_rows[0][0] <= sent
    client.close()
