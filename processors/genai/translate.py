"""Giving the spans of one batch today's attributes.

    1. what a span is         from its scope and name, where the table knows them
    2. attributes             from their older names
    3. messages               from attributes numbered per message, finish reasons too
    4. the wait for a stream  from the events that mark its pieces
    5. the input total        with the cached tokens in it, whoever counted

A batch in which nothing is to be added is returned as it is.
"""

from collections.abc import Collection, Sequence
from functools import cache, cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from collector.attributes import Attributes, Positions, attributes_of
from collector.batch import Batch
from processors.genai.numbered import Numbered
from processors.genai.plan import (
    CACHE,
    FINISH_REASONS,
    FIRST_CHUNK,
    INPUT,
    OPERATION,
    REPORTED_INPUT,
    STREAM,
    Plan,
    Planner,
    Work,
)
from processors.genai.rewrite import Addition, Rows, rewrite
from processors.genai.values import MEMBER, Reading, Source, Texts, array_of, read, usable

_LARGEST = 2**60
"""Sums of three counts up to this stay within 64 bits."""


class Translation:
    """Gathers what the spans of one batch get and lose; only the keys of the *plan* can be asked for."""

    def __init__(self, batch: Batch, plan: Plan, *, remove_originals: bool) -> None:
        self.batch = batch
        self.attributes: Attributes = attributes_of(batch)
        self.additions: dict[str, list[Addition]] = {}
        self.dropped: list[Positions] = []
        self.removes_originals = remove_originals
        self._nowhere: Positions = np.full(self.attributes.count, -1, dtype=np.int64)
        self._lines = {key: line for line, key in enumerate(plan.keys)}
        self._texts = plan.texts
        self._found = self.attributes.locate(plan.keys)

    def positions(self, key: str) -> Positions:
        """Return where each row has *key*, -1 where it has not."""
        return self._found[self._lines[key]] if key in self._lines else self._nowhere

    def missing(self, key: str) -> npt.NDArray[np.bool_]:
        """Tell which rows have no *key*, neither from the span nor added."""
        missing = self.positions(key) < 0
        for addition in self.additions.get(key, ()):
            missing[addition.rows] = False
        return missing

    @cached_property
    def source(self) -> Source:
        """Where values are read."""
        told = self._found[: self._texts]
        return Source(self.attributes, Texts(self.attributes, told[told >= 0]))

    def add(self, key: str, member: str, rows: Rows, told: Reading) -> None:
        """Give *rows* the attribute *key*; rows of which nothing was read get nothing."""
        values, choice = told
        if choice.min(initial=0) < 0:
            valid = choice >= 0
            rows, choice = rows[valid], choice[valid]
        if len(rows):
            self.additions.setdefault(key, []).append(Addition(key, rows, member, values, choice))

    def add_each(self, key: str, member: str, rows: Rows, values: pa.Array) -> None:
        """Give each of *rows* its own of the *values* as the attribute *key*."""
        self.add(key, member, rows, Reading(values, np.arange(len(rows))))

    def withdraw(self, key: str, rows: Rows) -> None:
        """Take back what was added to *rows* as *key*."""
        for addition in self.additions.pop(key, []):
            kept = ~np.isin(addition.rows, rows)
            self.add(key, addition.member, addition.rows[kept], Reading(addition.values, addition.choice[kept]))

    def result(self) -> Batch:
        """Return the batch with everything gathered."""
        dropped = np.unique(np.concatenate(self.dropped)) if self.dropped else self._nowhere[:0]
        additions = [addition for added in self.additions.values() for addition in added]
        if not additions and not len(dropped):
            return self.batch
        main = self.batch.main
        field = main.schema.field("attributes")
        lists = rewrite(self.attributes, additions, dropped, field.type)
        return self.batch.with_main(main.set_column(main.schema.get_field_index("attributes"), field, lists))


def translate(batch: Batch, planner: Planner, *, messages: bool, remove_originals: bool) -> Batch:
    """Return *batch* with today's attributes on its spans, or *batch* itself when they are there already."""
    plan = planner.plan(attributes_of(batch).names, messages=messages)
    translation = Translation(batch, plan, remove_originals=remove_originals)
    _name_operations(translation, planner)
    for work in plan.works:
        _rename(translation, work)
    if plan.pieces:
        _add_numbered(translation, planner, Numbered(translation.attributes, plan.pieces), messages=messages)
    _time_first_chunks(translation, planner.table.chunk_events)
    if plan.cached:
        _complete_input(translation, planner)
    return translation.result()


def _name_operations(translation: Translation, planner: Planner) -> None:
    """Add the operation to the spans that are known by scope and name."""
    batch = translation.batch
    names = batch.tables["scopes"].column("name").to_pylist()
    known = {number: rules for number, name in enumerate(names) if (rules := planner.rule(name).operations)}
    missing = translation.missing(OPERATION) if known else None
    if missing is None or not missing.any():
        return
    scopes, spans = np.asarray(batch.main.column("scope")), batch.main.column("name")
    for number, rules in known.items():
        for span, operation in rules.items():
            rows = np.flatnonzero(missing & (scopes == number) & np.asarray(pc.equal(spans, span)))
            told = Reading([operation], np.zeros(len(rows), dtype=np.int64))
            translation.add(OPERATION, "string_value", rows, told)


def _rename(translation: Translation, work: Work) -> None:
    """Add an attribute to the rows that lack it, from the first older name whose value is valid."""
    name, target = work.name, work.target
    present = translation.positions(name)
    missing = translation.missing(name)
    aliases = [translation.positions(alias) for alias in work.aliases]
    invalid = _invalid(translation, work, present, aliases)
    missing[invalid] = True
    for positions in aliases:
        rows = np.flatnonzero(missing & (positions >= 0))
        if len(rows):
            told = read(translation.source, positions[rows], target)
            translation.add(name, MEMBER[target.kind], rows, told)
            missing[rows] = told.choice < 0
    if len(invalid):
        translation.dropped.append(present[invalid[~missing[invalid]]])
    if translation.removes_originals and not target.partial:
        translation.dropped.extend(positions[(positions >= 0) & ~missing] for positions in aliases)


def _invalid(translation: Translation, work: Work, present: Positions, aliases: Sequence[Positions]) -> Rows:
    """Return the rows whose value under today's name says nothing, where an older name may."""
    if present.max(initial=-1) < 0:
        return present[:0]
    doubtful = np.flatnonzero((present >= 0) & np.logical_or.reduce([positions >= 0 for positions in aliases]))
    return doubtful[~usable(translation.source, present[doubtful], work.target)] if len(doubtful) else doubtful


def _add_numbered(translation: Translation, planner: Planner, numbered: Numbered, *, messages: bool) -> None:
    """Add why the answers of a completion ended, and the messages that are spread over numbered attributes."""
    table = planner.table
    word = cache(table.attributes[FINISH_REASONS].value_of)
    reasons = numbered.reasons(word, translation.missing(FINISH_REASONS))
    lists = pa.array([array_of(told) for told in reasons.values()], pa.binary())
    translation.add_each(FINISH_REASONS, "array_value", np.array(list(reasons), dtype=np.int64), lists)
    if messages:
        for name, rule in table.messages.items():
            texts = numbered.messages(name, rule.role, word, translation.missing(name))
            rows = np.array(list(texts), dtype=np.int64)
            translation.add_each(name, "string_value", rows, pa.array(list(texts.values()), pa.string()))
    if translation.removes_originals:
        translation.dropped.append(numbered.positions(messages=messages))


def _time_first_chunks(translation: Translation, chunk_events: Collection[str]) -> None:
    """Add how long a streamed answer was waited for, from the first event that marks a piece of it."""
    main = translation.batch.main
    events: pa.ListArray = main.column("events")
    if not len(events.values):
        return
    offsets = np.asarray(events.offsets)
    told = events.values.slice(offsets[0], offsets[-1] - offsets[0])
    hits = np.flatnonzero(np.asarray(pc.is_in(told.field("name"), value_set=pa.array(chunk_events))))
    if not len(hits):
        return
    owners = np.searchsorted(offsets[1:] - offsets[0], hits, side="right")
    times = np.asarray(told.field("time_unix_nano"))[hits]
    rows, firsts = np.unique(owners, return_index=True)
    starts = np.asarray(main.column("start_time_unix_nano"))[rows]
    first = np.minimum.reduceat(times, firsts)
    late = first >= starts
    rows, seconds = rows[late], (first - starts)[late] / 1e9
    timed = translation.missing(FIRST_CHUNK)[rows]
    translation.add_each(FIRST_CHUNK, "double_value", rows[timed], pa.array(seconds[timed]))
    streams = rows[translation.missing(STREAM)[rows]]
    translation.add_each(STREAM, "bool_value", streams, pa.repeat(True, len(streams)))


def _complete_input(translation: Translation, planner: Planner) -> None:
    """Add the cached tokens to the input of those who leave them out, and keep the number they reported."""
    reported, read_tokens, written = _counts(translation, (INPUT, *CACHE))
    cached = np.maximum(read_tokens, 0) + np.maximum(written, 0)
    exclusive = cached > reported
    scopes = translation.batch.tables["scopes"].column("name").to_pylist()
    listed = [planner.rule(scope).exclusive for scope in scopes]
    if any(listed):
        exclusive |= np.array(listed)[np.asarray(translation.batch.main.column("scope"))] & (cached > 0)
    exclusive &= reported >= 0
    if not exclusive.any():
        return
    rows = np.flatnonzero(exclusive & translation.missing(REPORTED_INPUT))
    present = translation.positions(INPUT)[rows]
    translation.dropped.append(present[present >= 0])
    translation.withdraw(INPUT, rows)
    translation.add_each(INPUT, "int_value", rows, pa.array(reported[rows] + cached[rows]))
    translation.add_each(REPORTED_INPUT, "int_value", rows, pa.array(reported[rows]))


def _counts(translation: Translation, names: Sequence[str]) -> npt.NDArray[np.int64]:
    """Return the counts each row has now under *names*, shape (names, rows), -1 where none can be used."""
    counts = translation.attributes.naturals(np.array([translation.positions(name) for name in names]))
    for line, name in enumerate(names):
        for addition in translation.additions.get(name, ()):
            counts[line, addition.rows] = np.asarray(addition.values)[addition.choice]
    counts[counts > _LARGEST] = -1
    return counts
