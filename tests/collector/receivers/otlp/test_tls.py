"""TLS on both doors, with certificates made for the test and real clients."""

import socket
import ssl
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any

import grpc
import pytest
import trustme
from cryptography.hazmat.primitives import serialization
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpanExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpSpanExporter
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from structlog.testing import capture_logs

from collector.receivers.otlp.http_connection import BUFFER
from tests.collector.receivers.otlp.receiving import Pipeline, receiving, request
from tests.collector.receivers.otlp.test_http_server import head
from tests.collector.receivers.otlp.test_receiver import EXPORT, spans

PROTOBUF = {"Content-Type": "application/x-protobuf"}


@dataclass(frozen=True)
class Keys:
    """Is a folder with a server's and a client's certificate and the authority of both."""

    authority: trustme.CA
    folder: Path

    def server(self, **more: str) -> dict[str, Any]:
        names = {"cert_file": "server.pem", "key_file": "server.key", **more}
        files = {name: str(self.folder / value) for name, value in names.items() if name.endswith("file")}
        return {"tls": {**names, **files}}

    def client(self, certificate: bool = False) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self.folder / "ca.pem"))
        if certificate:
            context.load_cert_chain(self.folder / "client.pem", self.folder / "client.key")
        return context


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    folder, authority = tmp_path_factory.mktemp("keys"), trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    for name, identity in (("server", "localhost"), ("client", "app@example.com")):
        made = authority.issue_cert(identity)
        made.private_key_pem.write_to_path(folder / f"{name}.key")
        for part in made.cert_chain_pems:
            part.write_to_path(folder / f"{name}.pem", append=True)
    return Keys(authority, folder)


def https(port: int, context: ssl.SSLContext) -> HTTPSConnection:
    return HTTPSConnection("localhost", port, timeout=20, context=context)


def post(client: HTTPSConnection, body: bytes) -> int:
    client.request("POST", "/v1/traces", body, PROTOBUF)
    response = client.getresponse()
    response.read()
    return response.status


@pytest.mark.parametrize("protocol", ["grpc", "http"])
def test_the_sdk_delivers_over_tls(keys: Keys, protocol: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):  # requests heeds these more than its caller
        monkeypatch.delenv(name, raising=False)
    pipeline, sent = Pipeline(), spans(300)
    with receiving(pipeline, grpc=keys.server(), http=keys.server()) as receiver:
        exporter: SpanExporter
        if protocol == "grpc":
            credentials = grpc.ssl_channel_credentials((keys.folder / "ca.pem").read_bytes())
            exporter = GrpcSpanExporter(f"https://localhost:{receiver.grpc_port}", credentials=credentials)
        else:
            where = f"https://localhost:{receiver.http_port}/v1/traces"
            exporter = HttpSpanExporter(where, certificate_file=str(keys.folder / "ca.pem"))
        assert exporter.export(sent) is SpanExportResult.SUCCESS
        exporter.shutdown()
    assert pipeline.names == [span.name for span in sent]


def test_a_connection_is_kept_and_large_bodies_arrive_whole(keys: Keys) -> None:
    pipeline = Pipeline()
    with (
        receiving(pipeline, http=keys.server()) as receiver,
        closing(https(receiver.http_port, keys.client())) as client,
    ):
        sockets = set()
        for size in (1, 9_000, 16_384, 3_000_000, 5):
            assert post(client, request("x" * size).SerializeToString()) == 200
            sockets.add(client.sock)
    assert [len(name) for name in pipeline.names] == [1, 9_000, 16_384, 3_000_000, 5]
    assert len(sockets) == 1


def test_a_request_decrypted_together_with_another_is_answered_too(keys: Keys) -> None:
    """Both stand in one record, and the first ends where the server's buffer does: the system tells of neither."""
    body = bytes(BUFFER - len(head("Content-Length: 8000")))
    one = head(f"Content-Length: {len(body)}") + body
    assert len(one) == BUFFER
    with (
        receiving(Pipeline(), http=keys.server()) as receiver,
        socket.create_connection(("localhost", receiver.http_port), timeout=20) as plain,
        keys.client().wrap_socket(plain, server_hostname="localhost") as connection,
    ):
        connection.sendall(one * 2)
        answer = b""
        while answer.count(b"HTTP/1.1 400 ") < 2:
            piece = connection.recv(65536)
            assert piece, answer
            answer += piece


@pytest.mark.parametrize("shown", [True, False])
def test_clients_must_show_a_certificate_where_asked(keys: Keys, shown: bool) -> None:
    asking, pipeline = keys.server(client_ca_file="ca.pem"), Pipeline()
    pair = [(keys.folder / f"client.{end}").read_bytes() for end in ("key", "pem")] if shown else [None, None]
    credentials = grpc.ssl_channel_credentials((keys.folder / "ca.pem").read_bytes(), *pair)
    body = request("a").SerializeToString()
    with (
        receiving(pipeline, grpc=asking, http=asking) as receiver,
        closing(https(receiver.http_port, keys.client(shown))) as client,
        grpc.secure_channel(f"localhost:{receiver.grpc_port}", credentials) as channel,
    ):
        if shown:
            assert post(client, body) == 200
            assert channel.unary_unary(EXPORT)(body, timeout=20) == b""
        else:
            with pytest.raises((ssl.SSLError, ConnectionError)):
                post(client, body)
            with pytest.raises(grpc.RpcError) as refusal:
                channel.unary_unary(EXPORT)(body, timeout=20)
            assert refusal.value.code() is grpc.StatusCode.UNAVAILABLE
    assert pipeline.names == ["a", "a"] * shown


def test_the_oldest_version_is_an_option(keys: Keys) -> None:
    old = keys.client()
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with (
        receiving(Pipeline(), http=keys.server(min_version="1.3")) as receiver,
        closing(https(receiver.http_port, keys.client())) as new_client,
        closing(https(receiver.http_port, old)) as old_client,
    ):
        with pytest.raises(ssl.SSLError):
            post(old_client, b"")
        assert post(new_client, b"") == 200


def test_clients_that_never_shake_hands_block_nobody_and_are_let_go(keys: Keys) -> None:
    options = {**keys.server(), "workers": 1, "read_timeout": "300ms"}
    with capture_logs() as logs, receiving(Pipeline(), http=options) as receiver:
        silent = [socket.create_connection(("localhost", receiver.http_port), timeout=20) for _ in range(5)]
        silent[0].sendall(b"\x16\x03\x01\x02\x00\x01")  # the beginning of a hello
        silent[1].sendall(b"POST /v1/traces HTTP/1.1\r\n\r\n")
        with closing(https(receiver.http_port, keys.client())) as client:
            assert post(client, b"") == 200
        assert silent[0].recv(1000) == b""
        for connection in silent:
            connection.close()
    assert [line["event"] for line in logs if line["log_level"] == "error"] == []


@pytest.mark.parametrize("protocol", ["grpc", "http"])
@pytest.mark.parametrize(
    ("names", "place"),
    [
        ({"cert_file": "nowhere.pem"}, "cert_file, key_file"),
        ({"key_file": "client.key"}, "cert_file, key_file"),
        ({"cert_file": "server.key"}, "cert_file, key_file"),
        ({"client_ca_file": "client.key"}, "client_ca_file"),
    ],
)
def test_files_that_cannot_be_used_are_a_clear_error(
    keys: Keys, protocol: str, names: dict[str, str], place: str
) -> None:
    text = rf"^otlp: protocols\.{protocol}\.tls\.{place}: cannot be used: .+; name readable PEM files"
    options: dict[str, Any] = {protocol: keys.server(**names)}
    with pytest.raises(OSError, match=text), receiving(Pipeline(), **options):
        pass


def test_an_encrypted_key_is_an_error_and_no_question(keys: Keys, tmp_path: Path) -> None:
    key = serialization.load_pem_private_key((keys.folder / "server.key").read_bytes(), None)
    locked = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    )
    (tmp_path / "locked.key").write_bytes(locked)
    options = keys.server(key_file=str(tmp_path / "locked.key"))
    with pytest.raises(OSError, match="the key is encrypted"), receiving(Pipeline(), http=options):
        pass
