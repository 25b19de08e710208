"""Giving the spans of one batch today's attributes.

    1. what a span is         from its scope and name, where the table knows them
    2. attributes             from their older names
    3. messages               from attributes numbered per message, finish reasons too
    4. the wait for a stream  from the events that mark its pieces
    5. the input total        with the cached tokens in it, whoever counted

A batch in which nothing is to be added is returned as it is.
"""

from collections.abc import Iterable, Mapping
from itertools import groupby

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from collector.attributes import Attributes, Positions, attributes_of
from collector.batch import Batch
from processors.genai.messages import Draft, dump
from processors.genai.rewrite import Addition, Rows, rewrite
from processors.genai.table import Dialects, Piece, Target
from processors.genai.values import MEMBER, array_of, read

OPERATION = "gen_ai.operation.name"
INPUT = "gen_ai.usage.input_tokens"
CACHE = ("gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cache_write.input_tokens")
FINISH_REASONS = "gen_ai.response.finish_reasons"
FIRST_CHUNK = "gen_ai.response.time_to_first_chunk"
STREAM = "gen_ai.request.stream"
REPORTED_INPUT = "genai_collector.reported.input_tokens"
"""What the reporter called its input where cached tokens had to be added; says too that they have been."""

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

    def find(self, keys: Iterable[str]) -> None:
        """Look up where these keys stand, all at once."""
        wanted = [key for key in self.attributes.names if key in set(keys)]
        self._found = dict(zip(wanted, self.attributes.locate(wanted), strict=True))

    def positions(self, key: str) -> Positions:
        """Return where each row has *key*, -1 where it has not."""
        return self._found.get(key, self._nowhere)

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
    present = set(work.attributes.names)
    targets = {name: target for name, target in table.attributes.items() if not present.isdisjoint(target.aliases)}
    if not messages:
        targets = {name: target for name, target in targets.items() if name not in table.messages}
    pieces = _pieces_of(work.attributes.names, table, messages=messages)
    cached = any(name in present or name in targets for name in CACHE)
    work.find(_keys(targets, cached=cached))
    _name_operations(work)
    for name, target in targets.items():
        _rename(work, name, target)
    if pieces:
        _gather(work, pieces)
    _time_first_chunks(work)
    if cached:
        _complete_input(work)
    return work.result(remove_originals=remove_originals)


def _keys(targets: Mapping[str, Target], *, cached: bool) -> set[str]:
    keys = {key for name, target in targets.items() for key in (name, *target.aliases)}
    keys |= {OPERATION, FINISH_REASONS, FIRST_CHUNK, STREAM}
    return keys | {INPUT, REPORTED_INPUT, *CACHE} if cached else keys


def _name_operations(work: Translation) -> None:
    """Add the operation to the spans that are known by scope and name."""
    scopes = work.batch.main.column("scope")
    for number, scope in enumerate(work.batch.tables["scopes"].column("name").to_pylist()):
        rules = work.table.rules_of(scope)
        if not rules:
            continue
        rows = np.flatnonzero((np.asarray(scopes) == number) & work.missing(OPERATION))
        names = work.batch.main.column("name").take(pa.array(rows)).dictionary_encode()
        operations = [rules.get(name) for name in names.dictionary.to_pylist()]
        work.add(OPERATION, "string_value", rows, pa.array(operations, pa.string()).take(names.indices))


def _rename(work: Translation, name: str, target: Target) -> None:
    """Add *name* to the rows that lack it, from the first older name whose value is valid."""
    present = work.positions(name)
    missing = work.missing(name)
    aliases = [work.positions(alias) for alias in target.aliases]
    doubtful = np.flatnonzero((present >= 0) & (np.max(aliases, axis=0) >= 0))
    if len(doubtful) and target.kind in _CHECKED:
        invalid = doubtful[np.asarray(read(work.attributes, present[doubtful], target).is_null())]
        missing[invalid] = True
    for positions in aliases:
        rows = np.flatnonzero(missing & (positions >= 0))
        if not len(rows):
            continue
        values = read(work.attributes, positions[rows], target)
        work.add(name, MEMBER[target.kind], rows, values)
        missing[rows[np.asarray(values.is_valid())]] = False
    work.replaced.append(present[doubtful][~missing[doubtful] & _was_added(work, name, doubtful)])
    if not target.partial:
        work.originals.extend(positions[(positions >= 0) & ~missing] for positions in aliases)
