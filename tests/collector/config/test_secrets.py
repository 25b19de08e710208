"""collector/config/secrets.py: what must not be printed."""

import pytest

from collector.config.secrets import loggable, redact


@pytest.mark.parametrize(
    "key",
    [
        "password",
        "db_password",
        "passwd",
        "token",
        "auth.token",
        "api_key",
        "apikey",
        "api-key",
        "x-api-key",
        "secret",
        "client_secret",
        "authorization",
        "Authorization",
        "signoz-ingestion-key",
        "private_key",
        "key_pem",
        "cookie",
    ],
)
def test_values_under_telling_keys_are_hidden(key):
    assert redact({key: "hunter2"}) == {key: "[REDACTED]"}
    assert redact({key: 12345}) == {key: "[REDACTED]"}
    assert redact({key: ["a", {"b": "c"}]}) == {key: ["[REDACTED]", {"b": "[REDACTED]"}]}


@pytest.mark.parametrize(
    "key", ["max_tokens", "key", "token_limit", "monkey", "passwordless", "pem_bytes", "keys", "compass"]
)
def test_other_keys_are_not(key):
    assert redact({key: "hunter2"}) == {key: "hunter2"}


def test_nothing_is_hidden_where_nothing_is():
    assert redact({"password": "", "token": None, "secret": False}) == {"password": "", "token": None, "secret": False}


def test_every_header_is_hidden():
    assert redact({"headers": {"x-any": "hunter2"}}) == {"headers": {"x-any": "[REDACTED]"}}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("clickhouse://me:hunter2@host:8123/db", "clickhouse://me:[REDACTED]@host:8123/db"),
        ("clickhouse://:hunter2@host", "clickhouse://:[REDACTED]@host"),
        ("clickhouse://me:hun@ter/2@host", "clickhouse://me:[REDACTED]@host"),
        ("'me:hunter2@host:4317' is not host:port", "'me:[REDACTED]@host:4317' is not host:port"),
        ("me:hunter2@host:4317", "me:[REDACTED]@host:4317"),
        ("host:4317 of me@there", "host:4317 of me@there"),
        ("clickhouse://me@host:8123", "clickhouse://me@host:8123"),
        ("http://host:8123/a", "http://host:8123/a"),
        ("http://host/?user=me&password=hunter2&x=1", "http://host/?user=me&password=[REDACTED]&x=1"),
        (
            "http://host/v1?api_key=hunter2&a=1&X-Api-Key=hunter2",
            "http://host/v1?api_key=[REDACTED]&a=1&X-Api-Key=[REDACTED]",
        ),
        ("https://host?key=hunter2&access_token=hunter2#a", "https://host?key=[REDACTED]&access_token=[REDACTED]#a"),
        ("http://host/?keys=1&tokens=2&monkeys=3", "http://host/?keys=1&tokens=2&monkeys=3"),
        ("Bearer hunter2", "Bearer [REDACTED]"),
        ("chdb://./data", "chdb://./data"),
    ],
)
def test_secrets_inside_texts_are_hidden(text, told):
    assert redact({"any": text}) == {"any": told}


def test_what_others_say_fits_a_log_line():
    assert loggable("a\n  b") == "a b"
    assert len(loggable("x" * 10_000)) == 500


def test_no_part_of_a_secret_is_left_where_a_text_is_cut():
    assert "hunter" not in loggable(f"{'x' * 480} http://me:hunter2hunter2@host")
