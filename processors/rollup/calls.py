"""Finding the model calls among a batch's spans and reading what is summed about them.

A call is a span whose operation asks a model for something and that names a model, or is marked as a call all the same.
Whether it counts is told elsewhere (`processors.rollup.once`): it may be a wrapper, or a second report of a call.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from collector.attributes import Attributes, attributes_of, resource_attributes_of
from collector.batch import Batch
from collector.bounds import MOST_NANODOLLARS, MOST_NANOSECONDS, MOST_TOKENS
from collector.prices.tiers import ANSWERED_TIER, ASKED_TIER, tier_of
from processors.rollup.call_table import CallTable

OPERATION = "gen_ai.operation.name"
COST = "genai_collector.cost.nano_usd"
TEXTS = (
    "gen_ai.provider.name",
    OPERATION,
    "gen_ai.request.model",
    "gen_ai.response.model",
    ANSWERED_TIER,
)
COUNTS = (
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.output_tokens",
    "gen_ai.usage.cache_read.input_tokens",
    "gen_ai.usage.cache_write.input_tokens",
    "genai_collector.usage.cache_write_1h.input_tokens",
    "gen_ai.usage.reasoning.output_tokens",
    COST,
)
OTHERS = (
    ASKED_TIER,
    "gen_ai.request.stream",
    "gen_ai.response.time_to_first_chunk",
    "error.type",
    "http.response.status_code",
    "gen_ai.response.finish_reasons",
    "genai_collector.call",
    "genai_collector.instrumentation_error",
    "gen_ai.response.id",
    "gen_ai.input.messages",
    "duration",
)
_PLACE = (
    "service.name",
    "telemetry.sdk.language",
    "deployment.environment.name",
    "deployment.environment",
    "process.runtime.name",
)
RUNTIMES = {
    ".net": "dotnet",
    ".net core": "dotnet",
    ".net framework": "dotnet",
    "cpython": "python",
    "go": "go",
    "node": "nodejs",
    "nodejs": "nodejs",
    "openjdk runtime environment": "java",
    "pypy": "python",
    "ruby": "ruby",
}
"""`telemetry.sdk.language` by process.runtime.name, for resources that say only this."""
KEYS = (*TEXTS, *COUNTS, *OTHERS)
_TIER = 4
_COST = len(TEXTS) + len(COUNTS) - 1
_ASKED_TIER, _STREAM, _FIRST_CHUNK, _ERROR_TYPE, _HTTP_STATUS, _FINISH_REASONS, _CALL, _OWN_ERROR, *_IDENTITY = range(
    len(KEYS) - len(OTHERS), len(KEYS)
)
RESPONSE_ID, PROMPT, TOLD = _IDENTITY

SERVER = 2  # SpanKind
ERROR = 2  # StatusCode

_MOST = np.array([[MOST_TOKENS]] * (len(COUNTS) - 1) + [[MOST_NANODOLLARS]])
_FEW = 8  # resources

Numbers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Calls:
    """Holds one entry per call in every array.

    *rows* are row numbers of the batch's spans; *found* says where their attributes stand, a line for each of `KEYS`.
    *texts* are row numbers of *words*, shape (5, calls), in the order of `TEXTS`. *tokens* are counts (and the
    cost in 10^-9 USD) or -1 where unknown, shape (7, calls), in the order of `COUNTS`; *embeddings* tells which calls
    asked for such, *answered* which were written by who answered.
    Durations are nanoseconds or -1, *first_chunk* seconds or -1.
    *error_class* is a number into `CallTable.classes`, or -1 where the call did not fail; *finished* tells where
    a reason is given why the answer ended.
    """

    rows: Numbers
    found: Numbers
    resource: Numbers
    words: list[str]
    texts: Numbers
    embeddings: Flags
    answered: Flags
    start: npt.NDArray[np.uint64]
    duration: Numbers
    tokens: Numbers
    first_chunk: npt.NDArray[np.float64]
    error_class: Numbers
    finished: Flags

    @property
    def cut(self) -> Flags:
        """Which failed before their answer ended: what they used is unknown, whatever they report."""
        return (self.error_class >= 0) & ~self.finished

    @property
    def costs(self) -> Numbers:
        """Where their costs stand."""
        costs: Numbers = self.found[_COST]
        return costs


@dataclass(frozen=True, slots=True)
class Places:
    """Says where resources stand: *codes* are row numbers of *words*, shape (3, resources).

    The lines are service name, language (of the SDK, else of the runtime) and environment: '' or ``unknown`` where a
    resource does not say.
    """

    words: list[str]
    codes: Numbers


def calls_of(batch: Batch, table: CallTable) -> Calls | None:
    """Return the model calls among the spans of *batch*, or None when there are none."""
    attributes = attributes_of(batch)
    if OPERATION not in attributes.names:
        return None
    found = attributes.locate(KEYS)
    rows = _named(found)
    words, texts = _with_tiers(*_told(attributes, found[: len(TEXTS), rows], found[_ASKED_TIER, rows]))
    kept = _asking(words, texts, found[_CALL, rows] >= 0, table)
    if not len(kept):
        return None
    rows, texts = rows[kept], texts[:, kept]
    found = found[:, rows]
    start, end = (np.asarray(batch.column(name))[rows] for name in ("start_time_unix_nano", "end_time_unix_nano"))
    lasted = end - start
    timed = (start > 0) & (end >= start) & (lasted <= MOST_NANOSECONDS)
    embeddings = np.array([table.operations.get(word) == "embeddings" for word in words])[texts[1]]
    return Calls(
        rows=rows,
        found=found,
        resource=np.asarray(batch.column("resource"))[rows],
        words=words,
        texts=texts,
        embeddings=embeddings,
        answered=np.asarray(batch.column("kind"))[rows] == SERVER,
        start=start,
        duration=np.where(timed, lasted.astype(np.int64), -1),
        tokens=_tokens(attributes, found, embeddings),
        first_chunk=_first_chunks(attributes, found),
        error_class=_error_classes(batch, rows, found, table),
        finished=found[_FINISH_REASONS] >= 0,
    )


def places_of(batch: Batch) -> Places:
    """Return where the resources of *batch* stand."""
    attributes = resource_attributes_of(batch)
    if attributes.count <= _FEW:
        return _few_places(attributes)
    words, (service, language, environment, older, runtime) = _texts(attributes, attributes.locate(_PLACE))
    blank = np.array([not word for word in words])
    language = np.where(blank[language], runtime + len(words), language)
    words += [_language_of(word) for word in words]
    return Places(words, np.stack((service, language, np.where(blank[environment], older, environment))))


def _few_places(attributes: Attributes) -> Places:
    """Return what `places_of` does, where plain Python has less to do than Arrow has to set up."""
    keys, texts = attributes.flat.field("key").to_pylist(), attributes.values.field("string_value").to_pylist()
    words: list[str] = []
    for start, length in zip(attributes.starts.tolist(), attributes.lengths.tolist(), strict=True):
        told = dict(zip(keys[start : start + length], texts[start : start + length], strict=True))
        service, language, environment, older, runtime = (told.get(key) or "" for key in _PLACE)
        words += (service, language or _language_of(runtime), environment or older)
    return Places(words, np.arange(len(words)).reshape(-1, 3).T)


def _language_of(runtime: str) -> str:
    return RUNTIMES.get(runtime.lower(), "unknown")


def _told(attributes: Attributes, found: Numbers, asked: Numbers) -> tuple[list[str], Numbers]:
    """Return what `_texts` does; as tier the one that was *asked* for, where the answer names none."""
    answered = found[_TIER].copy()
    found[_TIER] = np.where(answered < 0, asked, answered)
    words, texts = _texts(attributes, found)
    both = (answered >= 0) & (asked >= 0)
    if both.any():
        unnamed = both & np.array([word == "" for word in words])[texts[_TIER]]
        if unnamed.any():
            found[_TIER, unnamed] = asked[unnamed]
            words, texts = _texts(attributes, found)
    return words, texts


def _texts(attributes: Attributes, positions: Numbers) -> tuple[list[str], Numbers]:
    """Return the distinct strings at *positions*, and the row number of each among them; what is none is ''."""
    strings = attributes.strings(positions.ravel()).dictionary_encode(null_encoding="encode")
    words = [word or "" for word in strings.dictionary.to_pylist()]
    return words, np.asarray(strings.indices).reshape(positions.shape)


def _with_tiers(words: list[str], texts: Numbers) -> tuple[list[str], Numbers]:
    """Return the texts with one name for each service tier, '' for the standard one."""
    tiers = {code: tier_of(words[code]) for code in np.unique(texts[_TIER]).tolist()}
    renamed = [code for code, tier in tiers.items() if tier != words[code]]
    if not renamed:
        return words, texts
    codes = np.arange(len(words))
    codes[renamed] = np.arange(len(words), len(words) + len(renamed))
    texts = texts.copy()
    texts[_TIER] = codes[texts[_TIER]]
    return [*words, *(tiers[code] for code in renamed)], texts


def _named(found: Numbers) -> Numbers:
    """Return the rows of the spans that say what was asked of a model."""
    _, operation, requested, answered = found[:_TIER]
    return np.flatnonzero((operation >= 0) & ((requested >= 0) | (answered >= 0) | (found[_CALL] >= 0)))


def _asking(words: Sequence[str], texts: Numbers, marked: Flags, table: CallTable) -> Numbers:
    """Return which columns of *texts* ask a model; some calls are *marked* as such."""
    _, operations, requested, answered, _ = texts
    asks = np.array([word in table.operations for word in words], dtype=bool)
    named = np.array([word != "" for word in words], dtype=bool)
    return np.flatnonzero(asks[operations] & (named[requested] | named[answered] | marked))


def _tokens(attributes: Attributes, found: Numbers, embeddings: Flags) -> Numbers:
    """Return the counts that calls report; what an embedding would put out is no tokens."""
    tokens = attributes.naturals(found[len(TEXTS) : len(TEXTS) + len(COUNTS)])
    tokens[tokens > _MOST] = -1
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
    failed = (np.asarray(batch.column("status_code"))[rows] == ERROR) | attributes.told(types)
    if (statuses >= 0).any():
        statuses = attributes.naturals(statuses)
        failed |= statuses >= 400
    raised, exceptions = _exceptions(batch, rows)
    failed[raised] = True
    failed[found[_OWN_ERROR] >= 0] = False
    classes = np.full(len(rows), -1, dtype=np.int64)
    which = np.flatnonzero(failed)
    if len(which):
        names = attributes.strings(types[which]).to_pylist()
        told = dict(zip(raised.tolist(), exceptions, strict=True))
        classes[which] = [
            table.number_of(status, name, told.get(call))
            for call, status, name in zip(which.tolist(), statuses[which].tolist(), names, strict=True)
        ]
    return classes


def _exceptions(batch: Batch, rows: Numbers) -> tuple[Numbers, list[str | None]]:
    """Return which of *rows* recorded exceptions, as places in *rows*, and the type of the last one of each."""
    events: pa.ListArray = batch.column("events")
    offsets = np.asarray(events.offsets)
    if offsets[-1] == offsets[0]:
        return rows[:0], []
    flat: pa.StructArray = events.flatten()
    hits = np.flatnonzero(pc.equal(flat.field("name"), "exception"))
    last = np.full(batch.rows, -1, dtype=np.int64)
    last[np.searchsorted(offsets, hits + offsets[0], side="right") - 1] = hits
    raised = np.flatnonzero(last[rows] >= 0)
    if not len(raised):
        return raised, []
    attributes = Attributes(flat.field("attributes"))
    return raised, attributes.strings(attributes.locate_in(last[rows[raised]], "exception.type")).to_pylist()
