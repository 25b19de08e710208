"""One collector behind another: everything arrives as it came, once, whoever dies in between."""

import json
import random
import re
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from threading import Event, Thread

import grpc
import pytest

from collector.batch import Signal
from collector.otlp.json import from_json
from collector.otlp.protocol import PROTOCOLS
from tests.contents import contents
from tests.running import CONFIG, Collector, free_port
from tests.test_crash import Client, check

Request = tuple[Signal, bytes]

CORPUS = Path(__file__).parent / "corpus"


def signal_of(path: Path) -> Signal:
    """Return the signal of a request in the corpus, which its folder or its name tells."""
    names = (path.parent.name, path.name.partition("-")[0])
    return next((signal for signal in PROTOCOLS if signal in names), Signal.TRACES)


REQUESTS: list[Request] = sorted({(signal_of(path), path.read_bytes()) for path in CORPUS.rglob("*.pb")})

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
    metrics: {{receivers: [otlp], exporters: [%s]}}
    logs: {{receivers: [otlp], exporters: [%s]}}
"""
SECOND = FIRST % ("file", "path: otlp.json", "file", "file", "file")
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
    first = Collector(folder / "first", f"localhost:{port}", "tests.dying", FIRST % (way, options, way, way, way))
    return first, last


class Sender(Thread):
    """Sends its requests, each again and again until the collector says OK."""

    def __init__(self, collector: Collector, requests: Sequence[Request]) -> None:
        super().__init__()
        self.collector, self.requests = collector, requests
        self.halt = Event()

    def run(self) -> None:
        with grpc.insecure_channel(f"localhost:{self.collector.grpc_port}") as channel:
            for signal, data in self.requests:
                export = channel.unary_unary(f"/{PROTOCOLS[signal].service}/Export")
                while not self.halt.is_set():
                    try:
                        export(data, timeout=10)
                    except grpc.RpcError:
                        time.sleep(0.01)
                    else:
                        break


def lines(path: Path) -> list[Request]:
    """Return the requests in a file that the file exporter wrote."""
    found = []
    for line in path.read_bytes().splitlines():
        [name] = json.loads(line)
        signal = next(
            signal
            for signal, protocol in PROTOCOLS.items()
            if name == protocol.request().DESCRIPTOR.fields[0].json_name
        )
        found.append((signal, from_json(signal, line)))
    return found


def everything(requests: Iterable[Request]) -> dict[Signal, Counter[bytes]]:
    """Return the contents of the requests by signal."""
    all_of = list(requests)
    return {one: contents(one, [data for signal, data in all_of if signal is one]) for one in PROTOCOLS}


def finish(first: Collector, last: Collector, way: str) -> list[Request]:
    """Stop both, in order, and return what the last one wrote."""
    for _ in range(600):
        if not first.waiting(way):
            break
        time.sleep(0.05)
    assert first.stop() == 0, first.text
    assert last.stop() == 0, last.text
    assert first.waiting(way, "dead_letters") == 0, first.text
    assert not re.search(r"^[IWE]\d{4} ", first.text, re.M), "a library wrote into the log"
    return lines(last.folder / "otlp.json")


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

    assert everything(finish(first, last, way)) == everything(REQUESTS)


@pytest.mark.parametrize("name", ["grpc", "http zstd"])
def test_a_parcel_sent_again_after_a_crash_arrives_once(tmp_path, name):
    way, options, protocol = WAYS[name]
    first, last = chain(tmp_path, way, options, protocol=protocol)
    last.start()
    first.start(DIE_AT="Journal.finish:before:1")
    some = REQUESTS[:60] + REQUESTS[-40:]
    sender = Sender(first, some)
    sender.start()
    assert first.wait() == -9, first.text
    assert last.waiting("file", "recent") > 0
    first.start()
    sender.join(60)
    sender.halt.set()

    assert everything(finish(first, last, way)) == everything(some)


def test_both_are_killed_and_clickhouse_has_everything_once(tmp_path):
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
  pipelines:
    traces: {receivers: [otlp], exporters: [otlp]}
    metrics: {receivers: [otlp], exporters: [otlp]}
    logs: {receivers: [otlp], exporters: [otlp]}
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
    assert everything(lines(last.folder / "otlp.json")) == everything(REQUESTS)
