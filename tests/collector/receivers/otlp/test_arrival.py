"""collector/receivers/otlp/arrival.py: when a request is whole."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.receivers.otlp.arrival import Arrival

LIMIT = 1000


def head(*lines: str) -> bytes:
    return "\r\n".join(("POST /v1/traces HTTP/1.1", "Host: x", *lines, "", "")).encode()


def chunks(*bodies: bytes, trailer: bytes = b"") -> bytes:
    made = b"".join(b"%x;a=b\r\n%b\r\n" % (len(body), body) for body in bodies)
    return head("transfer-encoding: Chunked") + made + b"0\r\n" + trailer + b"\r\n"


WHOLE = [
    head(),
    head("Content-Length: 0"),
    head("content-length:5") + b"12345",
    head(f"Content-Length: {LIMIT}") + b"x" * LIMIT,
    chunks(),
    chunks(b"abc", b"\r\n0\r\n\r\n", b"d"),
    chunks(b"x" * LIMIT, trailer=b"Checksum: 1\r\nOther: 2\r\n"),
]


@pytest.mark.parametrize("request_", WHOLE)
def test_a_request_is_whole_with_its_last_byte(request_: bytes) -> None:
    arrival = Arrival(LIMIT, LIMIT)
    for place in range(len(request_)):
        assert not arrival.whole
        arrival.feed(request_[place : place + 1])
    assert arrival.whole


@given(st.sampled_from(WHOLE), st.lists(st.integers(0, 1200)))
def test_it_does_not_matter_how_it_is_cut(request_: bytes, cuts: list[int]) -> None:
    places = [0, *sorted(min(cut, len(request_)) for cut in cuts), len(request_)]
    arrival = Arrival(LIMIT, LIMIT)
    for start, end in pairwise(places):
        arrival.feed(request_[start:end])
        assert arrival.whole == (end == len(request_))


@pytest.mark.parametrize(
    "request_",
    [
        b"x" * (LIMIT + 1),
        b"POST / HTTP/1.1\nHost: x\n\n",
        head(f"Content-Length: {LIMIT + 1}"),
        head("Content-Length: -1"),
        head("Content-Length: x"),
        head("Content-Length: 7", "Content-Length: 9"),
        head("Transfer-Encoding: gzip"),
        head("Transfer-Encoding: gzip, chunked"),
        head("Transfer-Encoding: chunked") + b"x\r\n",
        head("Transfer-Encoding: chunked") + b"-1\r\n",
        head("Transfer-Encoding: chunked") + b"%x\r\n" % (LIMIT + 1),
        head("Transfer-Encoding: chunked") + b"1" * 5000,
    ],
)
def test_what_will_be_refused_is_not_waited_for(request_: bytes) -> None:
    arrival = Arrival(LIMIT, LIMIT)
    arrival.feed(request_)
    assert arrival.whole


@given(st.lists(st.binary(max_size=50)))
def test_any_bytes_are_followed(pieces: list[bytes]) -> None:
    arrival = Arrival(LIMIT, LIMIT)
    for piece in pieces:
        arrival.feed(piece)
    arrival.feed(b"x" * (LIMIT + 1) + b"\n\n")
    assert arrival.whole or pieces


def test_a_client_may_wait_for_a_word() -> None:
    lines = ("Expect: 100-Continue", "Content-Length: 3")
    arrival = Arrival(LIMIT, LIMIT)
    arrival.feed(head(*lines))
    assert arrival.expects_a_word
    arrival.feed(b"abc")
    assert (arrival.whole, arrival.expects_a_word) == (True, False)
