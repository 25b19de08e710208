"""Sums that do not depend on how spans were batched."""

import json
from collections import Counter, defaultdict
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from collector.batch import Signal
from collector.bounds import MOST_NANODOLLARS, MOST_NANOSECONDS, MOST_TOKENS
from collector.component import Host
from collector.prices.book import shipped
from collector.schema import CONTEXT_BANDS, ROLLUP_DIMENSIONS, ROLLUP_MAPS, ROLLUP_SUMS, ROLLUPS
from collector.sketch import middle_of
from processors.rollup import RollupConfig, RollupProcessor
from tests.processors.items import batch_of_items
from tests.processors.spans import START, batch_of, span_of

MINUTE = 60 * 10**9
CHAT = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o"}


def request(spans):
    """Return a batch of (service, span) with one ResourceSpans per span, as requests may come."""
    resources = [
        {
            "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]},
            "scopeSpans": [{"spans": [span_of(number, span)]}],
        }
        for number, (service, span) in enumerate(spans)
    ]
    return batch_of(json.dumps({"resourceSpans": resources}).encode())


def rolled(batch, **config):
    processor = RollupProcessor(RollupConfig(**config), Host("rollup"))
    return [derived.main for derived in processor.process(batch) if derived.signal is Signal.ROLLUPS]


def added_up(tables):
    """Return the rows of several tables merged as ClickHouse merges them."""
    sums, maps = defaultdict(Counter), defaultdict(Counter)
    for row in (row for table in tables for row in table.to_pylist()):
        key = (row["time"], *(row[name] for name in ROLLUP_DIMENSIONS))
        sums[key].update({name: row[name] for name in ROLLUP_SUMS})
        for name in ROLLUP_MAPS:
            maps[key, name].update(dict(row[name]))
    return {key: dict(value) for key, value in sums.items()}, {key: dict(value) for key, value in maps.items()}


def percentile(buckets, share):
    """Return the percentile of a histogram, between the two middles it lies between."""
    ordered = sorted(buckets.items())
    values = np.repeat([middle_of(bucket) for bucket, _ in ordered], [count for _, count in ordered])
    return float(np.percentile(values, share))


COUNTS = st.one_of(st.none(), st.integers(0, 10**9))
SPANS = st.fixed_dictionaries(
    {
        "service": st.sampled_from(["a", "b", ""]),
        "model": st.sampled_from(["m", "n", "o" * 300]),
        "operation": st.sampled_from(["chat", "chat", "embeddings", "invoke_agent"]),
        "start": st.integers(START, START + 3 * MINUTE),
        "duration": st.integers(0, 10**11),
        "counts": st.tuples(*[COUNTS] * 7),
        "failed": st.booleans(),
        "first": st.one_of(st.none(), st.floats(0.001, 100)),
    }
)
NAMES = {
    "input_tokens": "gen_ai.usage.input_tokens",
    "output_tokens": "gen_ai.usage.output_tokens",
    "cache_read_tokens": "gen_ai.usage.cache_read.input_tokens",
    "cache_write_tokens": "gen_ai.usage.cache_write.input_tokens",
    "cache_write_1h_tokens": "genai_collector.usage.cache_write_1h.input_tokens",
    "reasoning_tokens": "gen_ai.usage.reasoning.output_tokens",
    "cost_nano_usd": "genai_collector.cost.nano_usd",
}


def asspan_of(made):
    counts = zip(NAMES.values(), made["counts"], strict=True)
    return made["service"], {
        "startTimeUnixNano": str(made["start"]),
        "endTimeUnixNano": str(made["start"] + made["duration"]),
        "status": {"code": 2 if made["failed"] else 0},
        "attributes": {
            "gen_ai.operation.name": made["operation"],
            "gen_ai.request.model": made["model"],
            "gen_ai.request.stream": made["first"] is not None,
            "gen_ai.response.time_to_first_chunk": made["first"],
            "gen_ai.response.finish_reasons": ["stop"],
            **{name: count for name, count in counts if count is not None},
        },
    }


@settings(max_examples=40, deadline=None)
@given(made=st.lists(SPANS, min_size=1, max_size=30), data=st.data())
def test_any_split_in_any_order_gives_the_same(made, data):
    spans = [asspan_of(span) for span in made]
    shuffled = data.draw(st.permutations(spans))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(spans)), max_size=4)))
    parts = [shuffled[start:end] for start, end in zip([0, *cuts], [*cuts, len(spans)], strict=True)]
    together = rolled(request(spans))
    apart = [table for part in parts if part for table in rolled(request(part))]

    assert added_up(together) == added_up(apart)


@settings(max_examples=40, deadline=None)
@given(made=st.lists(SPANS, min_size=1, max_size=30))
def test_the_sums_are_those_of_plain_python(made):
    sums, maps = added_up(rolled(request([asspan_of(span) for span in made])))
    calls = [span for span in made if span["operation"] != "invoke_agent"]
    counts = list(
        zip(
            *((c[0], None if s["operation"] == "embeddings" else c[1], *c[2:]) for s in calls for c in [s["counts"]]),
            strict=True,
        )
    )
    total = Counter()
    for values in sums.values():
        total.update(values)
    for name, told in zip(NAMES, counts, strict=False):
        known = [count for count in told if count is not None]
        assert (sum(known), len(known)) == (total[name], total[f"{name}_calls"])

    assert len(calls) == total["calls"]
    assert sum(span["failed"] for span in calls) == total["errors"]
    assert sum(span["duration"] for span in calls) == total["duration_nano"]

    durations = Counter()
    for (_, name), buckets in maps.items():
        if name == "duration_buckets":
            durations.update(buckets)
    for share in (50, 95, 99):
        exact = float(np.percentile([span["duration"] / 1e9 for span in calls], share)) if calls else 0.0
        assert percentile(durations, share) == pytest.approx(exact, rel=0.01) if calls else not durations


@settings(max_examples=30, deadline=None)
@given(made=st.lists(SPANS, min_size=1, max_size=30), most=st.integers(1, 6))
def test_totals_are_kept_when_groups_are_too_many(made, most):
    batch = request([asspan_of(span) for span in made])
    (whole, _), (folded, _) = added_up(rolled(batch)), added_up(rolled(batch, max_groups=most))
    by_time = [Counter(), Counter()]
    for total, sums in zip(by_time, (whole, folded), strict=True):
        for (time, *_), values in sums.items():
            total.update({(time, name): value for name, value in values.items()})

    assert by_time[0] == by_time[1]
    assert len({key for key in folded if key[1] != "__other__"}) <= max(most - 1, 0) or len(whole) <= most


def test_the_largest_groups_keep_their_names():
    models = ["big"] * 3 + ["middle"] * 2 + ["small", "tiny"]
    spans = [("s", {"attributes": {**CHAT, "gen_ai.request.model": model}}) for model in models]
    [table] = rolled(request(spans), max_groups=3)

    assert table.select(["service_name", "request_model", "calls"]).to_pylist() == [
        {"service_name": "__other__", "request_model": "__other__", "calls": 2},
        {"service_name": "s", "request_model": "big", "calls": 3},
        {"service_name": "s", "request_model": "middle", "calls": 2},
    ]


def test_long_values_go_to_other():
    spans = [("s" * length, {"attributes": CHAT}) for length in (4, 5, 6, 7)]
    [table] = rolled(request(spans), max_value_length=5)

    assert table.select(["service_name", "calls"]).to_pylist() == [
        {"service_name": "__other__", "calls": 2},
        {"service_name": "ssss", "calls": 1},
        {"service_name": "sssss", "calls": 1},
    ]


@pytest.mark.parametrize(("interval", "seconds"), [("1s", 1), ("60s", 60), ("1h", 3600)])
def test_a_call_belongs_to_the_slot_in_which_it_started(interval, seconds):
    start = 1_700_000_039_999_999_999
    span = {"attributes": CHAT, "startTimeUnixNano": str(start), "endTimeUnixNano": str(start + 10 * MINUTE)}
    [table] = rolled(request([("s", span)]), interval=interval)
    slot = start // 10**9 // seconds * seconds

    assert [datetime.fromtimestamp(slot, UTC)] == table.column("time").to_pylist()
    assert table.schema == ROLLUPS


@pytest.mark.parametrize("interval", ["0s", "500ms", "1500ms"])
def test_the_interval_is_whole_seconds(interval):
    with pytest.raises(ValidationError, match="whole number of seconds"):
        RollupConfig(interval=interval)


def test_sums_are_exact():
    large = 2**30 - 1
    spans = [("s", {"attributes": {**CHAT, "gen_ai.usage.input_tokens": large - n}}) for n in range(3)]
    durations = [("s", {"attributes": CHAT, "endTimeUnixNano": str(START + 2**43 - 1 - n)}) for n in range(21)]
    [table] = rolled(request([*spans, *durations]))

    assert 3 * large - 3 == sum(table["input_tokens"].to_pylist())
    assert sum(table["duration_nano"].to_pylist()) == 21 * (2**43 - 1) - 210 + 3 * 1_500_000_000


def test_the_most_of_as_many_calls_as_a_request_can_hold_stays_within_64_bits():
    spans = [
        {"usage.input_tokens": MOST_TOKENS, "cost.nano_usd": MOST_NANODOLLARS},
        {"usage.input_tokens": MOST_TOKENS + 1, "cost.nano_usd": MOST_NANODOLLARS + 1},
    ]
    names = {"usage.input_tokens": "gen_ai.usage.input_tokens", "cost.nano_usd": "genai_collector.cost.nano_usd"}
    told = [{**CHAT, **{names[name]: number for name, number in span.items()}} for span in spans]
    ends = [str(START + MOST_NANOSECONDS + more) for more in range(2)]
    [table] = rolled(
        request([("s", {"attributes": one, "endTimeUnixNano": end}) for one, end in zip(told, ends, strict=True)])
    )

    totals = {
        name: sum(table[name].to_pylist()) for name in ("calls", "input_tokens", "cost_nano_usd", "duration_nano")
    }
    assert totals.pop("calls") == 2
    assert all(0 < 2**20 * total < 2**63 for total in totals.values()), totals


def test_groups_are_told_apart_however_many_dimensions_have_many_values():
    def named(number, start):
        keys = ("gen_ai.provider.name", "gen_ai.request.model", "gen_ai.response.model", "openai.request.service_tier")
        where = ("service.name", "telemetry.sdk.language", "deployment.environment")
        return {
            "resource": {key: f"{number:03}" for key in where},
            "attributes": {"gen_ai.operation.name": "chat", **{key: f"{number:03}" for key in keys}},
            "trace_id": f"{start + number:032x}",
            "start_time_unix_nano": start,
            "end_time_unix_nano": start + 1,
        }

    later = named(0, START + MINUTE)
    batch = batch_of_items(Signal.TRACES, [later, *(named(number, START) for number in range(256))])
    [table] = rolled(batch)

    assert table.num_rows == 257
    keys = list(zip(*(table[name].to_pylist() for name in ("time", *ROLLUP_DIMENSIONS)), strict=True))
    assert keys == sorted(keys)


@pytest.mark.parametrize(
    ("told", "tier"),
    [
        ({}, ""),
        ({"openai.response.service_tier": "priority"}, "priority"),
        ({"openai.request.service_tier": "flex"}, "flex"),
        ({"openai.request.service_tier": "flex", "openai.response.service_tier": "default"}, ""),
        ({"openai.request.service_tier": "auto"}, ""),
        ({"openai.response.service_tier": "Priority"}, "priority"),
        ({"openai.response.service_tier": " Default"}, ""),
        ({"openai.request.service_tier": "batch", "openai.response.service_tier": ""}, "batch"),
        ({"openai.request.service_tier": "batch", "openai.response.service_tier": 1}, "batch"),
    ],
)
def test_the_tier_that_answered_counts(told, tier):
    [table] = rolled(request([("s", {"attributes": {**CHAT, "gen_ai.request.model": "default", **told}})]))

    assert table["service_tier"].to_pylist() == [tier]
    assert table["request_model"].to_pylist() == ["default"]


def test_long_inputs_are_kept_apart():
    counts = [0, 32_000, 32_001, 200_000, 200_001, 10**6]
    spans = [("s", {"attributes": {**CHAT, "gen_ai.usage.input_tokens": count}}) for count in counts]
    [table] = rolled(request([*spans, ("s", {"attributes": CHAT})]))

    bands = dict(zip(table["context_band"].to_pylist(), table["calls"].to_pylist(), strict=True))
    assert bands == {"": 3, "32000": 1, "199999": 1, "200000": 1, "524288": 1}


def test_every_length_at_which_a_price_changes_has_a_band():
    starts = {
        start
        for provider in shipped()["providers"]
        for model in provider["models"]
        for price in (*model["prices"], *model.get("tiers", ()))
        for steps in price.values()
        if isinstance(steps, list)
        for start, _ in steps
    }

    assert starts - {0} <= set(CONTEXT_BANDS)
