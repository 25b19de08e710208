"""The embedded ClickHouse over HTTP: real clients get their answers, and nobody gets anything else."""

import gzip
import http.client
import json
import shutil
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import clickhouse_connect
import lz4.frame
import pyarrow as pa
import pytest
from backports import zstd
from clickhouse_connect.driver.exceptions import DatabaseError
from pydantic import ValidationError

from collector.component import Host
from exporters.clickhouse.client import quoted
from exporters.clickhouse.http import ClickhouseHttpConfig, ClickhouseHttpExtension
from exporters.clickhouse.http.handler import ClickhouseHandler
from tests.exporters.clickhouse.conftest import Store

ROWS = 1000


def start(**options: object) -> ClickhouseHttpExtension:
    config = ClickhouseHttpConfig.model_validate({"endpoint": "localhost:0", **options})
    extension = ClickhouseHttpExtension(config, Host("clickhouse_http"))
    extension.start()
    return extension


@pytest.fixture(scope="module")
def served(embedded: Store) -> Iterator[ClickhouseHttpExtension]:
    embedded.connection.command("CREATE DATABASE IF NOT EXISTS reading")
    embedded.connection.command("CREATE OR REPLACE TABLE reading.t (k UInt64, s String) ENGINE = MergeTree ORDER BY k")
    embedded.connection.command(f"INSERT INTO reading.t SELECT number, toString(number) FROM numbers({ROWS})")
    extension = start(
        user="reader", password="secret", max_result_bytes=1_000_000, timeout="2s", max_request_bytes=5000
    )
    yield extension
    extension.stop()
    embedded.connection.command("DROP DATABASE reading SYNC")


@pytest.fixture
def client(served: ClickhouseHttpExtension) -> Iterator[clickhouse_connect.driver.Client]:
    made = clickhouse_connect.get_client(host="127.0.0.1", port=served.port, username="reader", password="secret")
    yield made
    made.close()


def ask(
    extension: ClickhouseHttpExtension,
    body: str | None = None,
    headers: dict[str, str] | None = None,
    **parameters: str,
) -> tuple[bytes, dict[str, str]]:
    known = {"X-ClickHouse-User": "reader", "X-ClickHouse-Key": "secret"} if headers is None else headers
    address = f"http://127.0.0.1:{extension.port}/?{urlencode(parameters)}"
    data = None if body is None else body.encode()
    with urllib.request.urlopen(urllib.request.Request(address, data, known)) as response:
        return response.read(), dict(response.headers)


def error(extension: ClickhouseHttpExtension, *arguments: object, **parameters: str) -> tuple[int, str, str]:
    with pytest.raises(urllib.error.HTTPError) as caught:
        ask(extension, *arguments, **parameters)
    with caught.value as answer:
        return answer.status, answer.headers["X-ClickHouse-Exception-Code"], answer.read().decode()


def test_clickhouse_connect_reads_rows_arrow_and_values_with_parameters(
    client: clickhouse_connect.driver.Client,
) -> None:
    assert client.query("SELECT * FROM reading.t WHERE k = {k:UInt64}", {"k": 7}).result_rows == [(7, "7")]
    assert client.query_arrow("SELECT k FROM reading.t ORDER BY k LIMIT 2").to_pylist() == [{"k": 0}, {"k": 1}]
    assert client.command("SELECT count() FROM t", settings={"database": "reading"}) == ROWS
    assert [row[0] for row in client.query("SHOW TABLES FROM reading").result_rows] == ["t"]
    with pytest.raises(DatabaseError, match="READONLY"):
        client.insert("reading.t", [[1, "a"]], ["k", "s"])


@pytest.mark.parametrize(
    ("form", "read"),
    [
        ("JSON", lambda body: json.loads(body)["data"] == [{"k": 1, "s": "1"}]),
        ("JSONCompact", lambda body: json.loads(body)["data"] == [[1, "1"]]),
        ("TSV", lambda body: body == b"1\t1\n"),
        ("CSV", lambda body: body == b'1,"1"\n'),
        ("Arrow", lambda body: pa.ipc.open_file(body).read_all().to_pylist() == [{"k": 1, "s": "1"}]),
        ("Native", lambda body: body.startswith(b"\x02\x01\x01k\x06UInt64")),
    ],
)
def test_answers_come_in_the_format_that_is_asked_for(served: ClickhouseHttpExtension, form: str, read: object) -> None:
    query = "SELECT k, s FROM reading.t WHERE k = 1"
    by_default, headers = ask(served, query, default_format=form)
    written, _ = ask(served, query=f"{query} FORMAT {form};")

    assert read(by_default)
    assert read(written)
    assert headers["X-ClickHouse-Format"] == form
    assert headers["X-ClickHouse-Timezone"] == "UTC"
    assert json.loads(headers["X-ClickHouse-Summary"])["read_rows"] != "0"


@pytest.mark.parametrize(
    "coding", [("gzip", gzip.decompress), ("lz4", lz4.frame.decompress), ("zstd", zstd.decompress)]
)
def test_requests_for_json_as_dashboards_make_them(served: ClickhouseHttpExtension, coding: tuple) -> None:
    name, unpack = coding
    basic = {"Authorization": "Basic cmVhZGVyOnNlY3JldA==", "Accept-Encoding": name}
    body, headers = ask(
        served,
        "SELECT version(), timeZone()",
        basic,
        database="reading",
        default_format="JSON",
        max_execution_time="60",
        enable_http_compression="1",
        query_id="mine",
    )

    assert headers["Content-Encoding"] == name
    assert headers["X-ClickHouse-Query-Id"] == "mine"
    assert json.loads(unpack(body))["rows"] == 1


def test_a_client_of_a_protocol_that_is_not_spoken_hears_so(served: ClickhouseHttpExtension) -> None:
    assert error(served, "SELECT 1", None, default_format="Native", client_protocol_version="54492")[1] == "48"
    assert ask(served, "SELECT 1", None, default_format="JSON", client_protocol_version="54492")[0]
    assert ask(served, "SELECT 1", None, default_format="Native", client_protocol_version="54405")[0]


def test_packing_that_is_not_known_is_refused(served: ClickhouseHttpExtension) -> None:
    assert error(served, "SELECT 1", None, compress="1")[1] == "48"
    assert ask(served, "SELECT 1", None, compress="0")[0] == b"1\n"


def test_curl(served: ClickhouseHttpExtension) -> None:
    if not shutil.which("curl"):
        pytest.skip("needs curl")
    address = f"http://reader:secret@localhost:{served.port}/"
    done = subprocess.run(["curl", "-sS", address, "-d", "SELECT 6 * 7"], capture_output=True, text=True, check=False)

    assert done.stdout == "42\n"


def test_ping_needs_no_password(served: ClickhouseHttpExtension) -> None:
    with urllib.request.urlopen(f"http://127.0.0.1:{served.port}/ping") as response:
        assert response.read() == b"Ok.\n"


@pytest.mark.parametrize(
    ("headers", "parameters"),
    [
        ({}, {}),
        ({"X-ClickHouse-User": "reader", "X-ClickHouse-Key": "guess"}, {}),
        ({"X-ClickHouse-User": "default", "X-ClickHouse-Key": "secret"}, {}),
        ({"X-ClickHouse-User": "reader"}, {"password": "secret"}),
        ({"Authorization": "Basic !!!"}, {"user": "reader", "password": "secret"}),
        ({"Authorization": "Basic cmVhZGVyOmd1ZXNz"}, {}),
        ({}, {"user": "reader", "password": "secrets"}),
    ],
)
def test_who_is_not_known_is_refused(served: ClickhouseHttpExtension, headers: dict, parameters: dict) -> None:
    status, code, text = error(served, "SELECT 1", headers, **parameters)

    assert (status, code) == (403, "516")
    assert "AUTHENTICATION_FAILED" in text


def test_user_and_password_may_stand_in_the_address(served: ClickhouseHttpExtension) -> None:
    assert ask(served, None, {}, query="SELECT 1", user="reader", password="secret")[0] == b"1\n"


@pytest.mark.parametrize(
    "query",
    [
        "INSERT INTO reading.t VALUES (1, 'x')",
        "DROP TABLE reading.t",
        "CREATE TABLE reading.x (a Int8) ENGINE = Memory",
        "CREATE TEMPORARY TABLE x (a Int8)",
        "ALTER TABLE reading.t DELETE WHERE 1",
        "TRUNCATE TABLE reading.t",
        "OPTIMIZE TABLE reading.t",
        "SYSTEM FLUSH LOGS",
        "KILL QUERY WHERE 1",
        "SET readonly = 0",
        "USE system",
        "SELECT 1 SETTINGS readonly = 0",
        "SELECT 1; DROP TABLE reading.t",
        "SELECT 1 INTO OUTFILE '{path}'",
        "SELECT 1 /* */ into /* */ outfile '{path}' TRUNCATE FORMAT TSV",
        "INSERT INTO FUNCTION file('{path}', 'TSV') SELECT 1",
        "SELECT file('/etc/hostname')",
        "SELECT (SELECT `file`('/etc/hostname'))",
        "WITH file('/etc/hostname') AS x SELECT x",
        "EXPLAIN SELECT file('/etc/hostname')",
        "DESCRIBE file('/etc/hostname', 'LineAsString')",
        "SELECT * FROM file('/etc/hostname', 'LineAsString')",
        "SELECT * FROM '/etc/hostname'",
        "SELECT * FROM fileCluster('c', '/etc/hostname')",
        "SELECT * FROM url('http://localhost:1/', 'LineAsString')",
        "SELECT * FROM s3('http://localhost:1/bucket/key')",
        "SELECT * FROM remote('localhost:1', 'system.one')",
        "SELECT * FROM sqlite('{path}', 't')",
        "SELECT * FROM executable('ls', 'TSV', 'a String')",
        "SELECT * FROM Python(query)",
        "SELECT k IN (SELECT line FROM url('http://localhost:1/', 'LineAsString')) FROM reading.t",
        "BACKUP TABLE reading.t TO File('{path}')",
    ],
)
def test_only_our_tables_are_read_and_nothing_is_written(
    served: ClickhouseHttpExtension, embedded: Store, tmp_path: Path, query: str
) -> None:
    target = tmp_path / "out"

    status, code, text = error(served, query.replace("{path}", str(target)))

    assert status >= 400
    assert code in {"164", "62"}, text
    assert not target.exists()
    assert embedded.value("SELECT count() FROM reading.t") == ROWS
    assert embedded.rows("SHOW TABLES FROM reading") == [("t",)]


@pytest.mark.parametrize(
    "name", ["readonly", "max_result_bytes", "max_execution_time", "allow_introspection_functions"]
)
def test_limits_cannot_be_lifted(served: ClickhouseHttpExtension, name: str) -> None:
    query = f"SELECT value FROM system.settings WHERE name = '{name}'"
    expected = {
        "readonly": b"1\n", "max_result_bytes": b"1000000\n", "max_execution_time": b"2\n",
        "allow_introspection_functions": b"0\n",
    }  # fmt: skip

    assert ask(served, query, None, **{name: "0"})[0] == expected[name]
    assert ask(served, query, None, **{name: "9999999"})[0] == expected[name]


def test_odd_names_and_values_of_settings_are_no_way_in(served: ClickhouseHttpExtension) -> None:
    assert error(served, "SELECT 1", None, **{"max_threads = 1, readonly": "0"})[1] == "115"
    assert error(served, "SELECT 1", None, max_threads="1', readonly = '0")[0] >= 400
    assert error(served, "SELECT 1", None, database="x`; DROP DATABASE reading; --")[0] >= 400


@pytest.mark.parametrize(
    "text",
    [
        "'",
        "\\",
        "\\'",
        "''",
        "\\\\'",
        "a\\",
        "\\', readonly = '0",
        "', readonly = '0",
        "\n\t\x00\u20ac",
        "\\n",
        "%s {x}",
    ],
)
def test_any_text_is_one_literal_and_comes_back_as_it_is(embedded: Store, text: str) -> None:
    assert embedded.rows(f"SELECT hex({quoted(text)}), 1") == [(text.encode().hex().upper(), 1)]


@pytest.mark.parametrize("value", ["\\', readonly = 0, log_comment = '", "\\\\', readonly = 0, log_comment = '", "a\\"])
def test_a_setting_is_a_text_however_it_is_written(served: ClickhouseHttpExtension, value: str) -> None:
    query = "SELECT getSetting('log_comment') AS comment, toString(getSetting('readonly')) AS readonly"
    body, _ = ask(served, query, None, default_format="JSONEachRow", log_comment=value)

    assert json.loads(body) == {"comment": value, "readonly": "1"}


def test_errors_are_clickhouse_s(served: ClickhouseHttpExtension) -> None:
    status, code, text = error(served, "SELECT * FROM reading.nowhere")

    assert (status, code) == (404, "60")
    assert text.startswith("Code: 60. DB::Exception: ")
    assert "UNKNOWN_TABLE" in text


def test_what_costs_too_much_is_refused(served: ClickhouseHttpExtension) -> None:
    assert error(served, "SELECT repeat('x', 1000) FROM numbers(10000)")[1] == "396"
    assert error(served, "SELECT count() FROM numbers(100000000000) WHERE sipHash64(number) = 1")[1] == "159"
    assert error(served, "SELECT 1 --" + "x" * 6000)[0] == 413
    packed = gzip.compress(b"SELECT 1 --" + b"x" * 1_000_000)
    connection = http.client.HTTPConnection("127.0.0.1", served.port)
    known = {"X-ClickHouse-User": "reader", "X-ClickHouse-Key": "secret"}
    connection.request("POST", "/", packed, {**known, "Content-Encoding": "gzip"})
    assert connection.getresponse().status == 413
    connection.close()


def raw(extension: ClickhouseHttpExtension, *lines: str) -> bytes:
    """Return all that is answered to a request whose end never comes."""
    with socket.create_connection(("127.0.0.1", extension.port), timeout=10) as connection:
        connection.sendall("\r\n".join(["POST / HTTP/1.1", "Host: localhost", *lines]).encode())
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
        return answer


@pytest.mark.parametrize("head", ["Content-Length: 5000", "Transfer-Encoding: chunked"])
def test_who_is_not_known_is_refused_before_any_body_is_read(served: ClickhouseHttpExtension, head: str) -> None:
    answer = raw(served, head, "", "")

    assert answer.startswith(b"HTTP/1.1 403 ")
    assert b"\r\nConnection: close\r\n" in answer


@pytest.mark.parametrize(
    "lines",
    [
        *(("Transfer-Encoding: chunked", "", "5", "SELEC", size, "") for size in ("-1", "+1", "0x1", "1_0", "", "x")),
        *((f"Content-Length: {length}", "", "SELECT 1") for length in ("-1", "+8", "0_8", "0x8", "8.0")),
    ],
)
def test_lengths_are_digits_and_nothing_else(served: ClickhouseHttpExtension, lines: tuple[str, ...]) -> None:
    assert raw(served, "X-ClickHouse-User: reader", "X-ClickHouse-Key: secret", *lines).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("size", ["1389", "ffffffffffffffff"])
def test_chunks_are_not_read_beyond_the_limit(served: ClickhouseHttpExtension, size: str) -> None:
    known = ("X-ClickHouse-User: reader", "X-ClickHouse-Key: secret")

    assert raw(served, *known, "Transfer-Encoding: chunked", "", size, "").startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize(
    "beginning", [b"G", b"POST / HTTP/1.1\r\nX: ", b"POST / HTTP/1.1\r\nContent-Length: 4000\r\n\r\n"]
)
def test_a_request_that_drips_in_is_ended(
    served: ClickhouseHttpExtension, beginning: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ClickhouseHandler, "read_timeout", 0.3)
    with socket.create_connection(("127.0.0.1", served.port), timeout=10) as connection:
        connection.sendall(beginning)
        with pytest.raises(OSError):
            for _ in range(200):  # no pause of these twelve seconds is long
                connection.sendall(b"x")
                time.sleep(0.06)
    assert ask(served, "SELECT 1")[0] == b"1\n"


def test_a_connection_waits_for_its_next_request_longer_than_for_the_end_of_one(
    served: ClickhouseHttpExtension, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ClickhouseHandler, "read_timeout", 0.3)
    connection = http.client.HTTPConnection("127.0.0.1", served.port)
    known = {"X-ClickHouse-User": "reader", "X-ClickHouse-Key": "secret"}
    for _ in range(2):
        connection.request("POST", "/", b"SELECT 1", known)
        assert connection.getresponse().read() == b"1\n"
        time.sleep(0.5)
    connection.close()


def test_a_head_has_a_limit_however_many_lines_it_has(served: ClickhouseHttpExtension) -> None:
    lines = [f"X-{number}: {'x' * 1000}" for number in range(90)]

    assert raw(served, *lines[:50], "Content-Length: 1", "", "").startswith(b"HTTP/1.1 403 ")
    assert raw(served, *lines, "", "").startswith(b"HTTP/1.1 431 ")


def test_queries_and_inserts_do_not_wait_for_each_other(served: ClickhouseHttpExtension, embedded: Store) -> None:
    embedded.connection.command("CREATE OR REPLACE TABLE reading.busy (k UInt64) ENGINE = MergeTree ORDER BY k")
    slow = "SELECT count() FROM numbers(100000000000) WHERE sipHash64(number) = 1"
    done: list[int] = []
    asking = threading.Thread(target=lambda: done.append(error(served, slow)[0]))
    asking.start()
    inserted = 0
    while asking.is_alive():
        embedded.connection.command("INSERT INTO reading.busy SELECT number FROM numbers(10)")
        inserted += 1 if asking.is_alive() else 0
        assert ask(served, "SELECT count() > 0 FROM reading.busy")[0] == b"1\n"
        time.sleep(0.01)

    assert done == [504]
    assert inserted > 1
    embedded.connection.command("DROP TABLE reading.busy SYNC")


def test_without_a_password_only_this_machine_is_answered(embedded: Store) -> None:
    extension = start()
    try:
        assert ask(extension, "SELECT 1", {})[0] == b"1\n"
        assert error(extension, "SELECT 1", {"Host": "rebound.example:8123"})[0] == 403
    finally:
        extension.stop()
    for endpoint in ("0.0.0.0:8123", ":8123", "example.com:8123"):
        with pytest.raises(ValidationError, match="set a password"):
            ClickhouseHttpConfig(endpoint=endpoint)
    assert ClickhouseHttpConfig(endpoint="0.0.0.0:8123", password="x")


def test_a_port_that_is_taken_is_an_error_that_says_so(served: ClickhouseHttpExtension) -> None:
    with pytest.raises(OSError, match=r"clickhouse_http: endpoint: cannot listen on .*; stop the process that uses it"):
        start(endpoint=f"localhost:{served.port}")
