"""All signals of a scenario together, and each alone: never more than the truth, whatever comes first."""

import json

import numpy as np
import pytest

from collector.batch import Signal
from collector.component import Host
from collector.otlp.decode import decode
from processors.genai import GenaiConfig, GenaiProcessor
from processors.rollup import RollupConfig, RollupProcessor
from tests.corpus.test_corpus import HERE, NUMBERS, told, truth_of

SCENARIOS = sorted(
    {
        str(path.parent.relative_to(HERE))
        for kind in ("metrics", "logs")
        for path in HERE.glob(f"*/*/{kind}-*.pb")
        if (path.parent / "truth.json").exists() and (path.parent / "traces-1.pb").exists()
    }
)
LOST = {
    "opentelemetry-instrumentation-openai@0.17.0/async_concurrent": ("calls", "errors"),
    "opentelemetry-instrumentation-openai@0.17.0/mixed_200": ("calls", "errors"),
    "opentelemetry-instrumentation-openai@0.17.0/retries": ("calls", "errors"),
    "opentelemetry-instrumentation-anthropic@0.30.0/mixed_200": ("calls", "errors"),
}
"""Numbers that spans lose and all signals together tell."""
ALONE = {
    "@opentelemetry.instrumentation-openai(node)@0.22.0/mixed_200": ("metrics", NUMBERS[:4]),
    "opentelemetry-instrumentation-genai-langchain@1.3b0/mixed": ("metrics", NUMBERS[:4]),
    "opentelemetry-instrumentation-openai@0.17.0/mixed_200": ("metrics", NUMBERS[:2]),
    "opentelemetry-instrumentation-openai@0.17.0/embeddings": ("metrics", NUMBERS[:4]),
    "opentelemetry-instrumentation-openai@0.62.4/delta_chat_basic": ("metrics", NUMBERS[:4]),
    "pydantic-ai@1.0.0/agent_tools__instr_v2": ("metrics", NUMBERS[:4]),
    "opentelemetry-instrumentation-genai-openai@1.3b0+content/async_concurrent": ("logs", NUMBERS),
    "opentelemetry-instrumentation-genai-openai@1.3b0+content/chat_cached": ("logs", NUMBERS),
    "opentelemetry-instrumentation-genai-openai@1.3b0+content/errors": ("logs", NUMBERS),
    "openlit@1.45.0/anthropic_async_calls": ("logs", NUMBERS),
}
"""Numbers that one signal tells alone."""


def batches_of(scenario, *signals):
    genai = GenaiProcessor(GenaiConfig(), Host("genai"))
    paths = [(Signal(kind), path) for kind in signals for path in sorted((HERE / scenario).glob(f"{kind}-*.pb"))]
    return [batch for signal, path in paths for batch in genai.process(decode(signal, path.read_bytes()))]


def total_of(batches):
    rollup = RollupProcessor(RollupConfig(), Host("rollup"))
    made = [one.main for batch in batches for one in rollup.process(batch) if one.signal is Signal.ROLLUPS]
    return {name: sum(np.asarray(rows.column(name)).sum() for rows in made) for name in NUMBERS}


def test_there_are_scenarios():
    assert len(SCENARIOS) > 12
    assert set(LOST) | set(ALONE) <= set(SCENARIOS)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_all_signals_together(scenario):
    """Are as exact as spans, and more where these lose failures; in whatever order the requests come."""
    batches = batches_of(scenario, "traces", "metrics", "logs")
    total = total_of(batches)
    spans = total_of(batches_of(scenario, "traces"))
    truth = told(truth_of(scenario)["expected"]["total"])
    lost = LOST.get(scenario, ())

    assert {name: truth[name] for name in lost} == {name: total[name] for name in lost}
    if not lost and scenario != "opentelemetry-instrumentation-openai@0.17.0/errors":
        assert total == spans
    assert total_of(batches[::-1]) == total
    for seed in range(2):
        order = np.random.default_rng(seed).permutation(2 * len(batches)) % len(batches)
        assert total_of([batches[number] for number in order.tolist()]) == total


@pytest.mark.parametrize("scenario", ALONE)
def test_one_signal_alone(scenario):
    signal, names = ALONE[scenario]
    batches = batches_of(scenario, signal)
    truth = told(truth_of(scenario)["expected"]["total"])

    assert {name: truth[name] for name in names} == {name: total_of(batches)[name] for name in names}
    assert total_of([*batches, *batches[::-1]]) == total_of(batches)


def test_services_and_models_of_metrics():
    scenario = "opentelemetry-instrumentation-genai-langchain@1.3b0/mixed"
    expected = json.loads((HERE / scenario / "truth.json").read_text())["expected"]["by_request_model"]
    rollup = RollupProcessor(RollupConfig(), Host("rollup"))
    calls = {}
    for batch in batches_of(scenario, "metrics"):
        for made in rollup.process(batch):
            for row in made.main.to_pylist() if made.signal is Signal.ROLLUPS else ():
                calls[row["request_model"]] = calls.get(row["request_model"], 0) + row["calls"]

    assert calls == {model: numbers["calls"] for model, numbers in expected.items()}
