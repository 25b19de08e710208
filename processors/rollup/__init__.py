"""The `rollup` processor: sums the model calls of a batch into partial rows that add up, each call once.

spans ───> calls ─┬─> once: which of them count, what else is to be put right ─┐
                  v                                                            ├─> grouping ──> rollup rows
points, records ─> series: what is told without spans, what spans make void ───┘
"""

from collections import Counter
from collections.abc import Iterable
from typing import ClassVar, Literal

import pyarrow as pa
from pydantic import Field, field_validator

from collector.batch import Batch, Signal
from collector.component import ComponentConfig, Host, Processor
from collector.rows import is_understood
from collector.units import Duration
from processors.rollup.call_table import call_table
from processors.rollup.calls import Calls, calls_of, places_of
from processors.rollup.grouping import Limits, added, changed_entries, entries_of, rollups_of, together
from processors.rollup.metrics import metrics_of
from processors.rollup.once import Limits as MemoryLimits
from processors.rollup.once import Once, Verdict
from processors.rollup.once.facts import facts_of, links_of
from processors.rollup.once.notes import dump, load
from processors.rollup.series import MARK, Series
from processors.rollup.series import Memory as Kept
from processors.rollup.uncounted import told

_OTHERS = frozenset({Signal.METRICS, Signal.LOGS})


class MemoryConfig(ComponentConfig):
    """Says how long calls are remembered, so that what else is reported about them does not count again.

    A report that comes later than that counts as a call of its own; a wrapper counts if all that it stands around
    came so much earlier.
    """

    window: Duration = 600.0
    """How long after it arrived a span is remembered."""
    max_calls: int = Field(default=200_000, ge=1)
    """Most calls remembered (about 0.2 KiB each); the oldest are forgotten first, some thousands at a time."""
    max_links: int = Field(default=500_000, ge=0)
    """Most other spans remembered (about 0.1 KiB each), to know which call stands around which."""


class SignalsConfig(ComponentConfig):
    """Says what is counted from metrics and log events of services that send no spans; see docs/metrics-to-rollups.md.

    For that `genai` and `rollup` must stand in the pipelines of metrics and logs, too, under one name: `metrics/a`
    beside `traces/a`.
    """

    enabled: bool = True
    """Count what no spans tell of. Without it metrics and log events pass untouched."""
    forget_after: Duration = 86_400.0
    """How long a service that sent spans is believed to go on doing so, and how long a series without points is
    remembered. A cumulative series that began longer ago than that when it is first seen adds only what comes after."""
    take_back: Duration = 3600.0
    """How long after it was counted something can be taken out again, when spans turn up that tell the same; and how
    long a delta point or log event that comes twice is recognised."""
    max_series: int = Field(default=50_000, ge=1)
    """Most cumulative series, and most of each other thing, that are remembered (about 0.5 KiB each). Points of further
    series are not counted, see the metric `genai_collector_refused_series_points`."""
    reported_cost: bool = True
    """Sum the cost that metrics and log events report themselves; prices are not applied to them."""


class RollupMetricsConfig(ComponentConfig):
    """Says whether the numbers also leave as OTLP metrics."""

    enabled: bool = False
    """Yield them as delta metrics too, for the pipeline's exporters that take metrics. Such a metric only grows: what
    is taken out of the rollups again, as a report was of a call that had been counted, stays in it."""
    prefix: str = "genai_collector."
    """Stands before the metrics' names, so that they do not add up with what applications send under the same names."""


class RollupConfig(ComponentConfig):
    """Says how finely calls are told apart, and what is remembered to count each once."""

    interval: Duration = 60.0
    """The length of a row's time slot, whole seconds. A call belongs to the slot in which it started."""
    max_value_length: int = Field(256, ge=1)
    """Characters of the longest value kept in a dimension; longer ones are counted under `__other__`."""
    max_groups: int = Field(1000, ge=1)
    """Most groups kept apart in one batch; those of fewest calls are counted together under `__other__`."""
    uncounted: Literal["move", "keep"] = "move"
    """What becomes of a span that tells of a call but does not count: ``move`` puts `gen_ai.request.model`, usage and
    other attributes that dashboards sum under `genai_collector.uncounted.`; ``keep`` leaves them. Either way
    `genai_collector.uncounted.reason` says why. Spans that were stored before the reason was known stay as they are."""
    memory: MemoryConfig = MemoryConfig()
    """How long calls are remembered."""
    other_signals: SignalsConfig = SignalsConfig()
    """What is counted without spans."""
    metrics: RollupMetricsConfig = RollupMetricsConfig()
    """The same numbers as OTLP metrics."""

    @field_validator("interval")
    @classmethod
    def _whole_seconds(cls, value: float) -> float:
        if value < 1 or value != int(value):
            raise ValueError("is not a whole number of seconds; write it like 60s or 5m")
        return value


class RollupProcessor(Processor):
    """Yields each batch and, where it tells of model calls, the rollup rows of them.

    A call is known by its current attributes, so `genai` goes before. Rows hold counts, sums and histograms
    (`collector.schema.ROLLUPS`); ClickHouse adds them to those of other batches.

    A call that several spans report counts once: a span around another call is a wrapper; two libraries of one process
    may tell of the same response or the same moment; a stream may come in two spans; who answered is heard only where
    who asked says nothing. Such spans may come in any order, in any request: what is found out late becomes a row that
    adds and takes out (negative sums), so that all rows together are right. Spans that do not count say so.

    What no call can have is taken as not said: more than 2^30 tokens of a kind, 8,796 USD or 2 hours and 26 minutes. So
    no request can sum to more than 64 bits hold; ClickHouse's own sums end at 2^63, which are 292 years of calls or 9.2
    billion USD, and go on below zero.

    Where a service (and library) sends no spans, its log events or else its metrics count, never two signals at once.
    """

    Config = RollupConfig
    derives: ClassVar[frozenset[Signal]] = frozenset({Signal.ROLLUPS})
    remembers: ClassVar[bool] = True
    reads: ClassVar[frozenset[str]] = frozenset({"genai", "cost"})

    def __init__(self, config: RollupConfig, host: Host) -> None:
        super().__init__(config, host)
        memory = config.memory
        self._once = Once(MemoryLimits(memory.window, memory.max_calls, memory.max_links))
        self._limits = Limits(int(config.interval), config.max_value_length, config.max_groups)
        signals = config.other_signals
        kept = Kept(signals.forget_after, signals.take_back, signals.max_series, signals.reported_cost)
        self._series = Series(kept, self._limits)

    def start(self) -> None:
        """Learn again what was learned before the process ended."""
        every = self.host.memory.notes()
        notes = [load(data, call_table().classes) for data in every if not data.startswith(MARK)]
        self._once.restore([note for note in notes if note])
        self._series.restore([data for data in every if data.startswith(MARK)])

    def process(self, batch: Batch) -> Iterable[Batch]:
        """Return the batch, and what was derived from it."""
        if batch.signal in _OTHERS:
            return [batch, *self._others(batch, None)] if is_understood(batch) else [batch]
        if batch.signal is not Signal.TRACES or not batch.rows:
            return [batch]
        calls = calls_of(batch, call_table())
        facts = links_of(batch) if calls is None else facts_of(batch, calls, batch.memo(places_of))
        now = self.host.clock()
        self.host.memory.undo(self._once.undo)
        verdict = self._once.learn(facts, now)
        self._remember(verdict, now)
        others = () if calls is None else self._others(batch, calls)
        return [self._told(batch, calls, verdict), *self._rollups(batch, calls, verdict), *others]

    def _others(self, batch: Batch, calls: Calls | None) -> Iterable[Batch]:
        """Return the rows that other signals tell, and that spans void."""
        config: RollupConfig = self.config
        if not config.other_signals.enabled:
            return []
        self.host.memory.undo(self._series.undo)
        now, series = self.host.clock(), self._series
        if calls is not None:
            rows = series.spans(batch, calls, now)
        else:
            rows = series.points(batch, now) if batch.signal is Signal.METRICS else series.records(batch, now)
        for data, until in series.notes(now):
            self.host.memory.note(data, until)
        self.host.metrics.gauge("genai_collector_remembered_series", len(series), processor=self.host.id)
        if series.refused:
            self.host.metrics.count("genai_collector_refused_series_points", series.refused, processor=self.host.id)
        return [] if rows is None else list(self._yielded(batch, f"{self.host.id}/others", rows))

    def _remember(self, verdict: Verdict, now: float) -> None:
        config: RollupConfig = self.config
        if verdict.note:
            self.host.memory.note(dump(verdict.note, call_table().classes), now + config.memory.window)
        self.host.metrics.gauge("genai_collector_remembered_calls", len(self._once), processor=self.host.id)
        self.host.metrics.gauge("genai_collector_remembered_links", self._once.links, processor=self.host.id)

    def _told(self, batch: Batch, calls: Calls | None, verdict: Verdict) -> Batch:
        """Return the batch with a reason on every span that does not count, and no cost but what is summed."""
        if calls is None:
            return batch
        costs = calls.costs[calls.cut & verdict.counts]
        costs = costs[costs >= 0]
        if not verdict.reasons and not len(costs):
            return batch
        config: RollupConfig = self.config
        rows = calls.rows.tolist()
        for reason, count in Counter(verdict.reasons.values()).items():
            self.host.metrics.count("genai_collector_uncounted_spans", count, processor=self.host.id, reason=reason)
        reasons = {rows[place]: reason for place, reason in verdict.reasons.items()}
        return told(batch, reasons, costs, move=config.uncounted == "move")

    def _rollups(self, batch: Batch, calls: Calls | None, verdict: Verdict) -> Iterable[Batch]:
        entries = None if calls is None else entries_of(calls, batch.memo(places_of), verdict.counts)
        if verdict.changes:
            changed = changed_entries(verdict.changes)
            entries = changed if entries is None else together(entries, changed)
        if entries is None or not len(entries.start):
            return
        rows = rollups_of(entries, call_table().classes, self._limits)
        if rows.num_rows:
            yield from self._yielded(batch, self.host.id, rows)

    def _yielded(self, batch: Batch, name: str, rows: pa.RecordBatch) -> Iterable[Batch]:
        rollups = batch.derive(name, Signal.ROLLUPS, {"rollups": rows})
        yield rollups
        yield from self._metrics(rollups)

    def _metrics(self, rollups: Batch) -> Iterable[Batch]:
        config: RollupConfig = self.config
        if config.metrics.enabled:
            moment = int(rollups.id[:15], 16) % (int(config.interval) * 10**9)
            rows = added(rollups.main)
            if rows.num_rows:
                yield rollups.derive("metrics", Signal.METRICS, metrics_of(rows, moment, config.metrics.prefix))
