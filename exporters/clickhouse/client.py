"""Talking to ClickHouse: the embedded engine or a server, behind the same three verbs.

Connection   command   run a statement
             rows      read an answer
             insert    store rows of one table

chdb:///path                          Embedded   ClickHouse inside this process, data in a folder
clickhouse[s]://user:pass@host:8123   Server     ClickHouse's HTTP interface
"""

import fcntl
import logging
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import clickhouse_connect
import pyarrow as pa
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError, OperationalError
from urllib3.exceptions import HTTPError

from exporters.clickhouse.errors import refusal, unavailable

SERVER_SCHEMES = {"clickhouse": False, "clickhouses": True, "http": False, "https": True}
"""Schemes of a server's dsn, and whether they mean TLS."""

SERVER_OPTIONS = {
    "verify",
    "ca_cert",
    "client_cert",
    "client_cert_key",
    "server_host_name",
    "http_proxy",
    "https_proxy",
}
"""Options that may stand behind ``?`` in a server's dsn, as clickhouse-connect names them."""

EMBEDDED_SCHEME = "chdb"

_ONE_BLOCK = {
    "max_insert_threads": "1",
    "max_insert_block_size": "1000000000",
    "min_insert_block_size_rows": "1000000000",
    "min_insert_block_size_bytes": "0",
}
"""Rows of one insert stay together, so that it is stored whole or not at all."""

INSERT_SETTINGS: Mapping[str, str] = {
    "async_insert": "0",
    "insert_deduplicate": "1",
    "deduplicate_blocks_in_dependent_materialized_views": "1",
    "distributed_foreground_insert": "1",
    "input_format_try_infer_dates": "0",
    "input_format_try_infer_datetimes": "0",
    "type_json_skip_duplicated_paths": "1",
    **_ONE_BLOCK,
}
"""Returning means stored; a token seen before means stored before, in the targets of views too; texts stay texts."""

_HONEST = {"send_progress_in_http_headers": "0"}
"""A server that tells of its progress says OK before it knows, and nobody reads the error behind that."""

_FAILURES = (ClickHouseError, HTTPError, OSError)
_LONGEST_CONNECT = 10
_OPENED: list[str] = []
"""The folders of the embedded connections of this process: the same one as often as it is opened."""


class Connection(ABC):
    """Is one client of one ClickHouse, used by one thread at a time.

    Every verb raises `collector.errors.Retryable`; an insert raises `exporters.clickhouse.errors.RowError` where the
    rows are to blame.
    """

    def __init__(self, name: str, client: Client) -> None:
        self.name = name
        self._client = client
        self._types: dict[str, Mapping[str, str]] = {}

    def command(self, statement: str, settings: Mapping[str, str] | None = None) -> None:
        """Run a statement that answers nothing."""
        try:
            self._client.command(statement, settings=dict(settings or {}))
        except _FAILURES as error:
            raise unavailable(self.name, error) from error

    def rows(self, query: str) -> Sequence[Sequence[Any]]:
        """Return the answer of a query, row by row."""
        try:
            return self._client.query(query).result_rows
        except _FAILURES as error:
            raise unavailable(self.name, error) from error

    def insert(self, table: str, rows: pa.RecordBatch, token: str) -> None:
        """Store the rows in *table* (``database.name``); once, however often the same token is used for it."""
        try:
            self._insert(table, rows, {**INSERT_SETTINGS, "insert_deduplication_token": token})
        except _FAILURES as error:
            raise refusal(error) or unavailable(self.name, error) from error

    @abstractmethod
    def _insert(self, table: str, rows: pa.RecordBatch, settings: Mapping[str, str]) -> None: ...

    def _selected(self, table: str, rows: pa.RecordBatch) -> str:
        """Return what a SELECT must make of columns that were sent, in the order of the rows."""
        types = self._types_of(table)
        names = ((f"`{name}`", types.get(name, "")) for name in rows.schema.names)
        return ", ".join(f"CAST({name}, {quoted(kind)})" if _is_state(kind) else name for name, kind in names)

    def _types_of(self, table: str) -> Mapping[str, str]:
        if not self._types.get(table):
            database, name = table.split(".")
            found = self._client.query(
                f"SELECT name, type FROM system.columns WHERE database = {quoted(database)} AND table = {quoted(name)}"
            )
            self._types[table] = {column: kind for column, kind in found.result_rows}
        return self._types[table]

    def close(self) -> None:
        """Release the client."""
        self._client.close()


class Embedded(Connection):
    """Is ClickHouse inside this process. One process at a time may use a folder, and one folder a process."""

    def __init__(self, folder: Path) -> None:
        if find_spec("chdb") is None:
            raise UnusableError(
                "needs the embedded ClickHouse; install it with `pip install 'genai-collector[embedded]'`"
            )
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)  # it holds prompts
        except OSError as error:
            raise UnusableError(
                f"the folder {folder.absolute()} cannot be made: {error.strerror}; name one that this user may write to"
            ) from error
        # Asked first, as chDB's own word about it goes past every log to standard error.
        if str(folder) not in _OPENED and _is_locked(folder / "status"):
            raise UnusableError(
                f"{folder} is used by another process, and chDB allows one; stop that process or name another folder"
                " in the dsn; queries are answered by the extension clickhouse_http of the process that runs"
            )
        try:
            client = clickhouse_connect.get_client(interface="chdb", path=str(folder), show_clickhouse_errors="scrub")
        except ClickHouseError as error:
            raise UnusableError(f"{folder} cannot be opened: {error}") from error
        super().__init__(f"chdb {folder}", client)
        self._folder = str(folder)
        _OPENED.append(self._folder)

    def close(self) -> None:
        """Release the client, and the folder with the last one."""
        if self._folder in _OPENED:
            _OPENED.remove(self._folder)
        super().close()

    def _insert(self, table: str, rows: pa.RecordBatch, settings: Mapping[str, str]) -> None:
        chosen = ", ".join(f"{name} = {quoted(value)}" for name, value in settings.items())
        # chDB finds the variable by its name and reads its memory; a SELECT, unlike plain Arrow input, keeps the
        # settings when it turns text into JSON columns.
        arrow_rows = pa.Table.from_batches([rows])  # noqa: F841
        self._client.command(
            f"INSERT INTO {table} ({_names(rows)}) SETTINGS {chosen}"
            f" SELECT {self._selected(table, rows)} FROM Python(arrow_rows)"
        )
        # Its allocator keeps what an insert used for seconds, for each thread that took part.
        self._client.command("SYSTEM JEMALLOC PURGE")


@contextmanager
def query_connection() -> Iterator[Any]:
    """Yield a connection of its own, for one thread and with its own settings, to the folder that is open here.

    Raises UnusableError while none is: chDB allows one folder a process, and the exporter opens it.
    """
    if not _OPENED:
        raise UnusableError("no embedded ClickHouse is open here: a clickhouse exporter with a chdb:// dsn has to run")
    import chdb  # noqa: PLC0415 - an extra, there if a folder is open

    connection: Any = chdb.connect(_OPENED[-1])  # type: ignore[no-untyped-call]
    try:
        yield connection
    finally:
        connection.close()


class Server(Connection):
    """Is a ClickHouse server, spoken to over HTTP."""

    def __init__(self, dsn: str, timeout: float) -> None:
        parts = urlsplit(dsn)
        secure = SERVER_SCHEMES[parts.scheme]
        port = parts.port or (8443 if secure else 8123)
        name = f"clickhouse {parts.hostname}:{port}"
        # It logs every failed request with its stack; whoever tries again says that better.
        logging.getLogger("clickhouse_connect").setLevel(logging.CRITICAL)
        options: dict[str, Any] = dict(parse_qsl(parts.query))
        try:
            client = clickhouse_connect.get_client(
                host=parts.hostname,
                port=port,
                interface="https" if secure else "http",
                username=unquote(parts.username or "default"),
                password=unquote(parts.password or ""),
                connect_timeout=min(_LONGEST_CONNECT, max(1, int(timeout))),
                send_receive_timeout=max(1, int(timeout)),
                autogenerate_session_id=False,
                show_clickhouse_errors="scrub",
                settings={"wait_end_of_query": "1"},
                **options,
            )
        except _FAILURES as error:
            raise unavailable(name, error) from error
        super().__init__(name, client)

    def _insert(self, table: str, rows: pa.RecordBatch, settings: Mapping[str, str]) -> None:
        types = self._types_of(table)
        source = ""
        if any(_sent_type(kind) != kind for kind in map(types.get, rows.schema.names) if kind):
            # Plain Arrow input forgets the settings when it turns text into JSON columns, and cannot make states of
            # aggregates; a SELECT can.
            shape = ", ".join(f"`{name}` {_sent_type(types.get(name, 'String'))}" for name in rows.schema.names)
            source = f" SELECT {self._selected(table, rows)} FROM input({quoted(shape)})"
        statement = f"INSERT INTO {table} ({_names(rows)}){source} FORMAT ArrowStream\n"
        # Without a table it sends what it is given, and nothing else.
        answer = self._client.raw_insert("", None, _arrow_stream(statement.encode(), rows), {**settings, **_HONEST})
        if not any(answer.summary.values()):
            raise OperationalError("the answer to an insert is not ClickHouse's; look for a proxy in between")


class UnusableError(Exception):
    """Says why a dsn can never work in this process, in words for the user."""


def _is_locked(status: Path) -> bool:
    """Return whether another process holds chDB's own lock."""
    try:
        with status.open("r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _names(rows: pa.RecordBatch) -> str:
    return ", ".join(f"`{name}`" for name in rows.schema.names)


def _sent_type(column_type: str) -> str:
    return "String" if column_type.startswith("JSON") or _is_state(column_type) else column_type


def _is_state(column_type: str) -> bool:
    return column_type.startswith("AggregateFunction")


def quoted(text: str) -> str:
    """Return the text as a literal of ClickHouse's SQL."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _arrow_stream(head: bytes, rows: pa.RecordBatch) -> Any:
    """Return *head*, a statement, and the rows behind it as one body: urllib3 takes its time over a long URL."""
    sink = pa.BufferOutputStream()
    sink.write(head)
    # lz4 inside the Arrow stream costs less than around the request.
    options = pa.ipc.IpcWriteOptions(compression="lz4", use_threads=False)
    with pa.ipc.new_stream(sink, rows.schema, options=options) as writer:
        writer.write_batch(rows)
    return sink.getvalue()
