"""OTLP receivers for tests, over real gRPC and real HTTP, that answer what the test says and keep what they got."""

import gzip
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

import grpc
import pyarrow as pa
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

UNPACK = {
    "gzip": gzip.decompress,
    "zstd": lambda body: pa.CompressedInputStream(pa.BufferReader(body), "zstd").read(),
    "": bytes,
}


@dataclass
class Answer:
    """Is what the receiver says: *code* is a gRPC code or an HTTP status."""

    code: Any = None
    body: bytes | Message = b""
    headers: dict[str, str] = field(default_factory=dict)
    text: str = "because"
    hang: bool = False

    @property
    def bytes(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else self.body.SerializeToString()


@dataclass
class Got:
    """Is one request: where it went, its body without compression, its headers, and the size it travelled in."""

    path: str
    body: bytes
    headers: dict[str, str]
    size: int = 0

    @property
    def names(self) -> list[str]:
        request = ExportTraceServiceRequest.FromString(self.body)
        return [span.name for one in request.resource_spans for two in one.scope_spans for span in two.spans]


class Receiver:
    """Gives its answers in turn, and then OK for ever."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.limit = 0
        self.got: list[Got] = []
        self.port = 0
        self.stopping = Event()

    def answer(self, *answers: Answer) -> None:
        self.answers += answers

    def next(self, got: Got) -> Answer:
        self.got.append(got)
        return self.answers.pop(0) if self.answers else Answer()

    @property
    def names(self) -> list[list[str]]:
        return [got.names for got in self.got]


def delay(seconds: float) -> Status:
    """Return a status that asks to come back after *seconds*."""
    info = RetryInfo()
    info.retry_delay.FromMilliseconds(int(seconds * 1000))
    status = Status()
    status.details.add().Pack(info)
    return status


@contextmanager
def grpc_receiver(port: int = 0, certificate: Any = None, clients: bytes | None = None) -> Iterator[Receiver]:
    """Serve OTLP/gRPC, with TLS if there is a certificate, and asking clients for one if *clients* is given."""
    receiver = Receiver()

    def handle(details: Any) -> Any:
        def export(body: bytes, context: grpc.ServicerContext) -> bytes:
            headers = {pair.key: pair.value for pair in context.invocation_metadata()} | {"peer": context.peer()}
            answer = receiver.next(Got(details.method, body, headers))
            if answer.hang:
                receiver.stopping.wait(10)
            if receiver.limit and len(body) > receiver.limit:
                context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "too large")
            if answer.code is not None:
                context.set_trailing_metadata((("grpc-status-details-bin", answer.bytes),))
                context.abort(answer.code, answer.text)
            return answer.bytes

        return grpc.unary_unary_rpc_method_handler(export)

    class Every(grpc.GenericRpcHandler):
        def service(self, details: Any) -> Any:
            return handle(details)

    server = grpc.server(ThreadPoolExecutor(4), options=[("grpc.so_reuseport", 0)])
    server.add_generic_rpc_handlers((Every(),))
    address = f"localhost:{port}"
    if certificate is None:
        receiver.port = server.add_insecure_port(address)
    else:
        chain = b"".join(pem.bytes() for pem in certificate.cert_chain_pems)
        credentials = grpc.ssl_server_credentials(
            [(certificate.private_key_pem.bytes(), chain)], clients, clients is not None
        )
        receiver.port = server.add_secure_port(address, credentials)
    server.start()
    try:
        yield receiver
    finally:
        receiver.stopping.set()
        server.stop(None).wait()


@contextmanager
def http_receiver(context: Any = None) -> Iterator[Receiver]:
    """Serve OTLP/HTTP, with TLS if there is a context."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            packed = self.rfile.read(int(self.headers["Content-Length"]))
            body = UNPACK[self.headers.get("Content-Encoding", "")](packed)
            headers = {name.lower(): value for name, value in self.headers.items()}
            answer = receiver.next(Got(self.path, bytes(body), headers, len(packed)))
            if receiver.limit and len(body) > receiver.limit:
                answer = Answer(413)
            if answer.hang:
                self.close_connection = True
                return
            self.send_response(answer.code or 200)
            for name, value in {"Content-Type": "application/x-protobuf", **answer.headers}.items():
                self.send_header(name, value)
            if "Content-Length" not in answer.headers:
                self.send_header("Content-Length", str(len(answer.bytes)))
            self.end_headers()
            try:
                self.wfile.write(answer.bytes)
            except OSError:
                self.close_connection = True

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("localhost", 0), Handler)
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    server.daemon_threads = True
    receiver.port = server.server_port
    thread = Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
