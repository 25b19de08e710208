"""The yardstick: what protobuf's own parser needs for the same bytes, in a process of its own.

``python -m tests.bench.reference PAYLOAD ITEMS SECONDS`` prints JSON: the CPU microseconds per item of each pass, and
the peak memory in MiB.
"""

import itertools
import json
import os
import sys
import time

from collector.otlp.protocol import PROTOCOLS
from tests.bench import payload, process

_BYTES = 16 * 1024**2
"""How much one pass parses: more than a processor's cache holds, as in a collector."""


def main(kind: str, count: str, seconds: str) -> None:
    """Parse different requests for so many seconds and print the figures."""
    parse = PROTOCOLS[payload.SIGNALS[kind]].request.FromString
    source = payload.requests(kind, int(count), seed=99)
    first = next(source)
    requests = [first, *itertools.islice(source, min(5000, _BYTES // len(first)))]
    costs = []
    deadline = time.monotonic() + float(seconds)
    while time.monotonic() < deadline or not costs:
        before = time.process_time()
        for request in requests:
            parse(request)
        costs.append((time.process_time() - before) / len(requests) / int(count) * 1e6)
    json.dump({"costs": costs, "memory": process.peak_memory(os.getpid())}, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
