"""Queries that read tables and nothing else, by what ClickHouse itself understands of them.

    text ──> ClickHouse's parser: one statement, written anew ──> its kind and functions ──> run with readonly = 1

``readonly`` alone lets some through: functions that read files, INTO OUTFILE, KILL, a second statement.
"""

import re
from dataclasses import dataclass
from typing import Any

from exporters.clickhouse.client import quoted
from exporters.clickhouse.http import native
from exporters.clickhouse.http.handler import Answer, Question, RefusedError

READING = re.compile(r"(SelectWithUnionQuery|Show\w+|Describe\w*|Exists\w+|Explain)\b")
"""The kinds of statements that may run, as ClickHouse's parser names them."""

HARMLESS_SOURCES = frozenset(
    {
        "format", "generaterandom", "generateseries", "generate_series", "merge", "null", "numbers", "numbers_mt",
        "one", "primes", "values", "view", "viewifpermitted", "zeros", "zeros_mt",
    }
)  # fmt: skip
"""Table functions that need nothing from outside; all others, of whatever version, are refused."""

_OTHERS = frozenset({"file", "python", "catboostevaluate"})
"""Functions that read from outside and may not be in ClickHouse's list."""

_FUNCTION = re.compile(r"^ *Function (\S+)", re.MULTILINE)
_QUOTED = re.compile(r"'(?:[^'\\]|\\.|'')*'|`(?:[^`\\]|\\.)*`|\"(?:[^\"\\]|\\.)*\"")
_FORMAT = re.compile(r"\bFORMAT (\w+)(?: SETTINGS .*)?\Z")
_FLAT = "output_format_native_use_flattened_dynamic_and_json_serialization"
_SETTING = re.compile(r"\w+")
_FIXED = {"readonly", "allow_ddl", "max_execution_time", "max_result_bytes", "max_memory_usage"}


@dataclass(frozen=True)
class Limits:
    """Says what one query may cost."""

    seconds: float
    result_bytes: int
    memory: int


class Guard:
    """Answers questions on connections of the embedded ClickHouse, each with settings of its own."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits

    def answer(self, connection: Any, question: Question) -> Answer:
        """Return the answer, on a connection that nobody else uses; raise what ClickHouse says, or RefusedError."""
        if question.parameters.get("compress") in {"1", "true"}:
            raise RefusedError(48, "compress is not known here; enable_http_compression is. (NOT_IMPLEMENTED)")
        self._restrict(connection, question)
        text = question.text.decode(errors="replace").strip()
        query = _text(connection.query(f"SELECT formatQuerySingleLine({quoted(text)})", "TSVRaw")).rstrip("\n")
        values = question.values
        self._check(query, _text(connection.query(f"EXPLAIN AST {query}", "TSVRaw", params=values)), connection)
        written = _FORMAT.search(_QUOTED.sub("''", query))
        name = written[1] if written else question.format
        marked = name == "Native" and _marks(question)
        result = connection.query(query, question.format, params=values)
        if result.size() > self._limits.result_bytes:  # ClickHouse counts repeated values once
            raise RefusedError(
                396, f"The answer is longer than {self._limits.result_bytes} bytes. (TOO_MANY_ROWS_OR_BYTES)"
            )
        body = bytes(result.bytes() or b"")
        return Answer(native.marked(body) if marked else body, name, result.rows_read(), result.bytes_read())

    def _restrict(self, connection: Any, question: Question) -> None:
        """Set what the client asks for, then our limits, then that nothing may be set or changed any more."""
        database = question.parameters.get("database")
        if database:
            connection.query(f"USE `{database.replace('`', '')}`")
        wanted = {name: value for name, value in question.settings.items() if name not in _FIXED}
        if odd := [name for name in wanted if not _SETTING.fullmatch(name)]:
            raise RefusedError(115, f"Unknown setting {odd[0]!r}. (UNKNOWN_SETTING)")
        fixed = {
            "max_execution_time": str(min(_seconds(question), self._limits.seconds)),
            "max_result_bytes": str(self._limits.result_bytes),
            "max_memory_usage": str(self._limits.memory),
            "allow_introspection_functions": "0",
            **({_FLAT: "1"} if _protocol(question) else {}),
            "readonly": "1",
        }
        chosen = ", ".join(f"{name} = {quoted(value)}" for name, value in {**wanted, **fixed}.items())
        connection.query(f"SET {chosen}")

    def _check(self, query: str, tree: str, connection: Any) -> None:
        """Raise RefusedError unless the statement reads, and only from tables."""
        if not READING.match(tree):
            raise RefusedError(164, "Only queries that read are answered here. (READONLY)")
        if "INTO OUTFILE" in _QUOTED.sub("''", query):
            raise RefusedError(164, "INTO OUTFILE is not for this interface. (READONLY)")
        used = {name.lower() for name in _FUNCTION.findall(tree)}
        outside = used & (_sources(connection) - HARMLESS_SOURCES | _OTHERS)
        if outside:
            raise RefusedError(164, f"Function {min(outside)} reads from outside the tables. (READONLY)")


def _protocol(question: Question) -> int:
    """Return the protocol that the client speaks; 0 where it does not say, or one so old that it asks first."""
    version = question.parameters.get("client_protocol_version", "")
    protocol = int(version) if version.isdecimal() else 0
    return protocol if protocol >= native.MARKED else 0


def _marks(question: Question) -> bool:
    """Return whether the client wants marks in Native; raise RefusedError where it would misread strings."""
    protocol = _protocol(question)
    if protocol >= native.SIZED:
        other = f"The embedded ClickHouse writes no Native of protocol {protocol}; ask for JSON or Arrow."
        raise RefusedError(48, f"{other} (NOT_IMPLEMENTED)")
    return protocol > 0


def _sources(connection: Any) -> frozenset[str]:
    return frozenset(_text(connection.query("SELECT lower(name) FROM system.table_functions", "TSV")).split())


def _seconds(question: Question) -> float:
    """Return how long the client wants to wait; without end where it does not say."""
    try:
        return float(question.parameters.get("max_execution_time", "")) or float("inf")
    except ValueError:
        return float("inf")


def _text(result: Any) -> str:
    return bytes(result.bytes() or b"").decode(errors="replace")
