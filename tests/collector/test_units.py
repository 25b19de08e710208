"""collector/units.py: durations and secrets."""

import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from collector.component import ComponentConfig
from collector.units import Duration, Secret, format_duration, milliseconds, parse_duration


class Config(ComponentConfig):
    wait: Duration = 90.0
    password: Secret = Secret("")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        (0, 0),
        ("200ms", 0.2),
        ("1m30s", 90),
        ("1.5h", 5400),
        (".5s", 0.5),
        ("3us", 3e-6),
        ("7ns", 7e-9),
        (2.5, 2.5),
    ],
)
def test_durations_are_read_as_go_writes_them(text, seconds):
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text", ["", "5", 5, "-5s", -1.0, "s", "5 s", "1d", "5s!", True, None, float("nan"), float("inf")]
)
def test_anything_else_is_refused(text):
    with pytest.raises(ValueError, match="is not a duration; write it like 200ms, 5s or 1m30s"):
        parse_duration(text)


def test_a_hundred_years_are_the_longest():
    assert parse_duration("876000h") == parse_duration(876_000 * 3600.0) == 876_000 * 3600
    for longer in ("876000h1s", "2562048h", "1" + "0" * 400 + "s", 1e300):
        with pytest.raises(ValueError, match="is longer than a hundred years"):
            parse_duration(longer)


def test_grpc_waits_for_24_days_or_for_ever():
    assert [milliseconds(seconds) for seconds in (0, 0.0015, 600 * 3600, 876_000 * 3600)] == [
        0,
        1,
        2**31 - 1,
        2**31 - 1,
    ]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (0.2, "200ms"),
        (1.5, "1.5s"),
        (90, "1m30s"),
        (60, "1m"),
        (3600, "1h"),
        (5400.25, "1h30m0.25s"),
        (7e-9, "7ns"),
    ],
)
def test_durations_are_written_short(seconds, text):
    assert format_duration(seconds) == text


@settings(deadline=None)
@given(st.integers(0, 10**15))
def test_a_written_duration_is_read_back(nanoseconds):
    assert parse_duration(format_duration(nanoseconds / 1e9)) == pytest.approx(nanoseconds / 1e9, abs=1e-9)


def test_secrets_show_nowhere_but_where_asked():
    config = Config(password="hunter2", wait="1m")

    assert config.password.get_secret_value() == "hunter2"
    for text in (str(config), repr(config), f"{config.password}", str(config.model_dump()), config.model_dump_json()):
        assert "hunter2" not in text
        assert "[REDACTED]" in text
    assert config.model_dump(mode="json", context={"unredacted": True}) == {"wait": "1m", "password": "hunter2"}
    assert Config().model_dump(mode="json") == {"wait": "1m30s", "password": ""}


def test_a_secret_is_a_text_like_others():
    assert Config(password="a") == Config(password="a") != Config(password="b")
    assert pickle.loads(pickle.dumps(Secret("a"))) == Secret("a")
    assert TypeAdapter(Secret).json_schema()["type"] == "string"
    with pytest.raises(ValidationError):
        Config(password=5)
