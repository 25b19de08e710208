"""SIGHUP: the configuration is read again, in the same process, and nothing that was accepted is lost or doubled."""

import random
import signal
import socket

from tests.requests import request
from tests.running import Collector, free_port

READY = "Everything is ready"
SPANS = "SELECT count() AS spans, uniqExact(span_id) AS ids FROM signoz_traces.signoz_index_v3"


def send(collector: Collector, chance: random.Random) -> None:
    with collector.exporting() as export:
        export(request(5, chance)[0])


def reload(collector: Collector, text: str, logged: str) -> None:
    """Ask the collector to go on with *text* and return when it is ready and *logged* something."""
    known = len(collector.text)
    collector.config.write_text(text)
    collector.process.send_signal(signal.SIGHUP)
    collector.until_logged(logged, known)
    if logged != "goes on as before":
        collector.until_logged(READY, known)


def test_a_configuration_takes_the_place_of_the_one_before_if_it_can(tmp_path):
    chance = random.Random(1)
    collector = Collector(tmp_path)
    collector.start()
    collector.until_logged(READY)
    process, before = collector.process.pid, collector.config.read_text()
    send(collector, chance)

    reload(collector, before.replace("100ms", "soon").replace("genai:", "genay:"), "goes on as before")
    send(collector, chance)
    assert "'soon' is not a duration" in collector.text and 'unknown processor type "genay"' in collector.text

    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        reload(
            collector, before.replace(f"localhost:{collector.grpc_port}", address), "going back to the configuration"
        )
        assert "cannot listen" in collector.text
    send(collector, chance)

    collector.grpc_port, old = free_port(), collector.grpc_port
    reload(collector, before.replace(str(old), str(collector.grpc_port)), "Config updated, restart service")
    send(collector, chance)
    with socket.socket() as probe:
        assert probe.connect_ex(("localhost", old)) != 0

    assert (collector.process.pid, collector.stop()) == (process, 0), collector.text
    assert collector.waiting() == 0
    assert collector.query(SPANS) == [[{"spans": 20, "ids": 20}]]
