import hashlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from collector.batch import Signal
from processors.genai.shipped import shipped
from processors.redaction import RedactionProcessor
from tests.processors.items import batch_of_items, cases, items_of, made, run_case


@pytest.mark.parametrize("case", cases(__file__), ids=lambda case: case.stem)
def test_golden_case(case):
    told, expected = run_case(case, RedactionProcessor)

    assert told == expected


def redacted(attributes, **config):
    batch = batch_of_items(Signal.TRACES, [{"attributes": attributes}])
    [result] = made(RedactionProcessor, {"allow_all_keys": True, **config}).process(batch)
    [item] = items_of(result)
    return item.get("attributes", {})


def test_nothing_is_allowed_unless_said():
    batch = batch_of_items(
        Signal.METRICS, [{"attributes": {"a": 1}, "resource": {"b": 2}, "scope": {"attributes": {"c": 3}}}]
    )
    [result] = made(RedactionProcessor, {}).process(batch)

    assert items_of(result) == [{}]


@pytest.mark.parametrize(
    ("function", "digest"),
    [
        ("md5", hashlib.md5(b"x1").hexdigest()),
        ("sha1", hashlib.sha1(b"x1").hexdigest()),
        ("sha3", hashlib.sha3_256(b"x1").hexdigest()),
    ],
)
def test_hashes(function, digest):
    told = redacted(
        {"a": "<x1>", "k": "x1"}, blocked_values=["x[0-9]"], blocked_key_patterns=["^k$"], hash_function=function
    )

    assert told == {"a": f"<{digest}>", "k": digest}


def test_a_keyed_hash_needs_a_key():
    with pytest.raises(ValidationError, match="needs an hmac_key of 32"):
        redacted({}, hash_function="hmac-sha256")
    told = redacted({"k": "x"}, blocked_key_patterns=["k"], hash_function="hmac-sha256", hmac_key="k" * 32)

    assert len(told["k"]) == 64


def test_a_pattern_cannot_hang():
    assert redacted({"a": "a" * 100_000 + "!"}, blocked_values=["^(a+)+$"]) == {"a": "a" * 100_000 + "!"}


MASK = {"messages": {"default": "mask"}}


@pytest.mark.parametrize(
    "text",
    [
        "plain secret",
        '[{"role":"user","content":"secret"}',
        '{"role":"user","content":"x","content":"secret"}',
        '{"anything":["secret",{"deep":"secret"}]}',
        '["secret"]',
        '[{"role":"user","parts":[{"type":"novel","payload":{"x":"secret"}}]}]',
        '[{"role":"narrator","content":"secret"}]',
        '[{"role":"user","name":"secret agent","content":null}]',
        '{"role":"user","content":NaN,"x":"secret"}',
        "[" * 5000 + '"secret"' + "]" * 5000,
        '{"role":"user","content":"\\ud83d secret"}',
        '[[{"role":"user","content":{"text":"secret"}}]]',
        '[{"type":"tool_use","id":"x","name":"f","input":{"q":"secret","n":{"m":"secret"}}}]',
        '[{"role":"user","content":[{"type":"image","source":{"type":"base64","data":"secret"}}]}]',
    ],
)
@pytest.mark.parametrize("key", ["gen_ai.input.messages", "input.value", "gen_ai.prompt.0.content", "ai.prompt"])
def test_no_form_lets_content_through(key, text):
    assert "secret" not in json.dumps(redacted({key: text}, **MASK))
    assert "secret" not in json.dumps(redacted({key: text}, messages={"default": "drop"}))
    assert "secret" not in json.dumps(redacted({key: text}, blocked_values=["secret"]))
    assert redacted({key: text}, messages={"default": "keep"}) == {key: text}


@pytest.mark.parametrize("policy", [{"roles": {"user": "mask"}}, {"parts": {"reasoning": "mask"}}])
def test_what_nobody_knows_is_treated_as_the_worst(policy):
    told = redacted(
        {"gen_ai.input.messages": '[{"role":"narrator","parts":[{"type":"novel","x":"secret"}]}]'}, messages=policy
    )

    assert "secret" not in json.dumps(told)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["role", "type", "content", "parts", "text", "arguments", "tool_calls", "id", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=60, deadline=None)
@given(value=JSON, action=st.sampled_from(["truncate", "mask", "drop"]))
def test_json_stays_json(value, action):
    text = json.dumps([{"role": "user", "parts": [value]}])
    told = redacted({"gen_ai.input.messages": text}, messages={"default": action, "max_length": 2})

    [message] = json.loads(told["gen_ai.input.messages"])
    assert message["role"] == "user"


@settings(max_examples=50, deadline=None)
@given(text=st.text(max_size=40), limit=st.integers(0, 20))
def test_truncation_says_how_long_it_was(text, limit):
    told = redacted({"gen_ai.completion": f" {text}"}, messages={"default": "truncate", "max_length": limit})
    whole = f" {text}"

    expected = whole if len(whole) <= limit else f"{whole[:limit]}...[truncated, {len(whole)} characters]"
    assert told == {"gen_ai.completion": expected} or text.lstrip().startswith(("[", "{"))


def test_what_was_truncated_is_not_truncated_again():
    policy = {"default": "truncate", "max_length": 5}
    once = redacted(
        {"gen_ai.completion": "Hello Bob", "gen_ai.prompt": '[{"role":"user","content":"Hello Bob"}]'}, messages=policy
    )

    assert redacted(once, messages=policy) == once
    assert redacted({"gen_ai.completion": "x" * 50 + "...[truncated, 1 characters]"}, messages=policy) == {
        "gen_ai.completion": "xxxxx...[truncated, 78 characters]"
    }


def test_messages_alone_change_nothing_but_content():
    attributes = {
        "gen_ai.usage.input_tokens": 1,
        "gen_ai.request.model": "m",
        "user.id": "u",
        "message": "kept",
        "content": "kept",
    }

    assert redacted(attributes, messages={"default": "drop"}) == attributes


def test_parameters_of_a_call_stay_but_for_what_was_said_in_them():
    told = redacted(
        {"llm.invocation_parameters": '{"model": "gpt-4o", "input": [{"role": "user", "content": "Hi"}], "top_p": 1}'},
        **MASK,
    )

    assert json.loads(told["llm.invocation_parameters"]) == {
        "model": "gpt-4o",
        "input": [{"role": "user", "content": "****"}],
        "top_p": 1,
    }


def test_links_and_exemplars_are_looked_at_too():
    traces = batch_of_items(
        Signal.TRACES, [{"links": [{"trace_id": "", "span_id": "", "attributes": {"a": "secret"}}]}]
    )
    [result] = made(RedactionProcessor, {"allow_all_keys": True, "blocked_values": ["secret"]}).process(traces)

    assert "secret" not in str(result.main.to_pylist())


def test_mistakes_are_told():
    for config in ({"blocked_values": ["("]}, {"messages": {"roles": {"user": "hide"}}}, {"messages": {"part": {}}}):
        with pytest.raises(ValidationError):
            RedactionProcessor.Config.model_validate(config)


@pytest.mark.parametrize("action", ["mask", "drop"])
def test_counts_inside_what_nobody_knows_stay(action):
    usage = {"input_tokens": 7, "details": {"cache": 3}, "tier": "****"}
    said = {"generations": [[{"text": "a secret"}], [{"message": {"says": "it", "usage_metadata": usage}}]], "a": "b"}
    told = redacted({"output.value": json.dumps(said)}, messages={"default": action})

    assert json.loads(told["output.value"]) == {"generations": [None, [{"message": {"usage_metadata": usage}}]]}


TABLE = shipped()
COUNTED = [
    *sorted({step.key for name in TABLE.counts for step in TABLE.steps_of(name) if step.path is None}),
    *("input_tokens", "output_tokens", "cache_read_tokens", "cache_creation_tokens"),  # Claude Code's events
    *("input_token_count", "cached_content_token_count", "thoughts_token_count", "total_token_count"),  # others'
]


@pytest.mark.parametrize("value", [1234, 1234.0, "1234"])
def test_token_counts_are_never_masked(value):
    told = dict.fromkeys(COUNTED, value)
    blocked = {"blocked_key_patterns": [".*token.*", "usage"], "blocked_values": ["[0-9]+"], "redact_all_types": True}

    assert len(told) > 40
    assert redacted(told, **blocked) == told
    assert redacted({"auth_token": 1234, "user.tokens": "1", "gen_ai.usage.input_tokens": "a b"}, **blocked) == {
        "auth_token": "****", "user.tokens": "****", "gen_ai.usage.input_tokens": "****",
    }  # fmt: skip
