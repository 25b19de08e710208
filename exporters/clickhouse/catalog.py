"""What a ClickHouse holds of the databases we know: read once, then looked at."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from exporters.clickhouse.client import Connection, quoted

_DISTRIBUTED = re.compile(r"^Distributed\('?([^',]+)'?,")
_SETTING = r"\b{name} = '?(\w+)'?"


@dataclass(frozen=True, slots=True)
class Found:
    """Is one table, twin or view that is there."""

    engine: str
    engine_full: str
    rows: int | None
    select: str = ""
    """What a view reads."""
    key: str = ""
    """What rows are sorted by."""
    columns: dict[str, str] = field(default_factory=dict)
    """Types by name."""
    defaults: dict[str, str] = field(default_factory=dict)
    """Default expressions of the columns that have one."""
    indexes: set[str] = field(default_factory=set)

    @property
    def cluster(self) -> str:
        """The cluster that a Distributed table spreads over, '' for any other."""
        found = _DISTRIBUTED.match(self.engine_full)
        return found[1] if found else ""

    @property
    def replicated(self) -> bool:
        """Whether other servers keep copies of the rows."""
        return self.engine.startswith("Replicated")

    @property
    def remembers(self) -> bool:
        """Whether a token of an insert is known when it comes again."""
        if self.replicated:
            return self.setting("replicated_deduplication_window") != "0"
        return self.setting("non_replicated_deduplication_window") not in {None, "0"}

    def setting(self, name: str) -> str | None:
        """Return a setting of the table, None where the server's default holds."""
        found = re.search(_SETTING.format(name=name), self.engine_full)
        return found[1] if found else None


@dataclass(frozen=True, slots=True)
class Catalog:
    """Is what is there; an empty one stands for a ClickHouse that nobody could ask."""

    databases: frozenset[str] = frozenset()
    tables: Mapping[str, Found] = field(default_factory=dict)
    """Tables, twins and views, by ``database.name``."""

    def column(self, table: str, name: str) -> str | None:
        """Return the type of a column, None where it is missing."""
        return self.tables[table].columns.get(name) if table in self.tables else None


def read_catalog(connection: Connection, databases: Collection[str]) -> Catalog:
    """Return what is in these databases, as far as the user may see it."""
    chosen = ", ".join(f"'{name}'" for name in sorted(databases))
    tables = {
        f"{database}.{name}": Found(*rest)
        for database, name, *rest in connection.rows(
            "SELECT database, name, engine, engine_full, total_rows, as_select, sorting_key FROM system.tables"
            f" WHERE database IN ({chosen})"
        )
    }
    for database, table, name, type_, kind, default in connection.rows(
        "SELECT database, table, name, type, default_kind, default_expression FROM system.columns"
        f" WHERE database IN ({chosen}) ORDER BY position"
    ):
        found = tables.get(f"{database}.{table}")
        if found:
            found.columns[name] = type_
            if kind:
                found.defaults[name] = default
    for database, table, name in connection.rows(
        f"SELECT database, table, name FROM system.data_skipping_indices WHERE database IN ({chosen})"
    ):
        if f"{database}.{table}" in tables:
            tables[f"{database}.{table}"].indexes.add(name)
    there = connection.rows(f"SELECT name FROM system.databases WHERE name IN ({chosen})")
    return Catalog(frozenset(name for (name,) in there), tables)


def servers_of(connection: Connection, cluster: str) -> int:
    """Return how many servers a cluster has, 0 for one that is not known."""
    servers = f"SELECT uniqExact(host_name, port) FROM system.clusters WHERE cluster = {quoted(cluster)}"
    return int(connection.rows(servers)[0][0])


def reads(connection: Connection, there: Found, select: str) -> bool:
    """Return whether a view reads what *select* says, however it is laid out."""
    both = ", ".join(f"formatQuerySingleLine({quoted(text)})" for text in (there.select, select))
    theirs, ours = connection.rows(f"SELECT {both}")[0]
    return bool(theirs == ours)
