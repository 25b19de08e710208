"""Realistic metrics of GenAI applications: what an SDK's reader exports once a minute, cumulative.

Of four points one is of a duration and two are of tokens, histograms with the bounds that the semantic conventions
advise, and one is of a counter.
"""

import random
from collections.abc import Mapping
from typing import NamedTuple

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    AGGREGATION_TEMPORALITY_CUMULATIVE,
    HistogramDataPoint,
    Metric,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
)

from tests.bench.marks import MODELS, Value, mark, marked, pairs, resource

PAYLOADS = ("metrics",)
BUCKETS = 15
"""Of every histogram."""
_ROWS_OF_HISTOGRAM = BUCKETS + 4
"""A row in ClickHouse for each bucket, and for count, sum, least and most."""


class _Kind(NamedTuple):
    name: str
    description: str
    unit: str
    bounds: tuple[float, ...]
    more: Mapping[str, Value]


_DURATION = _Kind(
    "gen_ai.client.operation.duration", "GenAI operation duration", "s", tuple(0.01 * 2**n for n in range(14)), {}
)
_TOKENS = _Kind(
    "gen_ai.client.token.usage",
    "Measures number of input and output tokens used",
    "{token}",
    tuple(4.0**n for n in range(14)),
    {},
)
_CHOICES = _Kind(
    "gen_ai.client.generation.choices", "Number of choices returned by chat completions call", "choice", (), {}
)
_TURNS = (
    _DURATION,
    _TOKENS._replace(more={"gen_ai.token.type": "input"}),
    _TOKENS._replace(more={"gen_ai.token.type": "output"}),
    _CHOICES,
)


def is_histogram(number: int) -> bool:
    """Tell whether the point of this number is one of a histogram."""
    return bool(_TURNS[number % len(_TURNS)].bounds)


def rows_of(count: int) -> int:
    """Return in how many rows of samples ClickHouse keeps a request of *count* points."""
    return sum(_ROWS_OF_HISTOGRAM if is_histogram(number) else 1 for number in range(count))


def request(_: str, count: int, chance: random.Random) -> ExportMetricsServiceRequest:
    """Return a request with *count* points of one instance of a service.

    Times and numbers are marks that `tests.bench.payload` finds and replaces.
    """
    provider = chance.choice(("gen_ai.provider.name", "gen_ai.provider.name", "gen_ai.system"))
    metrics = {kind.name: _metric(kind) for kind in _TURNS}
    for number in range(count):
        kind = _TURNS[number % len(_TURNS)]
        told = {**_series(number // len(_TURNS), provider), **kind.more}
        metric = metrics[kind.name]
        if kind.bounds:
            metric.histogram.data_points.append(_histogram(number, kind.bounds, told))
        else:
            metric.sum.data_points.append(_number(number, told))
    found = [metric for metric in metrics.values() if metric.histogram.data_points or metric.sum.data_points]
    scope = ScopeMetrics(metrics=found)
    scope.scope.name, scope.scope.version = "opentelemetry.util.genai.handler", "0.4b0"
    owner = resource(chance)
    owner.attributes.extend(pairs({"service.instance.id": f"instance-{chance.randrange(10**6):06}"}))
    return ExportMetricsServiceRequest(resource_metrics=[ResourceMetrics(resource=owner, scope_metrics=[scope])])


def _metric(kind: _Kind) -> Metric:
    metric = Metric(name=kind.name, description=kind.description, unit=kind.unit)
    told = metric.histogram if kind.bounds else metric.sum
    told.aggregation_temporality = AGGREGATION_TEMPORALITY_CUMULATIVE
    if not kind.bounds:
        metric.sum.is_monotonic = True
    return metric


def _series(number: int, provider: str) -> dict[str, Value]:
    model = list(MODELS)[number % len(MODELS)]
    return {
        "gen_ai.operation.name": "chat",
        provider: "openai",
        "gen_ai.request.model": model,
        "gen_ai.response.model": MODELS[model],
        "server.address": "api.openai.com",
        "server.port": 443,
        "app.tenant": f"tenant-{number // len(MODELS):03}",
    }


def _histogram(number: int, bounds: tuple[float, ...], told: Mapping[str, Value]) -> HistogramDataPoint:
    return HistogramDataPoint(
        start_time_unix_nano=marked("strt", number),
        time_unix_nano=marked("time", number),
        count=marked("cnt", number),
        sum=bounds[5] * (number + 1),
        min=bounds[2],
        max=bounds[-2],
        bucket_counts=[marked("bkt", number)] * BUCKETS,
        explicit_bounds=bounds,
        attributes=pairs(told),
    )


def _number(number: int, told: Mapping[str, Value]) -> NumberDataPoint:
    return NumberDataPoint(
        start_time_unix_nano=marked("strt", number),
        time_unix_nano=marked("time", number),
        as_int=int.from_bytes(mark("sum", number), "little", signed=True),
        attributes=pairs(told),
    )
