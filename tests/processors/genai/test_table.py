import pytest
from pydantic import ValidationError

from processors.genai.grammar import Dialect, Words
from processors.genai.shipped import extended, shipped
from processors.genai.table import Piece


def test_every_attribute_says_where_it_comes_from():
    assert all(target.sources or target.events for target in shipped().attributes.values())


def test_every_word_of_an_operation_that_is_a_call_is_known():
    words = {word for step in shipped().steps_of("gen_ai.operation.name") if step.word for word in _told(step.word)}

    assert shipped().calls <= words | {"generate_content"}


def _told(word):
    return {told for told in [*word._exact.values(), *(told for _, told in word._globs)] if told}


def test_words_are_found_in_any_case_exactly_or_by_glob_the_first_one():
    word = Words(
        {"Azure": "azure.ai.openai", "openai.*": "openai", "open*": "other", "x": None}, {"Crew"}, closed=False
    )

    assert [word(text) for text in ["azure", "OpenAI.chat", "openrouter", "x", "X", "crew", "", "own"]] == [
        "azure.ai.openai", "openai", "other", None, None, None, None, "own",
    ]  # fmt: skip


def test_long_texts_have_words_too():
    assert Words({"a*": "b"}, frozenset(), closed=True)("a" * 10_000) == "b"


def test_what_the_user_says_of_an_attribute_comes_first():
    own = {"gen_ai.usage.input_tokens": {"from": ["acme.tokens"]}, "acme.team": {"kind": "text", "from": ["team"]}}
    table = extended([Dialect.model_validate({"attributes": own})])

    assert [step.key for step in table.steps_of("gen_ai.usage.input_tokens")][:2] == [
        "acme.tokens",
        "gen_ai.usage.prompt_tokens",
    ]
    assert table.targets_of(["team"])["acme.team"].sources == ("team",)


def test_every_account_is_asked_after_the_places_of_an_attribute():
    own = {"attributes": {"gen_ai.usage.input_tokens": {"account": ["billed"]}}, "accounts": ["acme#/usage", "acme#"]}
    table = extended([Dialect.model_validate(own)])
    steps = table.steps_of("gen_ai.usage.input_tokens")
    first = [step.key for step in steps].index("acme")

    assert steps[first].accounts == (("usage",), ())
    assert steps[first].names[:2] == (("billed",), ("prompt_tokens",))
    assert all(step.names for step in steps[first:])
    assert not any(step.names for step in steps[:first])
    assert str(steps[first]).startswith("acme#/usage or , /billed or /prompt_tokens or ")


def test_values_of_the_user_win_over_those_of_the_table():
    own = {"gen_ai.provider.name": {"values": {"openai": "ours", "acme": "acme_ai"}}}
    words = extended([Dialect.model_validate({"attributes": own})]).attributes["gen_ai.provider.name"].values

    assert (words["openai"], words["acme"], words["azure"]) == ("ours", "acme_ai", "azure.ai.openai")


@pytest.mark.parametrize(
    ("key", "piece"),
    [
        ("gen_ai.prompt.0.content", Piece("gen_ai.input.messages", 0, "content", 0, 0)),
        ("gen_ai.completion.12.tool_calls.3.id", Piece("gen_ai.output.messages", 12, "tool_call.id", 3, 1)),
        ("gen_ai.completion.0.function_call.name", Piece("gen_ai.output.messages", 0, "tool_call.name", 0, 1)),
        (
            "llm.input_messages.2.message.tool_calls.1.tool_call.id",
            Piece("gen_ai.input.messages", 2, "tool_call.id", 1, 2),
        ),
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
    [rule] = shipped().rules_of("opentelemetry.instrumentation.openai.v1")
    bedrock = shipped().exclusive_rules_of("opentelemetry.instrumentation.botocore.bedrock-runtime")
    others = shipped().exclusive_rules_of("opentelemetry.instrumentation.anthropic")

    assert (rule.name, rule.operation) == ("openai.response", "chat")
    assert not shipped().rules_of("other")
    assert [rule for rule in bedrock if rule not in others]


@pytest.mark.parametrize(
    ("told", "problem"),
    [
        ({"attributes": {"x": {"kind": "numbr"}}}, "kind"),
        ({"attributes": {"x": {"kind": "text", "from": ["#/a"]}}}, "no key"),
        ({"attributes": {"x": {"kind": "text", "from": [{"key": "k#a"}]}}}, "no key"),
        ({"spans": [{"scope": "x"}]}, "operation"),
        ({"failures": [{"pattern": "(", "error_type": "x"}]}, "pattern"),
    ],
)
def test_an_unknown_word_in_a_table_is_a_mistake(told, problem):
    with pytest.raises(ValidationError, match=problem):
        Dialect.model_validate(told)
