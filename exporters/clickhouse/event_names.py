"""The names of log events as attributes: SigNoz has no column for them.

event_name="gen_ai.choice" [a=1]   ->   [a=1 event.name="gen_ai.choice"]

Programs wrote the name into this attribute before OTLP had a field for it; where they still do, theirs is kept.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collector.attributes import attributes_of
from collector.batch import Batch
from collector.rewrite import Addition, with_rewritten

_KEY = "event.name"


def with_event_names(batch: Batch) -> Batch:
    """Return the batch of log records with the name of each event among its attributes."""
    names = batch.column("event_name")
    lacking = attributes_of(batch).locate([_KEY])[0] < 0
    rows = np.flatnonzero(np.asarray(pc.not_equal(names, "")) & lacking)
    if not len(rows):
        return batch
    named = Addition(_KEY, rows, "string_value", names.take(pa.array(rows)), np.arange(len(rows)))
    return with_rewritten(batch, additions=[named])
