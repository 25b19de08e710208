import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.attributes import attributes_of
from processors.genai.numbered import Numbered
from processors.genai.plan import shipped_planner
from tests.processors.spans import batch_from

INPUT, OUTPUT = "gen_ai.input.messages", "gen_ai.output.messages"
WORDS = {"tool_calls": "tool_call"}
TEXTS = st.text(max_size=8) | st.sampled_from(
    ['"', "\\", "\n", "\t\x00", "[{", '[{"type":"text","text":"x"}]', "plain"]
)
KEYS = st.sampled_from([f"gen_ai.prompt.{n}.{part}" for n in (0, 1, 10) for part in ("role", "content")])


def numbered(*spans):
    attributes = attributes_of(batch_from(*({"attributes": span} for span in spans)))
    return Numbered(attributes, shipped_planner().plan(attributes.names, messages=True).pieces), np.ones(
        len(spans), bool
    )


def word(text):
    return WORDS.get(text, text) or None


@settings(max_examples=100, deadline=None)
@given(spans=st.lists(st.dictionaries(KEYS, TEXTS, max_size=5), min_size=1, max_size=5))
def test_messages_are_in_order_and_keep_every_text(spans):
    found, every = numbered(*spans)
    told = found.messages(INPUT, "user", word, every)

    assert sorted(told) == [row for row, span in enumerate(spans) if span]
    for row, text in told.items():
        numbers = sorted({int(key.split(".")[2]) for key in spans[row]})
        messages = json.loads(text)
        assert len(messages) == len(numbers)
        for number, message in zip(numbers, messages, strict=True):
            content = spans[row].get(f"gen_ai.prompt.{number}.content", "")
            kept = "x" if content.startswith('[{"') else content
            assert message["role"] == (spans[row].get(f"gen_ai.prompt.{number}.role") or "user")
            assert message["parts"] == ([{"type": "text", "content": kept}] if kept else [])


def test_reasons_are_in_the_order_of_the_answers_and_in_todays_words():
    found, every = numbered(
        {"gen_ai.completion.1.finish_reason": "tool_calls", "gen_ai.completion.0.finish_reason": "stop"},
        {"gen_ai.completion.0.finish_reason": ""},
        {"gen_ai.prompt.0.finish_reason": "stop"},
    )

    assert found.reasons(word, every) == {0: ("stop", "tool_call")}
    assert found.reasons(word, ~every) == {}


def test_a_span_without_content_has_no_messages_whoever_it_came_with():
    found, every = numbered(
        {"gen_ai.completion.0.finish_reason": "stop"},
        {"gen_ai.completion.0.finish_reason": "tool_calls", "gen_ai.completion.0.content": "Hi"},
    )
    told = found.messages(OUTPUT, "assistant", word, every)

    assert [json.loads(text) for text in told.values()] == [
        [{"role": "assistant", "parts": [{"type": "text", "content": "Hi"}], "finish_reason": "tool_call"}]
    ]
    assert list(told) == [1]


@pytest.mark.parametrize(("messages", "expected"), [(True, [1, 2]), (False, [2])])
def test_what_is_translated_is_told_by_position(messages, expected):
    found, _ = numbered({"x": 1, "gen_ai.completion.0.content": "Hi", "gen_ai.completion.0.finish_reason": "stop"})

    assert found.positions(messages=messages).tolist() == expected


def test_what_is_no_text_says_nothing():
    found, every = numbered({"gen_ai.prompt.0.content": 7})

    assert found.messages(INPUT, "user", word, every) == {}
