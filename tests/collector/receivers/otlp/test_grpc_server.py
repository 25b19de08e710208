"""OTLP/gRPC on the wire."""

import socket
import struct
import threading
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest
from google.rpc.code_pb2 import Code
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from collector.batch import Batch, Signal
from collector.component import Host
from collector.errors import Permanent, Retryable
from collector.otlp.protocol import PROTOCOLS
from collector.receivers.otlp import OtlpReceiver
from tests.collector.otlp.test_decode import CAPTURES_OF
from tests.collector.receivers.otlp.receiving import Pipeline, receiving, request

TRACES = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
MIB = 1024**2


@pytest.fixture
def pipeline() -> Pipeline:
    return Pipeline()


@pytest.fixture
def receiver(pipeline: Pipeline) -> Iterator[OtlpReceiver]:
    with receiving(pipeline, grpc={"max_recv_msg_size_mib": 1, "workers": 2}) as running:
        yield running


@pytest.fixture
def channel(receiver: OtlpReceiver) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(f"localhost:{receiver.grpc_port}") as opened:
        yield opened


def export(
    channel: grpc.Channel, body: bytes, method: str = TRACES, compression: grpc.Compression | None = None
) -> bytes:
    answer: bytes = channel.unary_unary(method)(body, timeout=20, compression=compression)
    return answer


def refusal(send: Callable[[], bytes]) -> tuple[grpc.StatusCode, str, Status | None]:
    """Return code, details and the google.rpc.Status of the error that *send* gets."""
    with pytest.raises(grpc.RpcError) as caught:
        send()
    error = caught.value
    details = dict(error.trailing_metadata() or ()).get("grpc-status-details-bin")
    return error.code(), error.details(), None if details is None else Status.FromString(details)


def test_success_is_an_empty_answer(channel: grpc.Channel, pipeline: Pipeline) -> None:
    assert export(channel, request("a", "b").SerializeToString()) == b""
    assert export(channel, b"") == b""
    assert pipeline.names == ["a", "b"]


@pytest.mark.parametrize("compression", [grpc.Compression.Gzip, grpc.Compression.Deflate])
def test_compression(channel: grpc.Channel, pipeline: Pipeline, compression: grpc.Compression) -> None:
    body = request("a" * 1000).SerializeToString()
    assert export(channel, body, compression=compression) == b""
    assert pipeline.names == ["a" * 1000]


def test_partial_success_is_ok_with_a_message(channel: grpc.Channel, pipeline: Pipeline) -> None:
    answer = ExportTraceServiceResponse.FromString(export(channel, request("a", start=0).SerializeToString()))
    assert answer.partial_success.rejected_spans == 1
    assert pipeline.batches == []


@pytest.mark.parametrize(
    ("error", "code", "delay"),
    [
        (Retryable("full"), grpc.StatusCode.UNAVAILABLE, 1.0),
        (Retryable("full", after=2.5), grpc.StatusCode.UNAVAILABLE, 2.5),
        (Permanent("né" * 5000), grpc.StatusCode.INVALID_ARGUMENT, None),
        (KeyError("bug"), grpc.StatusCode.INTERNAL, None),
    ],
)
def test_refusals_of_the_pipeline(
    channel: grpc.Channel, pipeline: Pipeline, error: Exception, code: grpc.StatusCode, delay: float | None
) -> None:
    def fail(_batch: Batch) -> None:
        raise error

    pipeline.behave = fail
    got, text, status = refusal(lambda: export(channel, request("a").SerializeToString()))
    assert status is not None
    assert (got, status.code, status.message) == (code, code.value[0], text)
    info = RetryInfo()
    assert [detail.Unpack(info) for detail in status.details] == [True] * (delay is not None)
    assert info.retry_delay.ToMilliseconds() == (delay or 0) * 1000
    pipeline.behave = lambda batch: None
    assert export(channel, request("b").SerializeToString()) == b""


def test_malformed_protobuf(channel: grpc.Channel) -> None:
    code, _, status = refusal(lambda: export(channel, b"\xff\xff"))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert status is not None
    assert status.code == Code.INVALID_ARGUMENT


@pytest.mark.parametrize("signal", [Signal.METRICS, Signal.LOGS])
def test_metrics_and_logs_have_services_of_their_own(channel: grpc.Channel, pipeline: Pipeline, signal: Signal) -> None:
    method = f"/{PROTOCOLS[signal].service}/Export"
    for path in CAPTURES_OF[signal]:
        assert export(channel, path.read_bytes(), method) == b""
    assert [batch.signal for batch in pipeline.batches] == [signal] * len(CAPTURES_OF[signal])
    code, text, _ = refusal(lambda: export(channel, b"\xff", method))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert PROTOCOLS[signal].request.DESCRIPTOR.name in text


@pytest.mark.parametrize("signal", [Signal.METRICS, Signal.LOGS])
def test_a_signal_without_a_pipeline_is_unimplemented_with_a_clear_text(signal: Signal) -> None:
    method = f"/{PROTOCOLS[signal].service}/Export"
    host = Host("otlp", signals=frozenset({Signal.TRACES}))
    with (
        receiving(Pipeline(), host) as receiver,
        grpc.insecure_channel(f"localhost:{receiver.grpc_port}") as channel,
    ):
        code, text, _ = refusal(lambda: export(channel, b"", method))
    assert (code, text) == (
        grpc.StatusCode.UNIMPLEMENTED,
        f"no pipeline takes {signal} from receiver otlp; add service::pipelines::{signal} with receivers: [otlp]",
    )


def test_other_services_are_unimplemented(channel: grpc.Channel) -> None:
    assert refusal(lambda: export(channel, b"", "/x.Y/Z"))[0] is grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize("compression", [None, grpc.Compression.Gzip])
def test_the_largest_message_is_taken_and_one_byte_more_is_not(
    channel: grpc.Channel, pipeline: Pipeline, compression: grpc.Compression | None
) -> None:
    message = request("a")
    message.resource_spans[0].schema_url = "x" * (MIB - message.ByteSize() - 100)
    message.resource_spans[0].schema_url += "x" * (MIB - message.ByteSize())
    whole = message.SerializeToString()
    assert len(whole) == MIB
    assert export(channel, whole, compression=compression) == b""
    for body in (whole + b"\x7a\x00", whole * 20):
        code, _, status = refusal(lambda body=body: export(channel, body, compression=compression))
        assert (code, status) == (grpc.StatusCode.RESOURCE_EXHAUSTED, None)
    assert len(pipeline.batches) == 1


def _frame(kind: int, flags: int, payload: bytes, stream: int = 1) -> bytes:
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def _headers() -> bytes:
    fields = {
        ":method": "POST",
        ":scheme": "http",
        ":path": TRACES,
        ":authority": "x",
        "te": "trailers",
        "content-type": "application/grpc",
        "grpc-encoding": "gzip",
    }
    literals = (b"\0%c%b%c%b" % (len(name), name.encode(), len(text), text.encode()) for name, text in fields.items())
    return b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + _frame(4, 0, b"", 0) + _frame(1, 4, b"".join(literals))


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="needs Linux to measure peak memory")
def test_a_gzip_bomb_is_refused_without_unpacking_it(receiver: OtlpReceiver) -> None:
    """Frames made by hand: gRPC's own client cannot send what it did not compress, and its memory would count."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    zeros = bytes(20 * MIB)
    bomb = b"".join(packer.compress(zeros) for _ in range(3)) + packer.flush()
    message = b"\1" + struct.pack(">I", len(bomb)) + bomb
    assert len(message) < 65_535  # the window that HTTP/2 starts with
    Path("/proc/self/clear_refs").write_text("5")
    before = _peak()
    with socket.create_connection(("127.0.0.1", receiver.grpc_port), timeout=20) as connection:
        connection.sendall(_headers())
        for start in range(0, len(message), 16_000):
            end = start + 16_000 >= len(message)
            connection.sendall(_frame(0, int(end), message[start : start + 16_000]))
        answer = b""
        while b"grpc-status\x018" not in answer:  # RESOURCE_EXHAUSTED
            piece = connection.recv(65536)
            assert piece, answer
            answer += piece
    assert _peak() - before < 20 * MIB


def _peak() -> int:
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def test_many_clients_at_once(receiver: OtlpReceiver, pipeline: Pipeline) -> None:
    def send(number: int) -> None:
        options = [("grpc.use_local_subchannel_pool", 1)]
        with grpc.insecure_channel(f"localhost:{receiver.grpc_port}", options) as channel:
            for i in range(10):
                assert export(channel, request(f"{number}-{i}").SerializeToString()) == b""

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(send, range(8)))
    assert sorted(pipeline.names) == sorted(f"{n}-{i}" for n in range(8) for i in range(10))


def test_requests_beyond_the_workers_wait_instead_of_failing(channel: grpc.Channel, pipeline: Pipeline) -> None:
    go_on = threading.Event()
    pipeline.behave = lambda batch: go_on.wait(20) and None
    calls = [channel.unary_unary(TRACES).future(request(str(n)).SerializeToString(), timeout=20) for n in range(6)]
    go_on.set()
    assert [call.result() for call in calls] == [b""] * 6


def test_durations_may_be_longer_than_grpc_counts() -> None:
    names = ("max_connection_idle", "max_connection_age", "max_connection_age_grace", "time", "timeout")
    keepalive = {
        "server_parameters": dict.fromkeys(names, "876000h"),
        "enforcement_policy": {"min_time": "876000h"},
    }
    with (
        receiving(Pipeline(), grpc={"keepalive": keepalive}) as receiver,
        grpc.insecure_channel(f"localhost:{receiver.grpc_port}") as channel,
    ):
        assert export(channel, b"") == b""


def test_a_client_that_died_within_a_request_loses_its_worker() -> None:
    """A client that is connected but answers no ping, its message never sent: a stopped process, a pulled cable."""
    keepalive = {"server_parameters": {"time": "1s", "timeout": "1s"}}
    with (
        receiving(Pipeline(), grpc={"workers": 1, "keepalive": keepalive}) as receiver,
        socket.create_connection(("127.0.0.1", receiver.grpc_port), timeout=20) as dead,
        grpc.insecure_channel(f"localhost:{receiver.grpc_port}") as channel,
    ):
        dead.sendall(_headers())
        assert dead.recv(1000)
        assert export(channel, b"") == b""
