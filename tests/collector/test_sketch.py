import numpy as np
from ddsketch.mapping import LogarithmicMapping
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.sketch import RELATIVE_ERROR, ZERO, bucket_of, middle_of

seconds = st.floats(min_value=1e-9, max_value=1e9)


@given(st.lists(seconds, min_size=1))
@settings(deadline=None)
def test_middle_is_within_the_relative_error(durations: list[float]) -> None:
    for duration, bucket in zip(durations, bucket_of(np.array(durations)), strict=True):
        assert abs(middle_of(int(bucket)) - duration) <= RELATIVE_ERROR * duration * (1 + 1e-9)


@given(st.lists(seconds, min_size=1))
@settings(deadline=None)
def test_buckets_are_those_of_ddsketch(durations: list[float]) -> None:
    mapping = LogarithmicMapping(RELATIVE_ERROR)
    for duration, bucket in zip(durations, bucket_of(np.array(durations)), strict=True):
        assert abs(mapping.key(duration) - bucket) <= on_an_edge(duration, mapping)


def on_an_edge(duration: float, mapping: LogarithmicMapping) -> int:
    """Return 1 where rounding decides between two buckets."""
    return int(mapping.key(duration * (1 - 1e-12)) != mapping.key(duration * (1 + 1e-12)))


def test_buckets_grow_with_the_duration() -> None:
    buckets = bucket_of(np.logspace(-9, 9, 10_000))
    assert (np.diff(buckets.astype(int)) >= 0).all()


def test_percentiles_of_buckets_are_within_one_percent() -> None:
    durations = np.random.default_rng(7).lognormal(0, 2, 5_000)
    middles = np.sort([middle_of(int(bucket)) for bucket in bucket_of(durations)])
    for share in (0.5, 0.9, 0.95, 0.99):
        true = np.sort(durations)[int(share * 5_000)]
        assert abs(middles[int(share * 5_000)] - true) <= 0.01 * true


def test_durations_that_are_not_positive_have_a_bucket_of_their_own() -> None:
    buckets = bucket_of(np.array([0.0, -1.0, float("nan"), -float("inf")]))
    assert buckets.tolist() == [ZERO] * 4
    assert middle_of(ZERO) == 0.0


def test_extreme_durations_stay_in_the_range_of_buckets() -> None:
    buckets = bucket_of(np.array([5e-324, 1e300, float("inf")]))
    assert buckets.tolist() == [ZERO + 1, 32767, 32767]
    assert np.isfinite(middle_of(32767))
