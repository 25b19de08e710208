"""Points that come once, twice, late, out of order, after a restart, and in either temporality."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.sketch import middle_of
from processors.rollup.series.amounts import Amounts, Row
from processors.rollup.series.choice import ANY, SPANS, Choice, ClaimKey, Cover
from processors.rollup.series.ledger import Ledger
from processors.rollup.series.readings import Source
from tests.processors.rollup.series.told import (
    FINE,
    LIBRARY,
    MINUTE,
    START,
    Subject,
    call,
    counter,
    events,
    histogram,
    points,
    spans,
)

TOKENS = "gen_ai.client.token.usage"
CREW = {"name": "opentelemetry.instrumentation.crewai.instrumentation"}


def test_a_histogram_tells_calls_errors_durations_and_tokens():
    subject = Subject()
    subject.take(
        points(
            histogram(3, 0.75),
            histogram(1, 0.5, error__type="RateLimitError"),
            histogram(3, 300, TOKENS, gen_ai__token__type="input"),
            histogram(3, 30, TOKENS, gen_ai__token__type="output"),
            histogram(3, 330, TOKENS, gen_ai__token__type="total"),
        )
    )

    [(dimensions, sums)] = subject.told().items()
    assert dimensions == ("shop", "python", "", "openai", "chat", "gpt-4o", "", "", "", "gpt-4o")
    assert sums.pop("duration_nano") == 1_250_000_000
    buckets = {name: calls for name, calls in sums.items() if isinstance(name, tuple)}
    assert {name: calls for name, calls in sums.items() if name not in buckets} == {
        "calls": 4, "errors": 1, "input_tokens": 300, "input_tokens_calls": 3, "output_tokens": 30,
        "output_tokens_calls": 3, "usage_calls": 3, "timed_calls": 4,
    }  # fmt: skip
    assert buckets.pop(("errors_by_class", "rate_limit")) == 1
    assert {name: calls for (name, _), calls in buckets.items()} == {
        "duration_buckets": 4,
        "error_duration_buckets": 1,
    }
    [middle] = {float(middle_of(bucket)) for _, bucket in buckets}
    assert middle == pytest.approx(np.sqrt(0.16 * 0.32), rel=0.01)


@pytest.mark.parametrize(("word", "tier"), [("Priority", "priority"), ("default", "")])
def test_a_service_tier_has_one_name(word, tier):
    [row] = Subject().take(points(histogram(1, 1, openai__response__service_tier=word)))

    assert row["service_tier"] == tier


@pytest.mark.parametrize(
    "bounds", [[0.0, 5.0, 10.0, 25.0, 50.0, 75.0, 100.0, 250.0, 500.0, 750.0, 1000.0], [*range(1, 9), 200.0], []]
)
def test_coarse_buckets_tell_no_latency(bounds):
    subject = Subject()
    [row] = subject.take(points(histogram(2, 3.5, bounds=bounds, buckets=[2] + [0] * len(bounds))))

    assert (row["calls"], row["duration_nano"], row["duration_buckets"]) == (2, 3_500_000_000, [])


def test_milliseconds():
    subject = Subject()
    subject.take(points(histogram(1, 250, unit="ms", bounds=[1000 * bound for bound in (0.1, *range(1, 12))])))

    assert subject.total("duration_nano") == 250_000_000
    assert [float(middle_of(bucket)) for bucket, _ in subject.rows[0]["duration_buckets"]] == [
        pytest.approx(np.sqrt(4 * 5), rel=0.01)
    ]


def test_exponential_buckets():
    point = histogram(3, 1.5, bounds=[], buckets=[])
    point |= {"bucket_counts": None, "explicit_bounds": None, "scale": 5, "zero_count": 1, "positive_offset": -32}
    point["positive_bucket_counts"] = [2]
    point["metric"] = {**point["metric"], "type": "exponential_histogram"}
    subject = Subject()
    subject.take(points(point))

    [(zero, once), (bucket, twice)] = subject.rows[0]["duration_buckets"]
    assert (once, twice, float(middle_of(zero))) == (1, 2, 0)
    assert float(middle_of(bucket)) == pytest.approx(2 ** (-31.5 / 32), rel=0.01)


def test_operations_that_are_no_calls_and_gauges_feed_nothing():
    gauge = histogram(1, 1)
    gauge |= {"metric": {**gauge["metric"], "type": "gauge"}, "as_int": 4}
    falling = counter(3, "gen_ai.total.requests")
    falling |= {"metric": {**falling["metric"], "is_monotonic": False}}
    silent = {**histogram(1, 1), "flags": 1}
    agents = histogram(1, 1, gen_ai__operation__name="invoke_agent")

    assert Subject().take(points(gauge, falling, silent, agents, counter(1, "other"))) == []


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -1.0, 1e30])
def test_values_that_cannot_be_are_left_out(bad):
    assert Subject().take(points(histogram(1, bad))) == []
    assert Subject().take(points(counter(bad, "gen_ai.total.requests"))) == []


def exponential(scale=5, offset=0, counts=(1,), zero=0):
    point = histogram(1, 1.5, bounds=[], buckets=[])
    told = {"scale": scale, "zero_count": zero, "positive_offset": offset, "positive_bucket_counts": list(counts)}
    metric = {**point["metric"], "type": "exponential_histogram"}
    return {**point, "bucket_counts": None, "explicit_bounds": None, **told, "metric": metric}


HUGE = 2**64 - 1


@pytest.mark.parametrize(
    "odd",
    [
        histogram(HUGE, 1),
        histogram(2**63, 1),
        histogram(1, 1, buckets=[HUGE] + [0] * 14),
        histogram(HUGE, 1, "gen_ai.client.token.usage", gen_ai__token__type="input"),
        exponential(counts=(HUGE,)),
        exponential(zero=HUGE),
        counter(2**62, "gen_ai.total.requests"),
    ],
)
def test_counts_that_cannot_be_leave_their_point_out_and_no_other(odd):
    [row] = Subject().take(points(odd, histogram(3, 1.5, at=1, error__type="x")))

    assert row["calls"] == 3


@pytest.mark.parametrize(
    "odd",
    [
        *(exponential(scale) for scale in (2**30, 2**31 - 1, -(2**31), -1, 21)),
        histogram(1, 1.5, bounds=[float("nan")] * 9 + [1.0], buckets=[1] + [0] * 10),
        histogram(1, 1.5, bounds=[*FINE[:8], float("nan"), FINE[9]], buckets=[1] + [0] * 10),
        histogram(1, 1.5, bounds=FINE[::-1], buckets=[1] + [0] * 14),
        histogram(1, 1.5, bounds=[*FINE, FINE[-1]], buckets=[1] + [0] * 15),
        histogram(1, 1.5, bounds=FINE, buckets=[1]),
        histogram(1, 1.5, bounds=[], buckets=[1]),
    ],
)
def test_buckets_that_cannot_be_tell_no_latency(odd):
    [row] = Subject().take(points(odd))

    assert (row["calls"], row["duration_nano"], row["duration_buckets"]) == (1, 1_500_000_000, [])


@pytest.mark.parametrize(
    "odd",
    [
        exponential(offset=2**31 - 1),
        exponential(offset=-(2**31)),
        exponential(scale=3, offset=2**31 - 1, counts=[1] * 5),
        histogram(1, 1.5, bounds=[float("-inf"), -1.0, *FINE], buckets=[1] + [0] * 16),
    ],
)
def test_buckets_at_the_ends_of_all_numbers(odd):
    [row] = Subject().take(points(odd))

    assert sum(calls for _, calls in row["duration_buckets"]) in {1, 5}


def test_sums_beyond_64_bits_are_those_of_clickhouse_and_can_be_taken_out():
    subject = Subject()
    rows = subject.take(points(*(histogram(2**60, 1, at=2, delta=True, error__type=f"f{one}") for one in range(9))))
    assert [row["calls"] for row in rows] == [9 * 2**60 - 2**64]

    subject.take(spans(call(at=0), call(2, at=3)))
    assert subject.total("calls") % 2**64 == 2


ANYTHING = st.one_of(
    st.builds(
        histogram,
        st.integers(0, HUGE),
        st.floats(),
        buckets=st.lists(st.integers(0, HUGE), max_size=20),
        bounds=st.lists(st.floats(), max_size=20),
        delta=st.booleans(),
        unit=st.sampled_from(["s", "ms", "ns", "", "furlong"]),
    ),
    st.builds(
        exponential,
        st.integers(-(2**31), 2**31 - 1),
        st.integers(-(2**31), 2**31 - 1),
        st.lists(st.integers(0, HUGE), max_size=20),
        st.integers(0, HUGE),
    ),
    st.builds(counter, st.one_of(st.floats(), st.integers(-(2**63), 2**63 - 1)), st.just("gen_ai.total.requests")),
)


@settings(max_examples=100, deadline=None)
@given(st.lists(ANYTHING, max_size=4), st.integers(0, HUGE))
def test_no_point_of_any_kind_fails_a_request(odd, start):
    odd = [{**point, "start_time_unix_nano": start} for point in odd]
    rows = Subject().take(points(*odd, histogram(3, 1.5, resource={"service.name": "other"})))

    assert [row["calls"] for row in rows if row["service_name"] == "other"] == [3]


def test_cumulative_values_add_what_they_grew_by():
    subject = Subject()
    for at, count in ((1, 10), (2, 13), (3, 13), (3, 13), (2, 12), (4, 14)):
        subject.take(points(histogram(count, count / 4, at=at)))

    assert subject.total("calls", "duration_nano") == (14, 3_500_000_000)
    assert [row["calls"] for row in subject.rows] == [10, 3, 1]
    assert [row["time"].timestamp() for row in subject.rows] == [
        (START + at * MINUTE - 1) // MINUTE * 60 for at in (1, 2, 4)
    ]


def test_a_value_that_fell_and_another_start_begin_anew():
    subject = Subject()
    for at, since, count in ((1, 0, 10), (2, 0, 4), (3, 2, 3), (4, 2, 5), (5, 0, 6)):
        subject.take(points(histogram(count, count, at=at, since=since)))

    assert subject.total("calls") == 10 + 4 + 3 + 2 + 2


def test_two_processes_under_one_name_are_two_series():
    subject = Subject()
    for at in range(2, 8):
        subject.take(points(histogram(at, at, at=at, since=at % 2)))

    assert subject.total("calls") == 7 + 6


def test_what_began_before_it_could_be_forgotten_is_not_counted_again():
    subject = Subject(forget_after="10m")
    subject.take(points(histogram(1000, 1, at=60)))
    subject.take(points(histogram(1003, 1, at=61)))
    unknown = {**histogram(9, 9, at=62, error__type="x"), "start_time_unix_nano": 0}
    subject.take(points(unknown))

    assert subject.total("calls") == 3

    subject.clock.now += 601
    subject.take(points(histogram(1005, 1, at=72)))

    assert subject.total("calls") == 3


def test_a_delta_point_counts_once():
    subject = Subject()
    for at in (1, 3, 2, 3, 1):
        subject.take(points(histogram(at, at, at=at, since=at - 1, delta=True)))

    assert subject.total("calls") == 6

    subject.restart()
    subject.take(points(histogram(3, 3, at=3, since=2, delta=True)))

    assert subject.total("calls") == 6


def test_more_series_than_are_remembered_are_refused():
    subject = Subject(max_series=1)
    subject.take(points(histogram(1, 1), histogram(5, 5, gen_ai__request__model="other")))
    subject.take(points(histogram(2, 2, at=2)))

    assert subject.total("calls") == 2
    assert subject.host.metrics.value("genai_collector_refused_series_points", processor="rollup") == 1


def test_switched_off():
    subject = Subject(enabled=False)

    assert subject.take(points(histogram(1, 1))) == []
    assert subject.take(events({"event_name": "claude_code.api_request"})) == []


STEPS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 40), st.booleans()), min_size=1, max_size=12)


@settings(deadline=None, max_examples=40)
@given(STEPS)
def test_cumulative_and_delta_tell_the_same(steps):
    """Counts and sums grow by steps; a process may be started again in between."""
    cumulative, delta = Subject(), Subject()
    count = total = since = 0
    for at, (calls, amount, again) in enumerate(steps, 1):
        if again:
            count, total, since = 0, 0, at - 1
        count, total = count + calls, total + amount
        cumulative.take(points(histogram(count, total, at=at, since=since)))
        delta.take(points(histogram(calls, amount, at=at, since=at - 1, delta=True)))

    assert cumulative.told() == delta.told()
    assert cumulative.total("calls") == sum(calls for calls, _, _ in steps)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.integers(0, 9), min_size=1, max_size=8),
    st.lists(st.tuples(st.integers(0, 7), st.booleans(), st.booleans()), max_size=16),
)
def test_whatever_is_repeated_late_refused_or_forgotten_by_a_process_the_last_value_counts(steps, deliveries):
    values = np.cumsum(steps).tolist()
    subject = Subject()
    for place, refuse, restart in [*deliveries, (len(values) - 1, False, False)]:
        at = min(place, len(values) - 1)
        subject.take(points(histogram(values[at], values[at], at=at + 1)), refuse=refuse)
        if restart:
            subject.restart()

    assert subject.total("calls", "duration_nano") == (values[-1], values[-1] * 10**9)


def test_token_counts_tell_calls_where_nothing_else_does():
    subject = Subject()
    tokens = [
        histogram(3, 300, TOKENS, gen_ai__token__type="input"),
        histogram(3, 9, TOKENS, gen_ai__token__type="output"),
    ]
    subject.take(points(*tokens))

    assert subject.total("calls", "input_tokens", "output_tokens") == (3, 300, 9)

    subject.take(points(histogram(4, 1)))

    assert subject.total("calls", "input_tokens", "output_tokens") == (4, 300, 9)


def test_two_metrics_of_one_meaning_do_not_add_up():
    names = {
        "input": "gen_ai.client.inference.usage.input_tokens",
        "read": "gen_ai.client.inference.usage.cache_read.input_tokens",
    }
    told = [counter(300, names["input"]), counter(200, names["read"])]
    both = [histogram(3, 300, TOKENS, gen_ai__token__type="input"), histogram(3, 1)]
    for order in (told + both, both + told):
        subject = Subject()
        for point in order:
            subject.take(points(point))

        assert subject.total("calls", "input_tokens", "cache_read_tokens") == (3, 300, 200)


def test_counters_tell_of_the_calls_that_were_answered():
    subject = Subject()
    subject.take(
        points(
            counter(4, "gen_ai.total.requests"),
            counter(80, "gen_ai.usage.input_tokens"),
            {**histogram(4, 0.25, "gen_ai.usage.cost", unit="USD")},
        )
    )

    assert subject.total("calls", "input_tokens", "input_tokens_calls") == (4, 80, 4)
    assert subject.total("cost_nano_usd", "cost_nano_usd_calls") == (250_000_000, 4)


def test_reported_cost_may_be_left_out():
    subject = Subject(reported_cost=False)

    assert subject.take(points(histogram(4, 0.25, "gen_ai.usage.cost", unit="USD"))) == []


def test_spans_make_metrics_void_whatever_comes_first():
    telling = [spans(call(1, at=1), call(2, at=2)), points(histogram(2, 2, at=3))]
    for order in (telling, telling[::-1]):
        subject = Subject()
        for batch in order:
            subject.take(batch)
            subject.restart()

        assert subject.total("calls", "input_tokens", "duration_nano") == (2, 200, 2 * 10**9)


def test_what_was_counted_before_the_first_span_stays():
    subject = Subject()
    subject.take(points(histogram(5, 5, at=10)))
    subject.take(points(histogram(7, 7, at=20)))
    subject.take(spans(call(at=15)))

    assert subject.total("calls") == 5 + 1

    subject.take(points(histogram(9, 9, at=30)))

    assert subject.total("calls") == 5 + 1

    subject.take(spans(call(2, at=5)))

    assert subject.total("calls") == 2


def test_a_service_that_ceased_to_send_spans_is_counted_by_its_metrics():
    subject = Subject(forget_after="1h")
    subject.take(spans(call(at=1)))
    subject.take(points(histogram(1, 1, at=2), histogram(0, 0, at=2, error__type="x")))
    subject.take(points(histogram(4, 4, at=120)))
    subject.take(points(histogram(6, 6, at=130)))

    assert subject.total("calls") == 1 + 2


@pytest.mark.parametrize(
    "other", [{"resource": {"service.name": "other"}}, {"scope": {"name": "other"}}, {"attributes": {"a": 1}}]
)
def test_spans_of_others_leave_metrics_alone(other):
    subject = Subject()
    subject.take(spans(call(**other)))
    subject.take(points(histogram(5, 5)))

    assert subject.total("calls") == 5 + ("attributes" not in other)


def test_spans_of_another_name_of_the_library():
    subject = Subject()
    subject.take(spans(call(scope={"name": "openlit.instrumentation.openai"})))
    subject.take(points(histogram(5, 5, scope={"name": "openlit.otel.metrics"})))
    subject.take(points(histogram(7, 7, scope={"name": ""})))

    assert subject.total("calls") == 1


def test_spans_of_whom_a_framework_asks_tell_of_the_calls_it_measures():
    subject = Subject()
    subject.take(points(histogram(2, 0, TOKENS, gen_ai__token__type="input", scope=CREW)))
    subject.take(spans(call()))

    assert subject.total("calls") == 1


@pytest.mark.parametrize(
    ("version", "calls", "errors"),
    [("0.30.0", 4, 3), ("0.17.1", 4, 3), ("0.38.2", 4, 3), ("0.38.3", 1, 0), ("0.62.4", 1, 0), ("", 1, 0)],
)
def test_failed_calls_of_libraries_whose_spans_lose_them(version, calls, errors):
    scope = {"name": "opentelemetry.instrumentation.openai.v1", "version": version}
    telling = [
        spans(call(scope=scope)),
        points(histogram(1, 1, scope=scope), histogram(3, 3, scope=scope, error__type="x")),
    ]
    for order in (telling, telling[::-1]):
        subject = Subject()
        for batch in order:
            subject.take(batch)

        assert subject.total("calls", "errors") == (calls, errors)


def test_failed_calls_that_spans_of_the_sdk_tell_of_count_once():
    scope = {"name": "opentelemetry.instrumentation.anthropic", "version": "0.30.0"}
    failed = points(histogram(1, 1, scope=scope, error__type="x"))
    sdk = spans(call(scope={"name": "com.anthropic.sdk.python"}, status_code=2))
    for order in ([failed, sdk], [sdk, failed]):
        subject = Subject()
        for batch in order:
            subject.take(batch)

        assert subject.total("calls", "errors") == (1, 1)


def test_long_values_are_counted_as_other():
    subject = Subject()
    subject.take(points(histogram(1, 1, gen_ai__request__model="m" * 300)))

    assert [row["request_model"] for row in subject.rows] == ["__other__"]


def test_the_model_stands_where_the_library_says_it():
    subject = Subject()
    attributes = {"type": "input", "model": "claude-sonnet-4-5"}
    subject.take(points(counter(10, "claude_code.token.usage", attributes=attributes, scope=LIBRARY)))

    assert list(subject.told()) == [
        ("shop", "python", "", "anthropic", "chat", "claude-sonnet-4-5", "", "", "", "claude-sonnet-4-5")
    ]


def test_no_more_claims_are_remembered_than_allowed_and_the_oldest_go_first():
    ledger = Ledger()
    choice = Choice(ledger, 10 * MINUTE)
    keys = [ClaimKey(Cover(Source("s", "g"), "calls", 1), at, at, None, Row(at, ("s",))) for at in range(5)]
    for key in keys:
        choice.claim(key, Amounts({"calls": 1}, {}), until=100.0)
    choice.expire(50.0, 1000.0, 3)

    assert list(choice.claims) == keys[2:]

    choice.expire(100.0, 1000.0, 3)
    assert not choice.claims


def test_what_is_covered_without_a_gap_is_one_time():
    ledger = Ledger()
    choice = Choice(ledger, 10 * MINUTE)
    cover = Cover(Source("shop", "library"), ANY, SPANS)
    news = [choice.cover(cover, at * MINUTE, at * MINUTE, 0.0) for at in (100, 100, 150, 105, 102, 115, 128, 140)]
    spans = choice.covered[cover].spans

    assert news == [True, False, True, True, False, True, True, True]
    assert [first // MINUTE for first, _ in spans] == [100, 128, 140]
    assert not choice.covers(cover, 0, 100 * MINUTE - 1)
    assert choice.covers(cover, 124 * MINUTE, 124 * MINUTE)
    assert not choice.covers(cover, 126 * MINUTE, 127 * MINUTE)
