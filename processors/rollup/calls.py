"""Finding the model calls among a batch's spans and reading what is summed about them.

A call is a span whose operation asks a model for something, that names a model, and that was written by who
asked (a span of kind SERVER was written by who answered). Where one call's span stands around another's of the
same class, as with a framework that calls a client library, only the inner one is a call.

The usage of a call that failed before its answer ended (no finish reason) is an instalment, as of a stream that
was cut: it is unknown, and not counted.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from collector.attributes import Attributes, attributes_of
from collector.batch import Batch
from processors.rollup.errors import CallTable

OPERATION = "gen_ai.operation.name"
TEXTS = ("gen_ai.provider.name", OPERATION, "gen_ai.request.model", "gen_ai.response.model")
COUNTS = (
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.output_tokens",
    "gen_ai.usage.cache_read.input_tokens",
    "gen_ai.usage.cache_write.input_tokens",
    "gen_ai.usage.reasoning.output_tokens",
)
OTHERS = (
    "gen_ai.request.stream",
    "gen_ai.response.time_to_first_chunk",
    "error.type",
    "http.response.status_code",
    "gen_ai.response.finish_reasons",
)
KEYS = (*TEXTS, *COUNTS, *OTHERS)
_STREAM, _FIRST_CHUNK, _ERROR_TYPE, _HTTP_STATUS, _FINISH_REASONS = range(len(KEYS) - len(OTHERS), len(KEYS))

SERVER = 2  # SpanKind
ERROR = 2  # StatusCode

_MOST_TOKENS = 2**40  # no call has more; sums of less cannot leave 64 bits
_LONGEST = 2**50  # nanoseconds, 13 days: no call takes longer, so such a time is wrong
_DEEPEST = 64  # spans between two calls of one trace

Numbers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Calls:
    """Holds one entry per call in every array.

    *texts* are row numbers of *words*, shape (4, calls), in the order of `TEXTS`. *tokens* are counts or -1 where
    unknown, shape (5, calls), in the order of `COUNTS`; *embeddings* tells which calls asked for such.
    Durations are nanoseconds or -1, *first_chunk* seconds or -1.
    *error_class* is a number into `CallTable.classes`, or -1 where the call did not fail.
    """

    resource: Numbers
    words: list[str]
    texts: Numbers
    embeddings: Flags
    start: npt.NDArray[np.uint64]
    duration: Numbers
    tokens: Numbers
    first_chunk: npt.NDArray[np.float64]
    error_class: Numbers


def calls_of(batch: Batch, table: CallTable) -> Calls | None:
    """Return the model calls among the spans of *batch*, or None when there are none."""
    attributes = attributes_of(batch)
    if OPERATION not in attributes.names:
        return None
    found = attributes.locate(KEYS)
    strings = attributes.strings(found[: len(TEXTS)].ravel()).dictionary_encode(null_encoding="encode")
    words: list[str] = [word or "" for word in strings.dictionary.to_pylist()]
    texts = np.asarray(strings.indices).reshape(len(TEXTS), batch.rows)
    rows = _call_rows(batch, words, texts, table)
    if not len(rows):
        return None
    texts, found = texts[:, rows], found[:, rows]
    start, end = (np.asarray(batch.main.column(name))[rows] for name in ("start_time_unix_nano", "end_time_unix_nano"))
    timed = (start > 0) & (end >= start) & (end - start <= _LONGEST)
    error_class = _error_classes(batch, rows, found, table)
    embeddings = np.array([table.operations.get(word) == "embeddings" for word in words])[texts[1]]
    tokens = _tokens(attributes, found, embeddings)
    tokens[:, (error_class >= 0) & (found[_FINISH_REASONS] < 0)] = -1
    return Calls(
        resource=np.asarray(batch.main.column("resource"))[rows],
        words=words,
        texts=texts,
        embeddings=embeddings,
        start=start,
        duration=np.where(timed, (end - start).astype(np.int64), -1),
        tokens=tokens,
        first_chunk=_first_chunks(attributes, found),
        error_class=error_class,
    )


def places_of(batch: Batch) -> tuple[list[str], list[str], list[str]]:
    """Return service name, language and environment of the resources: '' or ``unknown`` where one does not say."""
    attributes = Attributes(batch.tables["resources"].column("attributes"))
    told: list[dict[str, str]] = [{} for _ in range(attributes.count)]
    keys, texts = attributes.flat.field("key").to_pylist(), attributes.values.field("string_value").to_pylist()
    for resource, key, text in zip(attributes.rows.tolist(), keys, texts, strict=True):
        told[resource][key] = text or ""
    return (
        [place.get("service.name", "") for place in told],
        [place.get("telemetry.sdk.language") or "unknown" for place in told],
        [place.get("deployment.environment.name") or place.get("deployment.environment", "") for place in told],
    )


def _call_rows(batch: Batch, words: Sequence[str], texts: Numbers, table: CallTable) -> Numbers:
    """Return the rows of the spans that are calls."""
    _, operations, requested, answered = texts
    named = np.array([word != "" for word in words])
    numbers = {name: number for number, name in enumerate(sorted(set(table.operations.values())))}
    classes = np.array([numbers.get(table.operations.get(word, ""), -1) for word in words])[operations]
    kinds = np.asarray(batch.main.column("kind"))
    calls = (classes >= 0) & (named[requested] | named[answered]) & (kinds != SERVER)
    rows = np.flatnonzero(calls)
    if len(rows) < 2:
        return rows
    calls[_wrappers(batch, rows, classes)] = False
    return np.flatnonzero(calls)


def _wrappers(batch: Batch, rows: Numbers, classes: Numbers) -> Numbers:
    """Return the rows of spans that have one of the calls *rows* of their own class below them."""
    above = _parents(batch, rows)
    wrappers = [rows[:0]]
    inner, outer = rows, above[rows]
    for _ in range(_DEEPEST):
        known = outer >= 0
        if not known.any():
            break
        inner, outer = inner[known], outer[known]
        wrappers.append(outer[(classes[outer] == classes[inner]) & (outer != inner)])
        outer = above[outer]
    return np.concatenate(wrappers)


def _parents(batch: Batch, rows: Numbers) -> Numbers:
    """Return the row of every span's parent in its trace, -1 where the batch has none; only -1 if *rows* have none."""
    main = batch.main
    above = np.full(batch.rows, -1, dtype=np.int64)
    parents, spans, traces = main.column("parent_span_id"), main.column("span_id"), main.column("trace_id")
    given = np.asarray(pc.binary_length(parents)) > 0
    if not given[rows].any():
        return above
    parent = np.asarray(pc.index_in(parents, value_set=spans).fill_null(-1))
    found = np.flatnonzero(given & (parent >= 0))
    if len(found):
        same = np.asarray(pc.equal(traces.take(pa.array(found)), traces.take(pa.array(parent[found]))))
        above[found[same]] = parent[found[same]]
    return above


def _tokens(attributes: Attributes, found: Numbers, embeddings: Flags) -> Numbers:
    """Return the counts that calls report; what an embedding would put out is no tokens."""
    tokens = attributes.naturals(found[len(TEXTS) : len(TEXTS) + len(COUNTS)])
    tokens[tokens > _MOST_TOKENS] = -1
    tokens[1, embeddings] = -1
    return tokens


def _first_chunks(attributes: Attributes, found: Numbers) -> npt.NDArray[np.float64]:
    """Return the seconds that streamed answers were waited for, -1 where it is no stream or unknown."""
    positions = found[_FIRST_CHUNK]
    waits = np.full(len(positions), -1.0)
    told = np.flatnonzero((positions >= 0) & (found[_STREAM] >= 0))
    if len(told):
        streams = np.asarray(attributes.booleans(found[_STREAM][told]).fill_null(False))
        seconds = np.asarray(attributes.numbers(positions[told]).fill_null(-1.0))
        waits[told] = np.where(streams & np.isfinite(seconds) & (seconds >= 0), seconds, -1.0)
    return waits


def _error_classes(batch: Batch, rows: Numbers, found: Numbers, table: CallTable) -> Numbers:
    """Return the class of each call's failure, -1 where it did not fail."""
    attributes = attributes_of(batch)
    types, statuses = found[_ERROR_TYPE], found[_HTTP_STATUS]
    failed = (np.asarray(batch.main.column("status_code"))[rows] == ERROR) | (types >= 0)
    if (statuses >= 0).any():
        statuses = attributes.naturals(statuses)
        failed |= statuses >= 400
    exceptions = _exceptions(batch)
    if exceptions:
        failed |= np.isin(rows, list(exceptions))
    classes = np.full(len(rows), -1, dtype=np.int64)
    which = np.flatnonzero(failed)
    if len(which):
        names = attributes.strings(types[which]).to_pylist()
        for call, status, name in zip(which.tolist(), statuses[which].tolist(), names, strict=True):
            kind = table.class_of(None if status < 0 else status, name, exceptions.get(int(rows[call])))
            classes[call] = table.classes.index(kind)
    return classes


def _exceptions(batch: Batch) -> dict[int, str]:
    """Return the type of the last exception that each span recorded, '' where it has none, by row."""
    events: pa.ListArray = batch.main.column("events")
    if not len(events.values):
        return {}
    flat: pa.StructArray = events.flatten()
    hits = np.flatnonzero(np.asarray(pc.equal(flat.field("name"), "exception")))
    if not len(hits):
        return {}
    owners = np.repeat(np.arange(len(events)), np.diff(np.asarray(events.offsets)))[hits]
    attributes = Attributes(flat.field("attributes").take(pa.array(hits)))
    types = attributes.strings(attributes.locate(["exception.type"])[0]).fill_null("").to_pylist()
    return dict(zip(owners.tolist(), types, strict=True))
