"""Telling which names of models are names of one: ``gpt-4o-2024-08-06`` and ``openai/gpt-4o`` are ``gpt-4o``."""

import numpy as np

from collector.attributes import attributes_of
from collector.batch import Batch
from collector.rewrite import Addition, with_rewritten
from processors.genai.plan import OPERATION, REQUEST_MODEL, RESPONSE_MODEL
from processors.genai.table import Dialects

MODEL = "genai_collector.model"


def write_models(batch: Batch, table: Dialects) -> Batch:
    """Return the batch with one name for each model on its calls: of the one that answered, else of the one asked."""
    attributes = attributes_of(batch)
    operation, requested, answered, present = attributes.locate((OPERATION, REQUEST_MODEL, RESPONSE_MODEL, MODEL))
    named = np.where(answered >= 0, answered, requested)
    rows = np.flatnonzero((named >= 0) & (operation >= 0) & (present < 0))
    encoded = attributes.strings(named[rows]).dictionary_encode()
    words = [table.model_of(word) for word in encoded.dictionary.to_pylist()]
    codes = np.asarray(encoded.indices.fill_null(-1)).astype(np.int64)
    told = codes >= 0
    if not told.any():
        return batch
    return with_rewritten(batch, additions=[Addition(MODEL, rows[told], "string_value", words, codes[told])])
