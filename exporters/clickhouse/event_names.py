"""The names of log events as attributes: SigNoz has no column for them.

event_name="gen_ai.choice" [a=1]   ->   [a=1 event.name="gen_ai.choice"]

Programs wrote the name into this attribute before OTLP had a field for it; where they still do, theirs is kept.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collector.attributes import attributes_of
from collector.batch import Batch
from collector.schema import ANY_VALUE, ATTRIBUTE
from exporters.clickhouse.columns import offsets_of

_KEY = "event.name"


def with_event_names(batch: Batch) -> Batch:
    """Return the batch of log records with the name of each event among its attributes."""
    names = batch.main.column("event_name")
    attributes = attributes_of(batch)
    named = np.asarray(pc.not_equal(names, "")) & (attributes.locate([_KEY])[0] < 0)
    rows = np.flatnonzero(named)
    if not len(rows):
        return batch
    flat = pa.concat_arrays([attributes.flat, _attributes(names.take(pa.array(rows)))])
    order = np.argsort(np.concatenate([attributes.rows, rows]), kind="stable")
    lists = pa.ListArray.from_arrays(
        pa.array(offsets_of(attributes.lengths + named)), flat.take(pa.array(order)), type=pa.list_(ATTRIBUTE)
    )
    place = batch.main.schema.get_field_index("attributes")
    field = batch.main.schema.field(place)
    return batch.with_main(batch.main.set_column(place, field, lists.cast(field.type)))


def _attributes(names: pa.StringArray) -> pa.StructArray:
    members = [names if member.name == "string_value" else pa.nulls(len(names), member.type) for member in ANY_VALUE]
    values = pa.StructArray.from_arrays(members, fields=list(ANY_VALUE))
    return pa.StructArray.from_arrays([pa.repeat(_KEY, len(names)), values], fields=list(ATTRIBUTE))
