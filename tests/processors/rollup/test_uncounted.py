"""What becomes of spans that tell of a call and do not count."""

import pytest

from collector.batch import Signal
from collector.component import Host
from processors.rollup import RollupConfig, RollupProcessor
from tests.processors.spans import START, attributes_of_spans, batch_from

CHAT = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o", "gen_ai.usage.input_tokens": 7, "a": "b"}
MOVED = {
    "gen_ai.operation.name": "chat",
    "genai_collector.uncounted.gen_ai.request.model": "gpt-4o",
    "genai_collector.uncounted.gen_ai.usage.input_tokens": 7,
    "a": "b",
}
REASON = "genai_collector.uncounted.reason"
MS = 1_000_000


def span(trace, number, start=0, length=100, **more):
    times = {"startTimeUnixNano": str(START + start * MS), "endTimeUnixNano": str(START + (start + length) * MS)}
    ids = {"traceId": f"{trace:032x}", "spanId": f"{number:016x}"}
    return {**ids, **times, "attributes": CHAT, **more}


def below(number):
    return {"parentSpanId": f"{number:016x}"}


def answering(id, **more):
    return {"attributes": {**CHAT, "gen_ai.response.id": id, **more}}


class Collector:
    """Takes batches one after the other, as one process does."""

    def __init__(self, **config):
        self.processor = RollupProcessor(RollupConfig(**config), Host("rollup"))
        self.calls = 0

    def take(self, *spans, scope="openai"):
        first, *derived = self.processor.process(batch_from(*spans, scope=scope, resource={"service.name": "s"}))
        self.calls += sum(row["calls"] for batch in derived if batch.signal is Signal.ROLLUPS for row in rows(batch))
        return attributes_of_spans(first)


def rows(batch):
    return batch.main.to_pylist()


@pytest.mark.parametrize(("uncounted", "expected"), [("move", MOVED), ("keep", CHAT)])
def test_a_wrapper(uncounted, expected):
    collector = Collector(uncounted=uncounted)

    assert [{**expected, REASON: "wrapper"}, CHAT] == collector.take(span(1, 1), span(1, 2, **below(1)))
    assert collector.calls == 1


COST = "genai_collector.cost.nano_usd"


@pytest.mark.parametrize(("uncounted", "name"), [("move", f"genai_collector.uncounted.{COST}"), ("keep", COST)])
def test_costs_add_up_over_spans(uncounted, name):
    priced = {"attributes": {**CHAT, COST: 5}}
    wrapper, _ = Collector(uncounted=uncounted).take(span(1, 1, **priced), span(1, 2, **below(1), **priced))
    [cut] = Collector(uncounted=uncounted).take(span(1, 1, **priced, status={"code": 2}))
    ended = {"attributes": {**CHAT, COST: 5, "gen_ai.response.finish_reasons": ["stop"]}}
    [failed] = Collector(uncounted=uncounted).take(span(1, 1, **ended, status={"code": 2}))

    assert (wrapper[name], cut[name], failed[COST]) == (5, 5, 5)
    assert REASON not in cut
    assert uncounted == "keep" or not {COST} & {*wrapper, *cut}


@pytest.mark.parametrize(
    ("first", "second", "reason"),
    [
        (span(1, 2, **below(1)), span(1, 1), "wrapper"),
        (span(1, 1, start=10, length=50), span(2, 2), "contained"),
        (span(1, 1, length=50, **answering("x-1")), span(2, 2, **answering("x-1")), "same_response"),
        (span(1, 1), span(1, 2, start=900, kind=2), "server_view"),
        (span(1, 1), span(1, 1), "repeated"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_reason_of_a_later_span(first, second, reason):
    collector = Collector()
    [told] = collector.take(first, scope="native")
    [later] = collector.take(second)

    assert REASON not in told
    assert later[REASON] == reason
    assert "gen_ai.request.model" not in later
    assert collector.calls == 1


def test_the_later_part_of_a_stream():
    collector = Collector()
    silent = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o", "gen_ai.input.messages": "hello"}
    collector.take(span(1, 1, length=40, attributes=silent))
    part = {**silent, "gen_ai.usage.output_tokens": 5, "duration": 0.06}
    [told] = collector.take(span(2, 2, start=100, length=0, attributes=part))

    assert told[REASON] == "stream_part"
    assert collector.calls == 1


def test_what_is_found_out_late_is_put_right():
    collector = Collector()
    collector.take(span(1, 1, length=90))
    assert collector.calls == 1

    first, rollups = collector.processor.process(
        batch_from(span(1, 2, length=40, **below(1)), scope="openai", resource={"service.name": "s"})
    )
    [row] = rows(rollups)

    assert REASON not in attributes_of_spans(first)[0]
    assert (row["calls"], row["input_tokens"], row["duration_nano"]) == (0, 0, -50 * MS)
    assert sorted(count for _, count in row["duration_buckets"]) == [-1, 1]


def test_nothing_is_known_after_the_window():
    now = [1000.0]
    config = RollupConfig(memory={"window": "10s"})
    processor = RollupProcessor(config, Host("rollup", clock=lambda: now[0]))
    calls = []
    for seconds in (0, 5, 9, 30):
        now[0] = 1000.0 + seconds
        _, *derived = processor.process(batch_from(span(1, 1)))
        calls.append(sum(row["calls"] for batch in derived for row in rows(batch)))

    assert calls == [1, 0, 0, 1]
