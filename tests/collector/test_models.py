"""One name for each model."""

import pytest

from collector.models import model_of


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("gpt-4o-2024-08-06", "gpt-4o"),
        ("openai/gpt-4o", "gpt-4o"),
        ("gpt-4-0613", "gpt-4"),
        ("gpt-4-1106-preview", "gpt-4-preview"),
        ("claude-sonnet-4-5-20250929", "claude-sonnet-4-5"),
        ("anthropic/claude-3-5-sonnet-latest", "claude-3-5-sonnet"),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "claude-sonnet-4-5"),
        ("claude-3-5-sonnet@20240620", "claude-3-5-sonnet"),
        ("models/gemini-2.5-pro", "gemini-2.5-pro"),
        ("Qwen/Qwen2.5-7B-Instruct", "qwen/qwen2.5-7b-instruct"),
        ("ft:gpt-4o-2024-08-06:acme::abc", "ft:gpt-4o-2024-08-06:acme::abc"),
        ("my-gpt4o-deployment", "my-gpt4o-deployment"),
        ("", ""),
        ("openai/", "openai/"),
    ],
)
def test_names_of_one_model(name, model):
    assert model_of(name) == model


def test_a_name_has_one_name():
    assert model_of(model_of("openai/gpt-4o-2024-08-06")) == "gpt-4o"
    assert model_of("x" * 10_000) == "x" * 10_000
