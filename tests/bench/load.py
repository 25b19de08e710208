"""The load: sends different requests as fast as they are accepted, from a process of its own.

``python -m tests.bench.load ADDRESS PAYLOAD ITEMS SEED THREADS``. Each number of seconds on standard input starts a
run of that length; its result is one line of JSON on standard output.
"""

import json
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import grpc

from collector.batch import Signal
from collector.otlp.protocol import PROTOCOLS
from tests.bench import payload

_PATIENCE = 0.2
"""Seconds after which a refused request is sent again."""
_GIVE_UP = 60.0


@dataclass
class Outcome:
    """Is what one sender did in one run."""

    requests: int = 0
    refused: int = 0
    waits: list[float] = field(default_factory=list)
    """Seconds until each acknowledgement, of the try that was accepted."""


class Sender:
    """Sends requests over a connection of its own, one after the other."""

    def __init__(self, address: str, signal: Signal, requests: Iterator[bytes]) -> None:
        self._requests = requests
        options = [("grpc.use_local_subchannel_pool", 1)]
        self._call = grpc.insecure_channel(address, options).unary_unary(f"/{PROTOCOLS[signal].service}/Export")

    def run(self, seconds: float, outcome: Outcome) -> None:
        """Send for so long; a refused request is sent again until it is accepted."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self._send(next(self._requests), deadline + _GIVE_UP, outcome)

    def _send(self, request: bytes, deadline: float, outcome: Outcome) -> None:
        while True:
            started = time.perf_counter()
            try:
                self._call(request, timeout=30, wait_for_ready=True)
            except grpc.RpcError as error:
                if error.code() != grpc.StatusCode.UNAVAILABLE or time.monotonic() > deadline:
                    raise
                outcome.refused += 1
                time.sleep(_PATIENCE)
            else:
                outcome.requests += 1
                outcome.waits.append(time.perf_counter() - started)
                return


def run(senders: list[Sender], seconds: float) -> Outcome:
    """Let all senders run at the same time and return what they did together."""
    outcomes = [Outcome() for _ in senders]
    threads = [
        threading.Thread(target=sender.run, args=(seconds, outcome))
        for sender, outcome in zip(senders, outcomes, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return Outcome(
        sum(outcome.requests for outcome in outcomes),
        sum(outcome.refused for outcome in outcomes),
        [wait for outcome in outcomes for wait in outcome.waits],
    )


def main(address: str, kind: str, count: str, seed: str, threads: str) -> None:
    """Serve runs until standard input ends."""
    numbers = range(int(threads))
    senders = [
        Sender(address, payload.SIGNALS[kind], payload.requests(kind, int(count), int(seed) * len(numbers) + number))
        for number in numbers
    ]
    for line in sys.stdin:
        sys.stdout.write(json.dumps(vars(run(senders, float(line)))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
