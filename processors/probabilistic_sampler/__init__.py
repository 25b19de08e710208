"""The `probabilistic_sampler` processor: keeps a share of all traces and logs."""

from collections.abc import Iterable
from typing import Literal

import numpy as np
from pydantic import Field

from collector.batch import Batch, Signal
from collector.component import ComponentConfig, Processor
from collector.rows import is_understood, kept
from processors.probabilistic_sampler.carriers import POLICIES, Carrier, LogCarrier, Sources, SpanCarrier
from processors.probabilistic_sampler.decide import Decision, Said, Sampler


class ProbabilisticSamplerConfig(ComponentConfig):
    """Says how much is kept, and by which random number."""

    sampling_percentage: float = Field(ge=0)
    """The share that is kept; 100 and more keep everything, 0 nothing."""
    mode: Literal["hash_seed", "proportional", "equalizing"] = "hash_seed"
    """`hash_seed` hashes the trace id; `proportional` keeps this share of what arrives, `equalizing` no more than this
    share of what there was before any sampling, both by OpenTelemetry's consistent sampling (`tracestate: ot=th:`)."""
    hash_seed: int = Field(0, ge=0, lt=2**32)
    """Hashed together with the id; collectors that are to decide alike need the same."""
    fail_closed: bool = True
    """Drop items whose chance cannot be told: no trace id, a damaged or contradictory `tracestate`."""
    sampling_precision: int = Field(4, ge=1, le=14)
    """Hexadecimal digits of the thresholds that are written."""
    attribute_source: Literal["traceID", "record"] = "traceID"
    """For logs: `record` decides by `from_attribute` even where there is a trace id."""
    from_attribute: str = ""
    """For logs: the attribute that decides where there is no trace id."""
    sampling_priority: str = ""
    """For logs: the attribute with a percentage of its own, 0 to 100."""


class ProbabilisticSamplerProcessor(Processor):
    """Keeps a share of all traces and logs; the same trace id is decided alike by every collector.

    Spans with the attribute `sampling.priority` 0 are dropped, with a positive one kept. Metrics pass untouched, and so
    do rollups: put it behind `rollup` and every number stays exact while only a share of the spans is stored.
    """

    Config = ProbabilisticSamplerConfig

    def process(self, batch: Batch) -> Iterable[Batch]:
        """Return the batch with only the items that are kept."""
        config: ProbabilisticSamplerConfig = self.config
        if batch.signal not in {Signal.TRACES, Signal.LOGS} or not is_understood(batch):
            return [batch]
        sources = Sources(config.mode, config.hash_seed, config.attribute_source == "traceID", config.from_attribute)
        carrier: Carrier = (
            SpanCarrier(batch, sources)
            if batch.signal is Signal.TRACES
            else LogCarrier(batch, sources, config.sampling_priority)
        )
        sampler = Sampler(config.mode, config.sampling_percentage, config.sampling_precision, config.fail_closed)
        said = carrier.said()
        decision = sampler.decide(said)
        self._count(batch, said, decision)
        return kept(carrier.telling(said, decision), decision.keep)

    def _count(self, batch: Batch, said: Said, decision: Decision) -> None:
        items = "traces" if batch.signal is Signal.TRACES else "logs"
        policies = np.where(np.isnan(said.priority), said.source, len(POLICIES) - 2)
        for number, policy in enumerate(POLICIES, start=-1):
            for sampled in (True, False):
                amount = int(np.count_nonzero((policies == number) & (decision.keep == sampled)))
                if amount:
                    self.host.metrics.count(
                        f"otelcol_processor_probabilistic_sampler_count_{items}_sampled",
                        amount,
                        policy=policy,
                        sampled=str(sampled).lower(),
                        processor=self.host.id,
                    )
