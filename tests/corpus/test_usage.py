"""Where usage stands: SigNoz's OpenAI dashboard adds up whatever span has it."""

import pytest

from collector.batch import Signal
from collector.component import Host
from collector.otlp.decode import decode
from processors.genai import GenaiConfig, GenaiProcessor
from tests.corpus.test_corpus import HERE, SCENARIOS, told, truth_of

KEY = "gen_ai.usage.input_tokens"
REPORTED_TWICE = {
    *(f"opentelemetry-instrumentation-genai-anthropic@1.3b0/{name}" for name in (
        "async_calls", "chat_stream", "chat_tools", "errors", "mixed_200", "retries",
    )),
    *(f"opentelemetry-instrumentation-genai-langchain@1.3b0/{name}" for name in ("anthropic_cached", "mixed")),
    "opentelemetry-instrumentation-openai-agents@0.62.4/responses_tools__plus_openai_instr",
    "traceloop-sdk@0.62.4/anthropic_chat_cached",
    "openinference-instrumentation-openai@0.1.66+opentelemetry-instrumentation-openai@0.62.4/one_client",
    *(f"openinference-instrumentation-anthropic@3.1.0/{name}" for name in ("async_calls", "chat_basic", "thinking")),
    *(f"@arizeai.openinference-instrumentation-anthropic(node)@0.2.8/anthropic_{name}" for name in (
        "errors", "stream",
    )),
    # Agents that repeat the sums of their calls.
    "vercel-ai@7.0.173/anthropic",
    *(f"pydantic-ai@1.0.0/agent_tools__instr_v{number}" for number in (1, 2, 3)),
    *(f"pydantic-ai@1.0.0/simple__instr_v{number}" for number in (1, 2)),
    # An answer that was cut after its first instalment of usage.
    "anthropic-sdk-native@2.12.0/errors",
}  # fmt: skip
"""Two instrumentations report each call here, on spans of their own. Spans are stored as they came; what is counted
once is in the rollups."""


def tokens_of(scenario: str) -> int:
    genai = GenaiProcessor(GenaiConfig(), Host("genai"))
    return sum(
        attribute["value"]["int_value"] or 0
        for path in sorted((HERE / scenario).glob("traces-*.pb"))
        for batch in genai.process(decode(Signal.TRACES, path.read_bytes()))
        for attributes in batch.main.column("attributes").to_pylist()
        for attribute in attributes
        if attribute["key"] == KEY
    )


ONCE = [
    name for name in SCENARIOS if truth_of(name)["derivable_from_spans"]["input_tokens"] and name not in REPORTED_TWICE
]


@pytest.mark.parametrize("scenario", ONCE)
def test_every_call_has_its_usage_on_one_span(scenario: str) -> None:
    assert tokens_of(scenario) == told(truth_of(scenario)["expected"]["total"])["input_tokens"]
