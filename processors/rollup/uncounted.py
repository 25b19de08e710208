"""Taking what dashboards sum off the spans that do not count, without losing a word of it.

gen_ai.request.model, gen_ai.usage.*  ->  genai_collector.uncounted.gen_ai.request.model, ...
                                          genai_collector.uncounted.reason = wrapper
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from collector.attributes import Attributes, attributes_of
from collector.batch import Batch
from collector.rewrite import Addition, rewrite
from collector.rows import with_column
from processors.rollup.errors import call_table

PREFIX = "genai_collector.uncounted."
REASON = PREFIX + "reason"


def told(batch: Batch, reasons: Mapping[int, str], *, move: bool) -> Batch:
    """Return *batch* with a reason on the rows that do not count and, if *move*, what is summed out of the way."""
    attributes = attributes_of(batch)
    kind = batch.main.schema.field("attributes").type
    rows = np.array(sorted(reasons), dtype=np.int64)
    texts = sorted(set(reasons.values()))
    choice = np.array([texts.index(reasons[row]) for row in rows.tolist()], dtype=np.int64)
    lists = rewrite(attributes, kind, additions=[Addition(REASON, rows, "string_value", texts, choice)])
    if move:
        lists = _moved(lists, rows, kind)
    return batch.with_main(with_column(batch.main, "attributes", lists))


def _moved(lists: pa.ListArray, rows: npt.NDArray[np.int64], kind: pa.DataType) -> pa.ListArray:
    """Return *lists* with other keys for what is summed, in these *rows*."""
    attributes = Attributes(lists)
    names = attributes.names
    summed = np.array([call_table().is_summed(name) for name in names], dtype=bool)
    here = np.zeros(attributes.count, dtype=bool)
    here[rows] = True
    codes = attributes.codes + np.where(summed[attributes.codes] & here[attributes.rows], len(names), 0)
    keys = pa.array([*names, *(PREFIX + name for name in names)], pa.string()).take(pa.array(codes))
    flat = pa.StructArray.from_arrays([keys, attributes.values], fields=list(attributes.flat.type))
    return pa.ListArray.from_arrays(lists.offsets, flat, type=kind)
