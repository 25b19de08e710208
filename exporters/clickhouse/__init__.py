"""Stores spans, metrics and logs in SigNoz's tables and rollups in our own, in an embedded or a remote ClickHouse."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import parse_qs, urlsplit

from pydantic import AfterValidator, ConfigDict, Field, PositiveInt

from collector.batch import Batch, Signal
from collector.component import Exporter, ExporterConfig, Host
from collector.errors import ConfigError, Problem, Retryable
from collector.units import Secret
from exporters.clickhouse import schema
from exporters.clickhouse.client import (
    EMBEDDED_SCHEME,
    SERVER_OPTIONS,
    SERVER_SCHEMES,
    Connection,
    Embedded,
    Server,
    UnusableError,
)
from exporters.clickhouse.delivery import deliver, permanent
from exporters.clickhouse.insert import Insert, Unstorable
from exporters.clickhouse.logs import log_inserts
from exporters.clickhouse.metrics import metric_inserts, points_without_a_number
from exporters.clickhouse.metrics.written import Written
from exporters.clickhouse.rollups import rollup_inserts
from exporters.clickhouse.side_tables import SideTables
from exporters.clickhouse.traces import trace_inserts

MakeInserts = Callable[..., Iterable[Insert | Unstorable]]

INSERTS: Mapping[Signal, MakeInserts] = {
    Signal.TRACES: trace_inserts,
    Signal.METRICS: metric_inserts,
    Signal.LOGS: log_inserts,
    Signal.ROLLUPS: rollup_inserts,
}
"""What makes the rows of each signal, given the batch and the Unix time in seconds."""

_SEPARATOR = "://"


def _checked(dsn: Secret) -> Secret:
    text = dsn.get_secret_value()
    scheme, found, rest = text.partition(_SEPARATOR)
    if not found or scheme not in (EMBEDDED_SCHEME, *SERVER_SCHEMES):
        known = ", ".join((EMBEDDED_SCHEME, *SERVER_SCHEMES))
        raise ValueError(
            f"must start with one of {known} and {_SEPARATOR}; write chdb:///path or clickhouse://host:8123"
        )
    if not rest.strip("/"):
        raise ValueError("names no folder and no host; write chdb:///path or clickhouse://host:8123")
    if scheme != EMBEDDED_SCHEME:
        _check_address(text)
    return dsn


def _check_address(text: str) -> None:
    try:
        parts = urlsplit(text)
        usable = parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    # The text is not repeated in a message: it may hold a password.
    if not usable:
        raise ValueError("is no address; write clickhouse://user:password@host:8123, odd characters as %XX")
    unknown = sorted(parse_qs(parts.query).keys() - SERVER_OPTIONS)
    if unknown:
        raise ValueError(f"has the unknown option {unknown[0]}; known are {', '.join(sorted(SERVER_OPTIONS))}")


Dsn = Annotated[Secret, AfterValidator(_checked)]


class ClickhouseConfig(ExporterConfig):
    """Says which ClickHouse keeps the data, and for how long."""

    # A dsn may hold a password.
    model_config = ConfigDict(hide_input_in_errors=True)

    dsn: Dsn
    """Where the data goes: ``chdb:///absolute/folder`` or ``chdb://./relative/folder`` keeps it in a folder, with
    ClickHouse inside this process; ``clickhouse://user:password@host:8123`` is a server, with TLS if ``clickhouses://``.
    """
    tables: Literal["create"] = Field("create", alias="schema")
    """``create`` makes the databases, tables and views that are missing, in the layout of SigNoz."""
    retention: PositiveInt = 15
    """Days that spans and logs are kept."""
    metrics_retention: PositiveInt = 30
    """Days that metrics are kept."""
    rollup_retention: PositiveInt = 400
    """Days that the per-minute numbers are kept."""
    ngram_indexes: bool = False
    """Build SigNoz's text indexes too: faster search for parts of words, up to four times the work of storing spans."""


class ClickhouseExporter(Exporter):
    """Stores spans, metrics, logs and rollups in ClickHouse, each once, however often a batch is sent."""

    Config = ClickhouseConfig
    consumes: ClassVar[frozenset[Signal]] = frozenset(INSERTS)

    def __init__(self, config: Any, host: Host) -> None:
        super().__init__(config, host)
        self._connection: Connection | None = None
        self._side_tables = SideTables(host.clock, host.log)
        self._has_tables = False
        self._series = Written()
        self._inserts: Mapping[Signal, MakeInserts] = {
            **INSERTS,
            Signal.METRICS: partial(metric_inserts, written=self._series),
        }

    def start(self) -> None:
        """Open the embedded ClickHouse; a server is not asked for before there is data, so it may be down."""
        if self._scheme == EMBEDDED_SCHEME:
            try:
                self._connection = self.connect()
            except UnusableError as error:
                raise ConfigError([Problem(self.host.id, "dsn", str(error))]) from error

    def stop(self) -> None:
        """Let go of ClickHouse."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
            self._forget()

    def export(self, batch: Batch) -> None:
        """Store the batch; raise Retryable while ClickHouse cannot, Permanent with the rows that it never can."""
        try:
            connection = self._ready()
            inserts = self._inserts[batch.signal](batch, self.host.clock())
            refusals = deliver(connection, batch.id, self._side_tables.due(connection, inserts))
        except Retryable:
            # Whatever was wrong may have been the tables; looking costs little beside a failed delivery.
            self._forget()
            raise
        if batch.signal is Signal.METRICS and (silent := points_without_a_number(batch)):
            self.host.metrics.count("clickhouse_exporter_dropped_points", silent, exporter=self.host.id)
        if refusals.side_rows:
            self.host.log.warning("Dropped side table rows", rows=refusals.side_rows, reason=refusals.reason)
            self.host.metrics.count("clickhouse_exporter_dropped_side_rows", refusals.side_rows, exporter=self.host.id)
        if refusals.rows:
            raise permanent(refusals)

    def _forget(self) -> None:
        self._has_tables = False
        self._side_tables.forget()
        self._series.forget()

    def _ready(self) -> Connection:
        if self._connection is None:
            self._connection = self.connect()
        if not self._has_tables:
            config = self.config
            wanted = schema.Tables(
                config.retention, config.metrics_retention, config.rollup_retention, config.ngram_indexes
            )
            schema.create(self._connection, wanted)
            self._has_tables = True
        return self._connection

    @property
    def _scheme(self) -> str:
        return str(self.config.dsn.get_secret_value().partition(_SEPARATOR)[0])

    def connect(self) -> Connection:
        """Return a new connection, whatever tables there are; raise `UnusableError` or Retryable."""
        dsn = self.config.dsn.get_secret_value()
        if self._scheme == EMBEDDED_SCHEME:
            return Embedded(self.host.base / Path(dsn.partition(_SEPARATOR)[2]))
        return Server(dsn, self.config.timeout)
