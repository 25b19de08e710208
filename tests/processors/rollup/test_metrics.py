"""Rollups as OTLP metrics: the same numbers, under names that collide with nobody's."""

import json
from collections import Counter, defaultdict
from typing import Any

import numpy as np
from google.protobuf.json_format import MessageToDict
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from collector.batch import Batch, Signal
from collector.component import Host
from collector.otlp.encode import encode
from processors.rollup import RollupConfig, RollupMetricsConfig, RollupProcessor
from processors.rollup.metrics import BOUNDS
from tests.processors.spans import START, batch_of, span_of


def processed(spans: list[tuple[str, dict[str, Any]]], **config: Any) -> list[Batch]:
    by_service = defaultdict(list)
    for number, (service, span) in enumerate(spans):
        by_service[service].append(span_of(number, span))
    request = {
        "resourceSpans": [
            {
                "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]},
                "scopeSpans": [{"spans": found}],
            }
            for service, found in by_service.items()
        ]
    }
    rollup = RollupProcessor(RollupConfig(metrics=RollupMetricsConfig(enabled=True, **config)), Host("rollup"))
    return list(rollup.process(batch_of(json.dumps(request).encode())))


def metrics(batch: Batch) -> dict[str, list[dict[str, Any]]]:
    """Return the points of each metric as their protobuf says, with attributes and resource as plain mappings."""
    found = defaultdict(list)
    request = ExportMetricsServiceRequest.FromString(encode(batch))
    for resource in request.resource_metrics:
        for metric in (metric for scope in resource.scope_metrics for metric in scope.metrics):
            kind = metric.WhichOneof("data")
            data = getattr(metric, kind)
            assert data.aggregation_temporality == 1
            for point in data.data_points:
                told = MessageToDict(point, preserving_proto_field_name=True)
                told["attributes"] = {one.key: one.value.string_value for one in point.attributes}
                told["service"] = [
                    one.value.string_value for one in resource.resource.attributes if one.key == "service.name"
                ]
                found[metric.name].append({**told, "unit": metric.unit, "kind": kind})
    return found


def call(duration: float = 1.0, failed: str = "", **counts: int) -> dict[str, Any]:
    return {
        "endTimeUnixNano": str(START + round(duration * 1e9)),
        "status": {"code": 2 if failed else 0},
        "attributes": {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": "gpt-4o",
            "gen_ai.response.finish_reasons": ["stop"],
            **({"error.type": failed} if failed else {}),
            **{f"gen_ai.usage.{name}_tokens": count for name, count in counts.items()},
        },
    }


def test_one_service_in_full():
    spans = [
        ("a", call(0.3, input=10, output=4)),
        ("a", call(3.0, input=20)),
        ("a", call(200.0, failed="RateLimitError")),
    ]
    [_, rollups, derived] = processed(spans)
    found = metrics(derived)

    assert derived.id != rollups.id
    assert sorted(found) == [
        "genai_collector.gen_ai.client.operation.calls",
        "genai_collector.gen_ai.client.operation.duration",
        "genai_collector.gen_ai.client.operation.errors",
        "genai_collector.gen_ai.client.token.usage",
    ]
    good, bad = found["genai_collector.gen_ai.client.operation.duration"]
    assert (good["count"], bad["count"], bad["attributes"]["error.type"]) == ("2", "1", "rate_limit")
    assert good["attributes"] == {
        "gen_ai.provider.name": "openai",
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "gpt-4o",
    }
    assert np.isclose(good["sum"], 3.3, rtol=0.005)
    assert good["explicit_bounds"] == list(BOUNDS)
    assert [int(count) for count in good["bucket_counts"]] == [0] * 5 + [1] + [0] * 3 + [1] + [0] * 8
    assert good["service"] == ["a"]
    usage = {one["attributes"]["gen_ai.token.type"]: one for one in found["genai_collector.gen_ai.client.token.usage"]}
    assert (usage["input"]["count"], usage["input"]["sum"]) == ("2", 30.0)
    assert (usage["output"]["count"], usage["output"]["sum"]) == ("1", 4.0)
    [calls] = found["genai_collector.gen_ai.client.operation.calls"]
    assert (calls["as_int"], calls["unit"]) == ("3", "{call}")
    assert int(calls["start_time_unix_nano"]) <= int(calls["time_unix_nano"]) < START + 60 * 10**9


def test_cost_is_in_dollars_and_cached_tokens_are_counted():
    attributes = {"gen_ai.usage.cache_read.input_tokens": 7, "genai_collector.cost.nano_usd": 1_500_000_000}
    span = call()
    span["attributes"] |= attributes
    found = metrics(processed([("a", span)])[-1])

    assert found["genai_collector.gen_ai.client.operation.cost"][0]["as_double"] == 1.5
    assert found["genai_collector.gen_ai.client.inference.usage.cache_read.input_tokens"][0]["as_int"] == "7"


def test_the_prefix_is_a_choice():
    found = metrics(processed([("a", call())], prefix="")[-1])

    assert sorted(found) == ["gen_ai.client.operation.calls", "gen_ai.client.operation.duration"]


def test_without_being_asked_for_there_are_none():
    rollup = RollupProcessor(RollupConfig(), Host("rollup"))
    [_, rollups] = rollup.process(processed([("a", call())])[0])

    assert rollups.signal is Signal.ROLLUPS


CALLS = st.tuples(
    st.sampled_from(["a", "b", ""]),
    st.builds(
        call,
        st.floats(0, 1000),
        st.sampled_from(["", "", "TimeoutError", "RateLimitError"]),
        input=st.integers(0, 9000),
        output=st.integers(0, 9000),
    ),
)


@settings(max_examples=40, deadline=None)
@given(st.lists(CALLS, min_size=1, max_size=30))
def test_the_metrics_add_up_to_the_calls(spans):
    found = metrics(processed(spans)[-1])
    durations = found["genai_collector.gen_ai.client.operation.duration"]
    failed = Counter(span["attributes"].get("error.type") for _, span in spans)
    del failed[None]

    assert sum(int(point["count"]) for point in durations) == len(spans)
    assert all(sum(map(int, point["bucket_counts"])) == int(point["count"]) for point in durations)
    assert sum(int(one["as_int"]) for one in found["genai_collector.gen_ai.client.operation.errors"]) == failed.total()
    for kind in ("input", "output"):
        told = sum(span["attributes"][f"gen_ai.usage.{kind}_tokens"] for _, span in spans)
        points = found["genai_collector.gen_ai.client.token.usage"]
        assert sum(point["sum"] for point in points if point["attributes"]["gen_ai.token.type"] == kind) == told
