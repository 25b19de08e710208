"""What is remembered about a call: a column of whole numbers, and the words some of them stand for.

Ids and names become 64-bit hashes that are the same in every run; 0 is none. `Fact` is one column for plain Python.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from xxhash import xxh3_64_intdigest

from collector.attributes import attributes_of, resource_attributes_of
from collector.batch import Batch
from processors.rollup.call_table import call_table
from processors.rollup.calls import COUNTS, RESPONSE_ID, TEXTS, TOLD, Calls, Numbers, Places
from processors.rollup.calls import PROMPT as FOUND_PROMPT

(KEY, PARENT, TRACE, PROCESS, SCOPE, CLASS, REQUESTED, ANSWERED, START, DURATION) = range(10)
(FIRST_CHUNK, ERROR, FINISHED, RESPONSE, PROMPT, TOLD_LENGTH, TOKENS) = range(10, 17)
WORDS = TOKENS + len(COUNTS)
FACTS = WORDS + 3 + len(TEXTS)
INPUT, OUTPUT = TOKENS, TOKENS + 1
"""Lines of a column that say what the span said. From `TOKENS` on stand numbers as in `Calls.tokens`, from `WORDS` on
row numbers of words: service, language, environment, and those of `Calls.texts`."""

INFERENCE, EMBEDDINGS, PART = 0, 1, 4
"""Classes of calls; `VIEW` more for what was written by who answered. A part is a span without length."""
VIEW = 2

_PROCESS = ("service.name", "service.instance.id", "process.pid", "host.name")
_ODD = np.uint64(0x9E3779B97F4A7C15)
_MIX = np.uint64(0xBF58476D1CE4E5B9)
_FAR, _NEAR = np.uint64(31), np.uint64(29)
_NONE = np.zeros(1, dtype=np.int64)
_FORM_BITS = 8
_WORDS_HASHED = 8  # of eight letters each; what is longer is rare
_LETTERS_LEFT = np.array([*((1 << 8 * count) - 1 for count in range(8)), -1], dtype=np.int64)
"""What is left of a word that has so many letters."""

Hashes = npt.NDArray[np.int64]
Texts = tuple[str, ...]
Tokens = tuple[int, ...]
Id = TypeVar("Id", int, Hashes)


class Fact(NamedTuple):
    """Is what one span said about a call: *row* is where it is remembered, *kind* its class; else see `Calls`."""

    row: int
    key: int
    parent: int
    trace: int
    process: int
    scope: int
    kind: int
    requested: int
    answered: int
    start: int
    duration: int
    tokens: Tokens
    first_chunk: float
    error: int
    finished: bool
    response: int
    prompt: int
    told: int
    texts: Texts

    @property
    def end(self) -> int:
        """When the call ended, as far as it is known."""
        return self.start + max(self.duration, 0)

    @property
    def models(self) -> frozenset[int]:
        """What the model may go by."""
        return frozenset((self.requested, self.answered)) - {0}


class Facts(NamedTuple):
    """Holds the calls of a batch as columns of *matrix*; *links* are the keys of the other spans and their parents'."""

    matrix: npt.NDArray[np.int64]
    words: Sequence[str]
    links: tuple[Hashes, Hashes]


def form_of(response: Id) -> Id:
    """Return the form of a response's id: two ids of one form that differ name two responses."""
    return response & ((1 << _FORM_BITS) - 1)


def used_words(facts: Facts) -> Numbers:
    """Return the row numbers of the words that are used."""
    counts = np.bincount(facts.matrix[WORDS:FACTS].ravel(), minlength=len(facts.words))
    return counts.nonzero()[0]


def fact_of(row: int, column: Sequence[int], words: Sequence[str]) -> Fact:
    """Return the column that stands in *row* as a fact."""
    key, parent, trace, process, scope, kind, requested, answered, start, duration = column[KEY:FIRST_CHUNK]
    first_chunk, error, finished, response, prompt, told = column[FIRST_CHUNK:TOKENS]
    return Fact(
        row, key, parent, trace, process, scope, kind, requested, answered, start, duration,
        tuple(column[TOKENS:WORDS]), seconds_of(first_chunk), error, bool(finished),
        response, prompt, told, tuple(words[code] for code in column[WORDS:FACTS]),
    )  # fmt: skip


def seconds_of(bits: int) -> float:
    """Return the float whose bits were remembered."""
    return float(np.int64(bits).view(np.float64))


def facts_of(batch: Batch, calls: Calls, places: Places) -> Facts:
    """Return what is to be remembered of a batch with *calls*."""
    traces, spans, parents = _ids(batch)
    rows = calls.rows
    matrix = np.zeros((FACTS, len(rows)), dtype=np.int64)
    matrix[KEY], matrix[PARENT], matrix[TRACE] = spans[rows], parents[rows], traces[rows]
    matrix[PROCESS] = _processes(batch)[calls.resource]
    matrix[SCOPE] = _scopes(batch)[np.asarray(batch.column("scope"))[rows]]
    matrix[CLASS] = calls.embeddings + VIEW * calls.answered
    matrix[CLASS, (calls.duration == 0) & (matrix[CLASS] == INFERENCE)] = PART
    models = np.array([_model_key(word) for word in calls.words], dtype=np.int64)
    matrix[REQUESTED], matrix[ANSWERED] = models[calls.texts[2:4]]
    matrix[START], matrix[DURATION] = calls.start.astype(np.int64), calls.duration
    matrix[TOKENS:WORDS] = calls.tokens
    matrix[FIRST_CHUNK] = calls.first_chunk.view(np.int64)
    matrix[ERROR], matrix[FINISHED] = calls.error_class, calls.finished
    _read_texts(batch, calls, matrix)
    matrix[WORDS : WORDS + 3] = places.codes[:, calls.resource]
    matrix[WORDS + 3 :] = calls.texts + len(places.words)
    return Facts(matrix, [*places.words, *calls.words], _links(spans, parents, rows))


def links_of(batch: Batch) -> Facts:
    """Return what is to be remembered of a batch without calls."""
    _, spans, parents = _ids(batch)
    return Facts(np.zeros((FACTS, 0), dtype=np.int64), (), _links(spans, parents, np.zeros(0, dtype=np.int64)))


def mixed(first: Hashes, second: Hashes) -> Hashes:
    """Return a hash of both."""
    one = first.view(np.uint64) * _ODD + second.view(np.uint64)
    one ^= one >> _FAR
    one *= _MIX
    one ^= one >> _NEAR
    return one.view(np.int64)


def hash_of(*texts: str) -> int:
    """Return the hash of some texts, never 0."""
    return _signed(xxh3_64_intdigest("\0".join(texts).encode(errors="surrogatepass")))


def _signed(number: int) -> int:
    return (number - 2**64 if number >= 2**63 else number) or 1


def _links(spans: Hashes, parents: Hashes, calls: Numbers) -> tuple[Hashes, Hashes]:
    if len(calls) == len(spans):
        return spans[:0], parents[:0]
    other = np.ones(len(spans), dtype=bool)
    other[calls] = False
    return spans[other], parents[other]


def _ids(batch: Batch) -> tuple[Hashes, Hashes, Hashes]:
    """Return hashes of every span's trace, of itself in it, and of its parent, 0 where it has none."""
    long = _bytes(batch.column("trace_id"), 16).view(np.int64).reshape(-1, 2)
    traces = mixed(long[:, 0], long[:, 1])
    both = np.stack([_bytes(batch.column(name), 8).view(np.int64) for name in ("span_id", "parent_span_id")])
    spans, parents = both
    keys, above = mixed(traces, both)
    above[(parents == 0) | (above == keys)] = 0
    nameless = np.flatnonzero(spans == 0)
    if len(nameless):
        times = np.asarray(batch.column("start_time_unix_nano"))[nameless].astype(np.int64)
        ends = np.asarray(batch.column("end_time_unix_nano"))[nameless].astype(np.int64)
        keys[nameless] = mixed(mixed(keys[nameless], times), mixed(ends, nameless))
    return traces, keys, above


def _bytes(ids: pa.BinaryArray, width: int) -> npt.NDArray[np.uint8]:
    """Return ids laid down *width* bytes each: shorter ones end in zeros, longer ones are hashed."""
    _, offsets, data = ids.buffers()
    bounds = np.frombuffer(offsets, np.int32)[ids.offset :][: len(ids) + 1]
    if not len(ids) or bounds[0] == bounds[-1]:
        return np.zeros(len(ids) * width, dtype=np.uint8)
    lengths = bounds[1:] - bounds[:-1]
    if (lengths == width).all():
        return np.frombuffer(data, np.uint8)[bounds[0] : bounds[-1]]
    result = np.zeros((len(ids), width), dtype=np.uint8)
    whole = lengths == width
    held = np.frombuffer(data, np.uint8)[bounds[0] : bounds[-1]]
    result[whole] = held[whole.repeat(lengths)].reshape(-1, width)
    for row in np.flatnonzero(~whole & (lengths > 0)).tolist():
        odd = hash_of(ids[row].as_py().hex()).to_bytes(8, "little", signed=True)
        result[row, :8] = np.frombuffer(odd, np.uint8)
    return result.reshape(-1)


def _processes(batch: Batch) -> Hashes:
    """Return a hash of the process of each resource: service and instance, else process number and host."""
    attributes = resource_attributes_of(batch)
    keys = attributes.flat.field("key").to_pylist()
    texts, numbers = (attributes.values.field(name).to_pylist() for name in ("string_value", "int_value"))
    found = []
    for start, length in zip(attributes.starts.tolist(), attributes.lengths.tolist(), strict=True):
        place = {key: start + number for number, key in enumerate(keys[start : start + length])}
        name, instance, pid, host = (place.get(key, -1) for key in _PROCESS)
        told = (texts[place] if place >= 0 else None for place in (name, instance, host))
        found.append(_process(*told, numbers[pid] if pid >= 0 else None))
    return np.array(found, dtype=np.int64)


@lru_cache(maxsize=4096)
def _process(name: str | None, instance: str | None, host: str | None, pid: int | None) -> int:
    return hash_of(name or "", instance) if instance else hash_of(name or "", str(pid), host or "")


def _scopes(batch: Batch) -> Hashes:
    return np.array([_scope(name) for name in batch.tables["scopes"].column("name").to_pylist()], dtype=np.int64)


@lru_cache(maxsize=1024)
def _scope(name: str) -> int:
    return hash_of(name)


@lru_cache(maxsize=4096)
def _model_key(name: str) -> int:
    """Return a hash of what stays of a model's name when vendor, date and the like are taken off."""
    plain = call_table().plain_model(name)
    return hash_of(plain) if plain else 0


def _read_texts(batch: Batch, calls: Calls, matrix: npt.NDArray[np.int64]) -> None:
    """Write the hashes of ids and prompts into *matrix*, and the length that a part tells."""
    attributes = attributes_of(batch)
    found = calls.found[RESPONSE_ID]
    told = np.flatnonzero(found >= 0)
    if len(told):
        matrix[RESPONSE, told] = _response_keys(attributes.strings(found[told]))
    halves = np.flatnonzero(_may_be_half(matrix) & (calls.found[FOUND_PROMPT] >= 0))
    if len(halves):
        prompts = attributes.strings(calls.found[FOUND_PROMPT][halves]).to_pylist()
        matrix[PROMPT, halves] = [hash_of(prompt) if prompt else 0 for prompt in prompts]
    parts = np.flatnonzero(matrix[CLASS] == PART)
    if len(parts):
        seconds = attributes.numbers(calls.found[TOLD][parts]).fill_null(-1.0).to_pylist()
        matrix[TOLD_LENGTH, parts] = [int(length * 1e9) if 0 <= length < 1e6 else -1 for length in seconds]


def _may_be_half(matrix: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Tell which calls may be one of the two spans of a stream."""
    request = (matrix[CLASS] == INFERENCE) & (matrix[OUTPUT] < 0) & (matrix[ERROR] < 0) & (matrix[DURATION] > 0)
    half: npt.NDArray[np.bool_] = request | (matrix[CLASS] == PART)
    return half


def _response_keys(ids: pa.StringArray) -> Hashes:
    """Return hashes of responses' ids, their forms (the letters they begin with) in the lowest bits; 0 is none."""
    _, offsets, data = ids.buffers()
    bounds = np.frombuffer(offsets, np.int32)[ids.offset :][: len(ids) + 1]
    lengths = bounds[1:] - bounds[:-1]
    width = min(-(-int(lengths.max(initial=0)) // 8), _WORDS_HASHED) * 8
    if not width:
        return np.zeros(len(ids), dtype=np.int64)
    text = np.concatenate((np.frombuffer(data, np.uint8), np.zeros(width, dtype=np.uint8)))
    windows = np.ndarray((len(text) - width + 1, width // 8), np.int64, text, strides=(1, 8))
    words = windows[bounds[:-1]]
    words &= _LETTERS_LEFT[np.minimum(np.maximum(lengths[:, None] - np.arange(0, width, 8), 0), 8)]
    keys = lengths.astype(np.int64)
    shortest = int(lengths.min())
    for number, word in enumerate(np.ascontiguousarray(words.T)):
        longer = mixed(keys, word)
        keys = longer if shortest > 8 * number else np.where(lengths > 8 * number, longer, keys)
    for row in np.flatnonzero(lengths > 8 * _WORDS_HASHED).tolist():
        keys[row] = hash_of(ids[row].as_py())
    forms = form_of(mixed(_prefixes(words[:, 0].copy()), _NONE))
    return np.where(lengths > 0, (keys >> _FORM_BITS << _FORM_BITS) | np.where(forms == 0, 1, forms), 0)


def _prefixes(words: Hashes) -> Hashes:
    """Return the letters that words of eight characters begin with."""
    small = words.view(np.uint8).reshape(-1, 8) | 32
    letters = ((small >= ord("a")) & (small <= ord("z"))).view(np.int64)[:, 0] * 255
    prefix: Hashes = words & letters & ~(letters + 1)  # adding one clears the letters up to the first other character
    return prefix
