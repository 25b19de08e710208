"""What each step alone costs, in this process: ``python -m tests.bench --steps``.

    FromString ─ decode ─ genai ─ cost ─ rollup ─ dump ─ rows ─ parcel ─ encode

Every round takes a request that was never seen and times what happens to it, step by step; the fewest microseconds of
all rounds stand, so a busy machine does not matter. Ratios are to protobuf's FromString of the same bytes.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple, TypeVar

from collector.batch import Batch, Signal, concat
from collector.component import Host, Processor
from collector.memory import Volatile
from collector.otlp.decode import decode
from collector.otlp.encode import encode
from collector.otlp.protocol import PROTOCOLS
from exporters.clickhouse import INSERTS, MakeInserts
from exporters.clickhouse.metrics.written import Written
from processors.cost import CostProcessor
from processors.genai import GenaiProcessor
from processors.rollup import RollupProcessor
from tests.bench import payload

T = TypeVar("T")

REFERENCE = "FromString"
STEPS = (REFERENCE, "decode", "genai", "cost", "rollup", "dump", "rows", "parcel", "encode")
LINES = (
    ("slim", 512),
    ("slim", 32),
    ("slim", 1),
    ("content", 512),
    ("current", 512),
    ("openllmetry", 512),
    ("openinference", 512),
    ("metrics", 512),
    ("logs", 512),
)
"""Payloads, and items a request."""
NOTES = """
Microseconds an item, (N x) in times of FromString of the same bytes; the least of all rounds, each with a new request.
dump: the bytes for the outbox, of spans and rollups. rows: the rows of all of ClickHouse's tables. parcel: the same of
16 requests that travel together, as they do under load. encode: the bytes of an OTLP request."""

_PARCEL = 16
"""Requests in a parcel."""
_FORGET = 512
"""Rounds after which the processors are made anew, so that what they remember does not grow for ever."""


class Line(NamedTuple):
    """Is what one payload showed: microseconds an item of every step."""

    name: str
    costs: Mapping[str, float]


class _Clock:
    """Keeps the least time of each step."""

    def __init__(self) -> None:
        self.least: dict[str, float] = {}

    def time(self, step: str, work: Callable[..., T], *given: Any) -> T:
        """Return ``work(*given)``, timed."""
        before = time.process_time_ns()
        result = work(*given)
        took = (time.process_time_ns() - before) / 1000
        self.least[step] = min(took, self.least.get(step, took))
        return result


class Chain:
    """Is the steps of one signal, in the order in which the collector takes them."""

    def __init__(self, signal: Signal) -> None:
        self._signal = signal
        self._parse = PROTOCOLS[signal].request.FromString
        self._processors = _processors(signal)
        self._waiting: list[Sequence[Batch]] = []
        self._inserts: dict[Signal, MakeInserts] = {**INSERTS}
        self._inserts[Signal.METRICS] = partial(INSERTS[Signal.METRICS], written=Written())

    def run(self, data: bytes, clock: _Clock) -> None:
        """Time all steps on one request."""
        clock.time(REFERENCE, self._parse, data)
        batch = clock.time("decode", decode, self._signal, data)
        batches = [batch.derive("traces", batch.signal, batch.tables)]
        for name, processor in self._processors.items():
            batches = clock.time(name, _processed, processor, batches)
        clock.time("dump", _dumped, batches)
        # The outbox hands on columns, and nothing that was worked out about them.
        plain = [Batch(one.id, one.signal, one.tables) for one in batches]
        clock.time("rows", self._rows, plain)
        self._waiting.append(plain)
        if len(self._waiting) == _PARCEL:
            clock.time("parcel", self._joined_rows, self._waiting)
            self._waiting.clear()
        clock.time("encode", encode, Batch(batch.id, batch.signal, batches[0].tables))

    def _joined_rows(self, requests: Sequence[Sequence[Batch]]) -> None:
        signals = dict.fromkeys(batch.signal for batches in requests for batch in batches)
        for signal in signals:
            mine = [batch for batches in requests for batch in batches if batch.signal is signal]
            self._rows([concat("parcel", mine)])

    def _rows(self, batches: Iterable[Batch]) -> None:
        for batch in batches:
            list(self._inserts[batch.signal](batch, time.time()))


def measure(kind: str, count: int, seconds: float) -> Line:
    """Return what each step costs on requests of *count* items."""
    signal = payload.SIGNALS[kind]
    source = payload.requests(kind, count, seed=7)
    clock, chain = _Clock(), Chain(signal)
    deadline, rounds = time.monotonic() + seconds, 0
    while time.monotonic() < deadline or rounds < _PARCEL:
        if rounds % _FORGET == _FORGET - 1:
            chain = Chain(signal)
        chain.run(next(source), clock)
        rounds += 1
    return Line(f"{kind} {count}", {step: took / _items(step, count) for step, took in clock.least.items()})


def _items(step: str, count: int) -> int:
    """Return how many items a step has in hand."""
    return count * _PARCEL if step == "parcel" else count


def head() -> str:
    """Return the titles of the table."""
    return _row("us an item", STEPS)


def text(line: Line) -> str:
    """Return a line of the table."""
    reference = line.costs[REFERENCE]
    cells = [f"{reference:.2f}"]
    for step in STEPS[1:]:
        cost = line.costs.get(step)
        cells.append("" if cost is None else f"{cost:.2f} ({cost / reference:.2f} x)")
    return _row(line.name, cells)


def _row(name: str, cells: Sequence[str]) -> str:
    return "  ".join([f"{name:<18}", f"{cells[0]:>10}", *(f"{cell:>18}" for cell in cells[1:])]).rstrip()


def _processors(signal: Signal) -> Mapping[str, Processor]:
    kinds: dict[str, type[Processor]] = {"genai": GenaiProcessor}
    if signal is Signal.TRACES:
        kinds |= {"cost": CostProcessor, "rollup": RollupProcessor}
    made = {name: kind(kind.Config(), Host(name, memory=Volatile())) for name, kind in kinds.items()}
    for processor in made.values():
        processor.start()
    return made


def _processed(processor: Processor, batches: Iterable[Batch]) -> list[Batch]:
    return [result for batch in batches for result in processor.process(batch)]


def _dumped(batches: Iterable[Batch]) -> None:
    for batch in batches:
        batch.dump()
