"""The `cost` processor: each call's cost on its span, by the prices of its day."""

from typing import Any

import pytest

from collector.component import Host
from collector.errors import ConfigError
from processors.cost import COST, REPORTED, CostConfig, CostProcessor
from tests.processors.spans import attributes_of_spans, batch_from

NOVEMBER = 1_795_176_000 * 10**9  # of 2026


def call(**more: Any) -> dict[str, Any]:
    """Return a span's OTLP/JSON; ``a__b`` stands for ``a.b``, and None takes an attribute away."""
    told = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.usage.input_tokens": 1000,
        "gen_ai.usage.output_tokens": 100,
        **{key.replace("__", "."): value for key, value in more.items()},
    }
    return {
        "startTimeUnixNano": str(NOVEMBER),
        "attributes": {key: value for key, value in told.items() if value is not None},
    }


def costs(*spans: dict[str, Any], **config: Any) -> list[int | None]:
    processor = CostProcessor(CostConfig(**config), Host("cost"))
    processor.start()
    [batch] = processor.process(batch_from(*spans))
    return [found.get(COST) for found in attributes_of_spans(batch)]


def test_a_call_costs_its_tokens():
    assert costs(call()) == [3_500_000]


@pytest.mark.parametrize(
    ("more", "cost"),
    [
        ({"gen_ai__usage__cache_read__input_tokens": 800}, 2_500_000),
        ({"gen_ai__usage__reasoning__output_tokens": 60}, 3_500_000),
        ({"openai__response__service_tier": "priority"}, 5_950_000),
        ({"openai__request__service_tier": "batch"}, 1_750_000),
        ({"openai__request__service_tier": "batch", "openai__response__service_tier": "default"}, 3_500_000),
        ({"openai__request__service_tier": "auto"}, 3_500_000),
        ({"openai__request__service_tier": "batch", "openai__response__service_tier": ""}, 1_750_000),
        ({"openai__request__service_tier": "batch", "openai__response__service_tier": 1}, 1_750_000),
        ({"gen_ai__response__model": "gpt-4o-mini-2024-07-18"}, 210_000),
        ({"gen_ai__response__model": "unheard-of"}, 3_500_000),
        ({"gen_ai__operation__name": "embeddings", "gen_ai__usage__output_tokens": None}, 2_500_000),
        ({"gen_ai__usage__input_tokens": "1000"}, 3_500_000),
        ({"gen_ai__usage__input_tokens": None}, 1_000_000),
        ({"gen_ai__usage__output_tokens": -1}, 2_500_000),
    ],
)
def test_what_a_call_says_decides(more, cost):
    assert costs(call(**more)) == [cost]


@pytest.mark.parametrize(
    "more",
    [
        {"gen_ai__request__model": "unheard-of"},
        {"gen_ai__request__model": None},
        {"gen_ai__usage__input_tokens": None, "gen_ai__usage__output_tokens": None},
        {"gen_ai__usage__input_tokens": 2**40, "gen_ai__usage__output_tokens": -1},
        {"gen_ai__usage__input_tokens": 2**30, "gen_ai__usage__output_tokens": 2**30},
        {"gen_ai__operation__name": "invoke_agent"},
        {"gen_ai__operation__name": None},
    ],
)
def test_what_is_unknown_costs_nothing_known(more):
    assert costs(call(**more)) == [None]


def test_a_long_input_has_its_own_price():
    long = {"gen_ai.provider.name": "gcp.gemini", "gen_ai.request.model": "gemini-2.5-pro"}
    spans = [call(**long, gen_ai__usage__input_tokens=count) for count in (200_000, 200_001)]

    assert costs(*spans) == [200_000 * 1250 + 1_000_000, 200_001 * 2500 + 1_500_000]


def test_calls_of_many_kinds_in_one_batch():
    spans = [
        call(gen_ai__request__model=model, gen_ai__usage__input_tokens=count)
        for count in range(0, 1000, 100)
        for model in ("gpt-4o", "unheard-of", "gpt-4o-mini")
    ]
    one_by_one = [costs(span)[0] for span in spans]

    assert costs(*spans) == one_by_one
    assert len(set(one_by_one)) == 21


@pytest.mark.parametrize(
    ("rule", "known", "unknown"), [("ignore", 3_500_000, None), ("fallback", 3_500_000, 7), ("prefer", 7, 7)]
)
def test_a_reported_cost_counts_when_configured(rule, known, unknown):
    told = {REPORTED: 7e-9}
    assert costs(call(**told), call(**told, gen_ai__request__model="unheard-of"), reported=rule) == [known, unknown]


@pytest.mark.parametrize("odd", [float("nan"), -1.0, "free", 1e9])
def test_an_odd_reported_cost_is_none(odd):
    assert costs(call(**{REPORTED: odd}), reported="prefer") == [3_500_000]


def test_a_batch_that_comes_through_twice_is_priced_once(tmp_path):
    path = tmp_path / "own.yaml"
    path.write_text("prices: [{model: gpt-4o, input: 1, output: 1}]", encoding="utf-8")
    first, second = (CostProcessor(CostConfig(prices=files), Host("cost")) for files in ((), (path,)))
    first.start()
    second.start()
    [batch] = first.process(batch_from(call(), {"attributes": {"a": 1}}))
    [again] = second.process(batch)

    assert [found.get(COST) for found in attributes_of_spans(again)] == [1_100_000, None]


def test_a_mistake_in_a_file_of_prices_keeps_it_from_starting(tmp_path):
    path = tmp_path / "own.yaml"
    path.write_text("prices: [{model: gpt-4o, inputs: 1}]", encoding="utf-8")

    with pytest.raises(ConfigError, match="prices::0::inputs: unknown key"):
        CostProcessor(CostConfig(prices=(path,)), Host("cost")).start()
