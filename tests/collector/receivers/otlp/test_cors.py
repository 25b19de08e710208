"""What browsers are told, by the real server."""

from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection, HTTPResponse

import pytest

from tests.collector.receivers.otlp.receiving import Pipeline, receiving, request

CORS = {
    "allowed_origins": ["https://app.example.com", "https://*.test"],
    "allowed_headers": ["X-Team"],
    "exposed_headers": ["Retry-After"],
    "max_age": 600,
}


@pytest.fixture
def client() -> Iterator[HTTPConnection]:
    with (
        receiving(Pipeline(), http={"cors": CORS}) as receiver,
        closing(HTTPConnection("127.0.0.1", receiver.http_port, timeout=20)) as opened,
    ):
        yield opened


def ask(client: HTTPConnection, method: str, body: bytes = b"", **headers: str) -> HTTPResponse:
    client.request(method, "/v1/logs", body, {name.replace("_", "-"): value for name, value in headers.items()})
    response = client.getresponse()
    response.read()
    return response


@pytest.mark.parametrize("origin", ["https://app.example.com", "https://a.b.test"])
def test_an_allowed_page_may_send(client: HTTPConnection, origin: str) -> None:
    asked = ask(client, "OPTIONS", Origin=origin, Access_Control_Request_Method="POST")
    assert asked.status == 204
    assert asked.headers["Access-Control-Allow-Origin"] == origin
    assert asked.headers["Access-Control-Allow-Methods"] == "POST"
    assert asked.headers["Access-Control-Allow-Headers"] == "Accept, Content-Type, X-Requested-With, X-Team"
    assert asked.headers["Access-Control-Max-Age"] == "600"
    sent = ask(client, "POST", b"{}", Origin=origin, Content_Type="application/json")
    assert (sent.status, sent.headers["Access-Control-Allow-Origin"]) == (200, origin)
    assert (sent.headers["Vary"], sent.headers["Access-Control-Expose-Headers"]) == ("Origin", "Retry-After")


@pytest.mark.parametrize(
    "origin", ["https://evil.com", "https://app.example.com.evil", "http://a.test", "https://test"]
)
def test_another_page_may_not(client: HTTPConnection, origin: str) -> None:
    asked = ask(client, "OPTIONS", Origin=origin, Access_Control_Request_Method="POST")
    assert asked.status == 204
    assert not [name for name in asked.headers if name.startswith("Access-Control")]
    sent = ask(client, "POST", b"{}", Origin=origin, Content_Type="application/json")
    assert "Access-Control-Allow-Origin" not in sent.headers


def test_a_refusal_can_be_read_by_the_page(client: HTTPConnection) -> None:
    refused = ask(client, "POST", b"{", Origin="https://app.example.com", Content_Type="application/json")
    assert (refused.status, refused.headers["Access-Control-Allow-Origin"]) == (400, "https://app.example.com")


def test_a_question_with_a_body_does_not_spoil_the_next_request(client: HTTPConnection) -> None:
    ask(client, "OPTIONS", b"x" * 10, Origin="https://a.test", Access_Control_Request_Method="POST")
    assert ask(client, "POST", b"{}", Content_Type="application/json").status == 200


def test_any_header_and_any_origin() -> None:
    anything = {"cors": {"allowed_origins": ["*"], "allowed_headers": ["*"]}}
    with (
        receiving(Pipeline(), http=anything) as receiver,
        closing(HTTPConnection("127.0.0.1", receiver.http_port, timeout=20)) as client,
    ):
        asked = ask(
            client,
            "OPTIONS",
            Origin="https://x.y",
            Access_Control_Request_Method="POST",
            Access_Control_Request_Headers="a,b",
        )
        assert asked.headers["Access-Control-Allow-Headers"] == "a,b"
        assert asked.headers["Access-Control-Allow-Origin"] == "https://x.y"


def test_without_the_option_nothing_is_told() -> None:
    with (
        receiving(Pipeline()) as receiver,
        closing(HTTPConnection("127.0.0.1", receiver.http_port, timeout=20)) as client,
    ):
        asked = ask(client, "OPTIONS", Origin="https://a.test", Access_Control_Request_Method="POST")
        assert asked.status == 405
        assert "Vary" not in asked.headers
        assert ask(client, "POST", request().SerializeToString(), Content_Type="application/x-protobuf").status == 200
