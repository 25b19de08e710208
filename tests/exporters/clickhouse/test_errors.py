"""What ClickHouse's errors mean: only those that name the rows may ever cost data."""

import pytest
from clickhouse_connect.driver.exceptions import DatabaseError, OperationalError

from exporters.clickhouse.errors import RowError, refusal, unavailable

OPERATORS_TO_PUT_RIGHT = {
    "wrong password": 516, "missing table": 60, "missing database": 81, "missing column": 16, "no rights": 497,
    "read-only": 164, "table read-only": 242, "too many parts": 252, "memory": 241, "disk full": 243, "timeout": 159,
    "unknown setting": 115, "too many queries": 202, "broken upload": 33,
}  # fmt: skip


@pytest.mark.parametrize("code", OPERATORS_TO_PUT_RIGHT.values(), ids=OPERATORS_TO_PUT_RIGHT)
def test_what_an_operator_can_put_right_costs_no_data(code: int) -> None:
    assert refusal(DatabaseError("x", code=code)) is None


def test_an_error_without_a_code_costs_no_data() -> None:
    assert refusal(OperationalError("x")) is None
    assert refusal(ConnectionResetError()) is None


def test_rows_that_cannot_be_stored_are_named_without_their_data() -> None:
    text = "Code: 117. DB::Exception: Cannot parse JSON object here: {secret: while converting column `resource` from"
    found = refusal(DatabaseError(text, code=117))

    assert isinstance(found, RowError)
    assert str(found) == "ClickHouse cannot store the row: code 117 INCORRECT_DATA in column resource"


def test_no_password_is_told() -> None:
    told = unavailable(
        "clickhouse host:8123", DatabaseError("no proxy at http://me:hunter2@proxy?token=hunter2", code=1)
    )

    assert str(told) == "clickhouse host:8123: no proxy at http://me:[REDACTED]@proxy?token=[REDACTED]"


def test_the_first_cause_is_told_and_long_texts_are_cut() -> None:
    try:
        try:
            raise ConnectionRefusedError(111, "Connection refused")
        except OSError as error:
            raise OperationalError("Error executing HTTP request") from error
    except OperationalError as error:
        refused = unavailable("clickhouse host:8123", error)

    assert str(refused) == "clickhouse host:8123: [Errno 111] Connection refused"
    assert len(str(unavailable("x", DatabaseError("y" * 5000, code=1)))) <= 500
