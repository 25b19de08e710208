"""What a client was told is kept is kept, once, whenever the process dies."""

import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Event, Thread

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.requests import Call, request
from tests.running import Collector
from tests.waiting import until

SPANS = "SELECT span_id, count() AS n FROM signoz_traces.distributed_signoz_index_v3 GROUP BY span_id"
SUMMARIES = "SELECT sum(num_spans) AS n FROM signoz_traces.distributed_trace_summary"
ROLLUPS = """
SELECT toString(sum(calls)) AS calls, toString(sum(errors)) AS errors, toString(sum(input_tokens)) AS input_tokens,
       toString(sum(output_tokens)) AS output_tokens, toString(sum(cache_read_tokens)) AS cached_tokens,
       toString(sum(duration_nano)) AS duration, toString(sum(arraySum(mapValues(duration_buckets)))) AS in_buckets
FROM signoz_genai.distributed_rollup_1m
"""


class Client(Thread):
    """Sends requests as an SDK does: the same bytes again until the collector says OK."""

    def __init__(self, collector: Collector, seed: int, stop: Event) -> None:
        super().__init__()
        self.collector, self.chance, self.halt = collector, random.Random(seed), stop
        self.acknowledged: list[Call] = []
        self.sent: list[Call] = []

    def run(self) -> None:
        with self.collector.exporting() as export:
            while not self.halt.is_set():
                data, calls = request(self.chance.choice([1, 7, 60]), self.chance)
                self.sent += calls
                while not self.halt.is_set():
                    try:
                        export(data)
                    except grpc.RpcError:
                        time.sleep(0.02)
                    else:
                        self.acknowledged += calls
                        break


def totals(calls: Sequence[Call]) -> dict[str, str]:
    """Return what `ROLLUPS` shall answer when exactly these calls are stored."""
    return {
        "calls": str(len(calls)),
        "errors": str(sum(call.error for call in calls)),
        "input_tokens": str(sum(call.input_tokens for call in calls)),
        "output_tokens": str(sum(call.output_tokens for call in calls)),
        "cached_tokens": str(sum(call.cached_tokens for call in calls)),
        "duration": str(sum(call.duration for call in calls)),
        "in_buckets": str(len(calls)),
    }


def check(collector: Collector, clients: list[Client]) -> None:
    """Compare what is stored with what was acknowledged."""
    acknowledged = {call.span_id for client in clients for call in client.acknowledged}
    sent = {call.span_id: call for client in clients for call in client.sent}
    rows, [summary], [rollup] = collector.query(SPANS, SUMMARIES, ROLLUPS)
    stored = {row["span_id"]: int(row["n"]) for row in rows}

    assert acknowledged
    assert acknowledged - set(stored) == set(), "lost"
    assert {span: n for span, n in stored.items() if n != 1} == {}, "doubled"
    assert set(stored) <= set(sent), "invented"
    assert int(summary["n"]) == len(stored)
    assert rollup == totals([sent[span] for span in stored])


def end(collector: Collector, clients: list[Client], stop: Event) -> None:
    """Stop the clients, and the collector, once each of them has heard OK from it as it is now."""
    heard = [len(client.acknowledged) for client in clients]
    until(lambda: all(len(client.acknowledged) > count for client, count in zip(clients, heard, strict=True)))
    stop.set()
    for client in clients:
        client.join()
    assert collector.stop() == 0, collector.text


@pytest.mark.parametrize("seed", [1, 2])
def test_killed_at_random_moments_under_load(tmp_path, seed):
    chance = random.Random(seed)
    collector = Collector(tmp_path)
    stop = Event()
    clients = [Client(collector, chance.getrandbits(32), stop) for _ in range(4)]
    collector.start()
    for client in clients:
        client.start()
    for _ in range(5):
        time.sleep(chance.uniform(0.05, 1.5))
        collector.kill()
        collector.start()
    end(collector, clients, stop)

    check(collector, clients)


def killed_at(point: str, kind: type[Client], folder: Path) -> tuple[Collector, Client]:
    """Let a collector die at *point* under a client's requests, start it again, and end both when all is well."""
    collector = Collector(folder, module="tests.dying")
    stop = Event()
    client = kind(collector, 7, stop)
    collector.start(DIE_AT=point)
    client.start()
    assert collector.wait() == -9, collector.text
    collector.start()
    end(collector, [client], stop)
    return collector, client


@pytest.mark.parametrize(
    "point",
    [
        "decode.decode:after:2",
        "Journal.add:before:2",
        "Journal.add:after:2",
        "Journal.seal:before:1",
        "Journal.seal:after:2",
        "ClickhouseExporter.export:before:2",
        "ClickhouseExporter.export:after:1",
        "ClickhouseExporter.export:after:2",
        "Journal.finish:after:1",
    ],
)
def test_killed_at_a_named_point(tmp_path, point):
    collector, client = killed_at(point, Client, tmp_path)

    check(collector, [client])


@pytest.mark.parametrize(
    "point",
    ["Journal.add:before:3", "Journal.add:after:3", "ClickhouseExporter.export:after:1", "Journal.finish:after:1"],
)
def test_a_call_told_by_three_spans_counts_once_whenever_the_process_dies(tmp_path, point):
    collector, client = killed_at(point, Retold, tmp_path)

    [rollup] = collector.query(ROLLUPS)[0]
    assert rollup == totals(client.acknowledged)


class Retold(Client):
    """Sends each call three times over, in requests of their own: a wrapper, the call, and the call again."""

    def run(self) -> None:
        with self.collector.exporting() as export:
            while not self.halt.is_set():
                data, calls = request(3, self.chance)
                for message in self.chance.sample(tellings(data, self.chance), 3):
                    self.insist(export, message)
                self.acknowledged += calls

    def insist(self, export: Callable[[bytes], object], data: bytes) -> None:
        """Send until the collector says OK, also after the end: a call is told whole or not at all."""
        for _ in range(1000):
            try:
                export(data)
            except grpc.RpcError:
                time.sleep(0.02)
            else:
                return


def tellings(data: bytes, chance: random.Random) -> list[bytes]:
    """Return three requests: wrappers around the calls in *data*, the calls below them, and these once more."""
    outer, inner = ExportTraceServiceRequest.FromString(data), ExportTraceServiceRequest.FromString(data)
    pairs = (message.resource_spans[0].scope_spans[0].spans for message in (outer, inner))
    for wrapper, call in zip(*pairs, strict=True):
        wrapper.span_id = call.parent_span_id = chance.randbytes(8)
    again = ExportTraceServiceRequest.FromString(inner.SerializeToString())
    again.resource_spans.add()
    return [outer.SerializeToString(), inner.SerializeToString(), again.SerializeToString()]
