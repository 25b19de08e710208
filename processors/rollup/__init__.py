"""The `rollup` processor: sums the model calls of a batch into partial rows that add up."""

from collections.abc import Iterable
from typing import ClassVar

from pydantic import Field, field_validator

from collector.batch import Batch, Signal
from collector.component import ComponentConfig, Processor
from collector.units import Duration
from processors.rollup.calls import calls_of, places_of
from processors.rollup.errors import call_table
from processors.rollup.grouping import Limits, rollups_of
from processors.rollup.metrics import metrics_of


class RollupMetricsConfig(ComponentConfig):
    """Says whether the numbers also leave as OTLP metrics."""

    enabled: bool = False
    """Yield them as delta metrics too, for the pipeline's exporters that take metrics."""
    prefix: str = "genai_collector."
    """Stands before the metrics' names, so that they do not add up with what applications send under the same names."""


class RollupConfig(ComponentConfig):
    """Says how finely calls are told apart."""

    interval: Duration = 60.0
    """The length of a row's time slot, whole seconds. A call belongs to the slot in which it started."""
    max_value_length: int = Field(256, ge=1)
    """Characters of the longest value kept in a dimension; longer ones are counted under `__other__`."""
    max_groups: int = Field(1000, ge=1)
    """Most groups kept apart in one batch; those of fewest calls are counted together under `__other__`."""
    metrics: RollupMetricsConfig = RollupMetricsConfig()
    """The same numbers as OTLP metrics."""

    @field_validator("interval")
    @classmethod
    def _whole_seconds(cls, value: float) -> float:
        if value < 1 or value != int(value):
            raise ValueError("is not a whole number of seconds; write it like 60s or 5m")
        return value


class RollupProcessor(Processor):
    """Yields each batch of traces as it is and, where it holds model calls, the rollup rows of them.

    A call is known by its current attributes, so `genai` goes before. Rows hold counts, sums and histograms
    (`collector.schema.ROLLUPS`) of this batch alone; ClickHouse adds them to those of other batches.
    """

    Config = RollupConfig
    derives: ClassVar[frozenset[Signal]] = frozenset({Signal.ROLLUPS})

    def process(self, batch: Batch) -> Iterable[Batch]:
        """Return the batch, and what was derived from it."""
        if batch.signal is not Signal.TRACES or not batch.rows:
            return [batch]
        table = call_table()
        calls = calls_of(batch, table)
        if calls is None:
            return [batch]
        config: RollupConfig = self.config
        limits = Limits(int(config.interval), config.max_value_length, config.max_groups)
        rows = rollups_of(calls, places_of(batch), table.classes, limits)
        rollups = batch.derive(self.host.id, Signal.ROLLUPS, {"rollups": rows})
        return [batch, rollups, *self._metrics(rollups)]

    def _metrics(self, rollups: Batch) -> Iterable[Batch]:
        config: RollupConfig = self.config
        if config.metrics.enabled:
            moment = int(rollups.id[:15], 16) % (int(config.interval) * 10**9)
            yield rollups.derive("metrics", Signal.METRICS, metrics_of(rollups.main, moment, config.metrics.prefix))
