"""Making the output tokens of every call include what the model thought before it answered."""

import numpy as np

from collector.rewrite import Rows
from processors.genai.counts import Counts, correct, counts_of
from processors.genai.plan import (
    INPUT,
    OUTPUT,
    REASONING,
    REPORTED_INPUT,
    REPORTED_OUTPUT,
    REQUEST_MODEL,
    RESPONSE_MODEL,
    Planner,
)
from processors.genai.translation import Mask, Translation
from processors.genai.values import read


def complete_output(translation: Translation, planner: Planner) -> None:
    """Add reasoning to the output of those who leave it out, and keep the number they reported.

    Who reports more reasoning than output leaves it out, and so does who reports a total that has it on top of both.
    Some only say the total: what theirs has more than input and output is reasoning.
    """
    known = any(translation.has(step.key) for step in planner.table.totals)
    if not (known or translation.has(REASONING) or REASONING in translation.additions):
        return
    counts = counts_of(translation, (OUTPUT, REASONING, INPUT, REPORTED_INPUT))
    output, thought, *_ = counts
    open_rows = (output >= 0) & translation.missing(REPORTED_OUTPUT)
    left_out = open_rows & (thought > output)
    if known:
        left_out |= _on_top(translation, planner, counts, open_rows & (thought > 0) & ~left_out)
        _tell_rest(translation, planner, counts, open_rows & translation.missing(REASONING))
    rows = np.flatnonzero(left_out)
    if len(rows):
        why = "the reported output and the reasoning it left out"
        correct(translation, OUTPUT, rows, output[rows] + thought[rows], why)


def _on_top(translation: Translation, planner: Planner, counts: Counts, doubtful: Mask) -> Mask:
    """Tell which of the *doubtful* rows have a total of input, output and reasoning."""
    rows = np.flatnonzero(doubtful)
    if not len(rows):
        return doubtful
    output, thought, *inputs = counts[:, rows]
    rest = _totals(translation, planner, rows) - output - thought
    found = np.zeros(len(doubtful), dtype=bool)
    found[rows] = (rest >= 0) & ((rest == inputs[0]) | (rest == inputs[1]))
    return found


def _tell_rest(translation: Translation, planner: Planner, counts: Counts, doubtful: Mask) -> None:
    """Give those of the *doubtful* rows reasoning that are of a model whose total alone tells of it."""
    output, _, given, _ = counts
    rows = np.flatnonzero(doubtful & (given >= 0))
    rest = _totals(translation, planner, rows) - output[rows] - given[rows]
    rows, rest = rows[rest > 0], rest[rest > 0]
    if not len(rows):
        return
    thinks = _thinks(translation, planner, rows)
    rows, rest = rows[thinks], rest[thinks]
    why = "what the total has more than input and output"
    translation.add_each(REASONING, "int_value", rows, rest, why)
    correct(translation, OUTPUT, rows, output[rows] + rest, why)


def _thinks(translation: Translation, planner: Planner, rows: Rows) -> Mask:
    """Tell which of *rows* are of a model that thinks."""
    thinks = np.zeros(translation.attributes.count, dtype=bool)
    for key in (REQUEST_MODEL, RESPONSE_MODEL):
        thinks |= translation.fits(key, planner.table.thinks)
    return thinks[rows]


def _totals(translation: Translation, planner: Planner, rows: Rows) -> Counts:
    """Return the sum of input and output that each of *rows* reports, -1 where it reports none."""
    totals = np.full(len(rows), -1, dtype=np.int64)
    for step in planner.table.totals:
        positions = translation.positions(step.key)[rows]
        asked = np.flatnonzero((totals < 0) & (positions >= 0))
        if len(asked):
            told = read(translation.source(step.key), positions[asked], step)
            totals[asked] = np.array([*np.asarray(told.values).tolist(), -1], dtype=np.int64)[told.choice]
    return totals
