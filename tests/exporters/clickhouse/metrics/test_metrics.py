from typing import Any

from tests.exporters.clickhouse.metrics.batches import EXPECTED, rows_of, vector_batch


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
    rows.sort(key=lambda row: row["fingerprint"])

    assert rows == sorted(expected, key=lambda row: row["fingerprint"])


def test_metadata_are_signoz_s() -> None:
    rows = rows_of(vector_batch(), "metadata")
    for row in rows:
        row["first"], row["last"] = row.pop("first_reported_unix_milli"), row.pop("last_reported_unix_milli")
    assert in_order(rows) == in_order(EXPECTED["metadata"])
