"""Requests that all differ and cost next to nothing to make: a few serialised ones, rewritten in place.

Protobuf writes an id, a fixed64 time or a two-byte varint at the same place whatever its value. `Template` finds these
places once; `Template.fresh` writes new trace ids, span ids, times, response ids and numbers of tokens there.
"""

import random
import re
import time
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.bench import spans

Bytes = npt.NDArray[np.uint8]

SIZES = (512, 32, 1)
"""Spans a request."""

_IDS = re.compile(rb"\x0a\x10(trac.{4}trac.{4})\x12\x08(span.{4})", re.DOTALL)
_PARENTS = re.compile(rb"\x22\x08(span.{4})", re.DOTALL)
_TIMES = re.compile(rb"\x39(strt.{4})\x41(endt.{4})", re.DOTALL)
_EVENTS = re.compile(rb"\x09(evnt.{4})", re.DOTALL)
_RESPONSES = re.compile(rb"chatcmpl-(0{24})")
_TOKENS = re.compile(rb"gen_ai\.usage\.(?:input|output|prompt|completion)_tokens\x12\x03\x18(..)", re.DOTALL)
_HEX = np.frombuffer(b"0123456789abcdef", np.uint8)


class Template:
    """Is one serialised request of *count* spans and the places in it that are rewritten."""

    def __init__(self, payload: str, count: int, seed: int) -> None:
        chance = random.Random(seed)
        request = ExportTraceServiceRequest(resource_spans=[spans.resource_spans(payload, count, chance)])
        data = request.SerializeToString()
        self.count = count
        self._data = np.frombuffer(data, np.uint8)
        self._random = np.random.default_rng(seed)
        ids = list(_IDS.finditer(data))
        assert len(ids) == count, "a mark was not found where protobuf should have written it"
        numbers = [_number(found[2]) for found in ids]
        parents = list(_PARENTS.finditer(data))
        times = list(_TIMES.finditer(data))
        events = list(_EVENTS.finditer(data))
        self._traces = np.array([number // spans.SPANS_A_TRACE for number in numbers])
        self._numbers = np.array(numbers)
        self._parents = np.array([_number(found[1]) for found in parents], np.int64)
        self._ended = np.array([_number(found[2]) for found in times])
        self._events = np.array([_number(found[1]) for found in events], np.int64)
        responses, tokens = list(_RESPONSES.finditer(data)), list(_TOKENS.finditer(data))
        self._responses, self._tokens = len(responses), len(tokens)
        self._places = np.concatenate(
            [
                _places([found.start(1) for found in ids], 16),
                _places([found.start(2) for found in ids], 8),
                _places([found.start(1) for found in parents], 8),
                _places([found.start(1) for found in times], 8),
                _places([found.start(2) for found in times], 8),
                _places([found.start(1) for found in events], 8),
                _places([found.start(1) for found in responses], 24),
                _places([found.start(1) for found in tokens], 2),
            ]
        )

    def fresh(self, now: int | None = None) -> bytes:
        """Return a request that was never sent before; its spans ended within ten seconds before *now* (ns)."""
        chance = self._random
        trace_ids = chance.integers(0, 256, (self.count, 16), np.uint8)
        span_ids = chance.integers(0, 256, (self.count, 8), np.uint8)
        ends = (now or time.time_ns()) - chance.integers(0, 10**10, self.count)
        durations = (chance.lognormal(0, 0.8, self.count) * 1e9).astype(np.int64)
        pieces = (
            trace_ids[self._traces],
            span_ids[self._numbers],
            span_ids[self._parents],
            _fixed64((ends - durations)[self._ended]),
            _fixed64(ends[self._ended]),
            _fixed64(ends[self._events]),
            _HEX[chance.integers(0, 16, (self._responses, 24), np.uint8)],
            _varints(chance.integers(spans.SMALLEST_TOKENS, 4096, self._tokens)),
        )
        buffer = self._data.copy()
        buffer[self._places] = np.concatenate([piece.reshape(-1) for piece in pieces])
        return buffer.tobytes()


def requests(payload: str, count: int, seed: int) -> Iterator[bytes]:
    """Yield requests without end, no two alike, made from enough templates that services and users vary."""
    templates = [Template(payload, count, seed * 1000 + n) for n in range(max(8, 64 // count))]
    while True:
        for template in templates:
            yield template.fresh()


def _number(found: bytes) -> int:
    return int.from_bytes(found[4:8], "big")


def _places(starts: list[int], width: int) -> npt.NDArray[np.int64]:
    return (np.array(starts, np.int64)[:, None] + np.arange(width)).reshape(-1)


def _fixed64(values: npt.NDArray[np.int64]) -> Bytes:
    return values.astype("<i8").view(np.uint8)


def _varints(values: npt.NDArray[np.int64]) -> Bytes:
    """Return two-byte varints of numbers from 128 to 16383."""
    return np.stack([values & 0x7F | 0x80, values >> 7], axis=1).astype(np.uint8)
