"""Giving the spans of one batch today's attributes.

    1. what a span is         from its scope and name, where the table knows them
    2. attributes             from their older names
    3. messages               from attributes numbered per message, finish reasons too
    4. the wait for a stream  from the events that mark its pieces
    5. the input total        with the cached tokens in it, whoever counted

A batch in which nothing is to be added is returned as it is.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from collector.attributes import Attributes, Positions, attributes_of
from collector.batch import Batch
from processors.genai.messages import Draft, dump
from processors.genai.rewrite import Addition, Rows, rewrite
from processors.genai.table import Dialects, Piece, Target
from processors.genai.values import MEMBER, array_of, read, usable

OPERATION = "gen_ai.operation.name"
INPUT = "gen_ai.usage.input_tokens"
CACHE = ("gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cache_write.input_tokens")
OUTPUT_MESSAGES = "gen_ai.output.messages"
FINISH_REASON = "finish_reason"
FINISH_REASONS = "gen_ai.response.finish_reasons"
FIRST_CHUNK = "gen_ai.response.time_to_first_chunk"
STREAM = "gen_ai.request.stream"
REPORTED_INPUT = "genai_collector.reported.input_tokens"
"""What the reporter called its input where cached tokens had to be added; says too that they have been."""

_KEYS = frozenset({OPERATION, FINISH_REASONS, FIRST_CHUNK, STREAM})
_CACHE_KEYS = frozenset({INPUT, REPORTED_INPUT, *CACHE})
_LARGEST = 2**60
"""Sums of three counts up to this stay within 64 bits."""


class Translation:
    """Gathers what the spans of one batch get and lose."""

    def __init__(self, batch: Batch, table: Dialects) -> None:
        self.batch = batch
        self.table = table
        self.attributes: Attributes = attributes_of(batch)
        self.additions: dict[str, list[Addition]] = {}
        self.replaced: list[Positions] = []
        self.originals: list[Positions] = []
        self._nowhere: Positions = np.full(self.attributes.count, -1, dtype=np.int64)
        self._found: dict[str, Positions] = {}

    def find(self, keys: frozenset[str]) -> None:
        """Look up where these keys stand, all at once."""
        present = [key for key in self.attributes.names if key in keys]
        self._found = dict.fromkeys(keys, self._nowhere)
        self._found |= zip(present, self.attributes.locate(present), strict=True)

    def positions(self, key: str) -> Positions:
        """Return where each row has *key*, -1 where it has not."""
        if key not in self._found:
            [self._found[key]] = self.attributes.locate([key])
        return self._found[key]

    def missing(self, key: str) -> npt.NDArray[np.bool_]:
        """Tell which rows have no *key*, neither from the span nor added."""
        missing = self.positions(key) < 0
        for addition in self.additions.get(key, ()):
            missing[addition.rows] = False
        return missing

    def add(self, key: str, member: str, rows: Rows, values: pa.Array) -> None:
        """Give *rows* the attribute *key*; rows whose value is null get nothing."""
        if values.null_count:
            valid = values.is_valid()
            rows, values = rows[np.asarray(valid)], values.filter(valid)
        if len(rows):
            self.additions.setdefault(key, []).append(Addition(key, rows, member, values))

    def withdraw(self, key: str, rows: Rows) -> None:
        """Take back what was added to *rows* as *key*."""
        added = self.additions.pop(key, [])
        for addition in added:
            kept = ~np.isin(addition.rows, rows)
            self.add(key, addition.member, addition.rows[kept], addition.values.filter(pa.array(kept)))

    def result(self, *, remove_originals: bool) -> Batch:
        """Return the batch with everything gathered."""
        dropped = [*self.replaced, *(self.originals if remove_originals else ())]
        additions = [addition for added in self.additions.values() for addition in added]
        if not additions and not any(len(positions) for positions in dropped):
            return self.batch
        main = self.batch.main
        field = main.schema.field("attributes")
        positions = np.unique(np.concatenate(dropped)) if dropped else self._nowhere[:0]
        lists = rewrite(self.attributes, additions, positions, field.type)
        return self.batch.with_main(main.set_column(main.schema.get_field_index("attributes"), field, lists))


def translate(batch: Batch, table: Dialects, *, messages: bool, remove_originals: bool) -> Batch:
    """Return *batch* with today's attributes on its spans, or *batch* itself when they are there already."""
    work = Translation(batch, table)
    names = work.attributes.names
    present = table.aliases.intersection(names)
    targets = {name: target for name, target in table.targets_of(present).items() if messages or not target.role}
    pieces = _pieces_of(names, table)
    cached = any(name in targets or name in names for name in CACHE)
    work.find(_keys(targets, cached=cached) | (table.messages.keys() if pieces else set()))
    _name_operations(work)
    for name, target in targets.items():
        _rename(work, name, target)
    if pieces:
        _add_reasons(work, pieces)
        if messages and any(piece.part != FINISH_REASON for piece in pieces.values()):
            _add_messages(work, pieces)
    _time_first_chunks(work)
    if cached:
        _complete_input(work)
    return work.result(remove_originals=remove_originals)


def _keys(targets: Mapping[str, Target], *, cached: bool) -> frozenset[str]:
    keys = {key for name, target in targets.items() for key in (name, *target.aliases)}
    return frozenset(keys | _KEYS | _CACHE_KEYS if cached else keys | _KEYS)


def _name_operations(work: Translation) -> None:
    """Add the operation to the spans that are known by scope and name."""
    names = work.batch.tables["scopes"].column("name").to_pylist()
    known = {number: rules for number, name in enumerate(names) if (rules := work.table.rules_of(name))}
    missing = work.missing(OPERATION) if known else None
    if missing is None or not missing.any():
        return
    scopes = np.asarray(work.batch.main.column("scope"))
    for number, rules in known.items():
        rows = np.flatnonzero((scopes == number) & missing)
        spans = work.batch.main.column("name").take(pa.array(rows)).dictionary_encode()
        operations = [rules.get(span) for span in spans.dictionary.to_pylist()]
        work.add(OPERATION, "string_value", rows, pa.array(operations, pa.string()).take(spans.indices))


def _rename(work: Translation, name: str, target: Target) -> None:
    """Add *name* to the rows that lack it, from the first older name whose value is valid."""
    present = work.positions(name)
    missing = work.missing(name)
    aliases = [work.positions(alias) for alias in target.aliases]
    doubtful = np.flatnonzero((present >= 0) & (np.max(aliases, axis=0) >= 0))
    invalid = doubtful[~usable(work.attributes, present[doubtful], target)] if len(doubtful) else doubtful
    missing[invalid] = True
    for positions in aliases:
        rows = np.flatnonzero(missing & (positions >= 0))
        if len(rows):
            values = read(work.attributes, positions[rows], target)
            work.add(name, MEMBER[target.kind], rows, values)
            missing[rows] = np.asarray(values.is_null())
    work.replaced.append(present[invalid[~missing[invalid]]])
    if not target.partial:
        work.originals.extend(positions[(positions >= 0) & ~missing] for positions in aliases)


def _pieces_of(names: Sequence[str], table: Dialects) -> dict[int, Piece]:
    """Return what the numbered attributes among *names* hold, by code."""
    pieces = ((code, table.piece_of(name)) for code, name in enumerate(names))
    return {code: piece for code, piece in pieces if piece}


def _add_reasons(work: Translation, pieces: Mapping[int, Piece]) -> None:
    """Add why the answers of a completion ended."""
    ends = {
        code: piece.message
        for code, piece in pieces.items()
        if piece.target == OUTPUT_MESSAGES and piece.part == FINISH_REASON
    }
    word = work.table.attributes[FINISH_REASONS].value_of
    missing = work.missing(FINISH_REASONS)
    reasons: defaultdict[int, dict[int, str]] = defaultdict(dict)
    for row, code, text in _told(work, ends):
        if missing[row] and (reason := word(text)):
            reasons[row][ends[code]] = reason
    lists = [array_of(tuple(reason for _, reason in sorted(told.items()))) for told in reasons.values()]
    work.add(FINISH_REASONS, "array_value", np.array(list(reasons), dtype=np.int64), pa.array(lists, pa.binary()))


def _add_messages(work: Translation, pieces: Mapping[int, Piece]) -> None:
    """Add the messages that are spread over numbered attributes."""
    word = work.table.attributes[FINISH_REASONS].value_of
    drafts: dict[str, defaultdict[int, defaultdict[int, Draft]]] = {
        name: defaultdict(lambda: defaultdict(Draft)) for name in work.table.messages
    }
    for row, code, text in _told(work, pieces):
        piece = pieces[code]
        told = (word(text) or text) if piece.part == FINISH_REASON else text
        drafts[piece.target][row][piece.message].put(piece, told)
    for name, rule in work.table.messages.items():
        missing = work.missing(name)
        rows = [row for row in drafts[name] if missing[row]]
        texts = [dump(draft.message(rule.role) for _, draft in sorted(drafts[name][row].items())) for row in rows]
        work.add(name, "string_value", np.array(rows, dtype=np.int64), pa.array(texts, pa.string()))


def _told(work: Translation, codes: Collection[int]) -> Iterable[tuple[int, int, str]]:
    """Yield row, code and text of every attribute with one of these codes; those are translated by that."""
    wanted = np.zeros(len(work.attributes.names), dtype=bool)
    wanted[list(codes)] = True
    hits = np.flatnonzero(wanted[work.attributes.codes])
    texts = work.attributes.strings(hits)
    hits = hits[np.asarray(texts.is_valid())]
    work.originals.append(hits)
    rows, keys = work.attributes.rows[hits].tolist(), work.attributes.codes[hits].tolist()
    return zip(rows, keys, texts.drop_null().to_pylist(), strict=True)


def _time_first_chunks(work: Translation) -> None:
    """Add how long a streamed answer was waited for, from the first event that marks a piece of it."""
    main = work.batch.main
    events: pa.ListArray = main.column("events")
    flat: pa.StructArray = events.flatten()
    if not len(flat):
        return
    names = flat.field("name").dictionary_encode()
    chunks = np.array([name in work.table.chunk_events for name in names.dictionary.to_pylist()])
    hits = np.flatnonzero(chunks[np.asarray(names.indices)])
    if not len(hits):
        return
    owners = np.repeat(np.arange(len(events)), np.diff(np.asarray(events.offsets)))[hits]
    times = np.asarray(flat.field("time_unix_nano"))[hits]
    rows, firsts = np.unique(owners, return_index=True)
    starts = np.asarray(main.column("start_time_unix_nano"))[rows]
    first = np.minimum.reduceat(times, firsts)
    late = first >= starts
    rows, seconds = rows[late], (first - starts)[late] / 1e9
    timed = work.missing(FIRST_CHUNK)[rows]
    work.add(FIRST_CHUNK, "double_value", rows[timed], pa.array(seconds[timed]))
    streams = rows[work.missing(STREAM)[rows]]
    work.add(STREAM, "bool_value", streams, pa.repeat(True, len(streams)))


def _complete_input(work: Translation) -> None:
    """Add the cached tokens to the input of those who leave them out, and keep the number they reported."""
    reported, read_tokens, written = _counts(work, (INPUT, *CACHE))
    cached = np.maximum(read_tokens, 0) + np.maximum(written, 0)
    exclusive = cached > reported
    scopes = work.batch.tables["scopes"].column("name").to_pylist()
    listed = [work.table.is_exclusive(scope) for scope in scopes]
    if any(listed):
        exclusive |= np.array(listed)[np.asarray(work.batch.main.column("scope"))] & (cached > 0)
    exclusive &= reported >= 0
    if not exclusive.any():
        return
    rows = np.flatnonzero(exclusive & work.missing(REPORTED_INPUT))
    present = work.positions(INPUT)[rows]
    work.replaced.append(present[present >= 0])
    work.withdraw(INPUT, rows)
    work.add(INPUT, "int_value", rows, pa.array(reported[rows] + cached[rows]))
    work.add(REPORTED_INPUT, "int_value", rows, pa.array(reported[rows]))


def _counts(work: Translation, names: Sequence[str]) -> npt.NDArray[np.int64]:
    """Return the counts each row has now under *names*, shape (names, rows), -1 where none can be used."""
    counts = work.attributes.naturals(np.array([work.positions(name) for name in names]))
    for line, name in enumerate(names):
        for addition in work.additions.get(name, ()):
            counts[line, addition.rows] = np.asarray(addition.values)
    counts[counts > _LARGEST] = -1
    return counts
