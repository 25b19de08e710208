"""Queries over spans as SigNoz's query service writes them, against what the corpus says.

`queries/traces` holds the statements, over the ``distributed_`` twins; each also runs over the local tables.
"""

from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.clickhouse_http import ClickhouseServer
from tests.exporters.clickhouse.conftest import MakeExporter, Store
from tests.exporters.clickhouse.corpus import HALF_HOUR, SHOP_TRACE, START, Item, spans
from tests.exporters.clickhouse.querying import Answer, Corpus, installed, names_of, near

KINDS = ("Unspecified", "Internal", "Server", "Client", "Producer", "Consumer")
CODES = ("Unset", "Ok", "Error")
MODEL, INPUT, OUTPUT = "gen_ai.request.model", "gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens"
RESPONSE_MODEL, STREAM = "gen_ai.response.model", "gen_ai.request.stream"


def duration(item: Item) -> int:
    return int(item.raw.end_time_unix_nano - item.raw.start_time_unix_nano)


def grouped(key: Callable[[Item], Any], items: list[Item] | None = None) -> dict[Any, list[Item]]:
    groups = defaultdict(list)
    for item in spans() if items is None else items:
        groups[key(item)].append(item)
    return dict(sorted(groups.items()))


def by_service(items: list[Item] | None = None) -> dict[str, list[Item]]:
    return grouped(lambda item: item.service, items)


def kind(item: Item) -> str:
    return KINDS[item.raw.kind]


def failed(items: list[Item]) -> int:
    return sum(item.raw.status.code == 2 for item in items)


def has_model(items: list[Item]) -> list[Item]:
    return [item for item in items if isinstance(item.attributes.get(MODEL), str)]


def list_of_a_service() -> Answer:
    found = sorted(
        by_service()["checkout-api"], key=lambda item: (item.raw.start_time_unix_nano, item.raw.span_id.hex())
    )
    return [
        (
            item.raw.start_time_unix_nano, item.raw.trace_id.hex(), item.raw.span_id.hex(), item.raw.name,
            duration(item), kind(item), str(item.attributes.get("http.response.status_code", "")),
        )
        for item in found[:-21:-1]
    ]  # fmt: skip


def list_of_services_like() -> Answer:
    return [("checkout-api", len(by_service()["checkout-api"]))]


def list_of_an_unknown_service() -> Answer:
    return []


def service_without_environment() -> Answer:
    others = [item for item in spans() if "deployment.environment.name" not in item.resource]
    assert others
    return [(service, len(items)) for service, items in by_service(others).items()]


def rate_by_service() -> Answer:
    minutes = grouped(lambda item: (item.raw.start_time_unix_nano // 10**9 // 60 * 60, item.service))
    return [(*key, len(items)) for key, items in minutes.items()]


def latency_by_service() -> Answer:
    durations = {service: list(map(duration, items)) for service, items in by_service().items()}
    return [
        (service, np.percentile(times, 50), np.percentile(times, 95), max(times))
        for service, times in durations.items()
    ]


def errors_by_model() -> Answer:
    clients = has_model([item for item in spans() if kind(item) == "Client"])
    models = grouped(lambda item: item.attributes[MODEL], clients)
    return [(model, failed(items), failed(items) * 100 / len(items)) for model, items in models.items()]


def openai_dashboard() -> Answer:
    def total(items: list[Item], key: str) -> float | None:
        numbers = [item.attributes[key] for item in items if key in item.attributes]
        return float(sum(numbers)) if numbers else None

    models = grouped(lambda item: item.attributes[MODEL], has_model(spans()))
    return [(model, total(items, INPUT), total(items, OUTPUT), len(items)) for model, items in models.items()]


def number_filter() -> Answer:
    numbers = [item.attributes[INPUT] for item in spans() if item.attributes.get(INPUT, 0) > 100]
    return [(len(numbers), float(min(numbers)))]


def bool_filter() -> Answer:
    found = Counter(item.attributes[STREAM] for item in spans() if STREAM in item.attributes)
    assert found
    return sorted(found.items())


def text_filter() -> Answer:
    models = {str(item.attributes.get(RESPONSE_MODEL, "")) for item in spans()}
    return [(model,) for model in sorted(models) if "mini" in model]


def missing_attribute() -> Answer:
    found = Counter(
        item.raw.name for item in spans() if RESPONSE_MODEL not in item.attributes and kind(item) == "Client"
    )
    return sorted(found.items())


def list_attribute() -> Answer:
    lists = [item.attributes.get("gen_ai.response.finish_reasons", []) for item in spans()]
    return [(sum("tool_calls" in reasons for reasons in lists),)]


def statuses() -> Answer:
    found = Counter((kind(item), item.raw.status.code) for item in spans())
    rows = [(name, CODES[code], code, code == 2, count) for (name, code), count in found.items()]
    return sorted(rows)


def trace_summary() -> Answer:
    starts = [item.raw.start_time_unix_nano for item in spans() if item.raw.trace_id == SHOP_TRACE]
    return [(min(starts), max(starts), 3)]


def trace_detail() -> Answer:
    shop, answer, query = "01" * 8, "02" * 8, "03" * 8
    parent = '[{"traceId":"' + SHOP_TRACE.hex() + '","spanId":"%s","refType":"CHILD_OF"}]'
    root = parent.replace(',"spanId":"%s"', "")
    return [
        (shop, "", "POST /ask", "shop", False, 9_000_000, root, "POST", "", "/ask"),
        (answer, shop, "answer", "chat-svc", False, 8_000_000, parent % shop, "", "", ""),
        (query, answer, "SELECT chats", "chat-svc", True, 2_000_000, parent % answer, "", "chats", ""),
    ]


def root_spans() -> Answer:
    roots = by_service([item for item in spans() if not item.raw.parent_span_id])
    return [(service, len(items), len({item.raw.trace_id for item in items})) for service, items in roots.items()]


def entry_points() -> set[tuple[str, str]]:
    owners = {item.raw.span_id: item.service for item in spans()}
    return {
        (item.service, item.raw.name)
        for item in spans()
        if owners.get(item.raw.parent_span_id, item.service) != item.service or not item.raw.parent_span_id
    }


def service_list() -> Answer:
    entries = by_service([item for item in spans() if (item.service, item.raw.name) in entry_points()])
    return [
        (service, np.percentile(list(map(duration, items)), 99), len(items), failed(items))
        for service, items in entries.items()
    ]


def top_level_operations() -> Answer:
    assert entry_points() > {("shop", "POST /ask"), ("chat-svc", "answer")}
    return [("chat-svc", "answer"), ("shop", "POST /ask")]


def service_map() -> Answer:
    return [("chat-svc", "postgresql", 1, 1, 2_000_000.0), ("shop", "chat-svc", 1, 0, 8_000_000.0)]


def exceptions() -> Answer:
    found = defaultdict(list)
    for item in spans():
        for event in item.raw.events:
            if event.name == "exception":
                texts = {pair.key: pair.value.string_value for pair in event.attributes}
                found[item.service, texts["exception.type"], texts["exception.message"]].append(event.time_unix_nano)
    return [
        (kind, message, service, len(times), 1, max(times)) for (service, kind, message), times in sorted(found.items())
    ]


def data_type(value: Any) -> str:
    return {bool: "bool", int: "float64", float: "float64"}.get(type(value), "string")


def autocomplete_keys() -> Answer:
    found = {(key, "tag", data_type(value)) for item in spans() for key, value in item.attributes.items()}
    return sorted(row for row in found if "gen_ai" in row[0])


def autocomplete_resource_keys() -> Answer:
    return [(key, "string") for key in sorted({key for item in spans() for key in item.resource})]


def autocomplete_values() -> Answer:
    return [(model,) for model in sorted({item.attributes[MODEL] for item in has_model(spans())}) if "gpt" in model]


def autocomplete_numbers() -> Answer:
    found = {item.attributes.get("http.response.status_code") for item in spans()} - {None}
    return [(float(code),) for code in sorted(found)]


def autocomplete_span_fields() -> Answer:
    found = set()
    for item in spans():
        found |= {("kind", "", float(item.raw.kind)), ("kind_string", kind(item), None)}
        code = item.raw.status.code
        found |= {("status_code", "", float(code)), ("status_code_string", CODES[code], None)}
    return sorted(found, key=lambda row: (row[0], row[1], row[2] or 0))


def variable() -> Answer:
    return [(service,) for service in by_service()]


def variable_of_old_dashboards() -> Answer:
    return [(service, True) for service in by_service()]


def second_half_hour() -> Answer:
    later = [item for item in spans() if item.raw.start_time_unix_nano >= (START + HALF_HOUR) * 10**9]
    return [(START + HALF_HOUR, len(later), len({tuple(sorted(item.resource.items())) for item in later}))]


ANSWERS: dict[str, Callable[[], Answer]] = {
    function.__name__: function
    for function in (
        list_of_a_service, list_of_services_like, list_of_an_unknown_service, service_without_environment,
        rate_by_service, latency_by_service, errors_by_model, openai_dashboard, number_filter, bool_filter, text_filter,
        missing_attribute, list_attribute, statuses, trace_summary, trace_detail, root_spans, service_list,
        top_level_operations, service_map, exceptions, autocomplete_keys, autocomplete_resource_keys,
        autocomplete_values, autocomplete_numbers, autocomplete_span_fields, variable, variable_of_old_dashboards,
        second_half_hour,
    )
}  # fmt: skip


@pytest.fixture
def corpus(embedded: Store, make_exporter: MakeExporter) -> Corpus:
    return Corpus(embedded, make_exporter)


@pytest.mark.parametrize("twins", ["distributed", "local"])
@pytest.mark.parametrize("name", names_of("traces"))
def test_the_answer_is_what_the_corpus_says(corpus: Corpus, name: str, twins: str) -> None:
    answer = corpus.answer("traces", name, twins)

    assert answer == near(ANSWERS[name]())
    assert answer or name == "list_of_an_unknown_service"


def test_distributed_twins_answer_the_same(cluster: ClickhouseServer, make_exporter: MakeExporter) -> None:
    with installed(cluster) as store:
        stored = Corpus(store, make_exporter, schema="attach")
        answers = {name: stored.answer("traces", name, "distributed") for name in names_of("traces")}

    assert answers == {name: near(ANSWERS[name]()) for name in answers}


def test_every_row_finds_its_resource(corpus: Corpus) -> None:
    rows = set(corpus.store.rows("SELECT resource_fingerprint, ts_bucket_start FROM signoz_traces.signoz_index_v3"))
    resources = corpus.store.rows("SELECT fingerprint, seen_at_ts_bucket_start FROM signoz_traces.traces_v3_resource")

    assert rows == set(resources)
    assert len({bucket for _, bucket in rows}) == 2
