import json
import subprocess
import sys
import time
import urllib.error
import urllib.request

import clickhouse_connect
import pyarrow as pa
import pytest

from tests.running import ROOT, free_port


@pytest.fixture(scope="module")
def port(tmp_path_factory):
    port = free_port()
    command = [sys.executable, "-m", "tests.bench.sink", str(port), str(tmp_path_factory.mktemp("sink"))]
    process = subprocess.Popen(command, cwd=ROOT)
    deadline = time.monotonic() + 60
    while True:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/ping").close()
            break
        except urllib.error.URLError:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
    yield port
    process.kill()
    process.wait()


@pytest.fixture
def client(port):
    client = clickhouse_connect.get_client(host="127.0.0.1", port=port, autogenerate_session_id=False)
    yield client
    client.close()


def counts(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/counts") as answer:
        return json.loads(answer.read())


def test_tables_can_be_made_and_asked_for(client):
    client.command("CREATE DATABASE IF NOT EXISTS one")
    client.command("CREATE TABLE one.t (a Int64, b String) ENGINE = MergeTree ORDER BY a")

    found = client.query("SELECT name, type FROM system.columns WHERE database = 'one' AND table = 't'")

    assert list(found.result_rows) == [("a", "Int64"), ("b", "String")]


def test_inserts_are_counted_and_kept_nowhere(client, port):
    client.command("CREATE DATABASE IF NOT EXISTS two")
    client.command("CREATE TABLE two.t (a Int64) ENGINE = MergeTree ORDER BY a")
    rows = pa.table({"a": list(range(1000))})
    for compression in (None, "lz4"):
        sink = pa.BufferOutputStream()
        with pa.ipc.new_file(sink, rows.schema, options=pa.ipc.IpcWriteOptions(compression=compression)) as writer:
            writer.write_table(rows, max_chunksize=300)
        client.raw_insert("two.t (a)", None, sink.getvalue().to_pybytes(), {"async_insert": "0"}, "Arrow")
    client.insert_arrow("two.t", rows)

    assert counts(port)["rows"]["two.t"] == 3000
    assert counts(port)["bytes"]["two.t"] > 1000
    assert list(client.query("SELECT count() FROM two.t").result_rows) == [(0,)]


def test_a_wrong_statement_is_an_error(client):
    with pytest.raises(clickhouse_connect.driver.exceptions.DatabaseError, match="UNKNOWN_TABLE"):
        client.query("SELECT * FROM nowhere")
