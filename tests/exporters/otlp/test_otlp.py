"""The OTLP exporters against real receivers in this process: what goes out, and what answers lead to."""

import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import grpc
import pytest
import trustme
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from collector.batch import Batch, Signal, concat
from collector.component import Host
from collector.errors import ConfigError, Permanent, Retryable
from collector.journal import Journal
from collector.letters import DeadLetter
from collector.otlp.decode import decode
from collector.otlp.encode import encode
from collector.otlp.json import from_json
from collector.outbox import Outbox
from collector.outlet import Direct
from exporters.otlp import Forwarder, OtlpExporter, OtlpHttpExporter
from tests.batches import names_of, spans
from tests.contents import contents
from tests.running import free_port

from .receiver import Answer, Receiver, delay, grpc_receiver, http_receiver

CORPUS = Path(__file__).parents[2] / "corpus"
CODES = grpc.StatusCode


def grpc_exporter(port: int, base: Path = Path(), **options: Any) -> OtlpExporter:
    options = {"endpoint": f"localhost:{port}", "tls": {"insecure": True}, "timeout": "5s", **options}
    return OtlpExporter(OtlpExporter.Config.model_validate(options), Host("otlp", base=base))


def http_exporter(port: int, base: Path = Path(), **options: Any) -> OtlpHttpExporter:
    options = {"endpoint": f"http://localhost:{port}", "timeout": "5s", **options}
    return OtlpHttpExporter(OtlpHttpExporter.Config.model_validate(options), Host("otlphttp", base=base))


Make = Callable[..., Forwarder]
BOTH = [pytest.param(grpc_receiver, grpc_exporter, id="grpc"), pytest.param(http_receiver, http_exporter, id="http")]
both = pytest.mark.parametrize(("serve", "make"), BOTH)


@contextmanager
def started(exporter: Forwarder) -> Iterator[Forwarder]:
    exporter.start()
    try:
        yield exporter
    finally:
        exporter.stop()


@contextmanager
def queued(exporter: Forwarder) -> Iterator[Outbox]:
    """Yield an outbox before the exporter, and go on when everything left it."""
    outbox = Outbox(exporter)
    outbox.start()
    try:
        yield outbox
        for _ in range(1000):
            if not exporter.host.metrics.value("otelcol_exporter_queue_size", exporter=exporter.host.id):
                break
            time.sleep(0.01)
    finally:
        outbox.stop(20)


def queue(folder: Path, **batch: Any) -> dict[str, Any]:
    """Return the options of an outbox that does not wait."""
    return {
        "sending_queue": {"directory": str(folder), "batch": {"flush_timeout": "10ms", **batch}},
        "retry_on_failure": {"initial_interval": "10ms", "max_interval": "20ms"},
    }


def letters(folder: Path, name: str) -> list[DeadLetter]:
    with closing(Journal(folder / f"{name}.sqlite")) as journal:
        return [
            DeadLetter(one.id, one.at, one.signal, one.rows, one.reason, journal.letters.body(one.seq))
            for one in journal.letters.kept()
        ]


FOLDERS = {Signal.TRACES: CORPUS / "decode", **{one: CORPUS / "decode" / one for one in (Signal.METRICS, Signal.LOGS)}}
PATHS = {
    Signal.TRACES: "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    Signal.METRICS: "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
    Signal.LOGS: "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
}


@both
@pytest.mark.parametrize("compression", ["gzip", "none"])
@pytest.mark.parametrize("signal", PATHS)
def test_what_goes_out_is_what_came_in(serve: Any, make: Make, compression: str, signal: Signal) -> None:
    requests = [path.read_bytes() for path in sorted(FOLDERS[signal].glob("*.pb"))]
    headers = {"signoz-ingestion-key": "s3cret", "X-Tenant": "a b"}
    with serve() as receiver, started(make(receiver.port, compression=compression, headers=headers)) as exporter:
        for data in requests:
            exporter.export(decode(signal, data))

    assert requests
    assert contents(signal, [got.body for got in receiver.got]) == contents(signal, requests)
    got = receiver.got[0]
    assert got.path in {f"/v1/{signal}", PATHS[signal]}
    assert (got.headers["signoz-ingestion-key"], got.headers["x-tenant"]) == ("s3cret", "a b")
    assert "genai-collector/" in got.headers["user-agent"]


@pytest.mark.parametrize("signal", PATHS)
def test_requests_may_be_json(signal: Signal, capsys: pytest.CaptureFixture[str]) -> None:
    requests = [path.read_bytes() for path in sorted(FOLDERS[signal].glob("*.pb"))]
    json = {"Content-Type": "application/json; charset=utf-8"}
    rejected = {"traces": "rejectedSpans", "metrics": "rejectedDataPoints", "logs": "rejectedLogRecords"}[signal]
    partial = f'{{"partialSuccess": {{"{rejected}": "2", "errorMessage": "too old"}}}}'.encode()
    with http_receiver() as receiver, started(http_exporter(receiver.port, encoding="json")) as exporter:
        receiver.answer(Answer(200, partial, json), Answer(400, b'{"code": 3, "message": "broken"}', json))
        exporter.export(decode(signal, requests[0]))
        with pytest.raises(Permanent, match="broken"):
            exporter.export(decode(signal, requests[0]))
        for data in requests:
            exporter.export(decode(signal, data))

    assert {got.headers["content-type"] for got in receiver.got} == {"application/json"}
    assert contents(signal, [from_json(signal, got.body) for got in receiver.got[2:]]) == contents(signal, requests)
    assert "too old" in "".join(capsys.readouterr())


@pytest.mark.parametrize(("compression", "smaller"), [("gzip", True), ("zstd", True), ("none", False)])
def test_http_bodies_are_compressed(compression: str, smaller: bool) -> None:
    batch = spans(*["the same name"] * 500)
    with http_receiver() as receiver, started(http_exporter(receiver.port, compression=compression)) as exporter:
        exporter.export(batch)

    [got] = receiver.got
    assert got.headers.get("content-encoding", "none") == compression
    assert (got.size < len(got.body) / 2) is smaller
    assert got.body == encode(batch)


def test_a_signal_may_have_an_address_of_its_own() -> None:
    with http_receiver() as one, http_receiver() as two:
        url = f"http://localhost:{two.port}/custom/path"
        with started(http_exporter(one.port, traces_endpoint=url)) as exporter:
            exporter.export(spans("a"))

    assert [one.names, two.names] == [[], [["a"]]]
    assert two.got[0].path == "/custom/path"


@pytest.mark.parametrize("where", ["options", "environment"])
def test_a_proxy_is_asked_for_other_hosts(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with http_receiver() as proxy:
        options = {"proxy_url": f"http://localhost:{proxy.port}"} if where == "options" else {}
        if where == "environment":
            monkeypatch.setenv("http_proxy", f"http://localhost:{proxy.port}")
            monkeypatch.setenv("no_proxy", "direct.test")
        with started(http_exporter(0, endpoint="http://collector.test:4318", **options)) as exporter:
            exporter.export(spans("a"))

    assert [(got.path, got.names) for got in proxy.got] == [("http://collector.test:4318/v1/traces", ["a"])]


def test_a_signal_without_an_address_is_refused_whole() -> None:
    config = {"endpoint": "", "logs_endpoint": "http://localhost:1/logs"}
    with started(http_exporter(0, **config)) as exporter, pytest.raises(Permanent, match="traces_endpoint") as refusal:
        exporter.export(spans("a", "b"))
    assert refusal.value.rows == (0, 1)


@both
def test_a_receiver_that_is_away_is_tried_again(serve: Any, make: Make) -> None:
    port = free_port()
    with started(make(port)) as exporter, pytest.raises(Retryable, match=f"localhost:{port}"):
        exporter.export(spans("a"))


def test_grpc_connects_again_when_the_receiver_is_back() -> None:
    port = free_port()
    with started(grpc_exporter(port, wait_for_ready=True)) as exporter:
        for name in ("a", "b"):
            with grpc_receiver(port) as receiver:
                exporter.export(spans(name))
            assert receiver.names == [[name]]


def test_waiting_for_a_connection_ends_with_the_timeout() -> None:
    with (
        started(grpc_exporter(free_port(), wait_for_ready=True, timeout="100ms")) as exporter,
        pytest.raises(Retryable, match="DEADLINE_EXCEEDED"),
    ):
        exporter.export(spans("a"))


@pytest.mark.parametrize(
    ("serve", "make", "answer"),
    [
        (grpc_receiver, grpc_exporter, Answer(CODES.UNAVAILABLE, delay(7))),
        (grpc_receiver, grpc_exporter, Answer(CODES.RESOURCE_EXHAUSTED, delay(7))),
        (http_receiver, http_exporter, Answer(503, headers={"Retry-After": "7"})),
        (http_receiver, http_exporter, Answer(429, delay(7))),
    ],
)
def test_a_delay_the_server_asks_for_is_passed_on(serve: Any, make: Make, answer: Answer) -> None:
    with serve() as receiver, started(make(receiver.port)) as exporter:
        receiver.answer(answer)
        with pytest.raises(Retryable) as refusal:
            exporter.export(spans("a"))
    assert refusal.value.after == 7


def test_a_connection_that_went_silent_is_left_for_another() -> None:
    with (
        grpc_receiver() as receiver,
        started(grpc_exporter(receiver.port, timeout="300ms", balancer_name="pick_first")) as exporter,
    ):
        receiver.answer(Answer(), Answer(hang=True))
        exporter.export(spans("a"))
        with pytest.raises(Retryable, match="DEADLINE_EXCEEDED"):
            exporter.export(spans("b"))
        exporter.export(spans("b"))
    first, silent, last = [got.headers["peer"] for got in receiver.got]
    assert first == silent != last


def test_an_answer_that_never_comes_is_tried_again() -> None:
    with http_receiver() as receiver, started(http_exporter(receiver.port)) as exporter:
        receiver.answer(Answer(hang=True))
        with pytest.raises(Retryable):
            exporter.export(spans("a"))
        exporter.export(spans("a"))
    assert receiver.names == [["a"], ["a"]]
    assert receiver.got[0].body == receiver.got[1].body


def test_the_status_decides_even_if_the_answer_is_cut_off_or_endless() -> None:
    cut = Answer(200, b"\x0a", headers={"Content-Length": "100", "Connection": "close"})
    endless = Answer(400, b"x" * 6 * 1024**2)
    with http_receiver() as receiver, started(http_exporter(receiver.port, timeout="1s")) as exporter:
        receiver.answer(cut, endless)
        exporter.export(spans("a"))
        with pytest.raises(Permanent) as refusal:
            exporter.export(spans("b"))
        exporter.export(spans("c"))
    assert len(str(refusal.value)) < 1000


@pytest.mark.parametrize(
    "answer", [b"", b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 20_000, b"\xff" * 99_999]
)
def test_what_is_no_http_is_tried_again(answer: bytes) -> None:
    def talk() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(answer)

    with socket.create_server(("localhost", 0)) as listener:
        thread = Thread(target=talk)
        thread.start()
        with started(http_exporter(listener.getsockname()[1])) as exporter, pytest.raises(Retryable, match="v1/traces"):
            exporter.export(spans("a"))
        thread.join()


def test_no_password_or_key_in_an_address_is_told() -> None:
    moved = Answer(307, b"", {"Location": "http://me:hunter2@other/?token=hunter2"})
    away = grpc_exporter(1, endpoint="dns://me:hunter2@localhost:1/x.invalid:1", timeout="1s")
    with http_receiver() as receiver:
        address = f"http://me:hunter2@localhost:{receiver.port}/v1/traces?api_key=hunter2"
        there = http_exporter(receiver.port, traces_endpoint=address)
        receiver.answer(Answer(503, b"Cannot POST /v1/traces?api_key=hunter2", {}), moved)
        told = [refused(there, Retryable), refused(there, Permanent)]
    told += [refused(there, Retryable), refused(away, Permanent)]

    assert all("hunter2" not in text and "[REDACTED]@" in text for text in told), told


def refused(exporter: Forwarder, kind: type[Exception]) -> str:
    with started(exporter), pytest.raises(kind) as caught:
        exporter.export(spans("a"))
    return str(caught.value)


def test_redirects_are_not_followed() -> None:
    with http_receiver() as other, http_receiver() as receiver, started(http_exporter(receiver.port)) as exporter:
        receiver.answer(Answer(307, headers={"Location": f"http://localhost:{other.port}/v1/traces"}))
        with pytest.raises(Permanent, match="moved to http") as refusal:
            exporter.export(spans("a"))
    assert refusal.value.rows == (0,)
    assert other.got == []


@both
def test_partial_success_is_told_and_counted(serve: Any, make: Make, capsys: pytest.CaptureFixture[str]) -> None:
    answer = ExportTraceServiceResponse()
    answer.partial_success.rejected_spans = 2
    answer.partial_success.error_message = "too old"
    with serve() as receiver, started(make(receiver.port)) as exporter:
        receiver.answer(Answer(body=answer))
        exporter.export(spans("a", "b", "c"))

    assert exporter.host.metrics.value("otelcol_exporter_rejected_spans", exporter=exporter.host.id) == 2
    assert "too old" in "".join(capsys.readouterr())


WHOLE = [
    *[(grpc_receiver, grpc_exporter, Answer(code)) for code in (CODES.UNAUTHENTICATED, CODES.UNIMPLEMENTED)],
    *[(http_receiver, http_exporter, Answer(status)) for status in (401, 403, 404)],
]


@pytest.mark.parametrize(("serve", "make", "answer"), WHOLE)
def test_who_is_not_welcome_is_refused_once_and_whole(serve: Any, make: Make, answer: Answer, tmp_path: Path) -> None:
    with serve() as receiver:
        receiver.answer(answer)
        exporter = make(receiver.port, **queue(tmp_path))
        with queued(exporter) as outbox:
            outbox.put([spans(*"abcdefgh")])

    assert receiver.names == [list("abcdefgh")]
    [letter] = letters(tmp_path, exporter.host.id)
    assert (letter.rows, names_of(Batch.load(letter.body))) == (8, list("abcdefgh"))


@both
def test_poison_is_found_by_halving(serve: Any, make: Make, tmp_path: Path) -> None:
    with serve() as receiver:
        refusal = Answer(400 if serve is http_receiver else CODES.INVALID_ARGUMENT, Status(message="poison"))

        def next_answer(got: Any) -> Answer:
            receiver.got.append(got)
            return refusal if "p" in got.names else Answer()

        receiver.next = next_answer  # type: ignore[method-assign]
        exporter = make(receiver.port, **queue(tmp_path))
        with queued(exporter) as outbox:
            outbox.put([spans(*"abcpdefg")])

    taken = [name for got in receiver.got if "p" not in got.names for name in got.names]
    assert sorted(taken) == list("abcdefg")
    [letter] = letters(tmp_path, exporter.host.id)
    assert names_of(Batch.load(letter.body)) == ["p"]
    assert "poison" in letter.reason or "because" in letter.reason


@both
def test_what_is_too_large_for_the_receiver_is_halved_until_it_fits(serve: Any, make: Make, tmp_path: Path) -> None:
    names = [f"{number:03}" for number in range(100)]
    with serve() as receiver:
        receiver.limit = 1000
        exporter = make(receiver.port, **queue(tmp_path))
        with queued(exporter) as outbox:
            outbox.put([spans(*names)])

    taken = [name for got in receiver.got if len(got.body) <= 1000 for name in got.names]
    assert taken == names
    assert letters(tmp_path, exporter.host.id) == []


@both
def test_large_parcels_are_cut_in_pieces_and_each_is_sent_once(serve: Any, make: Make, tmp_path: Path) -> None:
    names = [f"{number:03}" for number in range(100)]
    with serve() as receiver:
        unavailable = Answer(503 if serve is http_receiver else CODES.UNAVAILABLE)
        receiver.answer(Answer(), Answer(), unavailable)
        exporter = make(receiver.port, **queue(tmp_path), max_request_size=2000)
        with queued(exporter) as outbox:
            outbox.put([spans(*names)])

    assert len(receiver.got) == 4
    assert max(len(got.body) for got in receiver.got) <= 2000
    again = receiver.got.pop(2)
    assert again.body == receiver.got[2].body
    assert [name for got in receiver.got for name in got.names] == names


def test_pieces_go_out_without_a_queue_too() -> None:
    with grpc_receiver() as receiver, started(grpc_exporter(receiver.port, max_request_size=100)) as exporter:
        Direct(exporter).put([spans("a", "b", "c")])
    assert receiver.names == [["a"], ["b"], ["c"]]


@pytest.mark.parametrize("signal", PATHS)
def test_pieces_are_always_the_same_and_repeat_after_a_restart(signal: Signal) -> None:
    requests = [path.read_bytes() for path in sorted(FOLDERS[signal].glob("*.pb"))]
    batches = [decode(signal, data) for data in requests]
    whole = concat("7", batches)
    reloaded = concat("7", [Batch.load(batch.dump()) for batch in batches])
    first = [encode(piece) for piece in grpc_exporter(1, max_request_size=5000).divide(whole)]
    second = [encode(piece) for piece in grpc_exporter(1, max_request_size=5000).divide(reloaded)]

    assert first == second
    assert len(first) > 2
    assert all(len(data) <= 5000 or decode(signal, data).rows == 1 for data in first)
    assert contents(signal, first) == contents(signal, requests)


def test_a_batch_that_cannot_be_written_is_still_handed_to_export() -> None:
    rollups = Batch("x", Signal.ROLLUPS, {"rollups": spans("a").main})
    assert list(grpc_exporter(1).divide(rollups)) == [rollups]


# ---------------------------------------------------------------------- TLS


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def files(authority: trustme.CA, tmp_path: Path) -> Path:
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    client = authority.issue_cert("client")
    client.private_key_pem.write_to_path(tmp_path / "client.key")
    for pem in client.cert_chain_pems:
        pem.write_to_path(tmp_path / "client.pem", append=True)
    return tmp_path


TLS = [
    pytest.param("localhost", {"ca_file": "ca.pem"}, None, id="trusted"),
    pytest.param("localhost", {}, "certificate|CERTIFICATE", id="unknown authority"),
    pytest.param("localhost", {"insecure_skip_verify": True}, None, id="unchecked"),
    pytest.param("other.test", {"ca_file": "ca.pem"}, "certificate|Hostname", id="wrong name"),
    pytest.param("other.test", {"ca_file": "ca.pem", "server_name_override": "other.test"}, None, id="override"),
    pytest.param("other.test", {"insecure_skip_verify": True}, None, id="unchecked name"),
]


def check_tls(receiver: Receiver, exporter: Forwarder, problem: str | None) -> None:
    with started(exporter):
        if problem is None:
            exporter.export(spans("a"))
        else:
            with pytest.raises(Retryable, match=problem):
                exporter.export(spans("a"))
    assert receiver.names == ([] if problem else [["a"]])


@pytest.mark.parametrize(("name", "tls", "problem"), TLS)
def test_tls_over_grpc(authority: trustme.CA, files: Path, name: str, tls: dict[str, Any], problem: str | None) -> None:
    with grpc_receiver(certificate=authority.issue_cert(name)) as receiver:
        check_tls(receiver, grpc_exporter(receiver.port, files, tls=tls), problem)


@pytest.mark.parametrize(("name", "tls", "problem"), TLS)
def test_tls_over_http(authority: trustme.CA, files: Path, name: str, tls: dict[str, Any], problem: str | None) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    with http_receiver(context) as receiver:
        exporter = http_exporter(0, files, tls=tls, endpoint=f"https://localhost:{receiver.port}")
        check_tls(receiver, exporter, problem)


@pytest.mark.parametrize("shown", [True, False])
def test_certificates_of_clients_over_grpc(authority: trustme.CA, files: Path, shown: bool) -> None:
    certificate = authority.issue_cert("localhost")
    tls = {"ca_file": "ca.pem", **({"cert_file": "client.pem", "key_file": "client.key"} if shown else {})}
    with grpc_receiver(certificate=certificate, clients=authority.cert_pem.bytes()) as receiver:
        check_tls(receiver, grpc_exporter(receiver.port, files, tls=tls), None if shown else "UNAVAILABLE")


@pytest.mark.parametrize("shown", [True, False])
def test_certificates_of_clients_over_http(authority: trustme.CA, files: Path, shown: bool) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    tls = {"ca_file": "ca.pem", **({"cert_file": "client.pem", "key_file": "client.key"} if shown else {})}
    with http_receiver(context) as receiver:
        exporter = http_exporter(0, files, tls=tls, endpoint=f"https://localhost:{receiver.port}")
        check_tls(receiver, exporter, None if shown else "https://localhost")


def test_a_server_without_tls_is_told_from_one_that_is_away() -> None:
    with (
        grpc_receiver() as receiver,
        started(grpc_exporter(receiver.port, tls={})) as exporter,
        pytest.raises(Retryable, match=r"set tls\.insecure: true"),
    ):
        exporter.export(spans("a"))


@pytest.mark.parametrize("make", [grpc_exporter, http_exporter])
@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_file_that_cannot_be_used_is_a_mistake_of_the_configuration(
    make: Make, content: str | None, tmp_path: Path
) -> None:
    if content is not None:
        (tmp_path / "ca.pem").write_text(content)
    with pytest.raises(ConfigError, match="ca_file"):
        make(1, tmp_path, tls={"ca_file": "ca.pem"}).start()
