import pytest

from tests.exporters.clickhouse.metrics.batches import DELTA, batch_of, metric, point, rows_of

PUBLISHED = [
    (
        {"scale": 3, "zero_count": 1, "positive": {"offset": -2, "bucket_counts": [1, 0, 2, 2]}},
        "027B517D3CB872F13F0000000000000000010C040302000000000000F03F00000000000000000000000000000040000000000000004003"
        "040004000000000000F03F",
    ),
    (
        {
            "scale": 20,
            "positive": {"offset": 1000, "bucket_counts": [3]},
            "negative": {"offset": -70, "bucket_counts": [1, 1]},
        },
        "02D01B72B10000F03F0000000000000000010C01D00F020000000000000840030C028B0102000000000000F03F000000000000F03F04"
        "0000000000000000",
    ),
    ({"scale": 0, "zero_count": 5}, "0200000000000000400000000000000000010400030400040000000000001440"),
]
LONG = {"scale": -1, "positive": {"offset": 2**31 - 1, "bucket_counts": range(300)}}


def sketches_of(*points: dict) -> list[str]:
    batch = batch_of(metric("exponential_histogram", *(point(**one) for one in points), aggregation_temporality=DELTA))
    return [row["sketch"].hex().upper() for row in rows_of(batch, "exp_hist")]


@pytest.mark.parametrize(("fields", "expected"), PUBLISHED)
def test_every_byte_is_signoz_s(fields: dict, expected: str) -> None:
    assert sketches_of(fields) == [expected]


def test_each_point_has_its_own() -> None:
    points = [fields for fields, _ in PUBLISHED]

    assert sketches_of(points[1], LONG, *points) == [
        PUBLISHED[1][1], *sketches_of(LONG), *(expected for _, expected in PUBLISHED)
    ]  # fmt: skip


def test_long_numbers_take_several_bytes() -> None:
    found = bytes.fromhex(sketches_of(LONG)[0])

    assert found[1:9] == b"\0\0\0\0\0\0\x10\x40"  # gamma is 4.0
    assert found[18:26] == b"\x0c\xac\x02\xfe\xff\xff\xff\x0f"
    assert len(found) == 27 + 300 * 8 + 3 + 9


def test_a_scale_that_no_double_can_hold_breaks_nothing() -> None:
    assert sketches_of({"scale": -11}, {"scale": 2_000})[1].startswith("02000000000000F03F")
