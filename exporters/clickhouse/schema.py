"""The tables and views in ClickHouse: made and kept as this version wants them, harmless to make again."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from collector.batch import Signal
from collector.errors import Retryable
from exporters.clickhouse.catalog import Catalog, read_catalog, reads, servers_of
from exporters.clickhouse.client import Connection
from exporters.clickhouse.ddl import SOURCES, Definition, View, database_of, parse, read
from exporters.clickhouse.plan import VERSION, VERSIONS, Stamp, Step, Wanted, conflicts, plan
from exporters.clickhouse.spread import Spread
from exporters.clickhouse.views import view_statements

SIGNOZ_BOOKKEEPING = "signoz_traces.schema_migrations_v2"
"""The table by which a SigNoz installation is known: its migrator keeps it."""

CURE = "ClickHouse cannot change that: set `cluster` back, or move the rows into a new table"
"""What to do about a conflict."""

_DAY = 86_400
_YEAR = 366
_ALIAS_SETTING = "allow_experimental_alias_table_engine"
_NEWER_SETTINGS = ("allow_dimensions_outside_sorting_key",)
"""Settings of tables that older servers neither know nor need."""


@dataclass(frozen=True, slots=True)
class Tables:
    """Says how long rows are kept (days), whether the costly text indexes are built, and on which cluster."""

    retention: int
    metrics_retention: int
    rollup_retention: int
    ngram_indexes: bool
    cluster: str = ""

    @property
    def values(self) -> Mapping[str, str]:
        """What the ``.sql`` files leave open."""
        return {
            "retention": str(self.retention * _DAY),
            "metrics_retention": str(self.metrics_retention * _DAY),
            "rollup_retention": str(self.rollup_retention * _DAY),
            "retention_days": str(self.retention),
        }

    def lifetime_of(self, signal: Signal) -> int:
        """Return the days that the longest-lived rows of a signal are kept."""
        if signal is Signal.METRICS:
            return max(self.metrics_retention, _YEAR)
        return self.rollup_retention if signal is Signal.ROLLUPS else self.retention


@dataclass(frozen=True, slots=True)
class Outlook:
    """Is what was found in a ClickHouse, held against what is wanted there."""

    wanted: Wanted
    catalog: Catalog
    steps: Sequence[Step]
    conflicts: Sequence[str]


def create(connection: Connection, tables: Tables) -> None:
    """Make everything that is missing or of an older version.

    Raises Retryable when the tables are somebody else's (SigNoz's own, or a newer version's), or were made for
    another cluster.
    """
    carry_out(connection, outlook(connection, tables))


def outlook(connection: Connection, tables: Tables) -> Outlook:
    """Look at a ClickHouse that is ours; raise Retryable as `create` does, but for conflicts."""
    catalog = read_catalog(connection, databases(tables))
    if SIGNOZ_BOOKKEEPING in catalog.tables:
        raise Retryable(
            f"{connection.name}: these tables belong to SigNoz, which changes them itself;"
            " write `schema: attach` to store in them, or point the dsn at a ClickHouse without SigNoz"
        )
    if tables.cluster and not servers_of(connection, tables.cluster):
        raise Retryable(
            f"{connection.name}: it knows no cluster {tables.cluster}; see `SELECT cluster FROM system.clusters`"
        )
    return compare(connection, wanted(tables), catalog)


def compare(connection: Connection, target: Wanted, catalog: Catalog) -> Outlook:
    """Hold what is there against what is wanted; raise Retryable for tables of a newer version."""
    stamp = _stamp(connection, catalog)
    if stamp.version > VERSION:
        raise Retryable(
            f"{connection.name}: the tables have version {stamp.version}, this program knows up to {VERSION};"
            " install the newer genai-collector"
        )
    unchanged = [
        one.name
        for one in target.definitions
        if isinstance(one, View)
        and one.materialized
        and not stamp.names(target)
        and one.name in catalog.tables
        and reads(connection, catalog.tables[one.name], one.select)
    ]
    return Outlook(target, catalog, plan(target, catalog, stamp, unchanged), conflicts(target, catalog))


def carry_out(connection: Connection, found: Outlook) -> None:
    """Run every step; raise Retryable when one fails, or where no step would help."""
    if found.conflicts:
        raise Retryable(f"{connection.name}: {found.conflicts[0]}; {CURE} ({len(found.conflicts)} conflicts like this)")
    settings: Mapping[str, str] = {}
    if any(step.sql.find("ENGINE = Alias(") > 0 for step in found.steps):
        settings = _alias_settings(connection)
    unknown = _unknown_settings(connection) if found.steps else None
    for step in found.steps:
        connection.command(unknown.sub("", step.sql) if unknown else step.sql, settings)


def wanted(tables: Tables) -> Wanted:
    """Return everything as it should be in a ClickHouse that is ours."""
    spread = Spread(tables.cluster, replicated=True, everywhere=True) if tables.cluster else Spread()
    return Wanted(definitions(tables), spread)


def definitions(tables: Tables) -> list[Definition]:
    """Return everything that the ``.sql`` files make, in order."""
    found: list[Definition] = []
    for name in SOURCES:
        text = read(name, tables.values)
        found += parse(text if tables.ngram_indexes else _without_ngrams(text))
    return found + parse(view_statements())


def databases(tables: Tables) -> set[str]:
    """Return the databases of all definitions."""
    return {database_of(one.name) for one in definitions(tables)}


def _without_ngrams(text: str) -> str:
    kept = "\n".join(line for line in text.splitlines() if "ngrambf_v1" not in line)
    return kept.replace(",\n)\n", "\n)\n")


def _unknown_settings(connection: Connection) -> re.Pattern[str] | None:
    """Return what finds the settings that this server does not know, None where it knows all."""
    known = {name for (name,) in connection.rows("SELECT name FROM system.merge_tree_settings")}
    names = "|".join(name for name in _NEWER_SETTINGS if name not in known)
    return re.compile(rf", (?:{names}) = \w+") if names else None


def _stamp(connection: Connection, catalog: Catalog) -> Stamp:
    table = catalog.tables.get(VERSIONS)
    if table is None:
        return Stamp()
    details = "argMax(fingerprint, number), max(number)" if "number" in table.columns else "'', 0"
    version, fingerprint, number = connection.rows(f"SELECT max(version), {details} FROM {VERSIONS}")[0]
    return Stamp(int(version), str(fingerprint), int(number))


def _alias_settings(connection: Connection) -> Mapping[str, str]:
    """Return what a server wants to hear before it makes a table of engine Alias."""
    if not connection.rows("SELECT 1 FROM system.table_engines WHERE name = 'Alias'"):
        version = connection.rows("SELECT version()")[0][0]
        raise Retryable(
            f"{connection.name}: ClickHouse {version} has no table engine Alias;"
            " upgrade it, or name the server's cluster as `cluster`"
        )
    asked = connection.rows(f"SELECT value FROM system.settings WHERE name = '{_ALIAS_SETTING}' AND NOT is_obsolete")
    return {_ALIAS_SETTING: "1"} if asked and asked[0][0] == "0" else {}
