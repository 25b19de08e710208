"""Storing in the tables of a SigNoz installation as they are: looked at, never altered.

system.columns ─> what every version has must be there ─> the columns both sides know ─> inserts cut to fit

Only the database of our own numbers is made and kept by us, on the same servers as SigNoz's tables.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collector.errors import Retryable
from exporters.clickhouse import schema
from exporters.clickhouse.catalog import Catalog, read_catalog, servers_of
from exporters.clickhouse.client import Connection
from exporters.clickhouse.ddl import Table, database_of
from exporters.clickhouse.errors import denied
from exporters.clickhouse.insert import Insert, Unstorable
from exporters.clickhouse.plan import VERSIONS, Wanted
from exporters.clickhouse.schema import Outlook, Tables
from exporters.clickhouse.spread import Spread

OWN = database_of(VERSIONS)
"""The one database that is ours wherever we are."""

_MOST_NAMED = 5
_ENUM_LABEL = re.compile(r"'((?:[^'\\]|\\.)*)'\s*=")


class UnsuitableError(Retryable):
    """Says why nothing can be stored in a ClickHouse that answers, and what to run there."""


@dataclass(frozen=True, slots=True)
class Fit:
    """Is what the tables that are there can take."""

    columns: Mapping[str, Mapping[str, str]]
    """By the name that rows go to: its columns and their types."""
    absent: Sequence[str]
    """Tables and columns that this version of SigNoz does not have; what belongs there is left out."""
    forgetful: Sequence[str]
    """Tables that do not know a delivery that comes again."""

    def cut(self, inserts: Iterable[Insert | Unstorable]) -> Iterator[Insert | Unstorable]:
        """Yield the inserts without the tables, columns and enum values that are not there."""
        for insert in inserts:
            if isinstance(insert, Unstorable):
                yield insert
            elif insert.table in self.columns:
                yield self._cut(insert)

    def _cut(self, insert: Insert) -> Insert:
        there = self.columns[insert.table]
        rows = insert.rows.select([name for name in insert.rows.schema.names if name in there])
        known = np.ones(rows.num_rows, np.bool_)
        for name in rows.schema.names:
            if there[name].startswith("Enum"):
                labels = pa.array(_ENUM_LABEL.findall(there[name]), pa.string())
                known &= np.asarray(pc.is_in(rows.column(name).cast(pa.string()), labels))
        if known.all():
            return replace(insert, rows=rows)
        sources = None if insert.sources is None else insert.sources[known]
        return replace(insert, rows=rows.filter(pa.array(known)), sources=sources)


@dataclass(frozen=True, slots=True)
class Installation:
    """Is a SigNoz installation as it was found."""

    tables: Sequence[Table]
    """SigNoz's tables, as this version knows them."""
    catalog: Catalog
    own: Outlook
    """Our own database beside them."""

    @property
    def lacks(self) -> list[str]:
        """The tables and columns without which nothing can be stored, as words for the user."""
        found: list[str] = []
        for table in self.tables:
            for name in (table.name, table.twin) if table.essential else ():
                there = self.catalog.tables.get(name)
                if there is None:
                    found.append(f"table {name}")
                else:
                    lost = [column for column in table.columns if column in table.required - there.columns.keys()]
                    found += [f"column {column} of {name}" for column in lost]
        return found

    @property
    def absent(self) -> list[str]:
        """The tables and columns that are left out because they are not there."""
        found: list[str] = []
        for table in self.tables:
            there = self.catalog.tables.get(table.twin)
            if there is None:
                found.append(table.twin)
            else:
                plain = [name for name, column in table.columns.items() if not column.default]
                found += [f"{table.twin}.{name}" for name in plain if name not in there.columns]
        return found

    @property
    def forgetful(self) -> list[Table]:
        """The tables that do not know a delivery that comes again."""
        there = self.catalog.tables
        return [table for table in self.tables if table.name in there and not there[table.name].remembers]


def attach(connection: Connection, tables: Tables) -> Fit:
    """Make what is ours and return what SigNoz's tables can take.

    Raises UnsuitableError where something essential is not there, or where we may not make our own database.
    """
    found = look(connection, tables)
    if found.lacks:
        raise UnsuitableError(
            f"{connection.name}: not there, or not to be seen by this user: {_some(found.lacks)};"
            " run SigNoz's schema migrator (`signoz-otel-collector migrate sync up`, older releases"
            " `signoz-schema-migrator sync`), then try again; without SigNoz write `schema: create`"
        )
    _make_own(connection, found.own)
    theirs = {table.twin: _takes(table, found.catalog) for table in found.tables if table.twin in found.catalog.tables}
    ours = {
        table.twin: {name: column.type for name, column in table.columns.items()} for table in found.own.wanted.tables
    }
    return Fit(theirs | ours, found.absent, [table.name for table in found.forgetful])


def _some(lacks: Sequence[str]) -> str:
    """Return what is missing, or the first of it and how much more where the list would hide what to do."""
    rest = len(lacks) - _MOST_NAMED
    more = f" and {rest} more (`genai-collector schema verify` names all)" if rest > 0 else ""
    return ", ".join(lacks[:_MOST_NAMED]) + more


def look(connection: Connection, tables: Tables) -> Installation:
    """Return what is there; nothing is changed."""
    all_ = schema.wanted(tables)
    theirs = [table for table in all_.tables if database_of(table.name) != OWN and not table.unfilled]
    catalog = read_catalog(connection, schema.databases(tables))
    own = own_wanted(tables, _spread_like(connection, theirs, catalog))
    return Installation(theirs, catalog, schema.compare(connection, own, catalog))


def own_wanted(tables: Tables, spread: Spread = Spread()) -> Wanted:  # noqa: B008 - it never changes
    """Return our own database as it should be beside SigNoz's."""
    return Wanted([one for one in schema.definitions(tables) if database_of(one.name) == OWN], spread)


def _make_own(connection: Connection, found: Outlook) -> None:
    """Make our own database; raise UnsuitableError that says what to grant where that is not allowed."""
    try:
        schema.carry_out(connection, found)
    except Retryable as error:
        if not denied(error):
            raise
        user = connection.rows("SELECT currentUser()")[0][0]
        cluster = f" GRANT CLUSTER ON *.* TO {user};" if found.wanted.spread.everywhere else ""
        raise UnsuitableError(
            f"{connection.name}: {user} may not make the database {OWN}, which holds the numbers;"
            f" run as an administrator: GRANT ALL ON {OWN}.* TO {user};{cluster} ({error})"
        ) from error


def _takes(table: Table, catalog: Catalog) -> Mapping[str, str]:
    """Return the twin's columns with the types of the table behind it, where that is in sight."""
    behind = catalog.tables[table.name].columns if table.name in catalog.tables else {}
    return {name: behind.get(name, type_) for name, type_ in catalog.tables[table.twin].columns.items()}


def _spread_like(connection: Connection, theirs: Iterable[Table], catalog: Catalog) -> Spread:
    """Return how SigNoz spread its tables: with Distributed twins on a cluster, replicated or not."""
    for table in theirs:
        twin, local = catalog.tables.get(table.twin), catalog.tables.get(table.name)
        if table.essential and twin and local and twin.cluster:
            return Spread(twin.cluster, local.replicated, everywhere=servers_of(connection, twin.cluster) > 1)
    return Spread()
