"""Telling who served a call where nobody says it: by its model, else by who writes of it."""

import numpy as np

from collector.batch import Signal
from collector.rewrite import Addition
from processors.genai.plan import OPERATION, PROVIDER, REQUEST_MODEL, RESPONSE_MODEL, Planner
from processors.genai.table import Step
from processors.genai.translation import Mask, Translation
from processors.genai.values import Told


def tell_providers(translation: Translation, planner: Planner) -> None:
    """Give calls without a provider that of their model, wherever its name was found, or else that of their scope."""
    if translation.batch.signal is not Signal.TRACES:
        return
    if not (OPERATION in translation.additions or translation.has(OPERATION)):
        return
    open_rows = translation.missing(PROVIDER) & ~translation.missing(OPERATION) & translation.may_call
    if not open_rows.any():
        return
    for step in planner.table.steps_of(PROVIDER):
        for addition in translation.additions.get(step.key, ()) if step.key in (REQUEST_MODEL, RESPONSE_MODEL) else ():
            _by_model(translation, step, addition, open_rows)
    for scope in dict.fromkeys(translation.scopes):
        provider = planner.rule(scope).provider
        if provider:
            mask = translation.of_scopes([name == scope for name in translation.scopes])
            rows = np.flatnonzero(open_rows if mask is None else open_rows & mask)
            translation.add_one(PROVIDER, "string_value", rows, provider, f"scope {scope}")


def _by_model(translation: Translation, step: Step, addition: Addition, open_rows: Mask) -> None:
    asked = open_rows[addition.rows]
    if step.word is None or not asked.any():
        return
    rows = addition.rows[asked]
    told = translation.words(addition._replace(rows=rows, choice=addition.choice[asked]))
    words = [step.word(model) for model in told.values]
    known = np.array([word is not None for word in words], dtype=bool)[told.choice]
    translation.add(PROVIDER, "string_value", rows[known], Told(words, told.choice[known]), str(step))
    open_rows[rows[known]] = False
