"""Making the input tokens of every call include what came from a cache and went to it."""

import numpy as np
import numpy.typing as npt

from processors.genai.counts import correct, counts_of
from processors.genai.grammar import ExclusiveRule, Origin
from processors.genai.plan import CACHE, INPUT, PROVIDER, REPORTED_INPUT, Planner
from processors.genai.translation import Mask, Translation
from processors.genai.values import natural


def complete_input(translation: Translation, planner: Planner) -> None:
    """Add the cached tokens to the input of those who leave them out, and keep the number they reported."""
    given, read_tokens, written = counts_of(translation, (INPUT, *CACHE))
    cached = np.maximum(read_tokens, 0) + np.maximum(written, 0)
    doubtful = (cached > 0) & (given >= 0)
    if not doubtful.any():
        return
    exclusive = doubtful & ((cached > given) | _by_rules(translation, planner, given, doubtful))
    rows = np.flatnonzero(exclusive & translation.missing(REPORTED_INPUT))
    if not len(rows):
        return
    why = "the reported input and the cached tokens it left out"
    correct(translation, INPUT, rows, given[rows] + cached[rows], why)


def _by_rules(translation: Translation, planner: Planner, given: npt.NDArray[np.int64], doubtful: Mask) -> Mask:
    """Tell which rows the table says to be exclusive: the first rule that holds for a row decides."""
    exclusive = np.zeros(len(doubtful), dtype=bool)
    undecided = doubtful.copy()
    listed = [planner.rule(scope).exclusive for scope in translation.scopes]
    for rule in {id(rule): rule for rules in listed for rule in rules}.values():
        if rule.having and not any(map(translation.has, rule.having)):
            continue
        mask = translation.of_scopes([any(rule is other for other in rules) for rules in listed])
        held = undecided & _holds(translation, rule)
        held = held if mask is None else held & mask
        if not held.any():
            continue
        if rule.equal:
            numbers = _numbers_at(translation, rule.equal, np.flatnonzero(held))
            held &= numbers >= 0
            exclusive |= held & (numbers == given)
        else:
            exclusive |= held
        undecided &= ~held
    return exclusive


def _holds(translation: Translation, rule: ExclusiveRule) -> Mask:
    held = np.ones(translation.attributes.count, dtype=bool)
    if rule.having:
        held &= np.logical_or.reduce([translation.positions(key) >= 0 for key in rule.having])
    for key in rule.lacking:
        held &= translation.positions(key) < 0
    if rule.providers and held.any():
        held &= translation.is_said(PROVIDER, rule.providers)
    return held


def _numbers_at(translation: Translation, place: str, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the whole number at *place* in each of *rows*, -1 elsewhere and where there is none."""
    numbers = np.full(translation.attributes.count, -1, dtype=np.int64)
    key, path = Origin(key=place).place
    positions = translation.positions(key)[rows]
    rows, positions = rows[positions >= 0], positions[positions >= 0]
    if len(rows):
        told = translation.source(key).texts.picked(positions, path or (), natural)
        numbers[rows] = np.array([*told.values, -1], dtype=np.int64)[told.choice]
    return numbers
