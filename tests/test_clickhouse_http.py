"""The test server behaves like ClickHouse where clients look."""

import gzip
import urllib.error
import urllib.request
from collections.abc import Iterator

import clickhouse_connect
import lz4.frame
import pytest
from backports import zstd
from clickhouse_connect.driver.exceptions import DatabaseError

from tests.clickhouse_http import ClickhouseServer, Fault


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickhouseServer]:
    started = ClickhouseServer(tmp_path_factory.mktemp("http"), "secret").start()
    yield started
    started.stop()


@pytest.fixture
def client(server: ClickhouseServer) -> Iterator[clickhouse_connect.driver.Client]:
    made = clickhouse_connect.get_client(host="127.0.0.1", port=server.port, password="secret")
    made.command("CREATE OR REPLACE TABLE default.t (k UInt64, s String) ENGINE = MergeTree ORDER BY k")
    yield made
    made.close()


def post(server: ClickhouseServer, query: str, body: bytes, **headers: str) -> tuple[bytes, dict[str, str]]:
    address = f"http://127.0.0.1:{server.port}/?password=secret&query={urllib.request.quote(query)}"
    with urllib.request.urlopen(urllib.request.Request(address, body, headers)) as response:
        return response.read(), dict(response.headers)


def test_native_rows_go_in_and_come_out(client: clickhouse_connect.driver.Client) -> None:
    client.insert("t", [[1, "a"], [2, "b"]], ["k", "s"])

    assert client.query("SELECT * FROM t WHERE k >= {least:UInt64}", {"least": 2}).result_rows == [(2, "b")]


def test_settings_and_database_come_with_the_request(client: clickhouse_connect.driver.Client) -> None:
    shown = "SELECT value FROM system.settings WHERE name = 'max_threads'"

    assert client.query(shown, settings={"max_threads": 7}).result_rows == [("7",)]
    assert client.query(shown).result_rows != [("7",)]
    assert client.command("SELECT currentDatabase()", settings={"database": "system"}) == "system"


@pytest.mark.parametrize(
    ("name", "compress"),
    [("gzip", gzip.compress), ("lz4", lz4.frame.compress), ("zstd", zstd.compress), ("", bytes)],
)
def test_bodies_may_be_compressed(server: ClickhouseServer, client: object, name: str, compress: object) -> None:
    post(server, "INSERT INTO t FORMAT TSV", compress(b"1\tx\n"), **{"Content-Encoding": name})

    assert post(server, "SELECT * FROM t", b"")[0] == b"1\tx\n"


def test_data_may_be_read_through_input(server: ClickhouseServer, client: object) -> None:
    query = "INSERT INTO t SELECT a + 1, 'it''s' FROM input('a UInt8') FORMAT TSV"
    post(server, query, b"1\n2\n")

    assert post(server, "SELECT k, s FROM t", b"")[0] == b"2\tit\\'s\n3\tit\\'s\n"


def test_errors_have_a_status_a_code_and_a_text(server: ClickhouseServer) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        post(server, "SELECT * FROM nowhere", b"")
    with caught.value as answer:
        assert answer.status == 404
        assert answer.headers["X-ClickHouse-Exception-Code"] == "60"
        assert b"UNKNOWN_TABLE" in answer.read()


def test_a_wrong_password_is_refused(server: ClickhouseServer) -> None:
    with pytest.raises(DatabaseError, match="AUTHENTICATION_FAILED"):
        clickhouse_connect.get_client(host="127.0.0.1", port=server.port, password="guess")


def test_faults_happen_as_often_as_asked(server: ClickhouseServer, client: object) -> None:
    server.fail(Fault("drop_before", "SELECT 1"), Fault("status", "SELECT 2", status=503, code=202))
    with pytest.raises(ConnectionError):
        post(server, "SELECT 1", b"")
    with pytest.raises(urllib.error.HTTPError) as caught:
        post(server, "SELECT 2", b"")
    caught.value.close()

    assert caught.value.status == 503
    assert post(server, "SELECT 1, 2", b"")[0] == b"1\t2\n"


def test_a_dropped_answer_does_not_undo_the_work(server: ClickhouseServer, client: object) -> None:
    server.fail(Fault("drop_after", "INSERT"))
    with pytest.raises(ConnectionError):
        post(server, "INSERT INTO t FORMAT TSV", b"1\tx\n")

    assert post(server, "SELECT count() FROM t", b"")[0] == b"1\n"
