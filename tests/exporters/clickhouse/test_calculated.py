from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporters.clickhouse.calculated import COLUMNS, calculated_columns, host_name, status_code_text
from tests.exporters.clickhouse.trace_batches import batch_of, rows_of, span

CLIENT = 3
HOSTS = ["http.host", "server.address", "client.address", "http.request.header.host", "net.peer.name"]
SIMPLE = {
    "db.name": "db_name", "db.namespace": "db_name", "db.operation": "db_operation",
    "db.operation.name": "db_operation",
}  # fmt: skip
STATUS = ["http.status_code", "http.response.status_code", "rpc.grpc.status_code"]
URLS, METHODS = ["http.url", "url.full"], ["http.method", "http.request.method"]
KEYS = [*HOSTS, *SIMPLE, *STATUS, *URLS, *METHODS, "rpc.jsonrpc.error_code", "x"]
TEXTS = ["", "h", "201", "0007", "1.5", "https://u:p@a.b:443/v1", "http://[::1]:80/", "https:///x", "no url"]
PAIRS = st.lists(st.tuples(st.sampled_from(KEYS), st.sampled_from([*TEXTS, 200, 1.5, True, None])), max_size=8)


def expected_columns(kind: int, pairs: list[tuple[str, Any]]) -> dict[str, str]:
    """Say the rules once more, attribute by attribute."""
    columns = dict.fromkeys(COLUMNS, "")
    for key, value in pairs:
        if key in STATUS:
            whole = isinstance(value, int) and not isinstance(value, bool)
            text = str(value) if whole else status_code_text(value) if isinstance(value, str) else "0"
            columns["response_status_code"] = text
        elif isinstance(value, str):
            columns.update(expected_change(key, value, columns["http_host"], client=kind == CLIENT))
    return columns


def expected_change(key: str, value: str, host: str, *, client: bool) -> dict[str, str]:
    if key in HOSTS:
        return {"http_host": value}
    if key in URLS:
        found = {"external_http_url": host_name(value), "http_host": host or host_name(value)} if client else {}
        return {"http_url": value, **found}
    if key in METHODS:
        return {"http_method": value, **({"external_http_method": value} if client else {})}
    if key == "rpc.jsonrpc.error_code":
        return {"response_status_code": value}
    return {SIMPLE[key]: value} if key in SIMPLE else {}


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from([0, 2, CLIENT]), PAIRS), min_size=1, max_size=6))
def test_columns_hold_what_the_rules_say(spans) -> None:
    columns = calculated_columns(batch_of(*(span(pairs, kind=kind) for kind, pairs in spans)))
    rows = [{name: column[row].as_py() for name, column in columns.items()} for row in range(len(spans))]
    assert rows == [expected_columns(kind, pairs) for kind, pairs in spans]


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://api.openai.com:443/v1/chat", "api.openai.com"),
        ("https://user:secret@Host/", "Host"),
        ("http://[2001:db8::1]:8080/", "2001:db8::1"),
        ("api.openai.com/v1", ""),
        ("http://[broken", ""),
    ],
)
def test_host_name(url, host) -> None:
    assert host_name(url) == host


@pytest.mark.parametrize(
    ("text", "number"),
    [("201", "201"), ("0201", "201"), ("-5", "-5"), ("1.50", "1.5"), ("", "0"), ("OK", "0"), ("1e9999", "0")],
)
def test_status_code_text(text, number) -> None:
    assert status_code_text(text) == number


@pytest.mark.parametrize(
    ("pairs", "host"),
    [
        ([("http.url", "http://first/"), ("url.full", "http://second/")], "first"),
        ([("http.url", "nowhere"), ("url.full", "http://second/")], "second"),
        ([("http.url", "http://first/"), ("http.host", "")], ""),
        ([("http.host", ""), ("http.url", "http://after/")], "after"),
        ([("http.host", "named"), ("http.url", "http://after/")], "named"),
        ([("http.url", "http://before/"), ("http.host", "named")], "named"),
    ],
)
def test_the_host_of_a_client_s_url_fills_an_empty_host(pairs, host) -> None:
    assert rows_of(batch_of(span(pairs, kind=CLIENT)))[0]["http_host"] == host
    assert rows_of(batch_of(span(pairs)))[0]["http_host"] == dict(pairs).get("http.host", "")


def test_spans_without_such_attributes_have_empty_columns() -> None:
    row = rows_of(batch_of(span({"gen_ai.request.model": "m"}, kind=CLIENT)))[0]
    assert {row[name] for name in COLUMNS} == {""}
