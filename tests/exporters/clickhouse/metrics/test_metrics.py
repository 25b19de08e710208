from typing import Any

import pytest

from collector.batch import Batch, concat
from exporters.clickhouse.metrics import metric_inserts
from exporters.clickhouse.metrics.written import Written
from tests.exporters.clickhouse.metrics.batches import (
    CUMULATIVE,
    EXPECTED,
    NOW,
    TIME,
    batch_of,
    inserts_of,
    metric,
    point,
    rows_of,
    vector_batch,
)

HOUR = 3_600_000_000_000


def in_order(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: repr(sorted(row.items(), key=repr)))


def test_samples_are_signoz_s() -> None:
    rows = rows_of(vector_batch())
    for row in rows:
        assert row.pop("inserted_at_unix_milli") == 1_795_284_070_000
    expected = [{**row, "fingerprint": int(row["fingerprint"])} for row in EXPECTED["samples"]]

    assert in_order(rows) == in_order(expected)


def test_series_are_signoz_s() -> None:
    rows = rows_of(vector_batch(), "time_series_v4")
    for row in rows:
        assert row.pop("inserted_at_unix_milli") == 1_795_284_070_000
        assert row.pop("__normalized") is False
    expected = [{**row, "fingerprint": int(row["fingerprint"])} for row in EXPECTED["time_series"]]

    assert in_order(rows) == in_order(expected)


def test_metadata_are_signoz_s() -> None:
    rows = rows_of(vector_batch(), "metadata")
    for row in rows:
        row["first"], row["last"] = row.pop("first_reported_unix_milli"), row.pop("last_reported_unix_milli")

    assert in_order(rows) == in_order(EXPECTED["metadata"])


def test_sketches_are_signoz_s() -> None:
    (row,) = rows_of(vector_batch(), "exp_hist")
    (expected,) = EXPECTED["exp_hist"]

    assert row["fingerprint"] == int(expected["fingerprint"])
    same = set(row) & set(expected) - {"fingerprint"}
    assert same == {"count", "env", "flags", "max", "metric_name", "min", "sum", "temporality", "unix_milli"}
    assert {name: row[name] for name in same} == {name: expected[name] for name in same}


def test_what_samples_are_looked_up_by_comes_first() -> None:
    inserts = inserts_of(vector_batch())

    assert [insert.table.removeprefix("signoz_metrics.distributed_") for insert in inserts] == [
        "time_series_v4", "metadata", "exp_hist", "samples_v4"
    ]  # fmt: skip
    assert [insert.sources is None for insert in inserts] == [True, True, False, False]
    assert inserts[2].sources.tolist() == [1]
    assert set(inserts[3].sources.tolist()) == set(range(9))


def test_nothing_follows_from_no_points() -> None:
    assert inserts_of(batch_of()) == []


def test_a_batch_sent_again_gives_the_same_rows() -> None:
    batch = vector_batch()
    again = Batch.load(batch.dump())

    for first, second in zip(inserts_of(batch), inserts_of(again), strict=True):
        assert (first.table, first.content) == (second.table, second.content)
        assert first.rows.equals(second.rows)


def test_part_of_a_batch_gives_its_part_of_the_rows() -> None:
    batch = vector_batch()
    rows = rows_of(batch.take([4, 2]))

    assert [row["metric_name"] for row in rows] == [
        "lat.count",
        "lat.sum",
        "lat.quantile",
        "lat.quantile",
        "queue.depth",
    ]
    assert all(row in rows_of(batch) for row in rows)
    assert in_order(rows_of(concat("both", [batch, batch]))) == in_order(rows_of(batch) * 2)
    assert in_order(rows_of(concat("both", [batch, batch]), "metadata")) == in_order(rows_of(batch, "metadata"))


def test_a_series_has_a_row_for_every_hour() -> None:
    late = TIME // HOUR * HOUR + HOUR - 1
    times = [TIME, late, late + 1, 0, 2**64 - 1]
    batch = batch_of(metric("gauge", *(point(as_int=1, time_unix_nano=time) for time in times)))

    assert sorted(row["unix_milli"] for row in rows_of(batch, "time_series_v4")) == [
        0, TIME // HOUR * 3_600_000, (TIME // HOUR + 1) * 3_600_000, (2**64 - 1) // HOUR * 3_600_000
    ]  # fmt: skip
    assert [row["unix_milli"] for row in rows_of(batch)] == [time // 1_000_000 for time in times]


def test_rows_of_series_are_written_once_an_hour() -> None:
    written = Written()
    batch = vector_batch()
    later = batch_of(
        metric("gauge", point({"q": "new"}, as_int=1), point({"q": "new"}, as_int=1, time_unix_nano=TIME + HOUR))
    )
    assert inserts_of(batch, written)[0].rows.num_rows == 41

    assert [insert.table for insert in inserts_of(batch, written)] == [
        f"signoz_metrics.distributed_{name}" for name in ("metadata", "exp_hist", "samples_v4")
    ]
    assert inserts_of(later, written)[0].rows.num_rows == 2


def test_rows_of_series_are_known_only_when_the_next_insert_is_asked_for() -> None:
    written = Written()
    first = next(iter(metric_inserts(vector_batch(), NOW, written)))
    again = inserts_of(vector_batch(), written)

    assert again[0].rows.equals(first.rows)


def test_other_rows_of_series_travel_under_another_name() -> None:
    written = Written()
    one, both = metric("gauge", point({"n": 1}, as_int=1)), [point({"n": n}, as_int=1) for n in (1, 2)]
    whole = inserts_of(batch_of(metric("gauge", *both)))[0]
    inserts_of(batch_of(one), written)
    rest = inserts_of(batch_of(metric("gauge", *both)), written)[0]

    assert (whole.rows.num_rows, rest.rows.num_rows) == (2, 1)
    assert whole.content != rest.content


def test_metadata_know_the_first_and_the_last_time() -> None:
    points = [point({"k": "v"}, as_int=1, time_unix_nano=TIME + n * 10**9) for n in (5, 1, 9)]
    batch = batch_of(metric("gauge", *points), metric("gauge", point(as_int=1), name="other"), resource={"r": "1"})
    rows = {(row["metric_name"], row["attr_name"]): row for row in rows_of(batch, "metadata")}
    milliseconds = TIME // 10**6

    for name in ("k", "r", "__scope.name__", "__temporality__"):
        row = rows["m", name]
        times = (row["first_reported_unix_milli"], row["last_reported_unix_milli"])
        assert times == (milliseconds + 1000, milliseconds + 9000)
    assert rows["other", "r"]["last_reported_unix_milli"] == milliseconds


def test_series_of_much_text_travel_in_blocks() -> None:
    attributes = {"text": "x" * 10_000}
    points = [
        point({**attributes, "n": n}, count=1, bucket_counts=[1] * 21, explicit_bounds=range(20)) for n in range(100)
    ]
    batch = batch_of(metric("histogram", *points, aggregation_temporality=CUMULATIVE))
    blocks = [insert for insert in inserts_of(batch) if insert.table.endswith("time_series_v4")]

    assert len(blocks) == 2
    assert len({insert.content for insert in blocks}) == 2
    series = {row["fingerprint"] for insert in blocks for row in insert.rows.select(["fingerprint"]).to_pylist()}
    assert {row["fingerprint"] for row in rows_of(batch)} == series
    assert len(series) == 2200


@pytest.mark.parametrize(
    ("resource", "environment"),
    [({}, ""), ({"deployment.environment": "prod"}, "prod"), ({"deployment.environment.name": "prod"}, "")],
)
def test_the_environment(resource: dict, environment: str) -> None:
    batch = batch_of(metric("gauge", point(as_int=1)), resource=resource)

    assert [row["env"] for table in ("samples_v4", "time_series_v4") for row in rows_of(batch, table)] == [
        environment
    ] * 2
