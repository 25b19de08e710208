"""The ``.sql`` files read as what they make: databases, tables, views and first rows.

A file is statements that end with ``;`` at the end of a line. A table has one column or index on each line. Comment
lines right before a table may say what ClickHouse cannot be told:

    -- essential                    no data of its signal is of use without the table
    -- unfilled                     nothing is stored in it but first rows
    -- may lack: resource, scope    columns that older versions of SigNoz do not have
    -- shard: cityHash64(trace_id)  which shard of a cluster a row goes to; the sorting key's hash where nothing is said
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import TypeAlias

SOURCES = ("traces.sql", "metrics.sql", "logs.sql", "metadata.sql", "rollups.sql")
"""The files that make tables, in order."""

TWIN = "distributed_"
"""Stands before a table's name where rows go to, or come from, all servers of a cluster."""

_HEAD = re.compile(
    r"CREATE (?P<what>DATABASE|TABLE|MATERIALIZED VIEW)(?: IF NOT EXISTS)? (?P<name>[\w.]+)"
    r"|CREATE OR REPLACE (?P<view>VIEW) (?P<view_name>[\w.]+)"
    r"|INSERT INTO (?P<target>[\w.]+)"
)
_TABLE = re.compile(r"[^\n]+\n\(\n(?P<columns>.*?)\n\)\nENGINE = (?P<engine>\w+)\n(?P<rest>.*)", re.DOTALL)
_COLUMN = re.compile(r"(?P<name>`[^`]+`|\w+) (?P<text>.+)")
_END_OF_TYPE = re.compile(r" (?:DEFAULT|ALIAS|MATERIALIZED|CODEC|COMMENT)\b")
_DEFAULT = re.compile(r" (DEFAULT|ALIAS|MATERIALIZED) (.+?)(?= CODEC| COMMENT|$)")


@dataclass(frozen=True, slots=True)
class Column:
    """Is one column: *text* is its definition as a statement wants it, *default* is '' where it has none."""

    name: str
    type: str
    text: str
    default: str


@dataclass(frozen=True, slots=True)
class Table:
    """Is one table that holds rows."""

    name: str
    """With its database: ``signoz_traces.signoz_index_v3``."""
    text: str
    engine: str
    columns: Mapping[str, Column]
    indexes: Mapping[str, str]
    key: tuple[str, ...]
    """What rows are sorted by; rows that are merged into one agree in it."""
    ttl: str
    settings: Mapping[str, str]
    essential: bool
    unfilled: bool
    may_lack: frozenset[str]
    shard: str

    @property
    def twin(self) -> str:
        """The name that rows are written to and read from."""
        return twin_of(self.name)

    @property
    def required(self) -> frozenset[str]:
        """The columns that every version of the table has and that no default fills."""
        return frozenset(name for name, column in self.columns.items() if not column.default) - self.may_lack


@dataclass(frozen=True, slots=True)
class Database:
    """Is one database."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class View:
    """Is one view; one that is *materialized* writes what it selects from inserted rows into a table."""

    name: str
    text: str
    materialized: bool

    @property
    def select(self) -> str:
        """What the view reads."""
        return self.text.partition(" AS\n")[2]


@dataclass(frozen=True, slots=True)
class Seed:
    """Is an INSERT of rows that a table has from the start; harmless to repeat."""

    name: str
    """The table."""
    text: str


Definition: TypeAlias = Database | Table | View | Seed


def read(name: str, values: Mapping[str, str]) -> str:
    """Return the text of a file with each ``{name}`` of *values* replaced."""
    text = (files(__package__) / "sql" / name).read_text()
    for key, value in values.items():
        text = text.replace(f"{{{key}}}", value)
    return text


def parse(text: str) -> list[Definition]:
    """Return what the statements of a file make, in order."""
    return [_definition(statement, tags) for statement, tags in _statements(text)]


def twin_of(name: str) -> str:
    """Return the name of a table's twin."""
    database, table = name.split(".")
    return f"{database}.{TWIN}{table}"


def database_of(name: str) -> str:
    """Return the database of what is called *name*."""
    return name.partition(".")[0]


def squeezed(text: str) -> str:
    """Return a type or an expression without the blanks that ClickHouse sets its own way."""
    return re.sub(r"\s+", "", text)


def _statements(text: str) -> Iterator[tuple[str, Sequence[str]]]:
    """Yield each statement with the comment lines before it."""
    for part in re.split(r";[ \t]*(?:\n|\Z)", text):
        lines = part.split("\n")
        statement = "\n".join(line for line in lines if not line.startswith("--")).strip()
        if statement:
            yield statement, [line.removeprefix("--").strip() for line in lines if line.startswith("--")]


def _definition(statement: str, tags: Sequence[str]) -> Definition:
    head = _HEAD.match(statement)
    if not head:
        raise ValueError(f"no statement of a schema: {statement[:80]}")
    if head["target"]:
        return Seed(head["target"], statement)
    if head["view"]:
        return View(head["view_name"], statement, materialized=False)
    if head["what"] == "DATABASE":
        return Database(head["name"], statement)
    if head["what"] == "MATERIALIZED VIEW":
        return View(head["name"], statement, materialized=True)
    return _table(head["name"], statement, tags)


def _table(name: str, statement: str, tags: Sequence[str]) -> Table:
    body = _TABLE.fullmatch(statement)
    if not body:
        raise ValueError(f"{name}: a table is one column a line in brackets, then ENGINE = on a line of its own")
    lines = [line.strip().removesuffix(",") for line in body["columns"].split("\n")]
    columns = [_column(line) for line in lines if not line.startswith("INDEX ")]
    clauses = dict(re.findall(r"^(TTL|SETTINGS|ORDER BY) (.*)$", body["rest"], re.MULTILINE))
    key = tuple(_parts(clauses["ORDER BY"]))
    nullable = {column.name for column in columns if column.type.startswith("Nullable")}  # no place to shard by
    told = {key.strip(): value.strip() for key, _, value in (tag.partition(":") for tag in tags)}
    return Table(
        name=name,
        text=statement,
        engine=body["engine"],
        columns={column.name: column for column in columns},
        indexes={line.split(" ")[1]: line for line in lines if line.startswith("INDEX ")},
        key=key,
        ttl=clauses.get("TTL", ""),
        settings=dict(re.findall(r"(\w+) = ('[^']*'|\w+)", clauses.get("SETTINGS", ""))),
        essential="essential" in told,
        unfilled="unfilled" in told,
        may_lack=frozenset(filter(None, re.split(r",\s*", told.get("may lack", "")))),
        shard=told.get("shard") or f"cityHash64({', '.join(name for name in key if name not in nullable)})",
    )


def _parts(key: str) -> Iterator[str]:
    """Yield the expressions of a sorting key."""
    depth, start = 0, 0
    inner = key[1:-1] if key.startswith("(") else key
    for place, character in enumerate(f"{inner},"):
        depth += {"(": 1, ")": -1}.get(character, 0)
        if character == "," and not depth:
            yield inner[start:place].strip()
            start = place + 1


def _column(line: str) -> Column:
    found = _COLUMN.fullmatch(line)
    if not found:
        raise ValueError(f"no column: {line[:80]}")
    text = found["text"]
    end = _END_OF_TYPE.search(text)
    default = _DEFAULT.search(text)
    return Column(
        name=found["name"].strip("`"),
        type=text[: end.start()] if end else text,
        text=line,
        default=default[2] if default else "",
    )
