"""Stores spans, metrics and logs in SigNoz's tables and rollups in our own, in an embedded or a remote ClickHouse."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from threading import Lock, Thread
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import parse_qs, urlsplit

from pydantic import AfterValidator, ConfigDict, Field

from collector.batch import Batch, Signal
from collector.component import Exporter, ExporterConfig, Host
from collector.errors import ConfigError, Problem, Retryable
from collector.units import Secret
from exporters.clickhouse import schema
from exporters.clickhouse.attach import Fit, UnsuitableError, attach
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

LONGEST_LIFETIME = 25_000
"""Days; 68 years, so that the end of a row's life comes before that of ClickHouse's clock."""


def _ends_in_time(days: int) -> int:
    # ClickHouse's DateTime ends in February 2106 and starts anew: rows that should live longer die when they are born.
    if not 1 <= days <= LONGEST_LIFETIME:
        raise ValueError(f"{days} days are not between 1 and {LONGEST_LIFETIME}, the longest that ClickHouse can count")
    return days


Lifetime = Annotated[int, AfterValidator(_ends_in_time)]
"""Days that rows are kept."""


class ClickhouseConfig(ExporterConfig):
    """Says which ClickHouse keeps the data, and for how long."""

    # A dsn may hold a password.
    model_config = ConfigDict(hide_input_in_errors=True)

    dsn: Dsn
    """Where the data goes: ``chdb:///absolute/folder`` or ``chdb://./relative/folder`` keeps it in a folder, with
    ClickHouse inside this process; ``clickhouse://user:password@host:8123`` is a server, with TLS if ``clickhouses://``.
    """
    tables: Literal["create", "attach"] = Field("create", alias="schema")
    """``create`` makes the databases, tables and views that are missing, in the layout of SigNoz, and keeps them up to
    date. ``attach`` stores in the tables of a SigNoz installation as they are; only ``signoz_genai`` is made then."""
    cluster: str = Field("", pattern=r"^[\w.-]*$")
    """The cluster that ``create`` makes tables on: Replicated ones on every server, Distributed ones over them. Empty:
    one server. ``attach`` does as SigNoz did."""
    retention: Lifetime = 15
    """Days that spans and logs are kept, 25000 at most; another number later reaches the tables that are there."""
    metrics_retention: Lifetime = 30
    """Days that metrics are kept, 25000 at most."""
    rollup_retention: Lifetime = 400
    """Days that the per-minute numbers are kept, 25000 at most."""
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
        self._fit: Fit | None = None
        self._told: Fit | None = None
        self._opening = Lock()
        self._stopped = False
        self.greeting: Thread | None = None
        """Makes a server's tables while receivers open; None for an embedded ClickHouse."""

    @property
    def attaches(self) -> bool:
        """Whether the tables are a SigNoz installation's."""
        return bool(self.config.tables == "attach")

    @property
    def options(self) -> schema.Tables:
        """What the configuration says about tables."""
        config = self.config
        lifetimes = (config.retention, config.metrics_retention, config.rollup_retention)
        return schema.Tables(*lifetimes, config.ngram_indexes, config.cluster)

    def start(self) -> None:
        """Open an embedded ClickHouse and make its tables, or look at those that are not ours; greet a server.

        A server may be down or slow, and receivers need not wait for it: data does, and what is wrong with its tables
        is told when it can be.
        """
        self._stopped = False
        if self.folder is None:
            self.host.metrics.gauge("clickhouse_exporter_ready", 0, exporter=self.host.id)
            self.greeting = Thread(target=self._greet, name=f"{self.host.id} greets its server", daemon=True)
            self.greeting.start()
            return
        try:
            self._connection = self.connect()
        except UnusableError as error:
            raise ConfigError([Problem(self.host.id, "dsn", str(error))]) from error
        try:
            self._ready()
        except UnsuitableError as error:
            raise ConfigError([Problem(self.host.id, "schema", str(error))]) from error
        except Retryable as error:
            self._tell_why_data_waits(error)

    def _greet(self) -> None:
        """Make a server's tables before the first delivery needs them; whatever fails is tried again by that."""
        try:
            self._ready()
        except Retryable as error:
            if not self._stopped:
                self._tell_why_data_waits(error)
        except Exception:
            self.host.log.exception("the exporter met a bug")

    def _tell_why_data_waits(self, error: Retryable) -> None:
        fits = not isinstance(error, UnsuitableError)
        news = "ClickHouse cannot be reached yet" if fits else "ClickHouse's tables do not fit"
        self.host.log.warning(f"{news}, data will wait", error=str(error))

    def stop(self) -> None:
        """Let go of ClickHouse; a server that hangs is not waited for."""
        self._stopped = True
        if self._connection is not None:
            self._connection.close()
            self._connection = None
            self._forget()

    def export(self, batch: Batch) -> None:
        """Store the batch; raise Retryable while ClickHouse cannot, Permanent with the rows that it never can."""
        try:
            connection = self._ready()
            inserts = self._inserts[batch.signal](batch, self.host.clock())
            inserts = inserts if self._fit is None else self._fit.cut(inserts)
            due = self._side_tables.due(connection, inserts)
            refusals = deliver(connection, batch.id, due, self.options.lifetime_of(batch.signal))
        except Retryable:
            # Whatever was wrong may have been the tables; looking costs little beside a failed delivery.
            self._forget()
            self.host.metrics.gauge("clickhouse_exporter_ready", 0, exporter=self.host.id)
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
        with self._opening:
            if self._connection is None:
                self._connection = self.connect()
            if not self._has_tables:
                self._fit = self.prepare(self._connection)
                self._has_tables = True
                self._tell()
                self.host.metrics.gauge("clickhouse_exporter_ready", 1, exporter=self.host.id)
            return self._connection

    def prepare(self, connection: Connection) -> Fit | None:
        """Make the tables that are ours to make; return what SigNoz's can take, None where all are ours."""
        if self.attaches:
            return attach(connection, self.options)
        schema.create(connection, self.options)
        return None

    def _tell(self) -> None:
        """Say once what is left out, and whether a delivery that comes again is known."""
        fit, log = self._fit, self.host.log
        if fit is None or fit == self._told:
            return
        self._told = fit
        if fit.absent:
            log.warning("This version of SigNoz has no place for some data, it is left out", absent=fit.absent)
        if fit.forgetful:
            log.warning(
                "Stored at least once: after a failure rows may be there twice",
                tables=fit.forgetful,
                hint="for exactly once set non_replicated_deduplication_window = 10000 on these tables",
            )
        else:
            log.info("Stored exactly once: every table knows a delivery that comes again")

    @property
    def folder(self) -> Path | None:
        """Where the embedded ClickHouse keeps its files; None for a server."""
        scheme, _, rest = self.config.dsn.get_secret_value().partition(_SEPARATOR)
        return self.host.base / Path(rest) if scheme == EMBEDDED_SCHEME else None

    def connect(self) -> Connection:
        """Return a new connection; raise Retryable where there is none to be had now, UnusableError where never."""
        if self.folder is not None:
            return Embedded(self.folder)
        return Server(self.config.dsn.get_secret_value(), self.config.timeout)
