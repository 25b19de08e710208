"""The `filter` processor: drops items that a condition holds for."""

from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa

from collector.attributes import offsets_of
from collector.batch import Batch, Signal
from collector.component import Host, Processor
from collector.errors import Permanent
from collector.matching import matched
from collector.places import EVERYWHERE
from collector.rows import Mask, is_understood, kept, with_column
from processors.filter.config import FilterConfig, Rule, matches_of, rules_of
from processors.filter.fields import Frame

_COUNTED = {Signal.TRACES: "spans", Signal.METRICS: "datapoints", Signal.LOGS: "logs"}


class FilterProcessor(Processor):
    """Drops spans, span events, metrics, data points and log records that any condition holds for.

    Conditions are written in a subset of the OpenTelemetry Collector's OTTL; `docs/processors.md` lists it. What else
    there is in OTTL is told as a mistake when the collector starts. Rollups pass untouched.
    """

    Config = FilterConfig

    def __init__(self, config: FilterConfig, host: Host) -> None:
        super().__init__(config, host)
        self._rules = {signal: rules_of(config, signal) for signal in _COUNTED}
        self._matches = {signal: matches_of(config, signal) for signal in _COUNTED}
        self._logged: set[str] = set()

    def process(self, batch: Batch) -> Iterable[Batch]:
        """Return the batch without what is dropped."""
        if batch.signal is Signal.ROLLUPS or not is_understood(batch):
            return [batch]
        rules = self._rules[batch.signal]
        include, exclude = self._matches[batch.signal]
        keep = np.ones(batch.rows, dtype=bool) if include is None else matched(batch, include)
        if exclude is not None:
            keep &= ~matched(batch, exclude)
        of_items = [rule for rule in rules if rule.condition.context != "spanevent"]
        keep &= ~self._found(Frame(batch), of_items, keep)
        left = kept(batch, keep)
        self._count(batch, left)
        of_events = [rule for rule in rules if rule.condition.context == "spanevent"]
        return [self._without_events(one, of_events) for one in left] if of_events else left

    def _found(self, frame: Frame, rules: Sequence[Rule], asked: Mask) -> Mask:
        """Tell for which rows any condition holds; whether one can be told matters only for rows that are *asked*."""
        found = np.zeros(frame.count, dtype=bool)
        for rule in rules:
            answer = rule.condition.ask(frame)
            if (answer.failed & asked & ~found).any():
                self._failed(rule)
            found |= answer.holds
        return found

    def _failed(self, rule: Rule) -> None:
        text = rule.condition.text
        if rule.error_mode == "propagate":
            raise Permanent(f"filter {self.host.id}: the condition {text!r} cannot be told for some items")
        if rule.error_mode == "ignore" and text not in self._logged:
            self._logged.add(text)
            self.host.log.warning(
                "a condition cannot be told for some items, which stay; said once; error_mode: silent is quiet",
                condition=text,
            )

    def _without_events(self, batch: Batch, rules: Sequence[Rule]) -> Batch:
        place = EVERYWHERE[Signal.TRACES][1]
        frame = Frame(batch, events=True)
        keep = ~self._found(frame, rules, np.ones(frame.count, dtype=bool))
        if keep.all():
            return batch
        events = batch.main.column("events")
        ends = np.asarray(events.offsets) - events.offsets[0].as_py()
        left = offsets_of(keep)[ends]
        structs = place.structs(batch).filter(pa.array(keep))
        lists = pa.ListArray.from_arrays(pa.array(left), structs, type=events.type)
        return batch.with_main(with_column(batch.main, "events", lists))

    def _count(self, batch: Batch, left: Sequence[Batch]) -> None:
        dropped = batch.rows - sum(one.rows for one in left)
        if dropped:
            name = f"otelcol_processor_filter_{_COUNTED[batch.signal]}_filtered"
            self.host.metrics.count(name, dropped, filter=self.host.id)
