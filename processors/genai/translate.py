"""Giving the items of one batch today's attributes.

    1. what a span is         from its scope and name, where the table knows them
    2. messages               from attributes numbered per message, finish reasons too
    3. attributes             from their older names, and today's values in place of older ones
    4. events                 the wait for a stream, messages, what failed
    5. numbers of tokens      as whole numbers; the input with the cached tokens in it, whoever counted

Log records and metric points have attributes only. A batch in which nothing is to be added is returned as it is.
"""

from collections.abc import Sequence
from functools import cache

import numpy as np
import pyarrow as pa

from collector.attributes import Positions, attributes_of
from collector.batch import Batch, Signal
from collector.rewrite import Rows
from collector.values import array_of_texts
from processors.genai.counts import complete_writes, settle_counts
from processors.genai.exclusive import complete_input
from processors.genai.failures import excuse_leaving, name_failures
from processors.genai.grammar import Kind, Words
from processors.genai.numbered import Numbered
from processors.genai.plan import (
    CALL,
    FINISH_REASONS,
    INPUT,
    OPERATION,
    OUTPUT,
    OUTPUT_MESSAGES,
    PROVIDER,
    REQUEST_MODEL,
    RESPONSE_MODEL,
    Planner,
    Work,
)
from processors.genai.providers import tell_providers
from processors.genai.reasoning import complete_output
from processors.genai.spanevents import read_events
from processors.genai.spannames import name_operations
from processors.genai.table import Step
from processors.genai.translation import Mask, Translation
from processors.genai.values import MEMBER, Reading, Told, judged, read, usable

_OUTCOME = (PROVIDER, INPUT, OUTPUT, FINISH_REASONS, OUTPUT_MESSAGES, "output.value")


def translate(
    batch: Batch, planner: Planner, *, messages: bool, remove_originals: bool, explained: bool = False
) -> Translation:
    """Return *batch* with what is to become of its attributes."""
    plan = planner.plan(attributes_of(batch).names, messages=messages)
    translation = Translation(batch, plan, planner.table.calls, remove_originals=remove_originals, explained=explained)
    if batch.signal is Signal.TRACES:
        name_operations(translation, planner)
    if plan.pieces:
        _add_numbered(translation, planner, Numbered(translation.attributes, plan.pieces), messages=messages)
    for work in plan.works if OPERATION in translation.additions else plan.silent:
        _rename(translation, work)
    tell_providers(translation, planner)
    if batch.signal is Signal.TRACES:
        read_events(translation, planner.table, messages=messages)
        name_failures(translation, planner)
        excuse_leaving(translation, planner)
        _mark_calls(translation, planner)
        settle_counts(translation, plan.counts)
    if plan.cached and batch.signal is not Signal.METRICS:
        complete_writes(translation)
        complete_input(translation, planner)
    if batch.signal is not Signal.METRICS:
        complete_output(translation, planner)
    return translation


def _rename(translation: Translation, work: Work) -> None:
    """Give an attribute to the rows that lack it, from the first place that holds a valid value."""
    present = translation.positions(work.name)
    owns = any(step.own for step in work.steps)
    open_rows = np.ones(len(present), dtype=bool) if owns else present < 0
    if not owns and translation.meets(work.name, *(step.key for step in work.steps)):
        open_rows |= _unusable(translation, work, present)
    for addition in translation.additions.get(work.name, ()):
        open_rows[addition.rows] = False
    if work.of_calls:
        open_rows &= translation.may_call
    if work.unless_not:
        open_rows &= ~_false(translation, work.unless_not)
    for step in work.steps:
        (_respell if step.own else _take)(translation, work, step, open_rows)
        if len(work.steps) > 2 and not open_rows.any():
            break
    if translation.removes_originals:
        _drop_spent(translation, work, open_rows)


def _drop_spent(translation: Translation, work: Work, open_rows: Mask) -> None:
    """Drop the older names where today's says the same now."""
    for step in work.steps:
        if step.spent:
            positions, where = translation.positions(step.key), translation.where(step)
            told = (positions >= 0) & ~open_rows
            translation.dropped.append(positions[told if where is None else told & where])


def _take(translation: Translation, work: Work, step: Step, open_rows: Mask) -> None:
    """Read one place; *open_rows*, those that still want a value, are closed where one is found."""
    positions = translation.positions(step.key)
    rows = (open_rows & (positions >= 0)).nonzero()[0]
    where = translation.where(step) if len(rows) else None
    rows = rows if where is None else rows[where[rows]]
    if not len(rows):
        return
    told = read(translation.source(step.key), positions[rows], step)
    if step.kind is Kind.MOMENT:
        told = _since_start(translation, rows, told)
    if told.choice.min() < 0:
        found = told.choice >= 0
        rows, told = rows[found], told._replace(choice=told.choice[found])
    open_rows[rows] = False
    if translation.meets(work.name, step.key) and len(rows):
        new = _unlike(translation, work, rows, told)
        rows, told = rows[new], told._replace(choice=told.choice[new])
        translation.replace(work.name, MEMBER[work.kind], rows[translation.positions(work.name)[rows] >= 0])
    translation.add(work.name, MEMBER[work.kind], rows, told, _why(translation, step))


def _unlike(translation: Translation, work: Work, rows: Rows, told: Reading) -> Mask:
    """Tell which of the *told* texts are other than what the rows have under today's name."""
    present = translation.positions(work.name)[rows]
    if present.max() < 0 or work.kind is not Kind.TEXT or not isinstance(told.values, list):
        return np.ones(len(rows), dtype=bool)
    texts = translation.source(work.name).texts
    codes = np.array([texts.numbers.get(value, -2) for value in told.values])
    unlike, here = present < 0, present >= 0
    unlike[here] = texts.codes(present[here]) != codes[told.choice[here]]
    return unlike


def _respell(translation: Translation, work: Work, step: Step, open_rows: Mask) -> None:
    """Keep the usable values that are there under today's name, in today's spelling."""
    present = translation.positions(work.name)
    rows = (open_rows & (present >= 0)).nonzero()[0]
    if not len(rows):
        return
    spoken, told = judged(translation.source(work.name), present[rows], step)
    open_rows[rows[spoken]] = False
    changed = told.choice >= 0
    if changed.any():
        where = translation.where(step)
        changed &= True if where is None else where[rows]
        translation.replace(work.name, MEMBER[work.kind], rows[changed])
        new = told._replace(choice=told.choice[changed])
        translation.add(work.name, MEMBER[work.kind], rows[changed], new, _why(translation, step))


def _unusable(translation: Translation, work: Work, present: Positions) -> Mask:
    """Tell which rows have a value under today's name that says nothing, where an older name may."""
    found = np.zeros(len(present), dtype=bool)
    others = np.logical_or.reduce([translation.positions(step.key) >= 0 for step in work.steps])
    doubtful = np.flatnonzero((present >= 0) & others)
    if len(doubtful):
        found[doubtful] = ~usable(translation.source(work.name), present[doubtful], work.steps[0])
    return found


def _false(translation: Translation, flag: str) -> Mask:
    """Tell which rows say false as *flag*."""
    positions = translation.positions(flag)
    flags = np.asarray(translation.attributes.booleans(positions).fill_null(True))
    for addition in translation.additions.get(flag, ()):
        flags = flags.copy()
        told = translation.words(addition)
        flags[addition.rows] = np.array(told.values, dtype=bool)[told.choice]
    said: Mask = np.logical_not(flags)
    return said


def _since_start(translation: Translation, rows: Rows, told: Reading) -> Reading:
    """Return moments, nanoseconds since 1970, as seconds since the start of the spans; earlier ones say nothing."""
    if translation.batch.signal is not Signal.TRACES or not told.values:
        return Told([], np.full(len(rows), -1))
    starts = np.asarray(translation.batch.column("start_time_unix_nano"))[rows].astype(np.int64)
    waits = (np.array(told.values, dtype=np.int64)[told.choice] - starts) / 1e9
    valid = (told.choice >= 0) & (waits >= 0)
    return Told(pa.array(waits), np.where(valid, np.arange(len(rows)), -1))


def _add_numbered(translation: Translation, planner: Planner, numbered: Numbered, *, messages: bool) -> None:
    """Add why the answers of a completion ended, and the messages that are spread over numbered attributes."""
    table = planner.table
    word = cache(_finish_word(table.steps_of(FINISH_REASONS)))
    reasons = numbered.reasons(word, translation.missing(FINISH_REASONS))
    lists = pa.array([array_of_texts(told) for told in reasons.values()], pa.binary())
    rows = np.array(list(reasons), dtype=np.int64)
    translation.add_each(FINISH_REASONS, "array_value", rows, lists, "numbered attributes")
    if messages:
        for name in table.message_targets:
            texts = numbered.messages(name, table.role_of(name), word, translation.missing(name))
            rows = np.array(list(texts), dtype=np.int64)
            values = pa.array(list(texts.values()), pa.string())
            translation.add_each(name, "string_value", rows, values, "numbered attributes")
    if translation.removes_originals:
        translation.dropped.append(numbered.positions(messages=messages))


def _finish_word(steps: Sequence[Step]) -> Words:
    return next(step.word for step in steps if step.own and step.word)


def _mark_calls(translation: Translation, planner: Planner) -> None:
    """Mark the spans that their reporter calls a model call, though not in today's words, and that name no model.

    One that says neither whose model it asked nor what came of it is a piece of a call: of a stream, or of its failure.
    """
    calls, lacking = planner.table.calls, None
    for addition in translation.additions.get(OPERATION, ()):
        told = translation.words(addition)
        called = np.array([word in calls for word in told.values])[told.choice]
        if lacking is None:
            lacking = translation.missing(REQUEST_MODEL) & translation.missing(RESPONSE_MODEL)
            lacking &= (translation.positions(OPERATION) < 0) & translation.missing(CALL)
            lacking &= translation.failed | ~np.logical_and.reduce([translation.missing(key) for key in _OUTCOME])
        rows = addition.rows[called & lacking[addition.rows]]
        translation.add_one(CALL, "bool_value", rows, True, "a call of a model that names none")


def _why(translation: Translation, step: Step) -> str:
    """Return the rule that *step* is, where somebody wants to know."""
    return "" if translation.told is None else str(step)
