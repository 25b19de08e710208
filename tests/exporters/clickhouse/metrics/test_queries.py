"""SigNoz's statements over real metrics of model calls, against what plain Python makes of the same requests."""

from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from math import inf
from typing import Any, NamedTuple

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from collector.batch import Signal, concat
from collector.otlp.decode import decode
from tests.clickhouse_http import ROOT, ClickhouseServer
from tests.exporters.clickhouse.conftest import MakeExporter, Store
from tests.exporters.clickhouse.corpus import CORPUS, plain
from tests.exporters.clickhouse.metrics.batches import CUMULATIVE, DELTA, TIME, batch_of, metric, point
from tests.exporters.clickhouse.querying import QUERIES, Answer, installed, names_of

SCENARIOS = (
    "opentelemetry-instrumentation-openai@0.17.0/mixed_200",
    "opentelemetry-instrumentation-openai@0.62.4/delta_chat_basic",
    "opentelemetry-instrumentation-openai-v2@2.1b0/mixed_200",
)
MINUTE = 60 * 10**9
TOKENS = "gen_ai.client.token.usage"
DURATION = "gen_ai.client.operation.duration"


class Item(NamedTuple):
    """A point with what it belongs to; *service* is the process that counted it."""

    name: str
    unit: str
    type: str
    temporality: int
    labels: dict[str, Any]
    service: str
    raw: Any

    @property
    def series(self) -> tuple[Any, ...]:
        return self.name, self.service, tuple(sorted(self.labels.items()))


@cache
def files() -> tuple[bytes, ...]:
    return tuple(path.read_bytes() for name in SCENARIOS for path in sorted((CORPUS / name).glob("metrics-*.pb")))


def items(name: str, temporality: int) -> Iterator[Item]:
    for data in files():
        for holder in ExportMetricsServiceRequest.FromString(data).resource_metrics:
            resource = {pair.key: plain(pair.value) for pair in holder.resource.attributes}
            for one in (one for scoped in holder.scope_metrics for one in scoped.metrics if one.name == name):
                kind = one.WhichOneof("data")
                found = getattr(one, kind)
                for raw in found.data_points if found.aggregation_temporality == temporality else ():
                    labels = {pair.key: str(plain(pair.value)) for pair in raw.attributes}
                    yield Item(name, one.unit, kind, temporality, labels, str(sorted(resource.items())), raw)


def last_of(name: str) -> list[Item]:
    """Return the last point of every cumulative series."""
    last: dict[tuple[Any, ...], Item] = {}
    for item in sorted(items(name, CUMULATIVE), key=lambda item: item.raw.time_unix_nano):
        last[item.series] = item
    return list(last.values())


def number(raw: Any) -> float:
    return float(getattr(raw, raw.WhichOneof("value")))


class Asked:
    """Answers statements by name, over the twins or the tables themselves."""

    def __init__(self, store: Store, twins: str) -> None:
        self.store = store
        self.twins = twins

    def __call__(self, name: str) -> Answer:
        text = (QUERIES / "metrics" / f"{name}.sql").read_text()
        assert ".distributed_" in text
        return self.store.rows(text.replace(".distributed_", ".") if self.twins == "local" else text)


@pytest.fixture(scope="module")
def attached(cluster: ClickhouseServer) -> Iterator[Store]:
    with installed(cluster) as store:
        yield store


@pytest.fixture(params=["distributed", "local", "cluster"])
def answer(request: pytest.FixtureRequest, make_exporter: MakeExporter) -> Asked:
    in_cluster = request.param == "cluster"
    store = request.getfixturevalue("attached" if in_cluster else "embedded")
    if store.content != "metrics":
        store.empty()
        options = {"schema": "attach"} if in_cluster else {"metrics_retention": 20_000}
        exporter = make_exporter(store.dsn, **options)
        exporter.export(concat("metrics", [decode(Signal.METRICS, data) for data in files()]))
        for minute, batch in enumerate(growing()):
            exporter.export(batch)
            assert minute < 6
        store.content = "metrics"
    return Asked(store, request.param)


COUNTED = {"input": [100, 160, 400, 60, 120], "output": [0, 6, 12, 18, 24]}
"""What two counters stand at from minute to minute; the process started anew before the fourth."""


def growing() -> list[Any]:
    start = TIME // MINUTE * MINUTE
    return [
        batch_of(
            metric(
                "histogram",
                *(
                    point(
                        {"gen_ai.token.type": kind},
                        count=1,
                        sum=float(totals[minute]),
                        time_unix_nano=start + minute * MINUTE,
                    )
                    for kind, totals in COUNTED.items()
                ),
                name=f"rate.{TOKENS}",
                aggregation_temporality=CUMULATIVE,
            ),
            resource={"service.name": "chat-svc"},
        )
        for minute in range(5)
    ]


def test_tokens_by_model(answer: Asked) -> None:
    expected: dict[tuple[str, str], float] = defaultdict(float)
    for item in last_of(TOKENS):
        expected[item.labels["gen_ai.response.model"], item.labels["gen_ai.token.type"]] += item.raw.sum

    assert len(expected) > 5
    assert answer("tokens_by_model") == [(*key, value) for key, value in sorted(expected.items())]


def test_older_counters(answer: Asked) -> None:
    expected = {
        name: sum(number(item.raw) for item in last_of(name))
        for name in (
            "llm.openai.chat_completions.choices", "llm.openai.chat_completions.tokens",
            "llm.openai.embeddings.vector_size",
        )
    }  # fmt: skip
    duration = "llm.openai.chat_completions.duration"
    expected[f"{duration}.count"] = sum(item.raw.count for item in last_of(duration))

    assert all(expected.values())
    assert answer("older_counters") == sorted(expected.items())


def test_choices_by_reason(answer: Asked) -> None:
    expected: dict[str, float] = defaultdict(float)
    for item in items("gen_ai.client.generation.choices", DELTA):
        expected[item.labels.get("llm.response.finish_reason", "")] += number(item.raw)

    assert expected
    assert answer("choices_by_reason") == sorted(expected.items())


def test_duration_p95(answer: Asked) -> None:
    counts: dict[str, dict[float, float]] = defaultdict(lambda: defaultdict(float))
    for item in items(DURATION, DELTA):
        reached = 0.0
        for bound, count in zip([*item.raw.explicit_bounds, inf], item.raw.bucket_counts, strict=True):
            reached += count
            counts[item.labels["gen_ai.response.model"]][bound] += reached
    found = dict(answer("duration_p95"))

    assert set(found) == set(counts)
    for model, buckets in counts.items():
        assert found[model] == pytest.approx(interpolated(0.95, sorted(buckets.items())))


def test_the_documented_statement_answers_the_same(answer: Asked) -> None:
    text = (ROOT / "docs" / "metrics.md").read_text()
    statement = text.split("```sql")[1].split("```")[0].replace("gen_ai.request.model", "gen_ai.response.model")

    assert dict(answer.store.rows(statement)) == pytest.approx(dict(answer("duration_p95")))


def interpolated(share: float, buckets: list[tuple[float, float]]) -> float:
    """Return the quantile as Prometheus defines it."""
    rank = share * buckets[-1][1]
    place = next(place for place, (_, reached) in enumerate(buckets) if reached >= rank)
    if buckets[place][0] == inf:
        return buckets[-2][0]
    low, before = buckets[place - 1] if place else (0.0, 0.0)
    high, reached = buckets[place]
    return low + (high - low) * (rank - before) / (reached - before)


def test_rate_of_tokens(answer: Asked) -> None:
    start = TIME // MINUTE * 60
    rates = {"input": [1.0, 4.0, 1.0, 1.0], "output": [0.1] * 4}

    assert answer("rate_of_tokens") == [
        (start + 60 * minute, kind, pytest.approx(rate))
        for kind, found in rates.items()
        for minute, rate in enumerate(found, start=1)
    ]


def test_type_lookup(answer: Asked) -> None:
    assert answer("type_lookup") == [
        ("gen_ai.client.generation.choices", "Delta", "Sum", True),
        (f"{DURATION}.bucket", "Cumulative", "Histogram", True),
        (f"{DURATION}.bucket", "Delta", "Histogram", True),
        (f"{TOKENS}.max", "Unspecified", "Gauge", False),
    ]


def test_autocomplete(answer: Asked) -> None:
    known = [*items(TOKENS, CUMULATIVE), *items(TOKENS, DELTA)]
    keys = {key for item in known for key in item.labels}
    last: dict[str, int] = {}
    for item in known:
        model, time = item.labels["gen_ai.response.model"], item.raw.time_unix_nano // 10**6
        last[model] = max(time, last.get(model, 0))
    found = answer("autocomplete_keys")

    assert {name for name, owner, _ in found if owner == "point"} == keys
    assert ("service.name", "resource", "Str") in found
    assert answer("autocomplete_values") == sorted(last.items())


def test_explorer(answer: Asked) -> None:
    found = {row[0]: row[2:] for row in answer("explorer")}
    sizes = len({item.series for item in items("llm.openai.embeddings.vector_size", CUMULATIVE)})
    durations = len({item.series for item in items("llm.openai.chat_completions.duration", CUMULATIVE)})

    assert found["llm.openai.embeddings.vector_size"] == ("Sum", "element", sizes)
    assert found["llm.openai.chat_completions.duration.count"] == ("Sum", "1", durations)
    assert found["llm.openai.chat_completions.duration.sum"] == ("Sum", "s", durations)


def test_every_statement_is_asked() -> None:
    asked = {
        "tokens_by_model", "older_counters", "choices_by_reason", "duration_p95", "rate_of_tokens", "type_lookup",
        "autocomplete_keys", "autocomplete_values", "explorer",
    }  # fmt: skip
    assert set(names_of("metrics")) == asked
