import pytest
from pydantic import ValidationError

from processors.genai.table import Dialects, Piece, shipped


def test_every_attribute_says_where_it_comes_from():
    assert all(target.aliases for target in shipped().attributes.values())


def test_no_new_name_is_an_old_one_too():
    assert not shipped().aliases & shipped().attributes.keys()


def test_values_are_known_in_lower_case():
    for target in shipped().attributes.values():
        assert all(value == value.lower() for value in {*target.values, *target.ignored})


@pytest.mark.parametrize(
    ("key", "piece"),
    [
        ("gen_ai.prompt.0.content", Piece("gen_ai.input.messages", 0, "content", 0)),
        ("gen_ai.completion.12.tool_calls.3.id", Piece("gen_ai.output.messages", 12, "tool_call.id", 3)),
        ("gen_ai.completion.0.function_call.name", Piece("gen_ai.output.messages", 0, "tool_call.name", 0)),
        ("gen_ai.prompt.0", None),
        ("gen_ai.prompt.0.", None),
        ("gen_ai.prompt.x.content", None),
        ("gen_ai.prompt.-1.content", None),
        ("gen_ai.prompt.999999999.content", None),
        ("gen_ai.prompt.prompt_filter_results", None),
        ("gen_ai.prompt", None),
        ("gen_ai.completion.0.content_filter_results", None),
        ("other.0.content", None),
    ],
)
def test_numbered_keys(key, piece):
    assert piece == shipped().piece_of(key)


def test_scopes_are_globs():
    assert shipped().rules_of("opentelemetry.instrumentation.openai.v1") == {"openai.response": "chat"}
    assert not shipped().rules_of("other")
    assert shipped().is_exclusive("opentelemetry.instrumentation.botocore.bedrock-runtime")
    assert not shipped().is_exclusive("opentelemetry.instrumentation.anthropic")


def test_an_unknown_word_in_the_table_is_a_mistake():
    with pytest.raises(ValidationError, match="kind"):
        Dialects.model_validate(
            {
                "attributes": {"x": {"kind": "number", "from": ["y"]}},
                "spans": [],
                "messages": {},
                "chunk_events": [],
                "exclusive_input_scopes": [],
            }
        )
