"""What the spans of a scenario cost together is what its rollups say, to the nano-dollar."""

import numpy as np
import pytest

from collector.batch import Signal
from collector.component import Host
from collector.otlp.decode import decode
from processors.cost import COST, CostConfig, CostProcessor
from processors.genai import GenaiConfig, GenaiProcessor
from processors.rollup import RollupConfig, RollupProcessor
from tests.corpus.test_corpus import HERE, SCENARIOS
from tests.processors.spans import attributes_of_spans

OTHERWISE = {"opentelemetry-instrumentation-genai-anthropic@1.3b0/errors"}
"""A stream that was cut, which only the outer span knows: what it used is unknown, and its inner span has a cost."""


def costs_of(scenario):
    """Return what the spans cost, and what the rollups say."""
    genai, rollup = GenaiProcessor(GenaiConfig(), Host("genai")), RollupProcessor(RollupConfig(), Host("rollup"))
    cost = CostProcessor(CostConfig(), Host("cost"))
    cost.start()
    spans = rollups = 0
    for path in sorted((HERE / scenario).glob("traces-*.pb")):
        for current in genai.process(decode(Signal.TRACES, path.read_bytes())):
            for priced in cost.process(current):
                told, *derived = rollup.process(priced)
                spans += sum(attributes.get(COST, 0) for attributes in attributes_of_spans(told))
                rollups += sum(int(np.asarray(one.main.column("cost_nano_usd")).sum()) for one in derived)
    return spans, rollups


@pytest.mark.parametrize("scenario", [name for name in SCENARIOS if name not in OTHERWISE])
def test_costs_are_those_of_the_spans(scenario):
    spans, rollups = costs_of(scenario)

    assert spans == rollups
