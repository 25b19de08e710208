"""Taking what dashboards sum off the spans that do not count, without losing a word of it.

gen_ai.request.model, gen_ai.usage.*  ->  genai_collector.uncounted.gen_ai.request.model, ...
                                          genai_collector.uncounted.reason = wrapper
"""

from collections.abc import Mapping
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from collector.attributes import Attributes, attributes_of, ranges
from collector.batch import Batch
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
    # A reason stands behind its row's last attribute: whatever comes later moves on by one for each row before it.
    ends = np.cumsum(attributes.lengths, dtype=np.int64)
    order = np.insert(np.arange(len(attributes.flat)), ends[rows], len(attributes.flat) + choice)
    inserted = np.zeros(attributes.count, dtype=np.int64)
    inserted[rows] = 1
    offsets = np.concatenate(([0], ends + np.cumsum(inserted))).astype(np.int32)
    keys = _keys(attributes, rows if move else rows[:0], len(texts), order)
    more = pa.array([{"string_value": text} for text in texts], attributes.values.type)
    values = pa.concat_arrays([attributes.values, more])
    flat = pa.StructArray.from_arrays([keys, values.take(pa.array(order))], fields=list(attributes.flat.type))
    lists = pa.ListArray.from_arrays(pa.array(offsets), flat, type=kind)
    return batch.with_main(with_column(batch.main, "attributes", lists))


def _keys(
    attributes: Attributes, moved: npt.NDArray[np.int64], reasons: int, order: npt.NDArray[np.int64]
) -> pa.StringArray:
    """Return the keys in this *order*, reasons behind all others; in *moved* rows what is summed gets another name."""
    names = attributes.names
    codes = np.append(attributes.codes, np.full(reasons, 2 * len(names), dtype=np.int32))
    summed = np.array([_is_summed(name) for name in names], dtype=bool)
    positions = ranges(attributes.starts[moved], attributes.lengths[moved])
    hits = positions[summed[codes[positions]]]
    codes[hits] += len(names)
    return pa.array([*names, *(PREFIX + name for name in names), REASON], pa.string()).take(pa.array(codes[order]))


@lru_cache(maxsize=4096)
def _is_summed(name: str) -> bool:
    return call_table().is_summed(name)
