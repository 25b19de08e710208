"""Telling what a span is by the scope that made it and its name, where no attribute says it rightly."""

from collections.abc import Sequence

import numpy as np
import pyarrow.compute as pc

from collector.rewrite import Rows
from processors.genai.grammar import SpanRule
from processors.genai.plan import OPERATION, REQUEST_MODEL, Planner
from processors.genai.translation import Translation


def name_operations(translation: Translation, planner: Planner) -> None:
    """Add the operation, and where the name tells it the model asked for, to the spans that are known by name."""
    known = {name: rules for name in dict.fromkeys(translation.scopes) if (rules := planner.rule(name).spans)}
    missing = translation.missing(OPERATION) if known else None
    if missing is None or not missing.any():
        return
    for scope, rules in known.items():
        mask = translation.of_scopes([name == scope for name in translation.scopes])
        rows = np.flatnonzero(missing if mask is None else missing & mask)
        if not len(rows):
            continue
        names = pc.dictionary_encode(translation.batch.column("name").take(rows))
        codes = np.asarray(names.indices)
        for code, name in enumerate(names.dictionary.to_pylist()):
            _apply(translation, rows[codes == code], name, rules)


def _apply(translation: Translation, rows: Rows, name: str, rules: Sequence[SpanRule]) -> None:
    """Give *rows*, all of one *name*, what the first rule that holds for each says."""
    for rule in rules:
        match = rule.pattern.match(name)
        if match is None:
            continue
        present = [translation.positions(key)[rows] >= 0 for key in rule.wanted]
        held = rows[np.logical_or.reduce(present)] if present else rows
        why = f"spans named {rule.name} of scope {rule.scope}"
        translation.add_one(OPERATION, "string_value", held, rule.operation, why)
        if rule.model and match[1]:
            nameless = held[translation.missing(REQUEST_MODEL)[held]]
            translation.add_one(REQUEST_MODEL, "string_value", nameless, match[1], why)
        if len(held) == len(rows):
            return
        rows = np.setdiff1d(rows, held)
