import json

import pytest

from collector.batch import Signal
from collector.component import Host
from processors.genai import GenaiConfig, GenaiProcessor
from tests.processors.items import batch_of_items, items_of
from tests.processors.spans import attributes_of_spans, batch_from

MESSAGES = [
    {"role": "system", "parts": [{"type": "text", "content": "Be short."}]},
    {"role": "user", "parts": [{"type": "text", "content": "Hi"}]},
    {"role": "assistant", "parts": [{"type": "tool_call", "id": "c", "name": "get", "arguments": {"a": 1}}]},
    {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c", "response": "21C"}]},
]
ANSWER = [{"role": "assistant", "parts": [{"type": "text", "content": "Hello"}], "finish_reason": "stop"}]
CURRENT = {
    "gen_ai.operation.name": "text_completion",
    "gen_ai.provider.name": "azure.ai.openai",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.usage.input_tokens": 20,
    "gen_ai.usage.output_tokens": 5,
    "gen_ai.usage.cache_read.input_tokens": 8,
    "server.address": "me.openai.azure.com",
    "openai.response.system_fingerprint": "fp",
    "gen_ai.input.messages": json.dumps(MESSAGES),
    "gen_ai.output.messages": json.dumps(ANSWER),
}
LEGACY = {
    "llm.request.type": "completion",
    "gen_ai.system": "Azure",
    "gen_ai.usage.prompt_tokens": 20,
    "gen_ai.usage.completion_tokens": 5,
    "gen_ai.usage.cache_read_input_tokens": 8,
    "gen_ai.usage.cached_prompt_text_tokens": 8,
    "llm.usage.total_tokens": 25,
    "gen_ai.openai.api_base": "me.openai.azure.com",
    "gen_ai.openai.system_fingerprint": "fp",
    "gen_ai.prompt.0.role": "system",
    "gen_ai.prompt.0.content": "Be short.",
    "gen_ai.prompt.1.role": "user",
    "gen_ai.prompt.1.content": "Hi",
    "gen_ai.prompt.2.role": "assistant",
    "gen_ai.prompt.2.tool_calls.0.id": "c",
    "gen_ai.prompt.2.tool_calls.0.name": "get",
    "gen_ai.prompt.2.tool_calls.0.arguments": '{"a":1}',
    "gen_ai.prompt.3.role": "tool",
    "gen_ai.prompt.3.content": "21C",
    "gen_ai.prompt.3.tool_call_id": "c",
    "gen_ai.completion.0.role": "assistant",
    "gen_ai.completion.0.content": "Hello",
    "gen_ai.completion.0.finish_reason": "stop",
}


def emitted(batch, emit):
    [result] = GenaiProcessor(GenaiConfig(emit=emit), Host("genai")).process(batch)
    return result


def test_both_writes_the_older_names_beside_todays():
    [found] = attributes_of_spans(emitted(batch_from({"attributes": CURRENT}), "both"))

    assert found == {**CURRENT, **LEGACY}


def test_legacy_writes_the_older_names_alone():
    [found] = attributes_of_spans(emitted(batch_from({"attributes": CURRENT}), "legacy"))

    assert found == {"gen_ai.request.model": "gpt-4o", **LEGACY}


def test_spans_with_both_stay_as_they_are():
    batch = batch_from({"attributes": {**CURRENT, **LEGACY, "gen_ai.response.finish_reasons": ["stop"]}})

    assert emitted(batch, "both") is batch


def test_what_is_older_already_keeps_its_own_words():
    old = {"llm.request.type": "chat", "gen_ai.system": "OpenAI", "gen_ai.usage.prompt_tokens": 3}
    [found] = attributes_of_spans(emitted(batch_from({"attributes": old}), "both"))

    assert {key: found[key] for key in old} == old


def test_other_telemetry_is_left_alone():
    batch = batch_from({"attributes": {"server.address": "db", "gen_ai.input.messages": "[]"}})

    assert emitted(batch, "both") is batch


@pytest.mark.parametrize("text", ["", "x", "{}", "[1]", '[{"parts": 1}]', '[{"parts": [1, {"type": "text"}]}]'])
def test_what_are_no_messages_is_no_reason_to_fail(text):
    batch = batch_from({"attributes": {"gen_ai.operation.name": "chat", "gen_ai.input.messages": text}})
    [found] = attributes_of_spans(emitted(batch, "both"))

    assert not any(key.startswith("gen_ai.prompt.") for key in found)


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("gpt-4o-2024-08-06", "gpt-4o"),
        ("openai/gpt-4o", "gpt-4o"),
        ("models/Gemini-2.5-pro", "gemini-2.5-pro"),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "claude-sonnet-4-5"),
        ("claude-3-5-haiku@20241022", "claude-3-5-haiku"),
        ("gpt-3.5-turbo-0125", "gpt-3.5-turbo"),
        ("mistral-small-latest", "mistral-small"),
        ("ft:gpt-4o-2024-08-06:acme::x", "ft:gpt-4o-2024-08-06:acme::x"),
        ("Qwen/Qwen2.5-7B-Instruct", "qwen2.5-7b-instruct"),
    ],
)
def test_one_name_for_each_model(name, model):
    asked = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "x", "gen_ai.request.model": "x"}
    attributes = {**asked, "gen_ai.response.model": name}
    genai = GenaiProcessor(GenaiConfig(canonical_model=True), Host("genai"))
    [once] = genai.process(batch_from({"attributes": attributes}))
    [twice] = genai.process(once)

    assert attributes_of_spans(once) == [{**attributes, "genai_collector.model": model}]
    assert once is twice


WANTED = {
    "gen_ai.completion.0.content": "Hello",
    "gen_ai.completion.0.content_filter_results": '{"hate":{"filtered":false}}',
    "gen_ai.completion.0.finish_reason": "stop",
    "gen_ai.completion.0.role": "assistant",
    "gen_ai.openai.api_base": "https://x.openai.azure.com/",
    "gen_ai.openai.api_version": "2024-02-01",
    "gen_ai.openai.system_fingerprint": "fp",
    "gen_ai.prompt.0.content": "Hi",
    "gen_ai.prompt.0.role": "user",
    "gen_ai.prompt.prompt_filter_results": '[{"a":1}]',
    "gen_ai.request.max_tokens": 100,
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.request.temperature": 0.5,
    "gen_ai.request.top_p": 0.75,
    "gen_ai.response.model": "gpt-4o-2024-08-06",
    "gen_ai.system": "Azure",
    "gen_ai.usage.completion_tokens": 5,
    "gen_ai.usage.prompt_tokens": 20,
    "llm.request.type": "chat",
}
"""Everything that users of OpenLLMetry's names asked to see."""


@pytest.mark.parametrize("emit", ["both", "legacy"])
def test_everything_wanted_is_there_again_after_a_hop_that_kept_todays_names_alone(emit):
    first = GenaiProcessor(GenaiConfig(remove_originals=True), Host("genai"))
    [current] = first.process(batch_from({"attributes": WANTED}))
    [told] = attributes_of_spans(emitted(current, emit))

    assert len(WANTED) == 19
    assert {key: told.get(key) for key in WANTED} == WANTED


@pytest.mark.parametrize("signal", [Signal.METRICS, Signal.LOGS])
def test_points_and_records_get_the_older_names_too(signal):
    told = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o"}
    item = {"metric": {"name": "gen_ai.client.token.usage"}, "as_int": 5} if signal is Signal.METRICS else {"body": "b"}
    [both] = items_of(emitted(batch_of_items(signal, [{**item, "attributes": told}]), "both"))

    assert both["attributes"] == {**told, "gen_ai.system": "OpenAI", "llm.request.type": "chat"}
