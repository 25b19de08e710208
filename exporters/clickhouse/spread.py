"""How tables are spread over servers: the same definitions as statements for one server or for a cluster.

                 one server               a cluster
signoz_x         MergeTree                ReplicatedMergeTree on every server
distributed_x    Alias of signoz_x        Distributed over the servers' signoz_x
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from exporters.clickhouse.client import quoted
from exporters.clickhouse.ddl import Database, Seed, Table, View, twin_of

_WINDOW = re.compile(r"\bnon_replicated_deduplication_window = (\d+)")
_WEEK = 7 * 86_400
"""A parcel may come again after that long; Replicated tables forget tokens by age too."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Says which cluster tables are made on; without one they are made on the server that is asked."""

    cluster: str = ""
    replicated: bool = False
    """Whether each shard has several servers that keep the same rows."""
    everywhere: bool = False
    """Whether statements go to every server of the cluster, which needs a Keeper."""

    def database(self, database: Database) -> str:
        """Return the statement that makes a database."""
        return self._on(database.text, database.name)

    def table(self, table: Table) -> str:
        """Return the statement that makes a table."""
        text = self._on(table.text, table.name)
        if not self.replicated:
            return text
        text = text.replace(f"\nENGINE = {table.engine}\n", f"\nENGINE = {self.engine(table)}\n", 1)
        return _WINDOW.sub(
            rf"replicated_deduplication_window = \1, replicated_deduplication_window_seconds = {_WEEK}", text
        )

    def engine(self, table: Table) -> str:
        """Return the engine of a table."""
        return f"Replicated{table.engine}" if self.replicated else table.engine

    def window(self, table: Table) -> tuple[str, str]:
        """Return the setting that makes a table remember tokens, and its value."""
        name = "non_replicated_deduplication_window"
        return (name.removeprefix("non_") if self.replicated else name), table.settings[name]

    def twin(self, table: Table) -> str:
        """Return the statement that makes a table's twin."""
        database, name = table.name.split(".")
        start = self._on(f"CREATE TABLE IF NOT EXISTS {table.twin}", table.twin)
        if not self.cluster:
            return f"{start} ENGINE = Alias({database}, {name})"
        return (
            f"{start} AS {table.name} ENGINE = Distributed({quoted(self.cluster)}, '{database}', '{name}',"
            f" {table.shard})"
        )

    @property
    def twin_engine(self) -> str:
        """The engine of twins."""
        return "Distributed" if self.cluster else "Alias"

    def view(self, view: View, tables: Iterable[Table]) -> str:
        """Return the statement that makes a view; all but materialized ones read from all servers."""
        return self._on(view.text if view.materialized else self._through_twins(view.text, tables), view.name)

    def seed(self, seed: Seed, tables: Iterable[Table]) -> str:
        """Return the statement that adds the first rows."""
        return self._through_twins(seed.text, tables)

    def alter(self, name: str, change: str) -> str:
        """Return the statement that changes a table, twin or view."""
        return self._on(f"ALTER TABLE {name} {change}", name)

    def _on(self, statement: str, name: str) -> str:
        if not self.everywhere:
            return statement
        return statement.replace(name, f"{name} ON CLUSTER {quoted(self.cluster)}", 1)

    def _through_twins(self, text: str, tables: Iterable[Table]) -> str:
        if self.cluster:
            for table in tables:
                text = re.sub(rf"(?<![\w.]){re.escape(table.name)}\b", twin_of(table.name), text)
        return text
