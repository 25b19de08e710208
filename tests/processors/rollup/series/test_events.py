"""Log events of coding agents and of libraries, alone and beside other signals."""

import numpy as np
import pytest

from collector.sketch import middle_of
from tests.processors.rollup.series.told import (
    CHAT,
    Subject,
    call,
    counter,
    event,
    events,
    histogram,
    points,
    spans,
)

DETAILS = "gen_ai.client.inference.operation.details"
CLAUDE = {
    "model": "claude-sonnet-4-5",
    "input_tokens": 10,
    "output_tokens": 20,
    "cache_read_tokens": "300",
    "cache_creation_tokens": 40,
    "cost_usd": 0.0125,
    "duration_ms": 2000,
}
AGENT = {"name": "com.anthropic.claude_code.events"}
METER = {"name": "com.anthropic.claude_code"}
GEMINI = {"name": "gemini-cli"}


def sums_of(subject, *names):
    return dict(zip(names, subject.total(*names), strict=True))


@pytest.mark.parametrize("place", ["event_name", "event.name", "body"])
def test_claude_code(place):
    subject = Subject()
    subject.take(
        events(
            event("claude_code.api_request", place=place, scope=AGENT, **CLAUDE),
            event("claude_code.api_error", place=place, scope=AGENT, model="claude-sonnet-4-5", status_code="429"),
            event("claude_code.user_prompt", place=place, scope=AGENT, prompt_length=3),
        )
    )

    assert sums_of(
        subject, "calls", "errors", "input_tokens", "input_tokens_calls", "output_tokens", "cache_read_tokens",
        "cache_write_tokens", "cost_nano_usd", "cache_covered_calls", "cache_covered_input_tokens", "duration_nano",
    ) == {
        "calls": 2, "errors": 1, "input_tokens": 350, "input_tokens_calls": 1, "output_tokens": 20,
        "cache_read_tokens": 300, "cache_write_tokens": 40, "cost_nano_usd": 12_500_000, "cache_covered_calls": 1,
        "cache_covered_input_tokens": 350, "duration_nano": 2 * 10**9,
    }  # fmt: skip
    [(dimensions, told)] = subject.told().items()
    assert dimensions == (
        "shop",
        "python",
        "",
        "anthropic",
        "chat",
        "claude-sonnet-4-5",
        "",
        "",
        "",
        "claude-sonnet-4-5",
    )
    assert told["errors_by_class", "rate_limit"] == 1
    [bucket] = [key[1] for key in told if key[0] == "duration_buckets"]
    assert float(middle_of(bucket)) == pytest.approx(2, rel=0.01)


def test_codex():
    usage = {"input_token_count": 100, "cached_token_count": 60, "output_token_count": 30, "reasoning_token_count": 20}
    subject = Subject()
    subject.take(
        events(
            event("codex.sse_event", place="event.name", **{"event.kind": "response.created"}, model="gpt-5"),
            event("codex.sse_event", place="event.name", **{"event.kind": "response.completed"}, model="gpt-5"),
            event(
                "codex.sse_event", place="event.name", **{"event.kind": "response.completed"}, model="gpt-5", **usage
            ),
            event("codex.sse_event", place="event.name", **{"event.kind": "response.failed"}, model="gpt-5"),
        )
    )

    names = ("calls", "errors", "input_tokens", "cache_read_tokens", "output_tokens", "reasoning_tokens")
    assert subject.total(*names) == (2, 1, 100, 60, 30, 20)


def test_gemini_cli_tells_of_its_calls_in_two_ways():
    subject = Subject()
    subject.take(
        events(
            event(DETAILS, scope=GEMINI, **CHAT),
            event(DETAILS, scope=GEMINI, **CHAT, **{"gen_ai.usage.input_tokens": 100}),
            event("gemini_cli.api_response", scope=GEMINI, model="gemini-2.5-pro", input_token_count=100),
        )
    )

    assert subject.total("calls", "input_tokens") == (1, 100)


def test_gemini_cli():
    usage = {"input_token_count": 100, "cached_content_token_count": 60, "tool_token_count": 7}
    usage |= {"output_token_count": 30, "thoughts_token_count": 20, "duration_ms": "1500"}
    subject = Subject()
    subject.take(
        events(
            event("gemini_cli.api_response", place="event.name", model="gemini-2.5-pro", **usage),
            event("gemini_cli.api_error", place="event.name", model="gemini-2.5-pro", error_type="TimeoutError"),
        )
    )

    names = (
        "calls",
        "errors",
        "input_tokens",
        "cache_read_tokens",
        "output_tokens",
        "reasoning_tokens",
        "duration_nano",
    )
    assert subject.total(*names) == (2, 1, 107, 60, 50, 20, 1_500_000_000)
    assert [row["provider"] for row in subject.rows] == ["gcp.gemini"]


def test_details_of_an_operation():
    usage = {"gen_ai.usage.input_tokens": 70, "gen_ai.usage.output_tokens": 9}
    subject = Subject()
    subject.take(
        events(
            event(DETAILS, **CHAT, **usage),
            event(DETAILS, **CHAT, **{"error.type": "APITimeoutError"}, at=1.01),
            event(DETAILS, **{**CHAT, "gen_ai.operation.name": "invoke_agent"}),
        )
    )

    assert subject.total("calls", "errors", "input_tokens", "output_tokens", "duration_nano") == (2, 1, 70, 9, 0)
    assert [row["duration_buckets"] for row in subject.rows] == [[]]


def test_events_count_instead_of_metrics_whatever_comes_first():
    tokens = [
        counter(
            count, "claude_code.token.usage", at=2, scope=METER, attributes={"type": kind, "model": CLAUDE["model"]}
        )
        for kind, count in (("input", 10), ("output", 20), ("cacheRead", 300), ("cacheCreation", 40))
    ]
    cost = counter(0.0125, "claude_code.cost.usage", at=2, scope=METER, attributes={"model": CLAUDE["model"]})
    telling = [points(*tokens, cost), events(event("claude_code.api_request", scope=AGENT, **CLAUDE))]
    names = ("calls", "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "cost_nano_usd")
    alone = Subject()
    alone.take(telling[0])

    assert alone.total(*names) == (0, 350, 20, 300, 40, 12_500_000)
    assert alone.total("cache_covered_input_tokens", "cache_covered_read_tokens") == (350, 300)

    for order in (telling, telling[::-1]):
        subject = Subject()
        for batch in order:
            subject.take(batch)
            subject.restart()

        assert subject.total(*names) == (1, 350, 20, 300, 40, 12_500_000)


def test_two_kinds_of_events_of_one_library_do_not_add_up():
    scope = {"name": "gemini-cli"}
    own = event("gemini_cli.api_response", scope=scope, model="gemini-2.5-pro", input_token_count=5)
    details = event(DETAILS, scope=scope, **CHAT, **{"gen_ai.usage.input_tokens": 5})
    for order in ([own, details], [details, own]):
        subject = Subject()
        for one in order:
            subject.take(events(one))

        assert subject.total("calls", "input_tokens") == (1, 5)


def test_spans_count_instead_of_events_whatever_comes_first():
    telling = [spans(call(at=2)), events(event(DETAILS, at=2, **CHAT)), points(histogram(1, 1, at=3))]
    for order in (telling, telling[::-1], [telling[1], telling[0], telling[2]], [telling[2], telling[0], telling[1]]):
        subject = Subject()
        for batch in order:
            subject.take(batch)

        assert subject.total("calls", "input_tokens", "duration_nano") == (1, 100, 10**9)


def test_an_event_that_comes_twice_counts_once():
    subject = Subject()
    told = [event(DETAILS, at=1 + number / 100, **CHAT) for number in range(6)]
    for chosen in ([0, 1], [1, 2], [2, 0, 3], [3]):
        subject.take(events(*(told[number] for number in chosen)))
        subject.restart()
    subject.take(events(told[4]), refuse=True)
    subject.take(events(told[4], told[5]))

    assert subject.total("calls") == 6


def test_events_in_any_order_add_up_to_the_same():
    chance = np.random.default_rng(7)
    told = [
        event("claude_code.api_request", at=1 + number / 7, scope=AGENT, **{**CLAUDE, "input_tokens": number})
        for number in range(30)
    ]
    results = []
    for _ in range(3):
        subject = Subject()
        for part in np.array_split(chance.permutation(30), 5):
            subject.take(events(*(told[number] for number in part.tolist())))
        results.append(subject.told())

    assert results[0] == results[1] == results[2]
    assert sum(total["calls"] for total in results[0].values()) == 30


@pytest.mark.parametrize("bad", [-5, float("nan"), float("inf"), "soon", None, 1e300])
def test_what_cannot_be_is_unknown(bad):
    subject = Subject()
    subject.take(events(event("claude_code.api_request", **{**CLAUDE, "duration_ms": bad, "cost_usd": bad})))

    assert subject.total("calls", "duration_nano", "cost_nano_usd", "cost_nano_usd_calls") == (1, 0, 0, 0)
    assert subject.rows[0]["duration_buckets"] == []
