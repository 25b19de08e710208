import pytest

from processors.genai.plan import shipped_planner
from processors.genai.table import Piece


def plan(*names, messages=True):
    return shipped_planner().plan(names, messages=messages)


def test_keys_that_say_nothing_about_model_calls_need_no_work():
    found = plan("http.method", "app.tenant")

    assert (found.keys, found.works, found.pieces, found.cached) == ([], [], {}, False)


def test_older_names_come_in_the_order_of_the_table_and_only_when_present():
    found = plan("llm.usage.prompt_tokens", "gen_ai.usage.prompt_tokens", "x", "gen_ai.usage.input_tokens")
    [work] = found.works

    assert work.name == "gen_ai.usage.input_tokens"
    assert [step.key for step in work.steps] == ["gen_ai.usage.prompt_tokens", "llm.usage.prompt_tokens"]
    assert set(found.keys) == {work.name, *(step.key for step in work.steps)}


def test_general_keys_say_nothing_where_nothing_has_an_operation():
    found = plan("server.address", "session.id", "gen_ai.openai.api_base")

    assert {step.key for work in found.silent for step in work.steps} == {"gen_ai.openai.api_base"}
    assert {"server.address", "session.id"} < {step.key for work in found.works for step in work.steps}


def test_what_a_span_is_comes_first_and_what_depends_on_others_last():
    found = plan("session.id", "ai.response.msToFirstChunk", "openinference.span.kind", "llm.is_streaming")
    names = [work.name for work in found.works]

    assert (names[0], names[-1]) == ("gen_ai.operation.name", "gen_ai.response.time_to_first_chunk")


@pytest.mark.parametrize("messages", [True, False])
def test_whole_prompts_are_work_only_when_messages_are_wanted(messages):
    assert bool(plan("gen_ai.prompt", messages=messages).works) is messages


def test_numbered_keys_are_known_by_the_number_of_the_key():
    assert plan("x", "gen_ai.prompt.1.content").pieces == {1: Piece("gen_ai.input.messages", 1, "content", 0)}


@pytest.mark.parametrize(
    ("key", "cached"), [("gen_ai.usage.cache_read_input_tokens", True), ("gen_ai.usage.input_tokens", False)]
)
def test_cached_tokens_are_seen_under_either_name(key, cached):
    assert plan(key).cached is cached


def test_keys_too_long_to_be_remembered_are_planned_all_the_same():
    assert plan("x" * 20_000, "gen_ai.system").works == plan("gen_ai.system").works
    assert shipped_planner().rule("x" * 20_000) == shipped_planner().rule("x")
