"""What has to be run so that a ClickHouse has the tables we want: nothing, where it has them.

definitions ─┐
             ├─> steps: make what is missing, add columns and indexes, set lifetimes; and the views anew
catalog ─────┘
"""

import hashlib
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from exporters.clickhouse.catalog import Catalog, Found
from exporters.clickhouse.ddl import Column, Database, Definition, Seed, Table, View
from exporters.clickhouse.spread import Spread

VERSION = 2
"""Grows with every release that makes something else; a newer version in ClickHouse is left alone."""

VERSIONS = "signoz_genai.schema_versions"
"""The table of what was made, one row each version."""

_SECONDS = re.compile(r"toIntervalSecond\(\d+\)")
_LITERAL = re.compile(r"-?\d+|'[^']*'")


@dataclass(frozen=True, slots=True)
class Step:
    """Is one statement, and what it is for in words for the user."""

    sql: str
    why: str
    object: str
    """What it makes or changes."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Is what should be there, and how it is spread over servers."""

    definitions: Sequence[Definition]
    spread: Spread

    @property
    def tables(self) -> list[Table]:
        """The tables among the definitions."""
        return [one for one in self.definitions if isinstance(one, Table)]

    @property
    def fingerprint(self) -> str:
        """What changes when a view or the first rows of a table change; other things are compared one by one."""
        texts = (self._remade(one) for one in self.definitions if isinstance(one, View | Seed))
        return hashlib.blake2b("\0".join(texts).encode(), digest_size=8).hexdigest()

    def _remade(self, one: View | Seed) -> str:
        return self.spread.view(one, self.tables) if isinstance(one, View) else self.spread.seed(one, self.tables)


@dataclass(frozen=True, slots=True)
class Stamp:
    """Is what the table of versions says was made last."""

    version: int = 0
    fingerprint: str = ""
    number: int = 0
    """How often something was made so far."""

    def names(self, wanted: Wanted) -> bool:
        """Return whether these very views were made by this very version."""
        return (self.version, self.fingerprint) == (VERSION, wanted.fingerprint)


def plan(wanted: Wanted, catalog: Catalog, stamp: Stamp, unchanged: Collection[str] = ()) -> list[Step]:
    """Return the steps from what is there to what is wanted, in order.

    *unchanged* are the materialized views that read what they should: to alter one for nothing is no way to be sure,
    because ClickHouse does not know the tokens of its earlier inserts after that.
    """
    anew = not stamp.names(wanted)
    steps: list[Step] = []
    for one in wanted.definitions:
        match one:
            case Database():
                if one.name not in catalog.databases:
                    steps.append(Step(wanted.spread.database(one), f"database {one.name} is missing", one.name))
            case Table():
                steps += _table_steps(one, catalog, wanted.spread)
            case View():
                missing = one.name not in catalog.tables
                if missing or (anew and one.name not in unchanged):
                    steps.append(_view_step(one, wanted, missing=missing))
            case Seed():
                there = catalog.tables.get(one.name)
                if anew or there is None or not there.rows:
                    first = wanted.spread.seed(one, wanted.tables)
                    steps.append(Step(first, f"table {one.name} may lack its first rows", one.name))
    if anew:
        steps.append(_stamped(wanted, stamp))
    return steps


def conflicts(wanted: Wanted, catalog: Catalog) -> list[str]:
    """Return what no statement can change: engines that are for another spread over servers, and sorting keys."""
    spread = wanted.spread
    engines = [
        *((table.name, spread.engine(table)) for table in wanted.tables),
        *((table.twin, spread.twin_engine) for table in wanted.tables),
    ]
    found = [
        f"table {name} has the engine {catalog.tables[name].engine} and `cluster` wants {engine}"
        for name, engine in engines
        if name in catalog.tables and catalog.tables[name].engine != engine
    ]
    for table in wanted.tables:
        there = catalog.tables.get(table.name)
        sorted_by = re.findall(r"\w+", there.key) if there else []
        lost = [name for name in table.key if there and name in there.columns and name not in sorted_by]
        found += [f"table {table.name} is not sorted by {name}" for name in lost]
    return found


def _table_steps(table: Table, catalog: Catalog, spread: Spread) -> Iterator[Step]:
    there = catalog.tables.get(table.name)
    if there is None:
        yield Step(spread.table(table), f"table {table.name} is missing", table.name)
    else:
        for change, why in _changes(table, there, spread):
            yield Step(spread.alter(table.name, change), f"table {table.name}: {why}", table.name)
    twin = catalog.tables.get(table.twin)
    if twin is None:
        yield Step(spread.twin(table), f"table {table.twin} is missing", table.twin)
    elif twin.cluster:
        for name, before in _missing_columns(table, twin):
            change = f"ADD COLUMN IF NOT EXISTS {_plain(table.columns[name])}{before}"
            yield Step(spread.alter(table.twin, change), f"table {table.twin}: column {name} is missing", table.twin)


def _changes(table: Table, there: Found, spread: Spread) -> Iterator[tuple[str, str]]:
    """Yield (what to alter, why) for a table that is there."""
    added = {
        name: f"ADD COLUMN IF NOT EXISTS {table.columns[name].text}{before}"
        for name, before in _missing_columns(table, there)
    }
    keys = [name for name in table.key if name in added]
    if keys:  # only a column that is new can become part of the key, and only at its end
        order = f"MODIFY ORDER BY ({', '.join([there.key.removeprefix('(').removesuffix(')'), *keys])})"
        yield ", ".join([*(added.pop(name) for name in keys), order]), f"column {', '.join(keys)} is missing"
    for name, change in added.items():
        yield change, f"column {name} is missing"
    for name, column in table.columns.items():
        default = there.defaults.get(name, "")
        if name in there.columns and _LITERAL.fullmatch(column.default) and default != column.default:
            change = f"MODIFY COLUMN `{name}` DEFAULT {column.default}"
            yield change, f"column {name} has the default {default or 'none'}, not {column.default}"
    for name, text in table.indexes.items():
        if name not in there.indexes:
            yield f"ADD {text.replace('INDEX', 'INDEX IF NOT EXISTS', 1)}", f"index {name} is missing"
    if table.ttl and _SECONDS.findall(there.engine_full) != _SECONDS.findall(table.ttl):
        yield f"MODIFY TTL {table.ttl}", "rows have another lifetime"
    window, value = spread.window(table)
    if there.setting(window) != value:
        yield f"MODIFY SETTING {window} = {value}", f"it remembers {there.setting(window) or 'no'} tokens of inserts"


def _missing_columns(table: Table, there: Found) -> Iterator[tuple[str, str]]:
    """Yield each missing column and its place: `` AFTER ...``."""
    previous = ""
    for name in table.columns:
        if name not in there.columns:
            yield name, f" AFTER `{previous}`" if previous else " FIRST"
        previous = name


def _view_step(view: View, wanted: Wanted, *, missing: bool) -> Step:
    if view.materialized and not missing:
        change = wanted.spread.alter(view.name, f"MODIFY QUERY {view.select}")
        return Step(change, f"view {view.name} reads something else", view.name)
    why = f"view {view.name} {'is missing' if missing else 'may be of another version'}"
    return Step(wanted.spread.view(view, wanted.tables), why, view.name)


def _stamped(wanted: Wanted, stamp: Stamp) -> Step:
    table = next(table for table in wanted.tables if table.name == VERSIONS)
    name = table.twin if wanted.spread.cluster else table.name
    values = f"({VERSION}, '{wanted.fingerprint}', {stamp.number + 1})"
    sql = f"INSERT INTO {name} (version, fingerprint, number) VALUES {values}"
    return Step(sql, f"version {VERSION} is not noted as made", table.name)


def _plain(column: Column) -> str:
    """Return the column as a table without storage has it."""
    return re.sub(r" CODEC\((?:[^()]|\([^()]*\))*\)", "", column.text)
