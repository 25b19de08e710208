"""Many calls that have much in common cost what others do, and are told apart as long as anybody could."""

import tracemalloc

import pytest

from collector.component import Host
from collector.memory import Notebook
from processors.rollup import RollupConfig, RollupProcessor
from processors.rollup.once import merging, overlaps
from processors.rollup.once.resolution import Resolution
from tests.processors.rollup.test_uncounted import REASON, Collector, below, span
from tests.processors.spans import attributes_of_spans, batch_from

CHAT = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o"}


def told(trace, *, tokens=None, inner=False, **more):
    usage = {} if tokens is None else {"gen_ai.usage.input_tokens": tokens}
    return span(
        trace, trace, start=1 if inner else 0, length=98 if inner else 100, attributes={**CHAT, **usage}, **more
    )


@pytest.fixture
def compared(monkeypatch):
    """Count the pairs of reports that are compared."""
    pairs = []

    def distance_of(one, other, real=overlaps.distance_of):
        pairs.append((one, other))
        return real(one, other)

    monkeypatch.setattr(overlaps, "distance_of", distance_of)
    return pairs


def test_calls_of_one_moment_are_told_apart_by_their_tokens(compared):
    collector = Collector()
    collector.take(*(told(number, tokens=number) for number in range(1, 1001)), scope="openai")
    reasons = collector.take(*(told(5000 + n, tokens=n, inner=True) for n in range(1, 1001)), scope="langchain")

    assert collector.calls == 1000
    assert len(reasons) == 1000
    assert len(compared) < 10 * 1000


@pytest.mark.parametrize(("count", "expected"), [(100, 100), (600, 1200)])
def test_a_crowd_that_nobody_can_tell_apart_is_not_compared(count, expected, compared):
    collector = Collector()
    collector.take(*(told(number) for number in range(1, count + 1)), scope="openai")
    collector.take(*(told(5000 + number, inner=True) for number in range(1, count + 1)), scope="langchain")

    assert collector.calls == expected
    assert len(compared) < 1000 * count


def test_calls_with_equal_response_ids_are_found_without_a_look_at_all_others(monkeypatch):
    asked = []
    same = merging._same_response
    monkeypatch.setattr(merging, "_same_response", lambda one, other: asked.append(one) or same(one, other))

    def answering(trace, number, **more):
        return told(trace, **more) | {"attributes": {**CHAT, "gen_ai.response.id": f"chatcmpl-{number}"}}

    collector = Collector()
    collector.take(*(answering(number, number) for number in range(1, 601)), scope="openai")
    collector.take(*(answering(5000 + n, n, inner=True) for n in range(1, 601)), scope="langchain")

    assert collector.calls == 600
    assert len(asked) < 10 * 600


def memory_of(take):
    tracemalloc.start()
    try:
        take()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("more", [below(99_999), {"kind": 2}], ids=["one parent that is not there", "one trace"])
def test_many_calls_with_one_thing_in_common_take_memory_in_proportion(more):
    def take(count):
        return memory_of(lambda: Collector().take(*(span(1, number, **more) for number in range(1, count + 1))))

    take(10)

    assert take(2400) < 12 * take(300)


def test_scopes_that_come_in_crowds_are_not_compared_all_with_all(monkeypatch):
    asked = []
    monkeypatch.setattr(overlaps, "_MOST_GROUPS", 50)
    monkeypatch.setattr(
        overlaps._Group, "may_mean", lambda mine, other: asked.append(other) or mine.scope != other.scope
    )
    collector = Collector()
    for number in range(200):
        collector.take(told(number + 1), scope=f"scope-{number}")

    assert len(asked) < 200 * 51


@pytest.fixture
def remembering():
    notebook = Notebook("rollup")
    processor = RollupProcessor(RollupConfig(), Host("rollup", memory=notebook))

    def take(*, kept):
        first, *_ = processor.process(batch_from(span(1, 1)))
        notebook.close(kept=kept)
        return attributes_of_spans(first)[0].get(REASON)

    return notebook, take


def test_what_was_refused_is_not_remembered(remembering):
    _, take = remembering

    assert [take(kept=kept) for kept in (False, True, True)] == [None, None, "repeated"]


def test_what_broke_off_half_way_is_not_remembered(remembering, monkeypatch):
    notebook, take = remembering
    with monkeypatch.context() as broken:
        broken.setattr(Resolution, "settle", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            take(kept=True)
    notebook.close(kept=False)

    assert [take(kept=True), take(kept=True)] == [None, "repeated"]
