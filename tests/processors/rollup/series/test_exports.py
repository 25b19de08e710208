"""Points of one export: of how many calls they tell, whose cost is known, and what a cache held of their input."""

import pytest

from tests.processors.rollup.series.told import (
    CHAT,
    SERVICE,
    Subject,
    call,
    counter,
    events,
    histogram,
    points,
    spans,
)

TOKENS = "gen_ai.client.token.usage"
INPUT = "gen_ai.client.inference.usage.input_tokens"
OUTPUT = "gen_ai.client.inference.usage.output_tokens"
CACHED = "gen_ai.client.inference.usage.cache_read.input_tokens"
COVERED = ("cache_covered_read_tokens", "cache_covered_input_tokens", "cache_covered_calls")


def cost(count: int, dollars: float, **more) -> dict:
    return histogram(count, dollars, "gen_ai.usage.cost", unit="USD", **more)


def usage(count: int, total: int, kind: str, **more) -> dict:
    return histogram(count, total, TOKENS, gen_ai__token__type=kind, **more)


@pytest.mark.parametrize(
    ("told", "sums"),
    [
        ([histogram(2, 1), cost(2, 1.5)], (0, 0)),
        ([usage(3, 300, "input"), usage(3, 30, "output")], (3, 0)),
        ([usage(3, 300, "input"), usage(3, 30, "output"), cost(3, 1.5)], (3, 3)),
        ([usage(3, 300, "input"), cost(2, 1.5)], (3, 2)),
        ([usage(3, 300, "input"), cost(5, 1.5)], (3, 3)),
        ([usage(3, 300, "input"), cost(3, 0)], (3, 0)),
        ([usage(3, 30, "output"), cost(3, 1.5)], (3, 3)),
        ([histogram(4, 1), counter(300, INPUT), counter(30, OUTPUT), counter(1.5, "operation.cost")], (4, 4)),
        ([counter(300, INPUT), counter(30, OUTPUT), counter(1.5, "operation.cost")], (1, 1)),
        ([counter(0, INPUT), counter(1.5, "operation.cost")], (0, 0)),
        ([usage(3, 300, "input"), counter(300, INPUT), cost(3, 1.5), counter(1.5, "operation.cost")], (3, 3)),
        ([usage(3, 300, "input"), {**cost(3, 1.5), "attributes": {**CHAT, "gen_ai.request.model": "m"}}], (3, 0)),
    ],
)
def test_a_cost_is_that_of_the_calls_whose_tokens_are_known(told, sums):
    subject = Subject()
    subject.take(points(*told))

    assert subject.total("usage_calls", "priced_calls") == sums


def test_calls_of_two_processes_are_not_told_twice():
    resources = [{**SERVICE, "service.instance.id": str(number)} for number in range(2)]
    told = [point for one in resources for point in (histogram(3, 1, resource=one), counter(30, INPUT, resource=one))]
    subject = Subject()
    subject.take(points(*told))

    assert subject.total("calls", "input_tokens", "input_tokens_calls", "usage_calls") == (6, 60, 6, 6)


def test_what_one_process_reads_from_a_cache_is_not_of_the_input_of_another():
    other = {**SERVICE, "service.instance.id": "2"}
    subject = Subject()
    subject.take(points(counter(300, INPUT), counter(150, CACHED), counter(1000, INPUT, resource=other)))

    assert subject.total("input_tokens", *COVERED) == (1300, 150, 300, 0)


def test_two_counters_of_one_sum_tell_of_the_same_calls():
    attributes = {"model": "gemini-2.5-pro"}
    told = [
        counter(number, "gemini_cli.token.usage", attributes={**attributes, "type": kind})
        for kind, number in (("input", 100), ("output", 50), ("thought", 20), ("cache", 30), ("tool", 7))
    ]
    subject = Subject()
    subject.take(points(*told))

    assert subject.total("input_tokens", "input_tokens_calls", "usage_calls") == (107, 1, 1)
    assert subject.total("output_tokens", "reasoning_tokens") == (70, 20)
    assert subject.total(*COVERED) == (30, 107, 0)


@pytest.mark.parametrize(
    ("told", "sums"),
    [
        ([histogram(4, 1), counter(300, INPUT), counter(150, CACHED)], (150, 300, 4)),
        ([histogram(4, 1), usage(4, 300, "input"), counter(150, CACHED)], (150, 300, 4)),
        ([histogram(4, 1), counter(300, INPUT), counter(0, CACHED)], (0, 300, 4)),
        ([histogram(3, 1), histogram(1, 1, error__type="x"), counter(300, INPUT), counter(150, CACHED)], (150, 300, 3)),
        ([counter(300, INPUT), counter(150, CACHED)], (150, 300, 0)),
        ([histogram(4, 1), usage(4, 300, "input"), usage(4, 150, "cache_read")], (150, 300, 4)),
        ([histogram(4, 1), usage(4, 300, "input"), usage(1, 150, "cache_read")], (0, 0, 0)),
        (
            [usage(4, 300, "input"), counter(300, INPUT), usage(4, 150, "cache_read"), counter(150, CACHED)],
            (150, 300, 4),
        ),
        ([histogram(4, 1), counter(300, INPUT)], (0, 0, 0)),
        ([histogram(4, 1), counter(150, CACHED)], (0, 0, 0)),
    ],
)
def test_what_a_cache_held_of_the_input_is_told_by_points_of_both(told, sums):
    subject = Subject()
    subject.take(points(*told))

    assert subject.total(*COVERED) == sums


def test_embeddings_have_no_cache():
    attributes = {**CHAT, "gen_ai.operation.name": "embeddings"}
    subject = Subject()
    subject.take(points(counter(300, INPUT, attributes=attributes), counter(150, CACHED, attributes=attributes)))

    assert subject.total("input_tokens", *COVERED) == (300, 0, 0, 0)


def test_all_of_it_is_taken_out_when_spans_tell_the_same():
    told = points(histogram(4, 1), counter(300, INPUT), counter(150, CACHED), counter(1.5, "operation.cost"))
    telling = [told, spans(call())]
    for order in (telling, telling[::-1]):
        subject = Subject()
        for batch in order:
            subject.take(batch)
            subject.restart()

        assert subject.total("calls", "usage_calls", "priced_calls", "timed_calls", *COVERED) == (1, 1, 0, 1, 0, 0, 0)


@pytest.mark.parametrize(
    ("told", "sums"),
    [
        (histogram(4, 2), (4, 4, 2 * 10**9)),
        (histogram(4, 2, bounds=[], buckets=[4]), (4, 4, 2 * 10**9)),
        ({**histogram(4, 2), "sum": None}, (4, 0, 0)),
        (counter(4, "gen_ai.total.requests"), (4, 0, 0)),
        (usage(4, 300, "input"), (4, 0, 0)),
    ],
)
def test_how_long_calls_took_is_known_where_a_sum_says_it(told, sums):
    subject = Subject()
    subject.take(points(told))

    assert subject.total("calls", "timed_calls", "duration_nano") == sums


def test_a_log_event_without_a_duration_is_not_timed():
    told = {"event_name": "gen_ai.client.inference.operation.details", "resource": SERVICE}
    lasting = {"duration_ms": 1500, "gen_ai.usage.output_tokens": 3}
    subject = Subject()
    subject.take(events({**told, "attributes": CHAT}, {**told, "attributes": {**CHAT, **lasting}}))

    assert subject.total("calls", "timed_calls", "duration_nano", "usage_calls") == (2, 1, 1_500_000_000, 1)
