"""The receiver as a whole, with OpenTelemetry's own exporters as its clients."""

import socket
import threading
from collections.abc import Callable
from contextlib import closing
from http.client import HTTPConnection

import grpc
import pytest
from opentelemetry._logs import SeverityNumber
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as GrpcLogExporter
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter as GrpcMetricExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpanExporter
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter as HttpLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter as HttpMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import LogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricExporter, PeriodicExportingMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from structlog.testing import capture_logs

from collector.batch import Batch
from collector.component import Host
from collector.errors import Permanent, Retryable
from collector.receivers.otlp import OtlpReceiver
from tests.collector.receivers.otlp.receiving import Pipeline, own_metrics, receiving, request

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
Client = Callable[[OtlpReceiver], SpanExporter]


def _grpc(compression: grpc.Compression) -> Client:
    return lambda receiver: GrpcSpanExporter(
        endpoint=f"http://localhost:{receiver.grpc_port}", insecure=True, compression=compression
    )


def _http(compression: Compression) -> Client:
    return lambda receiver: HttpSpanExporter(
        endpoint=f"http://localhost:{receiver.http_port}/v1/traces", compression=compression
    )


CLIENTS = {
    "grpc": _grpc(grpc.Compression.NoCompression),
    "grpc-gzip": _grpc(grpc.Compression.Gzip),
    "http": _http(Compression.NoCompression),
    "http-gzip": _http(Compression.Gzip),
    "http-deflate": _http(Compression.Deflate),
}
both_protocols = pytest.mark.parametrize("client", [CLIENTS["grpc-gzip"], CLIENTS["http-gzip"]], ids=["grpc", "http"])


def spans(count: int) -> list[ReadableSpan]:
    tracer = TracerProvider(resource=Resource({"service.name": "shop"})).get_tracer("test")
    made = []
    for number in range(count):
        span = tracer.start_span(f"chat {number}", attributes={"gen_ai.operation.name": "chat", "n": number})
        span.end()
        made.append(span)
    return made  # type: ignore[return-value]


@pytest.mark.parametrize("client", CLIENTS.values(), ids=CLIENTS)
def test_the_sdk_delivers_its_spans(client: Client) -> None:
    pipeline, host, sent = Pipeline(), Host("otlp"), spans(300)
    with receiving(pipeline, host) as receiver, closing_exporter(client(receiver)) as exporter:
        assert exporter.export(sent) is SpanExportResult.SUCCESS
    (batch,) = pipeline.batches
    assert batch.main.column("name").to_pylist() == [span.name for span in sent]
    assert batch.main.column("start_time_unix_nano").to_pylist() == [span.start_time for span in sent]
    accepted = {name: n for name, n in own_metrics(host).items() if name.startswith("otelcol_receiver_accepted_spans")}
    assert list(accepted.values()) == [300]


METRIC_CLIENTS: dict[str, Callable[[OtlpReceiver], MetricExporter]] = {
    "grpc": lambda receiver: GrpcMetricExporter(
        endpoint=f"http://localhost:{receiver.grpc_port}", insecure=True, compression=grpc.Compression.Gzip
    ),
    "http": lambda receiver: HttpMetricExporter(endpoint=f"http://localhost:{receiver.http_port}/v1/metrics"),
}
LOG_CLIENTS: dict[str, Callable[[OtlpReceiver], LogRecordExporter]] = {
    "grpc": lambda receiver: GrpcLogExporter(endpoint=f"http://localhost:{receiver.grpc_port}", insecure=True),
    "http": lambda receiver: HttpLogExporter(
        endpoint=f"http://localhost:{receiver.http_port}/v1/logs", compression=Compression.Gzip
    ),
}


@pytest.mark.parametrize("client", METRIC_CLIENTS.values(), ids=METRIC_CLIENTS)
def test_the_sdk_delivers_its_metrics(client: Callable[[OtlpReceiver], MetricExporter]) -> None:
    pipeline, host = Pipeline(), Host("otlp")
    exponential = View(instrument_name="size", aggregation=ExponentialBucketHistogramAggregation())
    with receiving(pipeline, host) as receiver:
        reader = PeriodicExportingMetricReader(client(receiver), export_interval_millis=float("inf"))
        provider = MeterProvider([reader], views=[exponential], shutdown_on_exit=False)
        meter = provider.get_meter("shop")
        meter.create_counter("calls").add(3, {"model": "gpt-4o"})
        meter.create_gauge("depth").set(0.5)
        meter.create_histogram("latency", "s", explicit_bucket_boundaries_advisory=[1.0]).record(2)
        meter.create_histogram("size").record(8)
        assert provider.force_flush()
        provider.shutdown()
    batch = pipeline.batches[0]
    metrics = {
        metric["name"]: (metric["type"], metric["aggregation_temporality"], metric["is_monotonic"])
        for metric in batch.tables["metrics"].to_pylist()
    }
    assert metrics == {
        "calls": ("sum", 2, True),
        "depth": ("gauge", 0, False),
        "latency": ("histogram", 2, False),
        "size": ("exponential_histogram", 2, False),
    }
    calls, depth, latency, size = batch.main.to_pylist()
    assert (calls["as_int"], depth["as_double"], latency["bucket_counts"], latency["sum"]) == (3, 0.5, [0, 1], 2)
    assert (size["count"], size["positive_bucket_counts"]) == (1, [1])
    accepted = {name: n for name, n in own_metrics(host).items() if "accepted_metric_points" in name}
    assert list(accepted.values()) == [sum(batch.rows for batch in pipeline.batches)]


@pytest.mark.parametrize("client", LOG_CLIENTS.values(), ids=LOG_CLIENTS)
def test_the_sdk_delivers_its_logs(client: Callable[[OtlpReceiver], LogRecordExporter]) -> None:
    pipeline, host = Pipeline(), Host("otlp")
    with receiving(pipeline, host) as receiver:
        provider = LoggerProvider(shutdown_on_exit=False)
        provider.add_log_record_processor(SimpleLogRecordProcessor(client(receiver)))
        tracer = TracerProvider().get_tracer("test")
        with tracer.start_as_current_span("chat") as span:
            provider.get_logger("shop").emit(
                body={"role": "user", "n": [1, 2.5]},
                severity_number=SeverityNumber.WARN,
                event_name="gen_ai.user.message",
                timestamp=5,
            )
        provider.shutdown()
    (record,) = pipeline.batches[0].main.to_pylist()
    assert (record["event_name"], record["severity_number"], record["time_unix_nano"]) == ("gen_ai.user.message", 13, 5)
    assert record["trace_id"] == span.get_span_context().trace_id.to_bytes(16)
    assert b"user" in record["body"]["kvlist_value"]
    accepted = {name: n for name, n in own_metrics(host).items() if "accepted_log_records" in name}
    assert list(accepted.values()) == [1]


def closing_exporter(exporter: SpanExporter) -> "closing[SpanExporter]":
    exporter.close = exporter.shutdown  # type: ignore[attr-defined]
    return closing(exporter)  # type: ignore[type-var]


@both_protocols
def test_the_sdk_sends_again_what_was_retryable(client: Client) -> None:
    refusals = [Retryable("outbox is full", after=0.05), Retryable("outbox is full", after=0.05)]

    def behave(_batch: Batch) -> None:
        if refusals:
            raise refusals.pop()

    pipeline, sent = Pipeline(behave), spans(3)
    with receiving(pipeline) as receiver, closing_exporter(client(receiver)) as exporter:
        assert exporter.export(sent) is SpanExportResult.SUCCESS
    assert pipeline.names == [span.name for span in sent]


@both_protocols
@pytest.mark.parametrize("error", [Permanent("no"), ValueError("bug")])
def test_the_sdk_does_not_send_again_what_was_permanent(client: Client, error: Exception) -> None:
    seen = []

    def behave(batch: Batch) -> None:
        seen.append(batch.id)
        raise error

    with receiving(Pipeline(behave)) as receiver, closing_exporter(client(receiver)) as exporter:
        assert exporter.export(spans(1)) is SpanExportResult.FAILURE
    assert len(seen) == 1


def test_both_doors_name_the_same_request_alike() -> None:
    pipeline, sent = Pipeline(), spans(5)
    with receiving(pipeline) as receiver:
        for client in CLIENTS.values():
            with closing_exporter(client(receiver)) as exporter:
                exporter.export(sent)
    assert len(pipeline.batches) == len(CLIENTS)
    assert len({batch.id for batch in pipeline.batches}) == 1


def test_stop_lets_running_requests_finish() -> None:
    running, go_on, answers = threading.Semaphore(0), threading.Event(), []

    def behave(_batch: Batch) -> None:
        running.release()
        go_on.wait(20)

    pipeline = Pipeline(behave)
    with receiving(pipeline) as receiver:

        def send(client: Client) -> None:
            with closing_exporter(client(receiver)) as exporter:
                answers.append(exporter.export(spans(1)))

        senders = [threading.Thread(target=send, args=(CLIENTS[name],)) for name in ("grpc", "http")]
        for sender in senders:
            sender.start()
        for _ in senders:
            running.acquire()
        stopping = threading.Thread(target=receiver.stop)
        stopping.start()
        assert stopping.is_alive()
        go_on.set()
        stopping.join()
        for sender in senders:
            sender.join()
    assert answers == [SpanExportResult.SUCCESS] * 2
    assert len(pipeline.batches) == 2


def test_stop_frees_the_ports() -> None:
    own = "127.43.18.1"  # no other test connects from here, so that none can be given a port that was freed
    with socket.create_server((own, 0)) as one, socket.create_server((own, 0)) as two:
        ports = [one.getsockname()[1], two.getsockname()[1]]
    grpc_options, http_options = ({"endpoint": f"{own}:{port}"} for port in ports)
    for _ in range(2):
        with receiving(pipeline := Pipeline(), grpc=grpc_options, http=http_options):
            client = HTTPConnection(own, ports[1], timeout=20)
            body = request("a").SerializeToString()
            client.request("POST", "/v1/traces", body, {"Content-Type": "application/x-protobuf"})
            assert client.getresponse().status == 200
        client.close()
        assert len(pipeline.batches) == 1


def test_stop_does_not_wait_for_a_pipeline_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("collector.receivers.otlp._GRACE", 0.1)
    running, go_on = threading.Semaphore(0), threading.Event()

    def behave(_batch: Batch) -> None:
        running.release()
        go_on.wait(20)

    pipeline, body = Pipeline(behave), request("a").SerializeToString()
    with receiving(pipeline) as receiver:
        client = HTTPConnection("127.0.0.1", receiver.http_port, timeout=20)
        client.request("POST", "/v1/traces", body, {"Content-Type": "application/x-protobuf"})
        with grpc.insecure_channel(f"localhost:{receiver.grpc_port}") as channel:
            call = channel.unary_unary(EXPORT).future(body, timeout=20)
            for _ in range(2):
                running.acquire()
            receiver.stop()
            assert pipeline.batches == []
            with pytest.raises(grpc.RpcError):
                call.result()
        go_on.set()
        client.close()


def test_stop_does_not_wait_for_idle_connections() -> None:
    with receiving(Pipeline()) as receiver:
        client = HTTPConnection("127.0.0.1", receiver.http_port, timeout=20)
        client.request("POST", "/v1/traces", b"", {"Content-Type": "application/x-protobuf"})
        assert client.getresponse().read() == b""
        receiver.stop()
        assert client.sock.recv(1) == b""
        client.close()


def test_stop_is_safe_twice_and_without_start() -> None:
    config = OtlpReceiver.Config.model_validate({"protocols": {"grpc": None, "http": None}})
    receiver = OtlpReceiver(config, Host("otlp"), Pipeline().consume)
    receiver.stop()
    assert (receiver.grpc_port, receiver.http_port) == (0, 0)
    with receiving(Pipeline()) as running:
        running.stop()
        running.stop()


@pytest.mark.parametrize("protocol", ["grpc", "http"])
def test_a_taken_port_is_a_clear_error_and_leaves_nothing_open(protocol: str) -> None:
    with receiving(Pipeline()) as first:
        port = first.grpc_port if protocol == "grpc" else first.http_port
        taken = {protocol: {"endpoint": f"localhost:{port}"}}
        text = rf"^otlp: protocols\.{protocol}\.endpoint: cannot listen on localhost:{port}: .*; stop the process"
        with pytest.raises(OSError, match=text), receiving(Pipeline(), **taken):
            pass


def test_a_port_that_is_taken_at_one_address_only_is_the_same_error() -> None:
    """A program at 127.0.0.1 would get the data of every client that tries IPv4 first."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = {"endpoint": f"localhost:{other.getsockname()[1]}"}
        text = r"^otlp: protocols\.grpc\.endpoint: cannot listen on .*in use; stop"
        with pytest.raises(OSError, match=text), receiving(Pipeline(), grpc=taken):
            pass


def test_an_absent_protocol_is_off() -> None:
    config = OtlpReceiver.Config.model_validate({"protocols": {"http": {"endpoint": "localhost:0"}}})
    receiver = OtlpReceiver(config, Host("otlp"), Pipeline().consume)
    receiver.start()
    assert receiver.grpc_port == 0
    assert receiver.http_port > 0
    receiver.stop()


def test_every_interface_is_warned_of_once() -> None:
    everywhere = {"endpoint": "0.0.0.0:0"}
    with capture_logs() as logs, receiving(Pipeline(), grpc=everywhere, http=everywhere):
        pass
    assert [line["event"] for line in logs if line["log_level"] == "warning"] == [
        "listening on every network interface"
    ]
    with capture_logs() as logs, receiving(Pipeline()):
        pass
    assert [line for line in logs if line["log_level"] == "warning"] == []


def test_the_same_bytes_are_the_same_batch_on_both_doors() -> None:
    pipeline, body = Pipeline(), request("a").SerializeToString()
    with receiving(pipeline) as receiver:
        client = HTTPConnection("127.0.0.1", receiver.http_port, timeout=20)
        client.request("POST", "/v1/traces", body, {"Content-Type": "application/x-protobuf"})
        assert client.getresponse().status == 200
        client.close()
        with grpc.insecure_channel(f"localhost:{receiver.grpc_port}") as channel:
            channel.unary_unary(EXPORT)(body, timeout=20)
    first, second = pipeline.batches
    assert first.id == second.id
