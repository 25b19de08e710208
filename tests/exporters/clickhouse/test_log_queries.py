"""Queries over logs as SigNoz's query service writes them, against what the corpus says.

`queries/logs` holds the statements, over the ``distributed_`` twins; each also runs over the local tables.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from tests.clickhouse_http import ROOT, ClickhouseServer
from tests.exporters.clickhouse.conftest import MakeExporter, Store
from tests.exporters.clickhouse.corpus import Item, body_of, event_of, records, spans, time_of
from tests.exporters.clickhouse.querying import Answer, Corpus, installed, names_of, near

MODEL, INPUT, OUTPUT = "gen_ai.request.model", "gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens"
DETAILS = "gen_ai.client.inference.operation.details"


def counted(keys: Iterable[Any]) -> Answer:
    return [(*key, count) for key, count in sorted(Counter(keys).items())]


def newest_first(items: Iterable[Item]) -> list[Item]:
    """Return the items by time; those of one time in the reverse order of their arrival, as the ids say."""
    return sorted(reversed(list(items)), key=lambda item: time_of(item.raw), reverse=True)


def list_of_a_service() -> Answer:
    found = newest_first(item for item in records() if item.service == "checkout-api")
    return [
        (
            time_of(item.raw), item.raw.severity_text, item.raw.severity_number, item.raw.trace_id.hex(),
            item.raw.span_id.hex(), item.raw.flags, body_of(item.raw), item.scope[0], event_of(item),
        )
        for item in found[:20]
    ]  # fmt: skip


def list_of_an_unknown_service() -> Answer:
    return []


def rate_by_service() -> Answer:
    return counted((time_of(item.raw) // 10**9 // 60 * 60, item.service) for item in records())


def count_by_severity() -> Answer:
    return counted((item.raw.severity_text, item.raw.severity_number) for item in records())


def events() -> Answer:
    empty = Counter(event_of(item) for item in records() if not body_of(item.raw))
    return [(*row, empty[row[0]]) for row in counted((event_of(item),) for item in records())]


def body_contains() -> Answer:
    found = [item for item in records() if "weather in paris" in body_of(item.raw).lower()]
    return [(item.raw.trace_id.hex(), body_of(item.raw)) for item in newest_first(found)[::-1]]


def body_json() -> Answer:
    bodies = [json.loads(body_of(item.raw) or "{}") for item in records()]
    bodies = [body for body in bodies if "finish_reason" in body]
    return counted((body.get("message", {}).get("role", ""), body["finish_reason"]) for body in bodies)


def of_a_trace() -> Answer:
    names = {(item.raw.trace_id, item.raw.span_id): item.raw.name for item in spans()}
    places = [(item.raw.trace_id, item.raw.span_id) for item in records()]
    return counted((place[0].hex(), names[place]) for place in places if place in names)


def number_attribute() -> Answer:
    inputs, outputs = defaultdict(list), defaultdict(list)
    for item in records():
        if INPUT in item.attributes:
            inputs[item.attributes[MODEL]].append(item.attributes[INPUT])
            outputs[item.attributes[MODEL]].append(item.attributes.get(OUTPUT, 0))
    return [(model, float(sum(inputs[model])), sum(outputs[model]) / len(outputs[model])) for model in sorted(inputs)]


def messages() -> Answer:
    parts = (
        json.dumps(part, separators=(",", ":"), sort_keys=True, ensure_ascii=False)
        for item in records()
        if event_of(item) == DETAILS
        for message in item.attributes.get("gen_ai.input.messages", [])
        for part in message["parts"]
    )
    return counted((part,) for part in parts)


def scopes() -> Answer:
    return counted(item.scope for item in records())


def autocomplete_keys() -> Answer:
    kinds = {bool: "bool", int: "float64", float: "float64"}
    found = {(key, kinds.get(type(value), "string")) for item in records() for key, value in item.attributes.items()}
    return sorted(row for row in found if "gen_ai" in row[0])


def autocomplete_resource_keys() -> Answer:
    return [(key, "string") for key in sorted({key for item in records() for key in item.resource})]


def autocomplete_values() -> Answer:
    return sorted({(event_of(item),) for item in records()})


def autocomplete_severities() -> Answer:
    numbers = sorted({item.raw.severity_number for item in records()})
    texts = sorted({item.raw.severity_text for item in records()})
    return [
        *(("severity_number", "", float(number)) for number in numbers),
        *(("severity_text", text, None) for text in texts),
    ]


def variable() -> Answer:
    return sorted({(item.service,) for item in records()})


ANSWERS: dict[str, Callable[[], Answer]] = {
    function.__name__: function
    for function in (
        list_of_a_service, list_of_an_unknown_service, rate_by_service, count_by_severity, events, body_contains,
        body_json, of_a_trace, number_attribute, messages, scopes, autocomplete_keys, autocomplete_resource_keys,
        autocomplete_values, autocomplete_severities, variable,
    )
}  # fmt: skip


@pytest.fixture
def corpus(embedded: Store, make_exporter: MakeExporter) -> Corpus:
    return Corpus(embedded, make_exporter)


@pytest.mark.parametrize("twins", ["distributed", "local"])
@pytest.mark.parametrize("name", names_of("logs"))
def test_the_answer_is_what_the_corpus_says(corpus: Corpus, name: str, twins: str) -> None:
    answer = corpus.answer("logs", name, twins)

    assert answer == near(ANSWERS[name]())
    assert answer or name == "list_of_an_unknown_service"


def test_distributed_twins_answer_the_same(cluster: ClickhouseServer, make_exporter: MakeExporter) -> None:
    with installed(cluster) as store:
        stored = Corpus(store, make_exporter, schema="attach")
        answers = {name: stored.answer("logs", name, "distributed") for name in names_of("logs")}

    assert answers == {name: near(ANSWERS[name]()) for name in answers}


def test_every_record_finds_its_resource(corpus: Corpus) -> None:
    rows = set(corpus.store.rows("SELECT resource_fingerprint, ts_bucket_start FROM signoz_logs.logs_v2"))
    resources = corpus.store.rows("SELECT fingerprint, seen_at_ts_bucket_start FROM signoz_logs.logs_v2_resource")

    assert rows == set(resources)
    assert len({bucket for _, bucket in rows}) == 2


def test_pages_hold_every_record_once_and_in_order(corpus: Corpus) -> None:
    query = "SELECT timestamp, id, trace_id FROM signoz_logs.distributed_logs_v2 {} ORDER BY timestamp DESC, id DESC"
    pages, where = [], ""
    while page := corpus.store.rows(f"{query.format(where)} LIMIT 100"):
        pages += page
        time, last, _ = page[-1]
        where = f"WHERE timestamp < {time} OR (timestamp = {time} AND id < '{last}')"

    assert [(time, trace) for time, _, trace in pages] == [
        (time_of(item.raw), item.raw.trace_id.hex()) for item in newest_first(records())
    ]


def test_the_query_of_the_documentation_answers(corpus: Corpus) -> None:
    text = (ROOT / "docs/logs.md").read_text()
    query = text.partition("```sql\n")[2].partition("```")[0]
    rows = corpus.store.rows(query.replace("'shop'", "'checkout-api'"))

    assert [row[1:] for row in rows] == [(row[8], row[6]) for row in list_of_a_service()]


def test_genai_events_are_kept_whole(corpus: Corpus) -> None:
    """Every body and every attribute, messages of prompts and answers among them, says what was sent."""
    stored = corpus.store.rows(
        "SELECT timestamp, body, attributes_string, attributes_number, attributes_bool FROM signoz_logs.logs_v2"
    )
    by_time = defaultdict(list)
    for time, body, *maps in stored:
        by_time[time].append((body, *maps))

    for item in records():
        texts = {key: value for key, value in item.attributes.items() if not isinstance(value, bool | int | float)}
        texts.setdefault("event.name", event_of(item))
        numbers = {k: v for k, v in item.attributes.items() if isinstance(v, int | float) and not isinstance(v, bool)}
        flags = {key: value for key, value in item.attributes.items() if isinstance(value, bool)}
        rows = by_time[time_of(item.raw)]
        read = [(body, _like(found, texts), *rest) for body, found, *rest in rows]
        wanted = (body_of(item.raw), texts, numbers, flags)
        assert wanted in read
        del rows[read.index(wanted)]
    assert not any(by_time.values())
    messages = {f"gen_ai.{role}.message" for role in ("system", "user", "assistant", "tool")}
    assert {event_of(item) for item in records()} == messages | {"gen_ai.choice", DETAILS}


def _like(found: dict[str, str], wanted: dict[str, Any]) -> dict[str, Any]:
    """Return stored texts as the kinds of values that are wanted."""
    return {
        key: text if isinstance(wanted.get(key), str) else json.loads(text or "null") for key, text in found.items()
    }
