"""The tables and views in ClickHouse: made once, harmless to make again."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files

from collector.errors import Retryable
from exporters.clickhouse.client import Connection
from exporters.clickhouse.views import view_statements

VERSION = 2
"""Grows with every change of the tables; a newer version in ClickHouse is left alone."""

_CREATE_TABLE = re.compile(r"CREATE TABLE IF NOT EXISTS (\w+)\.(\w+)")
_TTL = re.compile(r"^TTL (.*)$", re.MULTILINE)
_SECONDS = re.compile(r"toIntervalSecond\(\d+\)")
_DAYS = re.compile(r"_retention_days UInt16 DEFAULT \d+")
_DAY = 86_400
_NEWER_SETTINGS = ("allow_dimensions_outside_sorting_key",)
"""Settings of tables that older servers neither know nor need."""


@dataclass(frozen=True, slots=True)
class Tables:
    """Says how long rows are kept (days) and whether the costly text indexes are built."""

    retention: int
    metrics_retention: int
    rollup_retention: int
    ngram_indexes: bool


def create(connection: Connection, tables: Tables) -> None:
    """Make every database, table, twin and view that is missing, and the views anew.

    Raises Retryable when the tables are somebody else's: SigNoz's own, or those of a newer version.
    """
    _refuse_foreign(connection)
    unknown = _unknown_settings(connection)
    for statement in statements(tables):
        connection.command(unknown.sub("", statement))
        made = _CREATE_TABLE.search(statement)
        if made:
            database, table = made.groups()
            twin = f"CREATE TABLE IF NOT EXISTS {database}.distributed_{table} ENGINE = Alias({database}, {table})"
            connection.command(twin)
    _keep(connection, tables)
    connection.command(
        f"INSERT INTO signoz_genai.schema_versions (version) SELECT {VERSION}"
        f" WHERE {VERSION} NOT IN (SELECT version FROM signoz_genai.schema_versions)"
    )


def statements(tables: Tables) -> Iterator[str]:
    """Yield the statements of the ``.sql`` files in order, filled in."""
    for name in ("traces.sql", "metrics.sql", "logs.sql", "metadata.sql", "rollups.sql"):
        text = (files(__package__) / "sql" / name).read_text()
        text = text.replace("{retention}", str(tables.retention * _DAY))
        text = text.replace("{retention_days}", str(tables.retention))
        text = text.replace("{metrics_retention}", str(tables.metrics_retention * _DAY))
        text = text.replace("{rollup_retention}", str(tables.rollup_retention * _DAY))
        yield from _split(text if tables.ngram_indexes else _without_ngrams(text))
    yield from _split(view_statements())


def _split(text: str) -> Iterator[str]:
    lines = (line for line in text.splitlines() if not line.startswith("--"))
    for statement in "\n".join(lines).split(";\n"):
        if statement.strip():
            yield statement.strip().removesuffix(";")


def _without_ngrams(text: str) -> str:
    kept = "\n".join(line for line in text.splitlines() if "ngrambf_v1" not in line)
    return kept.replace(",\n)\n", "\n)\n")


def _unknown_settings(connection: Connection) -> re.Pattern[str]:
    """Return what finds the settings that this server does not know."""
    known = {name for (name,) in connection.rows("SELECT name FROM system.merge_tree_settings")}
    names = "|".join(name for name in _NEWER_SETTINGS if name not in known)
    return re.compile(rf", (?:{names}) = \w+" if names else r"(?!)")


def _refuse_foreign(connection: Connection) -> None:
    found = {
        (database, table)
        for database, table in connection.rows(
            "SELECT database, name FROM system.tables"
            " WHERE (database, name) IN"
            " (('signoz_traces', 'schema_migrations_v2'), ('signoz_genai', 'schema_versions'))"
        )
    }
    if ("signoz_traces", "schema_migrations_v2") in found:
        raise Retryable(
            f"{connection.name}: these tables belong to SigNoz, which changes them itself;"
            " `schema: create` is for a ClickHouse without SigNoz, point the dsn at one"
        )
    if ("signoz_genai", "schema_versions") in found:
        newest = connection.rows("SELECT max(version) FROM signoz_genai.schema_versions")[0][0]
        if newest > VERSION:
            raise Retryable(
                f"{connection.name}: the tables have version {newest}, this program knows up to {VERSION};"
                " install the newer genai-collector"
            )


def _keep(connection: Connection, tables: Tables) -> None:
    """Bring tables that were made with another retention to the wanted one; rows that carry their own keep it."""
    found = {
        f"{database}.{table}": (engine, made.replace("`", ""))
        for database, table, engine, made in connection.rows(
            "SELECT database, name, engine_full, create_table_query FROM system.tables"
            " WHERE startsWith(database, 'signoz_') AND engine LIKE '%MergeTree'"
        )
    }
    for statement in statements(tables):
        made, ttl = _CREATE_TABLE.search(statement), _TTL.search(statement)
        if made and ttl:
            table = ".".join(made.groups())
            engine, present = found[table]
            if _SECONDS.findall(engine) != _SECONDS.findall(ttl[1]):
                connection.command(f"ALTER TABLE {table} MODIFY TTL {ttl[1]}")
            days = _DAYS.search(statement)
            if days and days[0] not in present:
                connection.command(f"ALTER TABLE {table} MODIFY COLUMN {days[0]}")
