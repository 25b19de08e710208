"""What counts of a set of spans does not depend on how they come."""

import json
import random
from collections import Counter
from functools import cache
from itertools import pairwise, permutations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collector.batch import Signal, concat
from collector.component import Host
from collector.otlp.decode import decode
from processors.genai import GenaiConfig, GenaiProcessor
from processors.rollup.call_table import call_table
from processors.rollup.calls import calls_of, places_of
from processors.rollup.once import Limits, Once, ledger
from processors.rollup.once.facts import KEY, fact_of, facts_of, links_of
from processors.rollup.once.merging import record_of, report_of
from processors.rollup.once.notes import dump, load
from tests.processors.rollup.once.offline import calls_in
from tests.processors.spans import START, batch_of

CORPUS = Path(__file__).parents[3] / "corpus"
LIMITS = Limits(600.0, 200_000, 500_000)
CLASSES = call_table().classes


def facts_in(batch):
    calls = calls_of(batch, call_table())
    return links_of(batch) if calls is None else facts_of(batch, calls, places_of(batch))


class Told:
    """Adds up what a memory says, and starts it again or takes back a batch when asked."""

    def __init__(self, limits=LIMITS):
        self.limits, self.now = limits, 1000.0
        self.once, self.sums, self.notes = Once(limits), Counter(), []

    def take(self, facts):
        verdict = self.once.learn(facts, self.now)
        self.notes += [(self.now + self.limits.window, dump(verdict.note, CLASSES))] if verdict.note else []
        for place in np.flatnonzero(verdict.counts).tolist():
            self.sums[record_of(report_of(fact_of(0, facts.matrix[:, place].tolist(), facts.words), (), ()))] += 1
        for sign, record in verdict.changes:
            self.sums[record] += sign
        assert len(verdict.reasons) + verdict.counts.sum() <= facts.matrix.shape[1]

    def start_again(self):
        self.once = Once(self.limits)
        self.once.restore([load(note, CLASSES) for until, note in self.notes if until > self.now])

    def refuse(self, facts):
        self.once.learn(facts, self.now)
        self.once.undo()

    @property
    def calls(self):
        return Counter({record: count for record, count in self.sums.items() if count})


def whole(batches):
    """Return what the plain way says of all *batches* together."""
    facts, links = {}, {}
    for batch in batches:
        columns = facts_in(batch)
        for column in columns.matrix.T.tolist():
            facts.setdefault(column[KEY], fact_of(column[KEY], column, columns.words))
        links |= dict(zip(*(line.tolist() for line in columns.links), strict=True))
    return calls_in(facts, links)


def told_by(pieces, chance):
    told = Told()
    for piece in pieces:
        facts = facts_in(piece)
        match chance.integers(8):
            case 0:
                told.refuse(facts)
            case 1:
                told.start_again()
        told.take(facts)
    return told


SCENARIOS = sorted({path.parent for path in CORPUS.glob("*/*/traces-*.pb")})


@cache
def batches_of(scenario):
    genai = GenaiProcessor(GenaiConfig(), Host("genai"))
    requests = [decode(Signal.TRACES, path.read_bytes()) for path in sorted(scenario.glob("traces-*.pb"))]
    return [batch for request in requests for batch in genai.process(request)]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_scenario_in_any_order(scenario):
    batches = batches_of(scenario)
    every = concat("all", batches)
    expected = whole(batches)
    chance = np.random.default_rng(7)
    order = chance.permutation(every.rows)
    edges = sorted({0, every.rows, *chance.integers(0, every.rows, 5).tolist()})
    shuffled = [every.take(order[a:b].tolist()) for a, b in pairwise(edges)]
    one_by_one = [every.take([row]) for row in order[:30].tolist()] + [every.take(order[30:].tolist())]

    for pieces in ([every], [*batches, every], [*shuffled, *shuffled], one_by_one):
        assert expected == told_by(pieces, chance).calls


MS = 1_000_000
SCOPES = ("openai", "langchain", "native")


SPAN = {
    "scope": SCOPES,
    "service": ("app",),
    "trace": (1,),
    "operation": ("chat",),
    "model": ("gpt-4o",),
    "answered": (None,),
    "kind": (3,),
    "start": range(0, 400, 40),
    "length": (50, 100, 100, 230),
    "input": (None,),
    "cached": (None,),
    "output": (None,),
    "finish": (False,),
    "failed": (False,),
    "response": (None,),
    "prompt": (None,),
    "told": (None,),
}
RELATED = {
    "service": ("app", "app", "other"),
    "trace": (1, 2, 3),
    "operation": ("chat", "chat", "chat", "embeddings", "invoke_agent"),
    "model": ("gpt-4o", "gpt-4o", "openai/gpt-4o-2024-08-06", "o3", None),
    "answered": (None, "gpt-4o-2024-08-06", "o3"),
    "kind": (3, 3, 3, 1, 2),
    "length": (0, 50, 100, 100, 230),
    "input": (None, None, 7, 8),
    "output": (None, None, 3, 4),
    "finish": (False, True),
    "failed": (False, False, True),
    "response": (None, None, "chatcmpl-1", "chatcmpl-2", "run-1"),
    "prompt": (None, "a", "b"),
    "told": (None, 0.04),
}
NESTED = {
    "operation": ("chat", "chat", "task"),
    "trace": (1, 1, 2),
    "input": (None, 7),
    "response": (None, "chatcmpl-1"),
}
OVERLAPPING = {
    "failed": (False, True),
    "model": ("gpt-4o", "gpt-4o", None),
    "input": (None, 7, 8),
    "cached": (None, None, 1),
    "length": (40, 80, 100, 101, 120, 230),
}
LOADING = {"input": (7,), "output": (3, 3, 4, None), "start": (0, 400, 800, 1200), "length": (100, 500, 900, 1300)}
HALVES = {"scope": ("openai",), "length": (0, 40, 80), "prompt": (None, "a", "b"), "told": (None, 0.04, 0.08)}
ANSWERS = {"response": ("chatcmpl-1", "chatcmpl-2", "run-1"), "kind": (3, 3, 2), "trace": (1, 2)}


@st.composite
def span_sets(draw):
    """Return the spans of a few traces that are likely to tell of the same calls, as words for `resource_spans`."""
    more, most = draw(
        st.sampled_from(((RELATED, 1), (NESTED, 1), (OVERLAPPING, 0), (LOADING, 0), (HALVES, 0), (ANSWERS, 0.3)))
    )
    choices = {name: st.sampled_from(list(values)) for name, values in {**SPAN, **more}.items()}
    sizes = range(1, draw(st.integers(1, 14)) + 1)
    return [
        {
            "span": number,
            "parent": draw(st.integers(0, int(most * (number - 1)))),
            **{name: draw(choice) for name, choice in choices.items()},
        }
        for number in sizes
    ]


def request_of(spans):
    """Return one OTLP/JSON request of the described spans."""
    return json.dumps({"resourceSpans": [resource_spans(span) for span in spans]}).encode()


def resource_spans(told):
    values = {
        "gen_ai.operation.name": told["operation"],
        "gen_ai.request.model": told["model"],
        "gen_ai.response.model": told["answered"],
        "gen_ai.usage.input_tokens": told["input"],
        "gen_ai.usage.cache_read.input_tokens": told["cached"],
        "gen_ai.usage.output_tokens": told["output"],
        "gen_ai.response.finish_reasons": "stop" if told["finish"] else None,
        "error.type": "Timeout" if told["failed"] else None,
        "gen_ai.response.id": told["response"],
        "gen_ai.input.messages": told["prompt"],
        "duration": told["told"],
        "genai_collector.call": "yes",
    }
    span = {
        "traceId": f"{told['trace']:032x}",
        "spanId": f"{told['span']:016x}",
        "kind": told["kind"],
        "startTimeUnixNano": str(START + told["start"] * MS),
        "endTimeUnixNano": str(START + (told["start"] + told["length"]) * MS),
        "attributes": [{"key": key, "value": any_value(value)} for key, value in values.items() if value is not None],
    }
    if told["parent"]:
        span["parentSpanId"] = f"{told['parent']:016x}"
    service = [{"key": "service.name", "value": {"stringValue": told["service"]}}]
    scopes = [{"scope": {"name": told["scope"]}, "spans": [span]}]
    return {"resource": {"attributes": service}, "scopeSpans": scopes}


def any_value(value):
    match value:
        case int():
            return {"intValue": str(value)}
        case float():
            return {"doubleValue": value}
    return {"stringValue": value}


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(spans=span_sets(), seed=st.integers(0, 2**32 - 1))
def test_made_spans_in_any_order(spans, seed):
    chance = np.random.default_rng(seed)
    every = batch_of(request_of(spans))
    expected = whole([every])
    order = [*chance.permutation(len(spans)), *chance.permutation(len(spans))[: seed % 5]]
    edges = sorted({0, len(order), *chance.integers(0, len(order), seed % 7).tolist()})
    pieces = [batch_of(request_of([spans[i] for i in order[a:b]])) for a, b in pairwise(edges)]

    assert expected == told_by([every], chance).calls
    assert expected == told_by(pieces, chance).calls


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_three_libraries_tell_of_one_call_without_trace_or_id_in_common(order):
    plain = {name: values[0] for name, values in SPAN.items()} | {"parent": 0, "failed": True}
    spans = [
        {**plain, "span": number, "trace": number, "scope": scope, "start": 2 * number, "length": 90 - 4 * number}
        for number, scope in enumerate(SCOPES, 1)
    ]
    told = Told()
    for number in order:
        told.take(facts_in(batch_of(request_of([spans[number]]))))

    assert list(told.calls.values()) == [1]
    assert told.calls == whole([batch_of(request_of(spans))])


@pytest.mark.parametrize("seed", range(4))
def test_what_is_forgotten_is_never_taken_out(seed, monkeypatch):
    monkeypatch.setattr(ledger, "_BITS", 1)
    monkeypatch.setattr(ledger, "_SIZE", 2)
    chance = random.Random(seed)
    for _ in range(10):
        spans = [made_span(number, chance) for number in range(1, 12)]
        told = Told(Limits(chance.choice((3.0, 600.0)), chance.choice((1, 2, 4, 100)), chance.choice((0, 3, 100))))
        for span in chance.sample(spans * 2, len(spans) * 2):
            facts = facts_in(batch_of(request_of([span])))
            told.now += 2 * chance.random()
            if chance.random() < 0.15:
                told.refuse(facts)
            if chance.random() < 0.15:
                told.start_again()
            told.take(facts)

            assert min(told.sums.values(), default=0) >= 0


def made_span(number, chance):
    """Return one span that is likely to have to do with others, as words for `resource_spans`."""
    choices = {**SPAN, **chance.choice((RELATED, NESTED, OVERLAPPING, ANSWERS))}
    words = {name: chance.choice(list(values)) for name, values in choices.items()}
    return {"span": number, "parent": chance.randrange(number), **words}


def test_notes_of_a_call_that_was_forgotten_and_came_again_are_of_one_call(monkeypatch):
    monkeypatch.setattr(ledger, "_BITS", 1)
    monkeypatch.setattr(ledger, "_SIZE", 2)
    spans = [{**made_span(number, random.Random(1)), "trace": number, "parent": 0} for number in (1, 2)]
    first, second = (facts_in(batch_of(request_of([span]))) for span in spans)
    told = Told()
    for facts in (first, second, first):
        told.notes.append((2000.0, dump(Once(LIMITS).learn(facts, told.now).note, CLASSES)))
    told.start_again()

    assert len(told.once) == 2
