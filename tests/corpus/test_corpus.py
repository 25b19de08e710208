"""What real instrumentations said of calls whose truth is known: a folder per library and scenario.

`traces-N.pb` are the OTLP requests as they were sent, `truth.json` what the client and the served endpoint saw,
and which of the six numbers the spans can tell at all (``derivable_from_spans``).
"""

import json
from collections import Counter
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from collector.batch import Signal
from collector.component import Host
from collector.otlp.decode import decode
from collector.sketch import middle_of
from processors.genai import GenaiConfig, GenaiProcessor
from processors.rollup import RollupConfig, RollupProcessor

HERE = Path(__file__).parent
NUMBERS = ("calls", "errors", "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens")
RENAMED = {
    "opentelemetry-instrumentation-openai@0.45.6/openrouter": "takes the vendor off the model's name",
    "opentelemetry-instrumentation-openai@0.62.4/openrouter": "takes the vendor off the model's name",
    "opentelemetry-instrumentation-openai-agents@0.62.4/handoff": "says only which model answered",
    "opentelemetry-instrumentation-openai-agents@0.62.4/responses_tools": "says only which model answered",
    "openinference-instrumentation-openai-agents@2.6.0/errors": "does not say the model of a response that failed",
    "openinference-instrumentation-openai-agents@2.6.0/responses_tools": "says only which model answered",
    "openinference-instrumentation-bedrock@0.1.61/invoke_model_cache": "says only which model answered",
    "openlit@1.32.0/embeddings": "does not say the model of an embedding that failed",
}
"""Scenarios whose instrumentation does not say the requested model as it was requested."""

SCENARIOS = sorted(str(path.parent.relative_to(HERE)) for path in HERE.glob("*/*/truth.json"))
RENAMED |= {name: "says only which model answered" for name in SCENARIOS if "langfuse" in name}


def truth_of(scenario):
    return json.loads((HERE / scenario / "truth.json").read_text())


@cache
def rollups_of(scenario):
    genai, rollup = GenaiProcessor(GenaiConfig(), Host("genai")), RollupProcessor(RollupConfig(), Host("rollup"))
    rows = []
    for path in sorted((HERE / scenario).glob("traces-*.pb")):
        for batch in genai.process(decode(Signal.TRACES, path.read_bytes())):
            for derived in rollup.process(batch):
                rows += derived.main.to_pylist() if derived.signal is Signal.ROLLUPS else []
    return rows


def sums_by(rows, column):
    sums = {}
    for row in rows:
        sums.setdefault(row[column] or "None", Counter()).update({name: row[name] for name in NUMBERS})
    return {value: dict(total) for value, total in sums.items()}


def told(numbers):
    return {name: numbers[name] if name in numbers else numbers["reported"][name] for name in NUMBERS}


def test_there_is_a_corpus():
    assert len(SCENARIOS) > 150


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_numbers_that_spans_can_tell_are_exact(scenario):
    truth = truth_of(scenario)
    rows = rollups_of(scenario)
    derivable = [name for name in NUMBERS if truth["derivable_from_spans"][name]]
    expected = told(truth["expected"]["total"])

    assert {name: expected[name] for name in derivable} == {name: sum(row[name] for row in rows) for name in derivable}


COMPLETE = [name for name in SCENARIOS if all(truth_of(name)["derivable_from_spans"].values())]


@pytest.mark.parametrize("scenario", COMPLETE)
def test_services_and_languages(scenario):
    truth = truth_of(scenario)
    rows = rollups_of(scenario)
    processes = {(process["service"], process["language"]) for process in truth["processes"]}
    services = {value: told(numbers) for value, numbers in truth["expected"].get("by_service", {}).items()}

    assert services == sums_by(rows, "service_name")
    assert {(row["service_name"], row["language"]) for row in rows if row["language"] != "unknown"} <= processes


@pytest.mark.parametrize("scenario", [name for name in COMPLETE if name not in RENAMED])
def test_requested_models(scenario):
    expected = truth_of(scenario)["expected"]["by_request_model"]

    assert {value: told(numbers) for value, numbers in expected.items()} == sums_by(
        rollups_of(scenario), "request_model"
    )


@pytest.mark.parametrize("scenario", [name for name in COMPLETE if name.endswith("mixed_200")])
def test_latency(scenario):
    buckets = Counter()
    for row in rollups_of(scenario):
        buckets.update(dict(row["duration_buckets"]))
    durations = np.repeat([1000 * middle_of(bucket) for bucket in buckets], list(buckets.values()))
    exact = truth_of(scenario)["expected"]["total"]["latency_ms"]["p95"]

    assert float(np.percentile(durations, 95)) == pytest.approx(exact, rel=0.05, abs=5)
