import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporters.clickhouse.texts import as_string, double_text, go_string_verb, go_text, json_text, plain_quoted, quoted
from tests.exporters.clickhouse.trace_batches import EXPECTED

NESTED = ["<x>", 3, 2.0, True, b"\x01\x02\xff", None]
DOUBLES = [0.0, 1.0, -1.5, 0.000001, 9.9e-7, 1e20, 1e21, 1.23e-10, 123456789.125]
GO_DOUBLES = [1e5, 123456.0, 1234567.0, 1e6, 1e-4, 1e-5, 2.5, 1e20, -3e-5, 0.0, 1e21, 123456789.125]


def test_as_string_of_doubles_and_lists_is_signoz_s() -> None:
    assert [as_string(value) for value in [*DOUBLES, NESTED]] == EXPECTED["asstring"]


def test_json_text_is_signoz_s() -> None:
    values = [{"b": '<a href="x">&\u2028', "a": "é\t\n\x01/"}, {"y": 0.1, "x": 1e21}]
    assert [json_text(value) for value in values] == EXPECTED["gojson"]


def test_go_text_of_doubles_is_signoz_s() -> None:
    assert [go_text(value) for value in GO_DOUBLES] == EXPECTED["gov"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("s", "s"),
        (None, ""),
        (True, "true"),
        (-7, "-7"),
        (b"\x01\x02", "AQI="),
        (math.nan, "json: unsupported value: NaN"),
        (-math.inf, "json: unsupported value: -Inf"),
        ([], "[]"),
        ({}, "{}"),
        ([math.inf], '["+Inf"]'),
        ({"b": [1, {"é": None}], "a": False}, '{"a":false,"b":[1,{"é":null}]}'),
    ],
)
def test_as_string(value, text) -> None:
    assert as_string(value) == text


@pytest.mark.parametrize(
    ("value", "printed", "as_text"),
    [
        (5, "5", "%!s(int64=5)"),
        (1.5, "1.5", "%!s(float64=1.5)"),
        (True, "true", "%!s(bool=true)"),
        (None, "<nil>", "%!s(<nil>)"),
        (b"ab", "[97 98]", "ab"),
        (["a", 1], "[a 1]", "[a %!s(int64=1)]"),
        ({"k": "v", "a": 2}, "map[a:2 k:v]", "map[a:%!s(int64=2) k:v]"),
        (math.inf, "+Inf", "%!s(float64=+Inf)"),
    ],
)
def test_go_forms(value, printed, as_text) -> None:
    assert (go_text(value), go_string_verb(value)) == (printed, as_text)


def test_backspace_and_form_feed_are_written_in_full() -> None:
    assert plain_quoted("\b\f\\b") == '"\\u0008\\u000c\\\\b"'


@settings(deadline=None)
@given(st.text())
def test_quoted_is_json_of_the_same_text(text) -> None:
    assert json.loads(quoted(text)) == json.loads(plain_quoted(text)) == text
    assert not set(quoted(text)) & set("<>&\u2028\u2029")


@settings(deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_doubles_keep_their_value(value) -> None:
    assert float(double_text(value)) == value
    assert float(go_text(value)) == value
