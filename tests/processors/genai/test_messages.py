import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.jsontext import dumped
from processors.genai.documents import document
from processors.genai.messages import Draft, convert
from processors.genai.table import Piece


def message_with_arguments(arguments):
    draft = Draft()
    draft.put(Piece("gen_ai.output.messages", 0, "tool_call.arguments", 0), arguments)
    return draft.message("assistant")


@given(st.text())
def test_any_text_is_kept_as_a_prompt(text):
    if not text:
        assert convert(text, "user") is None
        return
    [message] = json.loads(convert(text, "user"))

    assert {"role": "user", "parts": [{"type": "text", "content": text}]} == message


def test_a_list_of_messages_keeps_its_roles():
    told = [{"role": "system", "content": "Be short."}, {"role": "user", "content": [{"type": "text", "text": "Hi"}]}]

    assert json.loads(convert(json.dumps(told), "user")) == [
        {"role": "system", "parts": [{"type": "text", "content": "Be short."}]},
        {"role": "user", "parts": [{"type": "text", "content": "Hi"}]},
    ]


@pytest.mark.parametrize(("more", "known"), [(0, True), (1, False)])
def test_a_document_of_more_than_4_mib_is_text(more, known):
    text = '"' + "a" * (4 * 2**20 - 2 + more) + '"'

    assert (document(text) == text[1:-1]) is known
    assert (document(text) is None) is not known


def test_messages_in_todays_form_stay():
    told = [{"role": "user", "parts": [{"type": "text", "content": "Hi"}]}]

    assert told == json.loads(convert(json.dumps(told), "user"))


@pytest.mark.parametrize("depth", [100, 101, 990, 100_000])
def test_deep_arguments_are_kept_as_text_at_most(depth):
    text = "[" * depth + "]" * depth
    [part] = json.loads(dumped([message_with_arguments(text)]))[0]["parts"] if depth < 101 else [None]
    kept = message_with_arguments(text)["parts"][0]["arguments"]

    assert (kept == text) is (depth > 100)
    assert part is None or part["type"] == "tool_call"
    assert dumped([message_with_arguments(text)])


def test_half_a_character_is_written_as_json_spells_it():
    text = dumped([message_with_arguments('{"x": "\\ud83d"}')])

    assert text.encode()
    assert r"\ud83d" in text
