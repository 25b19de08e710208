"""OTLP/HTTP on the wire."""

import gzip
import json
import os
import socket
import threading
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from time import sleep

import pytest
from google.rpc.code_pb2 import Code
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from collector.batch import Batch, Signal
from collector.component import Host
from collector.errors import Permanent, Retryable
from collector.otlp.json import encode_json
from collector.receivers.otlp import OtlpReceiver
from tests.collector.otlp.test_decode import CAPTURES_OF
from tests.collector.receivers.otlp.receiving import Pipeline, receiving, request, talk

PROTOBUF = {"Content-Type": "application/x-protobuf"}
JSON = {"Content-Type": "application/json; charset=utf-8"}
LIMIT = 1_000_000


@pytest.fixture
def pipeline() -> Pipeline:
    return Pipeline()


@pytest.fixture
def receiver(pipeline: Pipeline) -> Iterator[OtlpReceiver]:
    with receiving(pipeline, http={"max_request_body_size": LIMIT, "workers": 2}) as running:
        yield running


@pytest.fixture
def client(receiver: OtlpReceiver) -> Iterator[HTTPConnection]:
    with closing(HTTPConnection("127.0.0.1", receiver.http_port, timeout=20)) as connection:
        yield connection


def post(client: HTTPConnection, body: object, path: str = "/v1/traces", **headers: str) -> tuple[HTTPResponse, bytes]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    client.request("POST", path, body, PROTOBUF | named)  # type: ignore[arg-type]
    response = client.getresponse()
    return response, response.read()


def head(*lines: str) -> bytes:
    top = ("POST /v1/traces HTTP/1.1", "Host: x", "Content-Type: application/x-protobuf", *lines)
    return ("\r\n".join(top) + "\r\n\r\n").encode()


def test_success_has_the_type_of_the_request_and_keeps_the_connection(
    client: HTTPConnection, pipeline: Pipeline
) -> None:
    sockets = set()
    for name in ("a", "b"):
        response, body = post(client, request(name).SerializeToString())
        assert (response.status, body) == (200, b"")
        assert response.headers["Content-Type"] == "application/x-protobuf"
        sockets.add(client.sock)
    client.request("POST", "/v1/traces", b'{"resourceSpans": []}', JSON)
    response = client.getresponse()
    assert (response.status, response.read()) == (200, b"{}")
    assert response.headers["Content-Type"] == "application/json"
    assert len(sockets | {client.sock}) == 1
    assert pipeline.names == ["a", "b"]


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [("gzip", gzip.compress), ("GZIP", gzip.compress), ("deflate", zlib.compress), ("identity", bytes)],
)
def test_compression(client: HTTPConnection, pipeline: Pipeline, encoding: str, pack: object) -> None:
    body = pack(request("a").SerializeToString())  # type: ignore[operator]
    assert post(client, body, Content_Encoding=encoding)[0].status == 200
    assert pipeline.names == ["a"]


def test_partial_success_is_ok_with_a_body(client: HTTPConnection, pipeline: Pipeline) -> None:
    response, body = post(client, request("a", start=0).SerializeToString())
    assert response.status == 200
    assert ExportTraceServiceResponse.FromString(body).partial_success.rejected_spans == 1
    assert pipeline.batches == []


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (Retryable("full"), (503, Code.UNAVAILABLE, "1")),
        (Retryable("full", after=0.01), (503, Code.UNAVAILABLE, "1")),
        (Retryable("full", after=2.5), (503, Code.UNAVAILABLE, "3")),
        (Permanent("no"), (400, Code.INVALID_ARGUMENT, None)),
        (KeyError("bug"), (500, Code.INTERNAL, None)),
    ],
)
def test_refusals_of_the_pipeline(
    client: HTTPConnection, pipeline: Pipeline, error: Exception, expected: tuple[int, int, str | None]
) -> None:
    def fail(_batch: Batch) -> None:
        raise error

    pipeline.behave = fail
    response, body = post(client, request("a").SerializeToString())
    assert (response.status, Status.FromString(body).code, response.headers["Retry-After"]) == expected
    pipeline.behave = lambda batch: None
    assert post(client, request("b").SerializeToString())[0].status == 200


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/", "nothing is served at /"),
        ("/v1/traces/x", "send traces to /v1/traces, metrics to /v1/metrics, logs to /v1/logs"),
    ],
)
def test_other_paths_are_not_found(client: HTTPConnection, path: str, text: str) -> None:
    response, body = post(client, b"", path)
    assert response.status == 404
    assert text in Status.FromString(body).message
    client.request("POST", path, b"{}", JSON)
    response = client.getresponse()
    assert text in json.loads(response.read())["message"]


@pytest.mark.parametrize("signal", [Signal.METRICS, Signal.LOGS])
def test_metrics_and_logs_have_paths_of_their_own(client: HTTPConnection, pipeline: Pipeline, signal: Signal) -> None:
    for path in CAPTURES_OF[signal]:
        assert post(client, path.read_bytes(), f"/v1/{signal}")[0].status == 200
    assert [batch.signal for batch in pipeline.batches] == [signal] * len(CAPTURES_OF[signal])
    as_json = encode_json(pipeline.batches[0])
    client.request("POST", f"/v1/{signal}", as_json, JSON)
    response = client.getresponse()
    assert (response.status, response.read()) == (200, b"{}")
    assert pipeline.batches[-1].main.equals(pipeline.batches[0].main)


@pytest.mark.parametrize("signal", [Signal.METRICS, Signal.LOGS])
def test_a_signal_without_a_pipeline_is_not_found_with_a_clear_text(signal: Signal) -> None:
    with (
        receiving(Pipeline(), Host("otlp", signals=frozenset({Signal.TRACES}))) as receiver,
        closing(HTTPConnection("127.0.0.1", receiver.http_port, timeout=20)) as client,
    ):
        response, body = post(client, b"", f"/v1/{signal}")
    assert response.status == 404
    assert Status.FromString(body).message == (
        f"no pipeline takes {signal} from receiver otlp; add service::pipelines::{signal} with receivers: [otlp]"
    )


@pytest.mark.parametrize("signal", ["traces", "metrics", "logs"])
def test_the_path_is_an_option(signal: str) -> None:
    with (
        receiving(Pipeline(), http={f"{signal}_url_path": "/mine"}) as receiver,
        closing(HTTPConnection("127.0.0.1", receiver.http_port, timeout=20)) as client,
    ):
        assert post(client, b"", "/mine?x=1")[0].status == 200
        assert post(client, b"", f"/v1/{signal}")[0].status == 404


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD", "OPTIONS"])
def test_other_methods_are_not_allowed(client: HTTPConnection, method: str) -> None:
    client.request(method, "/v1/traces")
    response = client.getresponse()
    assert (response.status, response.headers["Allow"]) == (405, "POST")
    assert bool(response.read()) == (method != "HEAD")


@pytest.mark.parametrize(
    "headers",
    [{"Content-Type": "text/html"}, {"Content-Type": ""}, PROTOBUF | {"Content-Encoding": "br"}],
)
def test_unknown_types_and_encodings(client: HTTPConnection, headers: dict[str, str]) -> None:
    client.request("POST", "/v1/traces", request("a").SerializeToString(), headers)
    response = client.getresponse()
    assert response.status == 415
    assert b"is not supported; use " in response.read()


@pytest.mark.parametrize("body", [b"\xff\xff", gzip.compress(b"\xff\xff")], ids=["plain", "packed"])
def test_malformed_protobuf(client: HTTPConnection, body: bytes) -> None:
    encoding = "gzip" if body[:1] == b"\x1f" else "identity"
    response, answer = post(client, body, Content_Encoding=encoding)
    assert response.status == 400
    assert Status.FromString(answer).code == Code.INVALID_ARGUMENT


def test_malformed_json(client: HTTPConnection) -> None:
    client.request("POST", "/v1/traces", b"{nonsense", JSON)
    response = client.getresponse()
    assert (response.status, response.headers["Content-Type"]) == (400, "application/json")
    assert json.loads(response.read())["code"] == Code.INVALID_ARGUMENT


def test_broken_gzip(client: HTTPConnection) -> None:
    response, body = post(client, b"plain", Content_Encoding="gzip")
    assert response.status == 400
    assert "is not gzip" in Status.FromString(body).message


def test_a_chunked_upload_keeps_the_connection(client: HTTPConnection, pipeline: Pipeline) -> None:
    sockets = set()
    for name in ("a", "b"):
        body = gzip.compress(request(name).SerializeToString())
        response, _ = post(client, iter([body[:5], body[5:]]), Content_Encoding="gzip")
        assert response.status == 200
        sockets.add(client.sock)
    assert len(sockets) == 1
    assert pipeline.names == ["a", "b"]


def test_the_largest_body_is_taken_and_one_byte_more_is_not(client: HTTPConnection, pipeline: Pipeline) -> None:
    message = request("a")
    message.resource_spans[0].schema_url = "x" * (LIMIT - message.ByteSize() - 100)
    message.resource_spans[0].schema_url += "x" * (LIMIT - message.ByteSize())
    whole = message.SerializeToString()
    assert len(whole) == LIMIT
    assert post(client, whole)[0].status == 200
    assert post(client, gzip.compress(whole), Content_Encoding="gzip")[0].status == 200
    over = whole + b"\x7a\x00"
    for body, encoding in ((over, "identity"), (iter([over]), "identity"), (gzip.compress(over), "gzip")):
        response, answer = post(client, body, Content_Encoding=encoding)
        status = Status.FromString(answer)
        assert (response.status, status.code, list(status.details)) == (413, Code.RESOURCE_EXHAUSTED, [])
        client.close()
    assert len(pipeline.batches) == 2


@pytest.mark.parametrize("body", [bytes(20 * LIMIT), [bytes(LIMIT // 2)] * 40])
def test_a_client_that_sends_far_too_much_still_hears_why(client: HTTPConnection, body: object) -> None:
    assert post(client, iter(body) if isinstance(body, list) else body)[0].status == 413


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="needs Linux to measure peak memory")
def test_a_gzip_bomb_is_refused_without_unpacking_it(client: HTTPConnection) -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    zeros = bytes(10_000_000)
    bomb = b"".join(packer.compress(zeros) for _ in range(10)) + packer.flush()
    assert len(bomb) < LIMIT
    before = reset_peak()
    assert post(client, bomb, Content_Encoding="gzip")[0].status == 413
    assert peak() - before < 50_000_000


def reset_peak() -> int:
    Path("/proc/self/clear_refs").write_text("5")
    return peak()


def peak() -> int:
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def test_expect_100_continue(receiver: OtlpReceiver, pipeline: Pipeline) -> None:
    body = request("a").SerializeToString()
    with socket.create_connection(("127.0.0.1", receiver.http_port), timeout=20) as connection:
        connection.sendall(head("Expect: 100-continue", f"Content-Length: {len(body)}", "Connection: close"))
        assert connection.recv(1000).startswith(b"HTTP/1.1 100 ")
        connection.sendall(body)
        assert connection.recv(1000).startswith(b"HTTP/1.1 200 ")
    assert pipeline.names == ["a"]


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (head("Content-Length: nonsense"), b"400"),
        (head("Content-Length: -5"), b"400"),
        (head("Content-Length: +5") + b"12345", b"400"),
        (head("Content-Length: 0_5") + b"12345", b"400"),
        (head("Content-Length: 2", "Content-Length: 5") + b"12345", b"400"),
        (head("content-length: 5", "Content-Length: 5") + b"12345", b"400"),
        (head("Content-Length: 0", "Transfer-Encoding: chunked") + b"0\r\n\r\n", b"400"),
        (head("Transfer-Encoding: gzip"), b"501"),
        (head("X: " + "x" * 70_000), b"413"),
        (head("Transfer-Encoding: chunked") + b"nonsense\r\n", b"400"),
        (b"nonsense\r\n\r\n", b"400"),
        (head("Content-Length: 7fffffffffffffff"), b"400"),
        (head("Content-Length: 9223372036854775807"), b"413"),
    ],
)
def test_broken_http(receiver: OtlpReceiver, raw: bytes, status: bytes) -> None:
    with socket.create_connection(("127.0.0.1", receiver.http_port), timeout=20) as connection:
        connection.sendall(raw)
        assert connection.recv(1000).split()[1] == status


def test_clients_that_stay_silent_block_nobody(receiver: OtlpReceiver, client: HTTPConnection) -> None:
    silent = [socket.create_connection(("127.0.0.1", receiver.http_port), timeout=20) for _ in range(20)]
    assert post(client, b"")[0].status == 200
    for connection in silent:
        connection.close()


def test_clients_that_hang_within_a_request_lose_their_worker() -> None:
    pieces = [head("Content-Length: 10") + b"x", head("Transfer-Encoding: chunked") + b"5\r\nx", b"POST /v1"]
    with receiving(Pipeline(), http={"workers": 1, "read_timeout": "200ms"}) as receiver:
        for piece in pieces:
            assert talk(receiver.http_port, piece).startswith(b"HTTP/1.1 408 ")
        with closing(HTTPConnection("127.0.0.1", receiver.http_port, timeout=20)) as client:
            assert post(client, b"")[0].status == 200


@pytest.mark.parametrize(
    "piece",
    [
        b"POST /v1",
        head("Content-Length: 100000") + b"x" * 50_000,
        head("Transfer-Encoding: chunked") + b"5\r\nab",
        head("Content-Length: 10", "Expect: 100-continue"),
    ],
)
def test_requests_that_are_not_whole_occupy_no_worker(piece: bytes) -> None:
    """A phone that lost its network, say; with a deadline of a minute nobody may have to wait for it."""
    with (
        receiving(pipeline := Pipeline(), http={"workers": 1, "read_timeout": "60s"}) as receiver,
        closing(HTTPConnection("127.0.0.1", receiver.http_port, timeout=20)) as client,
        ExitStack() as stack,
    ):
        for _ in range(5):
            hanging = stack.enter_context(socket.create_connection(("127.0.0.1", receiver.http_port), timeout=20))
            hanging.sendall(piece)
        for name in ("a", "b", "c"):
            assert post(client, request(name).SerializeToString())[0].status == 200
    assert pipeline.names == ["a", "b", "c"]


def test_a_request_in_many_pieces_is_put_together(receiver: OtlpReceiver, pipeline: Pipeline) -> None:
    names = [str(number) for number in range(15_000)]
    body = request(*names).SerializeToString()
    raw = head(f"Content-Length: {len(body)}") + body + head("Content-Length: 0", "Connection: close")
    with socket.create_connection(("127.0.0.1", receiver.http_port), timeout=20) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for start in range(0, len(raw), 9_973):
            connection.sendall(raw[start : start + 9_973])
            if start % 5 == 0:
                sleep(0.002)
        answer = b""
        while piece := connection.recv(1000):
            answer += piece
    assert answer.count(b"HTTP/1.1 200 OK") == 2
    assert pipeline.names == names


def test_pieces_of_requests_that_would_fill_the_memory_are_read_by_workers() -> None:
    """The second of two halves is not kept: the only worker reads it, up to its deadline."""
    half = head(f"Content-Length: {LIMIT}") + bytes(LIMIT * 6 // 10)
    options = {"workers": 1, "read_timeout": "500ms", "max_request_body_size": LIMIT}
    with receiving(Pipeline(), http=options) as receiver, ExitStack() as stack:
        halves = [
            stack.enter_context(socket.create_connection(("127.0.0.1", receiver.http_port), timeout=20))
            for _ in range(5)
        ]
        for connection in halves:
            connection.sendall(half)
        for connection in halves:
            assert connection.recv(1000).startswith(b"HTTP/1.1 408 ")
        with closing(HTTPConnection("127.0.0.1", receiver.http_port, timeout=20)) as client:
            assert post(client, b"")[0].status == 200


def test_a_client_that_drips_bytes_has_the_same_deadline() -> None:
    with (
        receiving(Pipeline(), http={"workers": 1, "read_timeout": "300ms"}) as receiver,
        socket.create_connection(("127.0.0.1", receiver.http_port), timeout=20) as connection,
    ):
        over = threading.Event()

        def drip() -> None:
            connection.sendall(head("Content-Length: 100000"))
            while not over.wait(0.02):
                try:
                    connection.sendall(b"\n")
                except OSError:
                    return

        dripping = threading.Thread(target=drip)
        dripping.start()
        try:
            assert connection.recv(1000).startswith(b"HTTP/1.1 408 ")
        finally:
            over.set()
            dripping.join()


def test_connections_beyond_the_limit_are_closed() -> None:
    with receiving(Pipeline(), http={"max_connections": 3}) as receiver:
        kept = [HTTPConnection("127.0.0.1", receiver.http_port, timeout=20) for _ in range(3)]
        for client in kept:
            assert post(client, b"")[0].status == 200
        with pytest.raises(OSError, match=r"reset|closed|Broken"):
            post(HTTPConnection("127.0.0.1", receiver.http_port, timeout=20), b"")
        for client in kept:
            assert post(client, b"")[0].status == 200
            client.close()


def test_many_clients_at_once(receiver: OtlpReceiver, pipeline: Pipeline) -> None:
    def send(number: int) -> int:
        with closing(HTTPConnection("127.0.0.1", receiver.http_port, timeout=20)) as client:
            return sum(post(client, request(f"{number}-{i}").SerializeToString())[0].status == 200 for i in range(10))

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(send, range(8))) == 80
    assert sorted(pipeline.names) == sorted(f"{n}-{i}" for n in range(8) for i in range(10))


def test_random_bytes_never_hurt_the_server(receiver: OtlpReceiver, client: HTTPConnection) -> None:
    for size in (1, 10, 1000):
        with socket.create_connection(("127.0.0.1", receiver.http_port), timeout=20) as connection:
            connection.sendall(os.urandom(size))
    assert post(client, b"")[0].status == 200
