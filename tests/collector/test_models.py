"""One name for each model."""

import pytest

from collector.models import model_of, names_of
from collector.prices.book import shipped

VERTEX = "projects/p1/locations/us-central1/publishers"
PROFILE = "arn:aws:bedrock:us-east-1:123456789012:inference-profile"


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
        ("Qwen/Qwen2.5-7B-Instruct", "qwen2.5-7b-instruct"),
        ("mine/Qwen2.5-7B-Instruct", "mine/qwen2.5-7b-instruct"),
        ("openrouter/openai/gpt-4o", "gpt-4o"),
        (f"{VERTEX}/google/models/gemini-2.5-flash", "gemini-2.5-flash"),
        ("publishers/anthropic/models/claude-sonnet-4@20250514", "claude-sonnet-4"),
        ("projects/p1/locations/us-central1/endpoints/123", "projects/p1/locations/us-central1/endpoints/123"),
        (f"{PROFILE}/us.anthropic.claude-sonnet-4-20250514-v1:0", "claude-sonnet-4"),
        ("arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-3-haiku-20240307-v1:0", "claude-3-haiku"),
        ("arn:aws-us-gov:bedrock:us-gov-west-1::foundation-model/amazon.nova-pro-v1:0", "nova-pro"),
        (
            f"arn:aws:bedrock:us-east-1:1:application-{PROFILE[-17:]}/abc",
            "arn:aws:bedrock:us-east-1:1:application-inference-profile/abc",
        ),
        *(
            (f"{region}.anthropic.claude-sonnet-4-5-20250929-v1:0", "claude-sonnet-4-5")
            for region in ("jp", "au", "ca", "apac", "global", "us-gov")
        ),
        ("us.deepseek.r1-v1:0", "r1"),
        ("openai.gpt-oss-120b-1:0", "gpt-oss-120b"),
        ("qwen.qwen3-32b-v1:0", "qwen3-32b"),
        ("anthropic.claude-3-haiku-20240307-v1:0:200k", "claude-3-haiku"),
        ("us.twelvelabs.pegasus-1-2-v1:0", "pegasus-1-2"),
        ("anthropic.claude-opus-5", "claude-opus-5"),
        ("zai.glm-5.3", "glm-5.3"),
        ("openai/gpt-4o:nitro", "gpt-4o"),
        ("openai/gpt-4o:free", "gpt-4o:free"),
        ("openai/gpt-4o:extended", "gpt-4o:extended"),
        (" gpt-4o\n", "gpt-4o"),
        *(
            (name, name)
            for name in (
                "gpt-4.1",
                "claude-3.5-sonnet",
                "gemini-2.5-pro",
                "llama3.2:3b",
                "grok-2.1",
                "text.davinci",
                "my.own.model",
                "llama-v2:1b",
                "@cf/meta/llama-3",
                "qwen.2.5",
                "google.2",
            )
        ),
        ("ft:gpt-4o-2024-08-06:acme::abc", "ft:gpt-4o-2024-08-06:acme::abc"),
        ("my-gpt4o-deployment", "my-gpt4o-deployment"),
        ("", ""),
        ("openai/", "openai/"),
    ],
)
def test_names_of_one_model(name, model):
    assert model_of(name) == model


def test_a_name_has_one_name():
    listed = [model["id"] for provider in shipped()["providers"] for model in provider["models"]]

    assert [name for name in listed if model_of(model_of(name)) != model_of(name)] == []
    assert model_of("x" * 10_000) == "x" * 10_000


def test_one_thing_after_the_other_is_taken_off():
    assert names_of(f"{PROFILE}/us.anthropic.claude-Opus-4-20250514-v1:0")[1:] == (
        "us.anthropic.claude-opus-4-20250514-v1:0",
        "claude-opus-4-20250514-v1:0",
        "claude-opus-4-20250514",
        "claude-opus-4",
    )
    assert names_of("models/gemini-flash-latest") == (
        "models/gemini-flash-latest",
        "gemini-flash-latest",
        "gemini-flash",
    )
