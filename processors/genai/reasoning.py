"""Making the output tokens of every call include what the model thought before it answered."""

import numpy as np
import pyarrow as pa

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
from processors.genai.translation import Translation
from processors.genai.values import read


def complete_output(translation: Translation, planner: Planner) -> None:
    """Add reasoning to the output of those who leave it out, and keep the number they reported.

    Who reports more reasoning than output leaves it out, and so does who reports a total that has it on top of both.
    Some only say the total: what theirs has more than input and output is reasoning.
    """
    known = any(translation.has(step.key) for step in planner.table.totals)
    if not (known or translation.has(REASONING) or REASONING in translation.additions):
        return
    output, thought, *inputs = counts_of(translation, (OUTPUT, REASONING, INPUT, REPORTED_INPUT))
    open_rows = (output >= 0) & translation.missing(REPORTED_OUTPUT)
    left_out = open_rows & (thought > output)
    if known:
        doubtful = open_rows & (thought != 0) & ~left_out
        rest = _totals(translation, planner, np.flatnonzero(doubtful)) - output
        on_top = rest - thought
        left_out |= (thought > 0) & (on_top >= 0) & ((on_top == inputs[0]) | (on_top == inputs[1]))
        unsaid = doubtful & (inputs[0] >= 0) & (rest > inputs[0]) & translation.missing(REASONING)
        _tell_rest(translation, planner, np.flatnonzero(unsaid), output, rest - inputs[0])
    rows = np.flatnonzero(left_out)
    if len(rows):
        why = "the reported output and the reasoning it left out"
        correct(translation, OUTPUT, rows, output[rows] + thought[rows], why)


def _tell_rest(translation: Translation, planner: Planner, rows: Rows, output: Counts, rest: Counts) -> None:
    """Give those of *rows* the *rest* of their total as reasoning that are of a model that thinks."""
    if len(rows):
        models = (REQUEST_MODEL, RESPONSE_MODEL)
        thinks = np.logical_or.reduce([translation.fits(key, planner.table.thinks) for key in models])
        rows = rows[thinks[rows]]
    if len(rows):
        why = "what the total has more than input and output"
        translation.add_each(REASONING, "int_value", rows, pa.array(rest[rows]), why)
        correct(translation, OUTPUT, rows, output[rows] + rest[rows], why)


def _totals(translation: Translation, planner: Planner, rows: Rows) -> Counts:
    """Return the sum of input and output that each of *rows* reports, -1 where it is not asked or reports none."""
    totals = np.full(translation.attributes.count, -1, dtype=np.int64)
    for step in planner.table.totals:
        positions = translation.positions(step.key)[rows]
        asked = rows[positions >= 0]
        if len(asked):
            told = read(translation.source(step.key), positions[positions >= 0], step)
            totals[asked] = np.append(np.asarray(told.values, dtype=np.int64), -1)[told.choice]
            rows = rows[totals[rows] < 0]
    return totals
