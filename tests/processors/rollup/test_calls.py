"""Which spans are calls, and what is read of them: whole batches through the processor."""

import json
from pathlib import Path

import pytest

from collector.batch import Signal
from collector.bounds import MOST_NANOSECONDS
from collector.component import Host
from processors.rollup import RollupConfig, RollupProcessor
from tests.processors.spans import START, batch_from, batch_of, span_of

CHAT = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o"}
CASES = sorted(Path(__file__).with_name("cases").iterdir())


def rollups(batch, **config):
    first, *derived = RollupProcessor(RollupConfig(**config), Host("rollup")).process(batch)

    assert first.main.drop_columns("attributes").equals(batch.main.drop_columns("attributes"))

    return [row for batch in derived for row in batch.main.to_pylist()]


def total(batch, name):
    return sum(row[name] for row in rollups(batch))


def told(row):
    """Return what a row says: no sums of zero and no empty maps."""
    values = {name: dict(value) if isinstance(value, list) else value for name, value in row.items()}
    values["time"] = values["time"].isoformat()
    return {name: value for name, value in values.items() if value not in (0, {}, "")}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_golden_case(case):
    expected = json.loads((case / "expected.json").read_text())
    rows = rollups(batch_of((case / "input.json").read_bytes()), **expected["config"])

    assert expected["rollups"] == json.loads(json.dumps([told(row) for row in rows]))


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"gen_ai.operation.name": "chat"},
        {"gen_ai.request.model": "gpt-4o"},
        {**CHAT, "gen_ai.request.model": ""},
        {**CHAT, "gen_ai.operation.name": "invoke_agent"},
        {**CHAT, "gen_ai.operation.name": "execute_tool"},
        {**CHAT, "gen_ai.operation.name": "fetch_response"},
        {**CHAT, "gen_ai.operation.name": 7},
    ],
)
def test_no_calls(attributes):
    batch = batch_from({"attributes": attributes})

    assert [batch] == list(RollupProcessor(RollupConfig(), Host("rollup")).process(batch))


def test_the_server_side_of_a_call_counts_where_nobody_else_tells_of_it():
    server, client = {"attributes": CHAT, "kind": 2}, {"attributes": CHAT, "kind": 1}

    assert total(batch_from(server), "calls") == 1
    assert total(batch_from(server, client), "calls") == 2
    assert total(batch_from(server, {**client, "traceId": f"{1:032x}"}), "calls") == 1


def span(number, parent=0, operation="chat", **more):
    attributes = {"gen_ai.operation.name": operation, "gen_ai.request.model": "m", "gen_ai.usage.input_tokens": number}
    whole = {"traceId": f"{1:032x}", "spanId": f"{number:016x}", "attributes": attributes, **more}
    return {**whole, "parentSpanId": f"{parent:016x}"} if parent else whole


@pytest.mark.parametrize(
    ("spans", "tokens"),
    [
        ([span(1), span(2, parent=1)], 2),
        ([span(2, parent=1), span(1)], 2),
        ([span(1), span(2, parent=1, operation="task"), span(4, parent=2)], 4),
        ([span(1), span(2, parent=1), span(4, parent=2)], 4),
        ([span(1), span(2, parent=1), span(4, parent=1)], 6),
        ([span(1), span(2, parent=1, operation="embeddings")], 3),
        ([span(1), span(2, parent=1, traceId=f"{9:032x}")], 3),
        ([span(1, parent=1)], 1),
        ([span(1, parent=1), span(2, parent=8)], 3),
        ([span(1), span(2, spanId="", parent=7), span(4, parentSpanId="")], 7),
    ],
)
def test_the_innermost_call_counts(spans, tokens):
    assert tokens == total(batch_from(*spans), "input_tokens")


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, {}),
        ({"status": {"code": 1}}, {}),
        ({"status": {"code": 2}}, {"other": 1}),
        ({"attributes": {**CHAT, "error.type": "RateLimitError"}}, {"rate_limit": 1}),
        ({"attributes": {**CHAT, "error.type": "x", "http.response.status_code": 404}}, {"not_found": 1}),
        ({"attributes": {**CHAT, "error.type": ""}}, {}),
        ({"attributes": {**CHAT, "error.type": 429}}, {"other": 1}),
        ({"attributes": {**CHAT, "error.type": ""}, "status": {"code": 2}}, {"other": 1}),
        ({"attributes": {**CHAT, "error.type": "", "http.response.status_code": 500}}, {"server_error": 1}),
        ({"attributes": {**CHAT, "http.response.status_code": 500}}, {"server_error": 1}),
        ({"attributes": {**CHAT, "http.response.status_code": 200}}, {}),
        ({"events": [{"name": "exception"}]}, {"other": 1}),
        ({"events": [{"name": "other"}]}, {}),
        (
            {
                "events": [
                    {"name": "first", "attributes": [{"key": "exception.type", "value": {"stringValue": "KeyError"}}]},
                    {
                        "name": "exception",
                        "attributes": [{"key": "exception.type", "value": {"stringValue": "openai.APITimeoutError"}}],
                    },
                ]
            },
            {"timeout": 1},
        ),
    ],
)
def test_errors(more, expected):
    [row] = rollups(batch_from({"attributes": CHAT, **more}))

    assert expected == dict(row["errors_by_class"])
    assert sum(expected.values()) == row["errors"]
    assert row["calls"] == 1
    assert bool(row["error_duration_buckets"]) is bool(expected)


@pytest.mark.parametrize(
    ("told", "sums"),
    [
        (0, (0, 1)),
        (5, (5, 1)),
        ("6", (6, 1)),
        (7.0, (7, 1)),
        (-1, (0, 0)),
        (float("nan"), (0, 0)),
        ("", (0, 0)),
        (None, (0, 0)),
        (2**62, (0, 0)),
    ],
)
def test_unknown_is_not_zero(told, sums):
    [row] = rollups(batch_from({"attributes": {**CHAT, "gen_ai.usage.output_tokens": told}}))

    assert sums == (row["output_tokens"], row["output_tokens_calls"])


def test_usage_of_an_answer_that_never_ended_is_unknown():
    usage = {**CHAT, "gen_ai.usage.input_tokens": 100, "error.type": "connection_error"}
    batch = batch_from({"attributes": usage}, {"attributes": {**usage, "gen_ai.response.finish_reasons": ["length"]}})
    [row] = rollups(batch)

    assert (row["calls"], row["errors"]) == (2, 2)
    assert (row["input_tokens"], row["input_tokens_calls"]) == (100, 1)


@pytest.mark.parametrize(
    ("stream", "first", "count"),
    [(True, 0.25, 1), (False, 0.25, 0), (None, 0.25, 0), (True, None, 0), (True, -1.0, 0), (True, float("nan"), 0)],
)
def test_first_tokens_are_those_of_streams(stream, first, count):
    attributes = {**CHAT, "gen_ai.request.stream": stream, "gen_ai.response.time_to_first_chunk": first}
    [row] = rollups(batch_from({"attributes": attributes}))

    assert count == sum(dict(row["time_to_first_token_buckets"]).values())


@pytest.mark.parametrize(
    ("start", "end", "nanos", "timed"),
    [
        (START, START + 5, 5, 1),
        (START, START, 0, 1),
        (START, START - 1, 0, 0),
        (0, START, 0, 0),
        (START, 0, 0, 0),
        (START, START + MOST_NANOSECONDS, MOST_NANOSECONDS, 1),
        (START, START + MOST_NANOSECONDS + 1, 0, 0),
        (START, 2**64 - 1, 0, 0),
    ],
)
def test_durations_that_make_no_sense_are_unknown(start, end, nanos, timed):
    span = {"attributes": CHAT, "startTimeUnixNano": str(start), "endTimeUnixNano": str(end)}
    [row] = rollups(batch_from(span))

    assert nanos == row["duration_nano"]
    assert timed == sum(dict(row["duration_buckets"]).values())


PLACES = [
    ({}, ("", "unknown", "")),
    ({"service.name": "s", "telemetry.sdk.language": "", "deployment.environment": "old"}, ("s", "unknown", "old")),
    ({"service.name": 7, "telemetry.sdk.language": "go", "deployment.environment.name": ""}, ("", "go", "")),
    ({"deployment.environment": "old", "deployment.environment.name": "new"}, ("", "unknown", "new")),
    ({"deployment.environment": "old", "deployment.environment.name": None}, ("", "unknown", "old")),
    ({"service.name": "r", "process.runtime.name": "nodejs"}, ("r", "nodejs", "")),
    ({"service.name": "r", "process.runtime.name": "CPython", "telemetry.sdk.language": ""}, ("r", "python", "")),
    ({"service.name": "r", "process.runtime.name": "CPython", "telemetry.sdk.language": "go"}, ("r", "go", "")),
    ({"service.name": "r", "process.runtime.name": "graphite"}, ("r", "unknown", "")),
]


@pytest.mark.parametrize("times", [1, 5])
def test_places_are_those_of_the_resources(times):
    resources = [
        {"resource": {"attributes": span_of(0, {"attributes": told})["attributes"]}, "scopeSpans": [{"spans": [call]}]}
        for number, (told, _) in enumerate(PLACES * times)
        for call in [span_of(number, {"attributes": CHAT})]
    ]
    rows = rollups(batch_of(json.dumps({"resourceSpans": resources}).encode()))
    found = {(row["service_name"], row["language"], row["environment"]): row["calls"] for row in rows}

    assert found == {place: times for _, place in PLACES}


def test_the_derived_batch_is_named_after_its_parent_and_the_component():
    batch = batch_from({"attributes": CHAT})
    first, again, other = (
        next(b for b in RollupProcessor(RollupConfig(), Host(name)).process(batch) if b.signal is Signal.ROLLUPS)
        for name in ("rollup", "rollup", "rollup/hour")
    )

    assert first.id == again.id
    assert len({first.id, other.id, batch.id}) == 3


@pytest.mark.parametrize(
    ("usages", "sums"),
    [
        ([{"input_tokens": 5}, {"output_tokens": 5}], (2, 0)),
        ([{"input_tokens": 5, "output_tokens": 5}, {}], (1, 0)),
        ([{"input_tokens": 5, "cost": 7}, {"output_tokens": 0}], (2, 1)),
        ([{"cost": 7}, {"cache_read.input_tokens": 5, "cost": 7}], (0, 0)),
    ],
)
def test_calls_with_tokens_and_those_of_them_with_a_cost(usages, sums):
    spans = [{f"gen_ai.usage.{name}": number for name, number in one.items() if name != "cost"} for one in usages]
    costs = [{"genai_collector.cost.nano_usd": one["cost"]} if "cost" in one else {} for one in usages]
    batch = batch_from(*({"attributes": {**CHAT, **told, **cost}} for told, cost in zip(spans, costs, strict=True)))

    assert (total(batch, "usage_calls"), total(batch, "priced_calls")) == sums


def test_calls_that_failed_tell_of_the_cache_but_not_how_many_tell_of_it():
    usage = {**CHAT, "gen_ai.usage.input_tokens": 100, "gen_ai.usage.cache_read.input_tokens": 50}
    failed = {**usage, "error.type": "content_filter", "gen_ai.response.finish_reasons": ["content_filter"]}
    [row] = rollups(batch_from({"attributes": usage}, {"attributes": failed}))

    assert [row[f"cache_covered_{name}"] for name in ("calls", "read_tokens", "input_tokens")] == [1, 100, 200]
    assert (row["calls"], row["errors"]) == (2, 1)


def test_a_call_that_ended_before_it_began_is_not_timed():
    [row] = rollups(batch_from({"attributes": CHAT}, {"attributes": CHAT, "endTimeUnixNano": str(START - 1)}))

    assert (row["calls"], row["timed_calls"]) == (2, 1)
