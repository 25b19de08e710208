from exporters.clickhouse.kinds import KINDS, STATUS_CODES
from tests.exporters.clickhouse.trace_batches import batch_of, rows_of, span


def test_numbers_have_their_words() -> None:
    spans = [span(kind=number, status={"code": number % 3}) for number in range(6)]
    rows = rows_of(batch_of(*spans))
    assert [(row["kind"], row["kind_string"]) for row in rows] == list(enumerate(KINDS))
    assert [(row["status_code"], row["status_code_string"], row["has_error"]) for row in rows[:3]] == [
        (0, "Unset", False),
        (1, "Ok", False),
        (2, "Error", True),
    ]
    assert len(STATUS_CODES) == 3


def test_unknown_numbers_become_zero() -> None:
    spans = [span(kind=number, status={"code": number}) for number in (-1, 6, 300, 2**31 - 1)]
    for row in rows_of(batch_of(*spans)):
        assert (row["kind"], row["kind_string"]) == (0, "Unspecified")
        assert (row["status_code"], row["status_code_string"], row["has_error"]) == (0, "Unset", False)
