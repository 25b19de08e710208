"""What an error of ClickHouse means for a delivery: try again later, or these very rows can never be stored."""

import re

from clickhouse_connect.driver.exceptions import Error

from collector.config.secrets import loggable
from collector.errors import Retryable

ROW_ERRORS = {
    6: "CANNOT_PARSE_TEXT",
    25: "CANNOT_PARSE_ESCAPE_SEQUENCE",
    26: "CANNOT_PARSE_QUOTED_STRING",
    27: "CANNOT_PARSE_INPUT_ASSERTION_FAILED",
    38: "CANNOT_PARSE_DATE",
    41: "CANNOT_PARSE_DATETIME",
    53: "TYPE_MISMATCH",
    69: "ARGUMENT_OUT_OF_BOUND",
    70: "CANNOT_CONVERT_TYPE",
    72: "CANNOT_PARSE_NUMBER",
    117: "INCORRECT_DATA",
    128: "TOO_LARGE_ARRAY_SIZE",
    131: "TOO_LARGE_STRING_SIZE",
    306: "TOO_DEEP_RECURSION",
    321: "VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE",
    349: "CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN",
    407: "DECIMAL_OVERFLOW",
    691: "UNKNOWN_ELEMENT_OF_ENUM",
}
"""ClickHouse's error codes that name the rows as the cause. All others (a wrong password, a missing table, too many
parts, no memory, read-only, ...) can be put right by an operator, so the data waits for that."""

_COLUMN = re.compile(r"while converting column `([^`]+)`")
_ACCESS_DENIED = 497


class RowError(Exception):
    """Says that ClickHouse can never store some of the rows it was just sent; the text holds none of their data."""


def refusal(error: Exception) -> RowError | None:
    """Return what is wrong with the rows of an insert, where *error* says that they are to blame."""
    code = error.code if isinstance(error, Error) else None
    if code not in ROW_ERRORS:
        return None
    column = _COLUMN.search(str(error))
    place = f" in column {column[1]}" if column else ""
    return RowError(f"ClickHouse cannot store the row: code {code} {ROW_ERRORS[code]}{place}")


def unavailable(name: str, error: Exception) -> Retryable:
    """Return the news that the ClickHouse called *name* could not do what it was asked."""
    cause = _root(error)
    return Retryable(loggable(f"{name}: {str(cause) or type(cause).__name__}"))


def denied(news: Retryable) -> bool:
    """Return whether ClickHouse said that the user has no right to do it."""
    return isinstance(news.__cause__, Error) and news.__cause__.code == _ACCESS_DENIED


def _root(error: BaseException) -> BaseException:
    """Return the first of a chain of errors, unless ClickHouse itself has answered."""
    earlier = error.__cause__ or error.__context__
    answered = isinstance(error, Error) and error.code is not None
    return error if answered or earlier is None else _root(earlier)
