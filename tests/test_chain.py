"""One collector behind another: everything arrives as it came, once, whoever dies in between."""

import random
import re
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from threading import Event, Thread

import grpc
import pytest

from collector.batch import Signal
from tests.contents import contents
from tests.running import Collector, free_port
from tests.test_crash import Client, check

CORPUS = Path(__file__).parent / "corpus"
REQUESTS = sorted({path.read_bytes() for path in (*CORPUS.glob("*/*/traces-*.pb"), *CORPUS.glob("decode/*.pb"))})

FIRST = """
receivers:
  otlp: {{protocols: {{grpc: {{endpoint: "localhost:{grpc}"}}, http: {{endpoint: "localhost:{http}"}}}}}}
exporters:
  %s:
    %s
    sending_queue: {{directory: "{outbox}", batch: {{flush_timeout: 50ms}}}}
    retry_on_failure: {{initial_interval: 50ms, max_interval: 200ms}}
service:
  telemetry: {{metrics: {{level: none}}}}
  pipelines:
    traces: {{receivers: [otlp], exporters: [%s]}}
"""
SECOND = FIRST % ("file", 'path: "otlp.bin"\n    format: proto', "file")
WAYS = {
    "grpc": ("otlp", 'endpoint: "http://{dsn}"\n    compression: none', "grpc"),
    "grpc gzip in pieces": ("otlp_grpc", 'endpoint: "http://{dsn}"\n    max_request_size: 20000', "grpc"),
    "http gzip": ("otlphttp", 'endpoint: "http://{dsn}"', "http"),
    "http zstd": ("otlp_http", 'endpoint: "http://{dsn}"\n    compression: zstd', "http"),
}


def chain(folder: Path, way: str, options: str, second: str = SECOND, protocol: str = "grpc") -> Sequence[Collector]:
    """Return the first and the second collector of a chain; neither is started."""
    for name in ("first", "second"):
        (folder / name).mkdir()
    last = Collector(folder / "second", config=second)
    port = last.grpc_port if protocol == "grpc" else last.http_port
    first = Collector(folder / "first", f"localhost:{port}", "tests.dying", FIRST % (way, options, way))
    return first, last


class Sender(Thread):
    """Sends its requests, each again and again until the collector says OK."""

    def __init__(self, collector: Collector, requests: Sequence[bytes]) -> None:
        super().__init__()
        self.collector, self.requests = collector, requests
        self.halt = Event()

    def run(self) -> None:
        with self.collector.exporting() as export:
            for data in self.requests:
                while not self.halt.is_set():
                    try:
                        export(data)
                    except grpc.RpcError:
                        time.sleep(0.01)
                    else:
                        break


def messages(path: Path) -> list[bytes]:
    """Return the messages of a file that the file exporter wrote."""
    data, found = path.read_bytes(), []
    while data:
        size = int.from_bytes(data[:4])
        found.append(data[4 : 4 + size])
        data = data[4 + size :]
    return found


def finish(first: Collector, last: Collector, way: str) -> list[bytes]:
    """Stop both, in order, and return what the last one wrote."""
    for _ in range(600):
        if not first.waiting(way):
            break
        time.sleep(0.05)
    assert first.stop() == 0, first.text
    assert last.stop() == 0, last.text
    assert first.waiting(way, "dead_letters") == 0, first.text
    assert not re.search(r"^[IWE]\d{4} ", first.text, re.M), "a library wrote into the log"
    return messages(last.folder / "otlp.bin")


@pytest.mark.parametrize("name", ["grpc gzip in pieces", "http gzip"])
def test_everything_arrives_while_the_first_is_killed(tmp_path, name):
    way, options, protocol = WAYS[name]
    chance = random.Random(name)
    first, last = chain(tmp_path, way, options, protocol=protocol)
    last.start()
    first.start()
    senders = [Sender(first, REQUESTS[number::3]) for number in range(3)]
    for sender in senders:
        sender.start()
    for _ in range(2):
        time.sleep(chance.uniform(0.05, 0.4))
        first.kill()
        first.start()
    for sender in senders:
        sender.join(60)
        sender.halt.set()

    arrived = finish(first, last, way)
    assert contents(Signal.TRACES, arrived) == contents(Signal.TRACES, REQUESTS)


@pytest.mark.parametrize("name", ["grpc", "http zstd"])
def test_a_parcel_sent_again_after_a_crash_arrives_once(tmp_path, name):
    way, options, protocol = WAYS[name]
    first, last = chain(tmp_path, way, options, protocol=protocol)
    last.start()
    first.start(DIE_AT="Journal.finish:before:1")
    sender = Sender(first, REQUESTS[:60])
    sender.start()
    assert first.wait() == -9, first.text
    assert len(messages(last.folder / "otlp.bin")) > 0 or last.waiting("file")
    first.start()
    sender.join(60)
    sender.halt.set()

    arrived = finish(first, last, way)
    assert contents(Signal.TRACES, arrived) == contents(Signal.TRACES, REQUESTS[:60])


def test_both_are_killed_and_clickhouse_has_everything_once(tmp_path):
    from tests.running import CONFIG  # noqa: PLC0415

    chance = random.Random(3)
    first, last = chain(tmp_path, "otlp", 'endpoint: "http://{dsn}"', CONFIG)
    stop = Event()
    clients = [Client(first, chance.getrandbits(32), stop) for _ in range(2)]
    first.start()
    for client in clients:
        client.start()
    time.sleep(0.3)
    last.start()
    for collector in (first, last, first):
        time.sleep(chance.uniform(0.1, 0.8))
        collector.kill()
        collector.start()
    stop.set()
    for client in clients:
        client.join()
    for _ in range(600):
        if not first.waiting("otlp"):
            break
        time.sleep(0.05)
    assert first.stop() == 0, first.text
    assert last.stop() == 0, last.text

    check(last, clients)


OTELCOL = """
receivers: {otlp: {protocols: {grpc: {endpoint: "localhost:%d"}}}}
exporters: {otlp: {endpoint: "localhost:%d", tls: {insecure: true}}}
service:
  telemetry: {metrics: {level: none}}
  pipelines: {traces: {receivers: [otlp], exporters: [otlp]}}
"""


def test_an_opentelemetry_collector_between_two_of_ours(tmp_path):
    binary = next(filter(None, map(shutil.which, ("otelcol", "otelcol-contrib"))), None)
    if binary is None:
        pytest.skip("neither otelcol nor otelcol-contrib is on the PATH")
    first, last = chain(tmp_path, "otlp", 'endpoint: "http://{dsn}"')
    port = free_port()
    first.config.write_text(first.config.read_text().replace(f"localhost:{last.grpc_port}", f"localhost:{port}"))
    (tmp_path / "otelcol.yaml").write_text(OTELCOL % (port, last.grpc_port))
    last.start()
    with subprocess.Popen([binary, "--config", str(tmp_path / "otelcol.yaml")]) as between:
        try:
            first.start()
            Sender(first, REQUESTS).run()
            for _ in range(600):
                if not first.waiting("otlp"):
                    break
                time.sleep(0.05)
            assert first.stop() == 0, first.text
        finally:
            between.terminate()
    assert last.stop() == 0, last.text
    assert contents(Signal.TRACES, messages(last.folder / "otlp.bin")) == contents(Signal.TRACES, REQUESTS)
