"""Requests that all differ and cost next to nothing to make: a few serialised ones, rewritten in place.

Protobuf writes an id, a fixed64 time or a two-byte varint at the same place whatever its value. A `Template` finds
these places once; `Template.fresh` writes new ids, times and numbers there.
"""

import random
import re
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
from google.protobuf.message import Message

from collector.batch import Signal
from tests.bench import points, records, spans

Bytes = npt.NDArray[np.uint8]
Numbers = npt.NDArray[np.int64]

SIZES = (512, 32, 1)
"""Items a request."""

_IDS = re.compile(rb"\x0a\x10(trac.{4}trac.{4})\x12\x08(span.{4})", re.DOTALL)
_PARENTS = re.compile(rb"\x22\x08(span.{4})", re.DOTALL)
_TIMES = re.compile(rb"\x39(strt.{4})\x41(endt.{4})", re.DOTALL)
_EVENTS = re.compile(rb"\x09(evnt.{4})", re.DOTALL)
_RESPONSES = re.compile(rb"chatcmpl-(0{24})")
_TOKENS = re.compile(
    rb"(?:gen_ai\.usage\.(?:input|output|prompt|completion)_tokens|llm\.token_count\.(?:prompt|completion))"
    rb"\x12\x03\x18(..)",
    re.DOTALL,
)
_POINT_STARTS = re.compile(rb"\x11(strt.{4})", re.DOTALL)
_POINT_TIMES = re.compile(rb"\x19(time.{4})", re.DOTALL)
_HISTOGRAMS = re.compile(rb"\x21(cnt!.{4})\x29(.{8})\x32\x78(bkt!.{116})", re.DOTALL)
_SUMS = re.compile(rb"\x31(sum!.{4})", re.DOTALL)
_RECORD_TIMES = re.compile(rb"\x09(time.{4})", re.DOTALL)
_RECORD_SEEN = re.compile(rb"\x59(seen.{4})", re.DOTALL)
_RECORD_IDS = re.compile(rb"\x4a\x10(trac.{4}trac.{4})\x52\x08(span.{4})", re.DOTALL)
_HEX = np.frombuffer(b"0123456789abcdef", np.uint8)

_MIDDLES = 2.0 ** np.arange(points.BUCKETS)
"""What is about the middle of each bucket."""
_UPTIME = 3600 * 10**9
"""How long ago the series of cumulative metrics began."""


class Template(ABC):
    """Is one serialised request of *count* items and the places in it that are rewritten."""

    def __init__(self, request: Message, count: int, seed: int) -> None:
        data = request.SerializeToString()
        self.count = count
        self._data = np.frombuffer(data, np.uint8)
        self._random = np.random.default_rng(seed)
        self._places = np.concatenate([_places(starts, width) for starts, width in self._find(data)])

    def fresh(self, now: int | None = None) -> bytes:
        """Return a request that was never sent before; its items are of the last seconds before *now* (ns)."""
        buffer = self._data.copy()
        pieces = self._pieces(now or time.time_ns())
        buffer[self._places] = np.concatenate([piece.reshape(-1) for piece in pieces])
        return buffer.tobytes()

    def _checked(self, found: Sequence[re.Match[bytes]]) -> Sequence[re.Match[bytes]]:
        assert len(found) == self.count, "a mark was not found where protobuf should have written it"
        return found

    @abstractmethod
    def _find(self, data: bytes) -> Sequence[tuple[Sequence[int], int]]:
        """Return where what is rewritten starts, and how many bytes each has, in the order of `_pieces`."""

    @abstractmethod
    def _pieces(self, now: int) -> Sequence[Bytes]: ...


class _Spans(Template):
    def _find(self, data: bytes) -> Sequence[tuple[Sequence[int], int]]:
        ids = self._checked(list(_IDS.finditer(data)))
        numbers = [_number(found[2]) for found in ids]
        parents = list(_PARENTS.finditer(data))
        times = self._checked(list(_TIMES.finditer(data)))
        events = list(_EVENTS.finditer(data))
        self._traces = np.array([number // spans.SPANS_A_TRACE for number in numbers])
        self._numbers = np.array(numbers)
        self._parents = np.array([_number(found[1]) for found in parents], np.int64)
        self._ended = np.array([_number(found[2]) for found in times])
        self._events = np.array([_number(found[1]) for found in events], np.int64)
        responses, tokens = list(_RESPONSES.finditer(data)), list(_TOKENS.finditer(data))
        self._responses, self._tokens = len(responses), len(tokens)
        return [
            ([found.start(1) for found in ids], 16),
            ([found.start(2) for found in ids], 8),
            ([found.start(1) for found in parents], 8),
            ([found.start(1) for found in times], 8),
            ([found.start(2) for found in times], 8),
            ([found.start(1) for found in events], 8),
            ([found.start(1) for found in responses], 24),
            ([found.start(1) for found in tokens], 2),
        ]

    def _pieces(self, now: int) -> Sequence[Bytes]:
        chance = self._random
        trace_ids = chance.integers(0, 256, (self.count, 16), np.uint8)
        span_ids = chance.integers(0, 256, (self.count, 8), np.uint8)
        ends = now - chance.integers(0, 10**10, self.count)
        durations = (chance.lognormal(0, 0.8, self.count) * 1e9).astype(np.int64)
        return (
            trace_ids[self._traces],
            span_ids[self._numbers],
            span_ids[self._parents],
            _fixed64((ends - durations)[self._ended]),
            _fixed64(ends[self._ended]),
            _fixed64(ends[self._events]),
            _HEX[chance.integers(0, 16, (self._responses, 24), np.uint8)],
            _varints(chance.integers(spans.SMALLEST_TOKENS, 4096, self._tokens)),
        )


class _Points(Template):
    """Counts go up from request to request, as those of one process do that is asked again and again."""

    def _find(self, data: bytes) -> Sequence[tuple[Sequence[int], int]]:
        starts = self._checked(list(_POINT_STARTS.finditer(data)))
        times = self._checked(list(_POINT_TIMES.finditer(data)))
        histograms, sums = list(_HISTOGRAMS.finditer(data)), list(_SUMS.finditer(data))
        self._checked([*histograms, *sums])
        self._began = time.time_ns() - _UPTIME
        self._counted = np.zeros((len(histograms), points.BUCKETS), np.int64)
        self._summed = np.zeros(len(sums), np.int64)
        return [
            ([found.start(1) for found in starts], 8),
            ([found.start(1) for found in times], 8),
            ([found.start(1) for found in histograms], 8),
            ([found.start(2) for found in histograms], 8),
            ([found.start(3) for found in histograms], 8 * points.BUCKETS),
            ([found.start(1) for found in sums], 8),
        ]

    def _pieces(self, now: int) -> Sequence[Bytes]:
        self._counted[:, 3:10] += self._random.integers(0, 4, (len(self._counted), 7))
        self._counted[:, 5] += 1
        self._summed += self._random.integers(1, 20, len(self._summed))
        return (
            _fixed64(np.full(self.count, self._began)),
            _fixed64(np.full(self.count, now)),
            _fixed64(self._counted.sum(axis=1)),
            (self._counted @ _MIDDLES).astype("<f8").view(np.uint8),
            _fixed64(self._counted),
            _fixed64(self._summed),
        )


class _Records(Template):
    def _find(self, data: bytes) -> Sequence[tuple[Sequence[int], int]]:
        ids = self._checked(list(_RECORD_IDS.finditer(data)))
        times = self._checked(list(_RECORD_TIMES.finditer(data)))
        seen = self._checked(list(_RECORD_SEEN.finditer(data)))
        return [
            ([found.start(1) for found in ids], 16),
            ([found.start(2) for found in ids], 8),
            ([found.start(1) for found in times], 8),
            ([found.start(1) for found in seen], 8),
        ]

    def _pieces(self, now: int) -> Sequence[Bytes]:
        chance = self._random
        times = now - chance.integers(0, 10**10, self.count)
        return (
            chance.integers(0, 256, (self.count, 16), np.uint8),
            chance.integers(0, 256, (self.count, 8), np.uint8),
            _fixed64(times),
            _fixed64(times + chance.integers(0, 10**6, self.count)),
        )


SIGNALS: Mapping[str, Signal] = MappingProxyType(
    {
        **dict.fromkeys(spans.PAYLOADS, Signal.TRACES),
        **dict.fromkeys(points.PAYLOADS, Signal.METRICS),
        **dict.fromkeys(records.PAYLOADS, Signal.LOGS),
    }
)
"""The payloads, and what they are requests of."""

_MAKERS = {
    Signal.TRACES: (spans.request, _Spans),
    Signal.METRICS: (points.request, _Points),
    Signal.LOGS: (records.request, _Records),
}


def template(payload: str, count: int, seed: int) -> Template:
    """Return a template of requests of *count* items."""
    request, kind = _MAKERS[SIGNALS[payload]]
    return kind(request(payload, count, random.Random(seed)), count, seed)


def requests(payload: str, count: int, seed: int) -> Iterator[bytes]:
    """Yield requests without end, no two alike, made from enough templates that services and users vary.

    Each template of metrics is another process with series of its own; few of them report to one collector.
    """
    fewest = 1 if SIGNALS[payload] is Signal.METRICS else 8
    templates = [template(payload, count, seed * 1000 + n) for n in range(max(fewest, 64 // count))]
    while True:
        for one in templates:
            yield one.fresh()


def _number(found: bytes) -> int:
    return int.from_bytes(found[4:8], "big")


def _places(starts: Sequence[int], width: int) -> Numbers:
    return (np.array(starts, np.int64)[:, None] + np.arange(width)).reshape(-1)


def _fixed64(values: Numbers) -> Bytes:
    return np.ascontiguousarray(values).astype("<i8").view(np.uint8)


def _varints(values: Numbers) -> Bytes:
    """Return two-byte varints of numbers from 128 to 16383."""
    return np.stack([values & 0x7F | 0x80, values >> 7], axis=1).astype(np.uint8)
