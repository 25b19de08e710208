"""Native of newer protocols: what chDB writes, and in the right places what these add.

One column that is alone in one block needs no knowledge of its type to be cut out: it ends where the answer ends. So
the answer for many columns is expected to be what each gives alone, behind the info and with a mark before its data.
"""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from exporters.clickhouse.http import ClickhouseHttpExtension
from exporters.clickhouse.http.handler import RefusedError
from exporters.clickhouse.http.native import marked
from tests.exporters.clickhouse.conftest import Store
from tests.exporters.clickhouse.http.test_http import ask, error, start

INFO = b"\x01\x00\x02\xff\xff\xff\xff\x00"
ROWS = 300
SETTINGS = {
    "allow_suspicious_low_cardinality_types": "1",
    "print_pretty_type_names": "0",
    "allow_experimental_nullable_tuple_type": "1",
    "output_format_native_use_flattened_dynamic_and_json_serialization": "1",
}
COLUMNS = (
    "number",
    "repeat('x', number * 50)",
    "toLowCardinality(if(number % 3 = 0, '', toString(number)))",
    "toLowCardinality(if(number % 3 = 0, NULL, toString(number)))",
    "toLowCardinality(number)",
    "nullIf(toString(number % 5), '3')",
    "NULL",
    "tuple()",
    "CAST((number, 'x'), 'Tuple(a UInt16, `b (c` LowCardinality(String))')",
    "CAST((number, 'x'), 'Nullable(Tuple(a UInt16, b String))')",
    "[(number, 'x')]::Nested(a UInt16, b String)",
    "mapFromArrays(range(number % 3), range(number % 3))",
    "map('a', toLowCardinality('k'), 'b', toLowCardinality(toString(number)))",
    "[]::Array(LowCardinality(String))",
    "[[toLowCardinality('a')], [], [toLowCardinality(toString(number)), 'b']]",
    "[map('a', [toNullable(toLowCardinality('x'))])]",
    "toDecimal32(1.5, 2)",
    "toDecimal64(1, 2)",
    "toDecimal128(1, 2)",
    "toDecimal256(1, 2)",
    "CAST('x', 'FixedString(7)')",
    "toDateTime64('2026-01-02 03:04:05.678', 9, 'UTC')",
    "toDateTime('2026-01-02 03:04:05')",
    "toDate('2026-01-02')",
    "toDate32('1926-01-02')",
    "toTime64('12:00:00', 3)",
    "CAST(if(number % 2 = 0, 'a', 'b, (\\''), 'Enum16(\\'a\\' = 1, \\'b, (\\\\\\'\\' = 2)')",
    "toUUID('00000000-0000-0000-0000-000000000001')",
    "toIPv4('1.2.3.4')",
    "toIPv6('::1')",
    "INTERVAL 3 DAY",
    "(1.0, 2.0)::Point",
    "[[(1.0, 2.0)]]::Polygon",
    "true",
    "number::Int128",
    "number::BFloat16",
    "if(number % 2 = 0, number::Variant(UInt64, String), 'abc'::Variant(UInt64, String))",
    "multiIf(number % 3 = 0, NULL, number % 3 = 1, number::Dynamic, 'abc'::Dynamic)",
    "[number::Dynamic, 'x'::Dynamic]",
    """concat('{"a":', toString(number), if(number % 2 = 1, ',"b":{"c":[1,"x"]}', ''), '}')::JSON""",
    """'{"a":1,"b":{"c":"x"},"d":{"e":2}}'::JSON(max_dynamic_paths=8, a UInt8, d JSON(max_dynamic_paths=0), SKIP z)""",
    """['{"a":[{"b":1},{"b":"x"}]}', '{}']::Array(JSON)""",
    "CAST(number, 'SimpleAggregateFunction(sum, UInt64)')",
    "CAST(map('a', number), 'SimpleAggregateFunction(sumMap, Map(String, UInt64))')",
)


@pytest.fixture(scope="module")
def open_to_all(embedded: Store) -> Iterator[ClickhouseHttpExtension]:
    extension = start()
    yield extension
    extension.stop()


def native(extension: ClickhouseHttpExtension, query: str, protocol: int = 0, **settings: str) -> bytes:
    more = {"client_protocol_version": str(protocol)} if protocol else {}
    return ask(extension, query, {}, default_format="Native", **more, **SETTINGS, **settings)[0]


def varint(number: int) -> bytes:
    return bytes([number]) if number < 128 else bytes([number & 127 | 128]) + varint(number >> 7)


def string(text: str) -> bytes:
    return varint(len(text)) + text.encode()


def marked_alone(extension: ClickhouseHttpExtension, column: str, name: str) -> bytes:
    """What a column of its own, in a block of its own, is expected to be among others."""
    query = f"SELECT {column} AS {name} FROM numbers({ROWS})"
    kind = ask(extension, f"SELECT toTypeName({column}) FROM numbers(1) FORMAT TSVRaw", {}, **SETTINGS)[0].decode()
    head, column_head = varint(1) + varint(ROWS), string(name) + string(kind.rstrip())
    whole = native(extension, query)
    assert whole.startswith(head + column_head), kind
    return column_head + b"\x00" + whole[len(head + column_head) :]


@pytest.mark.parametrize("column", COLUMNS)
def test_columns_of_every_type_are_marked_where_they_begin(open_to_all: ClickhouseHttpExtension, column: str) -> None:
    query = f"SELECT {column} AS v, number AS n, toString(number) AS s FROM numbers({ROWS})"
    alone = [marked_alone(open_to_all, *one) for one in ((column, "v"), ("number", "n"), ("toString(number)", "s"))]

    assert native(open_to_all, query, 54_460) == INFO + varint(3) + varint(ROWS) + b"".join(alone)


def test_every_block_has_its_info(open_to_all: ClickhouseHttpExtension) -> None:
    answer = native(open_to_all, f"SELECT number FROM numbers({ROWS})", 54_460, max_block_size="100")
    head = INFO + varint(1) + varint(100) + string("number") + string("UInt64") + b"\x00"
    numbers = [
        b"".join(number.to_bytes(8, "little") for number in range(start, start + 100)) for start in (0, 100, 200)
    ]

    assert answer == b"".join(head + part for part in numbers)


def test_a_written_format_is_marked_too_and_others_are_not(open_to_all: ClickhouseHttpExtension) -> None:
    written = ask(open_to_all, "SELECT 1 AS a FORMAT Native", {}, client_protocol_version="54460")[0]

    assert written == INFO + varint(1) + varint(1) + string("a") + string("UInt8") + b"\x00\x01"
    assert ask(open_to_all, "SELECT 1", {}, default_format="TSV", client_protocol_version="54460")[0] == b"1\n"


def test_clickhouse_go_s_first_question(open_to_all: ClickhouseHttpExtension) -> None:
    query = "SELECT displayName(), version(), revision(), timezone()"
    answer = native(open_to_all, query, 54_460)

    assert answer.startswith(INFO + varint(4) + varint(1) + string("displayName()") + string("String") + b"\x00")
    assert string("revision()") + string("UInt32") + b"\x00" in answer
    assert native(open_to_all, "SELECT 1 WHERE 0", 54_460) == b""


def test_what_cannot_be_marked_is_an_error_and_no_garbage(open_to_all: ClickhouseHttpExtension) -> None:
    newer = {"default_format": "Native", "client_protocol_version": "54460"}

    assert error(open_to_all, "SELECT sumState(1)", {}, **newer)[1] == "48"
    with pytest.raises(RefusedError, match="NOT_IMPLEMENTED"):
        marked(varint(1) + varint(2) + string("a") + string("String") + varint(200) + b"x")
    with pytest.raises(RefusedError, match="NOT_IMPLEMENTED"):
        marked(varint(1) + varint(2) + string("a") + string("UInt64") + b"x")


def test_clickhouse_go_itself(open_to_all: ClickhouseHttpExtension, embedded: Store, tmp_path: Path) -> None:
    """Ask by way of dbmate (``npm install dbmate``), which reads with clickhouse-go which of its files were applied."""
    binary = shutil.which("dbmate")
    if binary is None:
        pytest.skip("needs dbmate on the PATH")
    columns = "version String, ts DateTime DEFAULT now(), applied UInt8 DEFAULT 1"
    embedded.connection.command("CREATE DATABASE mates")
    engine = "ReplacingMergeTree ORDER BY version"
    embedded.connection.command(f"CREATE TABLE mates.schema_migrations ({columns}) ENGINE = {engine}")
    embedded.connection.command("INSERT INTO mates.schema_migrations (version) SELECT number FROM numbers(70000)")
    for number in (9, 69_999, 70_000):
        (tmp_path / f"{number}_a.sql").write_text("-- migrate:up\n-- migrate:down\n")
    address = f"clickhouse+http://default@localhost:{open_to_all.port}/mates"
    command = [binary, "--url", address, "--migrations-dir", str(tmp_path), "status"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    embedded.connection.command("DROP DATABASE mates SYNC")

    assert done.returncode == 0, done.stderr
    assert sorted(done.stdout.splitlines()[:3]) == ["[ ] 70000_a.sql", "[X] 69999_a.sql", "[X] 9_a.sql"]
