from math import inf, nan

import pytest

from exporters.clickhouse.metrics import points_without_a_number
from tests.exporters.clickhouse.metrics.batches import (
    CUMULATIVE,
    DELTA,
    batch_of,
    metric,
    point,
    refused_by,
    rows_of,
    series_of,
    values_of,
)

LARGEST = 2**64 - 1


def histogram(**fields):
    return batch_of(metric("histogram", point(**fields), aggregation_temporality=CUMULATIVE))


@pytest.mark.parametrize(
    ("fields", "value", "flags"),
    [
        ({"as_int": 2**63 - 1}, 2.0**63, 0),
        ({"as_int": -(2**63)}, -(2.0**63), 0),
        ({"as_int": 0}, 0, 0),
        ({"as_double": -inf, "flags": 2**32 - 1}, -inf, 2**32 - 1),
        ({"flags": 1}, 0, 1),
        ({}, 0, 1),
    ],
)
@pytest.mark.parametrize("kind", ["gauge", "sum"])
def test_numbers(kind: str, fields: dict, value: float, flags: int) -> None:
    (row,) = rows_of(batch_of(metric(kind, point(**fields))))

    assert (row["value"], row["flags"], row["metric_name"]) == (value, flags, "m")


def test_points_without_a_number_are_left_out_and_counted() -> None:
    nothing = point(as_double=nan)
    batch = batch_of(
        metric("gauge", nothing, point(as_int=1), nothing),
        metric("sum", nothing),
        *(metric("histogram", point(count=1, **{name: nan})) for name in ("sum", "min", "max")),
        metric("exponential_histogram", point(count=1, sum=nan), aggregation_temporality=DELTA),
        metric("summary", point(count=1, sum=nan, quantile_values=[{"quantile": 0.5, "value": nan}])),
    )

    assert [(row["metric_name"], row["value"]) for row in rows_of(batch)] == [("m", 1), ("m.count", 1)]
    assert rows_of(batch, "exp_hist") == []
    assert points_without_a_number(batch) == 7
    assert refused_by(batch) == []


def test_buckets_add_up() -> None:
    batch = histogram(count=6, sum=1.5, min=0.0, max=9.0, bucket_counts=[1, 0, 2, 3], explicit_bounds=[-1, 0.5, 1e21])

    assert values_of(batch) == {
        "m.count": 6, "m.sum": 1.5, "m.min": 0, "m.max": 9,
        "m.bucket{-1}": 1, "m.bucket{0.5}": 1, "m.bucket{1000000000000000000000}": 3, "m.bucket{+Inf}": 6,
    }  # fmt: skip


def test_every_point_has_its_own_buckets() -> None:
    points = [
        point({"n": n}, count=sum(counts), bucket_counts=counts, explicit_bounds=range(len(counts) - 1))
        for n, counts in enumerate([[1, 2, 3], [7], [4, 5], []])
        if counts or n == 3
    ]
    batch = batch_of(metric("histogram", *points))
    series = series_of(batch)
    found = {
        (series[row["fingerprint"]]["attrs"]["n"], series[row["fingerprint"]]["attrs"]["le"]): row["value"]
        for row in rows_of(batch)
        if row["metric_name"] == "m.bucket"
    }
    assert found == {
        ("0", "0"): 1, ("0", "1"): 3, ("0", "+Inf"): 6, ("1", "+Inf"): 7, ("2", "0"): 4, ("2", "+Inf"): 9,
        ("3", "+Inf"): 0,
    }  # fmt: skip


def test_what_a_histogram_does_not_say_is_no_sample() -> None:
    assert values_of(histogram(count=3)) == {"m.count": 3, "m.bucket{+Inf}": 3}
    assert values_of(histogram()) == {"m.count": 0, "m.bucket{+Inf}": 0}


def test_counts_beyond_what_adds_up() -> None:
    values = values_of(histogram(count=LARGEST, bucket_counts=[LARGEST, 2, 3], explicit_bounds=[1, 2]))

    assert (values["m.count"], values["m.bucket{1}"], values["m.bucket{2}"]) == (float(LARGEST), float(LARGEST), 1)


def test_fewer_or_more_counts_than_bounds_break_nothing() -> None:
    assert values_of(histogram(count=3, bucket_counts=[1], explicit_bounds=[1, 2]))["m.bucket{1}"] == 1
    assert "m.bucket{2}" not in values_of(histogram(count=3, bucket_counts=[1], explicit_bounds=[1, 2]))
    assert values_of(histogram(count=3, bucket_counts=[1, 1, 1, 0], explicit_bounds=[1]))["m.bucket{+Inf}"] == 3


def test_summaries() -> None:
    quantiles = [{"quantile": quantile, "value": value} for quantile, value in ((0, 1), (0.999, 5.5), (1, nan))]
    batch = batch_of(metric("summary", point(count=2, sum=6.5, quantile_values=quantiles), point(count=0)))

    assert values_of(batch) == {"m.count": 0, "m.sum": 0, "m.quantile{0}": 1, "m.quantile{0.999}": 5.5}
    assert {(row["metric_name"], row["temporality"]) for row in rows_of(batch)} == {
        ("m.count", "Cumulative"), ("m.sum", "Cumulative"), ("m.quantile", "Unspecified")
    }  # fmt: skip


def test_exponential_histograms() -> None:
    batch = batch_of(metric("exponential_histogram", point(count=LARGEST, scale=1), aggregation_temporality=DELTA))

    assert values_of(batch) == {"m.count": float(LARGEST)}
    (row,) = rows_of(batch, "exp_hist")
    assert (row["metric_name"], row["count"], row["sum"], row["min"], row["max"]) == ("m", LARGEST, 0, 0, 0)
    assert (series_of(batch)[row["fingerprint"]]["type"]) == "ExponentialHistogram"


@pytest.mark.parametrize("temporality", [0, CUMULATIVE])
def test_an_exponential_histogram_that_is_not_delta_is_refused(temporality: int) -> None:
    batch = batch_of(
        metric("gauge", point(as_int=1)),
        metric("exponential_histogram", point(count=1), point(count=2), aggregation_temporality=temporality),
    )
    (refused,) = refused_by(batch)

    assert refused.sources.tolist() == [1, 2]
    assert "delta" in refused.reason
    assert [row["value"] for row in rows_of(batch)] == [1]
    assert points_without_a_number(batch) == 0


@pytest.mark.parametrize(("number", "word"), [(0, "Unspecified"), (1, "Delta"), (2, "Cumulative"), (7, "Unspecified")])
def test_temporality_and_monotony(number: int, word: str) -> None:
    batch = batch_of(
        metric("sum", point(as_int=1), name="up", aggregation_temporality=number, is_monotonic=True),
        metric("sum", point(as_int=1), name="updown", aggregation_temporality=number),
        metric("histogram", point(count=1, min=1.0), name="h", aggregation_temporality=number),
        metric("gauge", point(as_int=1), name="g"),
    )
    rows = {row["metric_name"]: row for row in rows_of(batch, "time_series_v4")}

    assert {name: (row["temporality"], row["is_monotonic"], row["type"]) for name, row in rows.items()} == {
        "up": (word, True, "Sum"), "updown": (word, False, "Sum"), "h.count": (word, True, "Sum"),
        "h.min": ("Unspecified", False, "Gauge"), "h.bucket": (word, True, "Histogram"),
        "g": ("Unspecified", False, "Gauge"),
    }  # fmt: skip
    assert all(row["attrs"]["__temporality__"] == row["temporality"] for row in rows.values())


def test_a_metric_of_no_known_type_has_no_samples() -> None:
    assert rows_of(batch_of(metric("gauge"), metric("gauge", point(as_int=1)))) != []
    assert rows_of(batch_of(metric("gauge"))) == []
