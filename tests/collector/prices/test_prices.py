"""Prices: the shipped list, the user's own over it, and the one formula."""

import re
from decimal import Decimal
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from genai_prices import Usage, calc_price
from hypothesis import given
from hypothesis import strategies as st

from collector.errors import ConfigError
from collector.prices import PriceBook, Quantities, Rates, nanodollars, read_own
from collector.prices.book import shipped
from tests import prices

DAY = "2026-11-20"


def dollars(book: PriceBook, model: str, tokens: Quantities, tier: str = "", day: str = DAY) -> float:
    """Return the price of *tokens* of a model written ``provider:model``."""
    provider, _, name = model.partition(":")
    price = book.price(provider, (name,), tier, day)
    assert price is not None
    return nanodollars(tokens, price.rates[price.step(tokens.input)]) / 1e9


def test_the_shipped_list_is_what_its_source_says():
    assert version("genai-prices") in shipped()["source"], "run python -m tests.prices with the day of its release"
    assert prices.PATH.read_text(encoding="utf-8") == prices.text(shipped()["as_of"])
    assert prices.MAKERS.read_text(encoding="utf-8") == prices.makers_text()


MODELS = [
    ("openai", "openai", "gpt-4o-2024-08-06"),
    ("openai", "openai", "gpt-4o-mini"),
    ("openai", "openai", "text-embedding-3-small"),
    ("anthropic", "anthropic", "claude-sonnet-4-5-20250929"),
    ("gcp.gemini", "google", "gemini-2.5-pro"),
    ("x_ai", "x-ai", "grok-3"),
    ("azure.ai.openai", "azure", "gpt-4o-2024-08-06"),
    ("openrouter", "openrouter", "openai/gpt-4o"),
]


@pytest.mark.parametrize(("ours", "theirs", "model"), MODELS)
@given(st.tuples(st.integers(0, 300_000), st.integers(0, 9000), st.integers(0, 5000), st.integers(0, 5000)))
def test_costs_are_those_of_the_source_to_the_nanodollar(ours, theirs, model, counts):
    fresh, read, written, output = counts
    tokens = Quantities(fresh + read + written, read, written, 0, output, 0)
    usage = Usage(
        input_tokens=tokens.input, cache_read_tokens=read, cache_write_tokens=written, output_tokens=tokens.output
    )
    expected = calc_price(usage, model_ref=model, provider_id=theirs).total_price
    if "embedding" in model:
        expected = calc_price(Usage(input_tokens=tokens.input), model_ref=model, provider_id=theirs).total_price
        tokens = tokens._replace(cache_read=0, cache_write=0, output=0)

    assert abs(Decimal(str(dollars(PriceBook(), f"{ours}:{model}", tokens))) - expected) < Decimal("0.000000001")


def test_an_hour_in_the_cache_costs_more_than_five_minutes():
    tokens = Quantities(1000, 0, 1000, 0, 0, 0)
    book = PriceBook()
    five_minutes = dollars(book, "anthropic:claude-sonnet-4-5", tokens)
    hour = dollars(book, "anthropic:claude-sonnet-4-5", tokens._replace(cache_write_1h=1000))

    assert (five_minutes, hour) == (0.00375, 0.006)


@pytest.mark.parametrize(("told", "cost"), [((500, 400), 0.004275), ((300, 400), 0.0042), ((0, 400), 0.0042)])
def test_each_written_token_is_paid_for_once(told, cost):
    tokens = Quantities(1000, 0, *told, 0, 0)

    assert dollars(PriceBook(), "anthropic:claude-sonnet-4-20250514", tokens) == cost


def test_a_tier_has_its_price_and_an_unknown_one_the_standard():
    tokens = Quantities(1_000_000, 0, 0, 0, 0, 0)
    book = PriceBook()

    assert [dollars(book, "openai:gpt-4o", tokens, tier) for tier in ("", "batch", "priority", "odd")] == [
        2.5,
        1.25,
        4.25,
        2.5,
    ]


def test_a_tier_counts_from_its_day():
    tokens = Quantities(1_000_000, 0, 0, 0, 0, 0)

    assert dollars(PriceBook(), "openai:gpt-4o", tokens, "priority", "2026-10-11") == 2.5


@pytest.mark.parametrize(
    ("provider", "model"), [("openai", "my-model"), ("vllm", "gpt-4o"), ("", "nothing-known"), ("openai", "")]
)
def test_what_has_no_price_has_none(provider, model):
    assert PriceBook().price(provider, (model,), "", DAY) is None


def test_the_first_name_that_has_a_price_counts():
    price = PriceBook().price("azure.ai.openai", ("my-deployment", "gpt-4o"), "", DAY)

    assert price is not None
    assert price.rates[0].input == 2_500_000


def test_a_gateway_takes_what_the_maker_does_where_its_list_knows_another_name():
    tokens = Quantities(1_000_000, 0, 0, 0, 0, 0)

    assert dollars(PriceBook(), "openrouter:gpt-4.1", tokens) == dollars(PriceBook(), "openai:gpt-4.1", tokens)
    assert PriceBook().price("openrouter", ("unheard-of",), "", DAY) is None


def own(folder: Path, text: str) -> PriceBook:
    path = folder / "prices.yaml"
    path.write_text(text, encoding="utf-8")
    return PriceBook(read_own(path))


def test_a_model_named_with_its_own_provider_is_that_model():
    book = PriceBook()

    assert book.price("openai", ("openai/gpt-4o",), "", DAY) == book.price("openai", ("gpt-4o",), "", DAY)
    assert book.price("openai", ("mine/gpt-4o",), "", DAY) is None


@pytest.mark.parametrize(
    ("provider", "name", "listed"),
    [
        ("gcp.gemini", "models/gemini-2.5-pro", "google:gemini-2.5-pro"),
        ("gcp.gen_ai", "models/gemini-flash-latest", "google:gemini-flash-latest"),
        ("gcp.gemini", "google/gemini-2.5-pro", "google:gemini-2.5-pro"),
        (
            "gcp.vertex_ai",
            "projects/p1/locations/us-central1/publishers/google/models/gemini-2.5-flash",
            "google:gemini-2.5-flash",
        ),
        ("azure.ai.openai", "azure/gpt-4o", "openai:gpt-4o"),
        ("azure.ai.openai", "azure/gpt-4o-2024-05-13", "openai:gpt-4o-2024-05-13"),
        ("litellm", "openai/gpt-4o", "openai:gpt-4o"),
        ("openrouter", "openai/gpt-4o:nitro", "openrouter:openai/gpt-4o"),
        ("openrouter", "openai/gpt-4o:extended", "openrouter:openai/gpt-4o:extended"),
        ("openai", " gpt-4o ", "openai:gpt-4o"),
    ],
)
def test_a_name_with_a_path_costs_what_the_model_does(provider, name, listed):
    theirs, _, model = listed.partition(":")
    expected = calc_price(Usage(input_tokens=1000, output_tokens=100), model_ref=model, provider_id=theirs).total_price

    assert dollars(PriceBook(), f"{provider}:{name}", Quantities(1000, 0, 0, 0, 100, 0)) == float(expected)


@pytest.mark.parametrize("provider", ["openrouter", "litellm", "deepseek", ""])
@pytest.mark.parametrize("name", ["deepseek/deepseek-chat-v3-0324:free", "deepseek-r1-0528:free", "unheard-of:free"])
def test_free_variants_cost_nothing(provider, name):
    assert dollars(PriceBook(), f"{provider}:{name}", Quantities(1000, 10, 10, 5, 100, 10)) == 0


@pytest.mark.parametrize(
    ("provider", "name"),
    [
        ("openrouter", "deepseek/deepseek-chat-v3-0324:batch"),
        ("openrouter", "anthropic/claude-opus-4.1:thinking"),
        ("", "gemini-1.5-pro:unheard-of"),
        ("vllm", "mine:free"),
        ("ollama", "llama3.2:3b"),
    ],
)
def test_a_variant_without_a_price_of_its_own_has_none(provider, name):
    assert PriceBook().price(provider, (name,), "", DAY) is None


def test_the_first_name_is_asked_for_in_all_its_forms():
    book = PriceBook()

    assert book.price("gcp.gemini", ("models/gemini-2.5-pro", "gemini-2.5-flash"), "", DAY) == book.price(
        "gcp.gemini", ("gemini-2.5-pro",), "", DAY
    )


def test_own_prices_lie_over_the_shipped_ones(tmp_path):
    book = own(
        tmp_path,
        """
        prices:
          - {model: "gpt-4o*", provider: openai, input: 2}
          - {model: "GPT-4O*", provider: openai, from: 2026-11-20, input: 1}
          - {model: my-model, input: 3, output: 12}
          - {model: gpt-4o, tier: batch, input: 0.5}
        """,
    )
    million = Quantities(1_000_000, 0, 0, 0, 1_000_000, 0)

    assert dollars(book, "openai:gpt-4o-mini", million, day="2026-11-19") == 2.6
    assert dollars(book, "openai:gpt-4o-mini", million, day="2026-11-20") == 1.6
    assert dollars(book, "anything:My-Model", million) == 15
    assert dollars(book, "openai:gpt-4o", million, "batch") == 5.5
    assert dollars(book, "azure:gpt-4o", million) == 12.5


def test_own_prices_hold_for_every_name_of_a_model(tmp_path):
    book = own(
        tmp_path,
        """
        prices:
          - {model: gemini-2.5-pro, provider: gcp.gemini, input: 7}
          - {model: my-model-2025-01-01, input: 2}
          - {model: my-model, input: 1}
          - {model: claude-sonnet-4, input: 5}
          - {model: "deepseek/*:free", input: 4}
        """,
    )
    million = Quantities(1_000_000, 0, 0, 0, 0, 0)

    assert dollars(book, "gcp.gemini:models/gemini-2.5-pro", million) == 7
    assert dollars(book, "gcp.vertex_ai:models/gemini-2.5-pro", million) == 2.5
    assert dollars(book, "zz:openai/my-model", million) == 1
    assert dollars(book, "zz:my-model-2025-02-02", million) == 1
    assert dollars(book, "zz:my-model-2025-01-01", million) == 2
    assert dollars(book, "aws.bedrock:us.anthropic.claude-sonnet-4-20250514-v1:0", million) == 5
    assert dollars(book, "openrouter:deepseek/deepseek-chat:free", million) == 4


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("prices: [{model: a, inptu: 1}]", '1:21: prices::0::inptu: unknown key; did you mean "input"?'),
        ("prices: [{input: 1}]", "1:10: prices::0::model: is required; add this key with a value"),
        ("prices: [{model: a, input: -1}]", "1:28: prices::0::input: must be greater than or equal to 0, not -1"),
        ("prices: [{model: a, from: soon}]", '1:27: prices::0::from: must be a day like 2026-07-01, not "soon"'),
        ("[1, 2]", "1:1: must be a map of keys; known: prices"),
        ("", "1:1: must be a map of keys; known: prices"),
        ("prices: [", "1:10: not valid YAML"),
    ],
)
def test_mistakes_in_own_prices_are_told_with_their_place(tmp_path, text, told):
    with pytest.raises(ConfigError, match=re.escape(f"prices.yaml:{told}")):
        own(tmp_path, text)


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(ConfigError, match="no such file"):
        read_own(tmp_path / "none.yaml")


def test_arrays_cost_what_their_members_do():
    rates = Rates(2_500_000, 1_250_000, 3_000_000, 5_000_000, 10_000_000, 12_000_000)
    calls = [
        Quantities(100, 30, 20, 10, 50, 7),
        Quantities(100, 30, 20, 40, 50, 7),
        Quantities(10, 30, 0, 0, 0, 0),
        Quantities(0, 0, 0, 0, 3, 9),
    ]
    columns = Quantities(*np.array(calls).T)

    assert nanodollars(columns, rates).tolist() == [nanodollars(call, rates) for call in calls]
