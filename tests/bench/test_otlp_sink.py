import gzip
import json
import subprocess
import sys
import time
import urllib.error
import urllib.request

import grpc
import pytest

from collector.batch import Signal
from collector.otlp.protocol import PROTOCOLS
from tests.bench import payload
from tests.running import ROOT, free_port

KINDS = {"slim": Signal.TRACES, "metrics": Signal.METRICS, "logs": Signal.LOGS}


@pytest.fixture(scope="module")
def ports():
    ports = free_port(), free_port()
    process = subprocess.Popen([sys.executable, "-m", "tests.bench.otlp_sink", *map(str, ports)], cwd=ROOT)
    deadline = time.monotonic() + 60
    while True:
        try:
            counts(ports[0])
            break
        except urllib.error.URLError:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
    yield ports
    process.kill()
    process.wait()


def counts(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/counts") as answer:
        return json.loads(answer.read())


@pytest.mark.parametrize(("kind", "signal"), KINDS.items())
def test_both_doors_count_what_comes(ports, kind, signal):
    before = counts(ports[0]).get(signal.value, 0)
    data = payload.template(kind, 32, 0).fresh()
    with grpc.insecure_channel(f"127.0.0.1:{ports[1]}") as channel:
        channel.unary_unary(f"/{PROTOCOLS[signal].service}/Export")(data, timeout=10)
    for body, headers in ((data, {}), (gzip.compress(data), {"Content-Encoding": "gzip"})):
        request = urllib.request.Request(f"http://127.0.0.1:{ports[0]}/v1/{signal.value}", body, headers)
        urllib.request.urlopen(request).close()

    assert counts(ports[0])[signal.value] == before + 3 * 32
