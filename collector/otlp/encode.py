"""From columns back to the bytes of an OTLP request: what the OTLP exporter sends and round trips are tested with.

items, resources, scopes ──> nested Arrow ──ptars──> bytes
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from collector.batch import Batch, Signal
from collector.otlp import points, records, spans, wire
from collector.otlp.columns import lists, struct
from collector.otlp.protocol import protocol_of

Numbers = npt.NDArray[np.int64]
_WRITE = {Signal.TRACES: spans.write, Signal.LOGS: records.write}


def encode(batch: Batch) -> bytes:
    """Return an export request equal to the one that the batch came from, as protobuf bytes.

    Items are grouped by resource and scope (and metric), in the order in which items first name them, and keep their
    order within a group; resources, scopes and metrics without items are left out. Raise Permanent for a signal that
    OTLP does not have.
    """
    protocol = protocol_of(batch.signal)
    has_metrics = batch.signal is Signal.METRICS
    main, starts = _grouped(batch.main, ("resource", "scope", *["metric"] * has_metrics))
    if has_metrics:
        items, item_starts = points.write(main, _owners(batch, main, "metric", starts[2]), starts[2]), starts[2]
    else:
        items, item_starts = _WRITE[batch.signal](main), np.arange(len(main))
    scopes, resources = (_owners(batch, main, name, starts[level]) for level, name in ((1, "scope"), (0, "resource")))
    by_scope = _holders("scope", scopes, protocol.items, _cut(items, item_starts, starts[1]))
    by_resource = _holders("resource", resources, protocol.scopes, _cut(by_scope, starts[1], starts[0]))
    request = pa.RecordBatch.from_arrays([lists(np.array([len(by_resource)]), by_resource)], [protocol.resources])
    encoded: bytes = wire.WRITERS[protocol.request.DESCRIPTOR.name].record_batch_to_array(request)[0].as_py()
    return encoded


def _grouped(main: pa.RecordBatch, names: Sequence[str]) -> tuple[pa.RecordBatch, list[Numbers]]:
    """Return the items in the order to write; for each level of owners the rows at which another one begins."""
    group = np.zeros(len(main), np.int64)
    levels = []
    for name in names:
        group = _first_seen(group * (len(main) + 1) + _first_seen(np.asarray(main.column(name), np.int64)))
        levels.append(group)
    order = np.lexsort(levels[::-1])
    if not np.array_equal(order, np.arange(len(main))):
        main = main.take(pa.array(order))
    return main, [np.flatnonzero(np.diff(level[order], prepend=-1)) for level in levels]


def _first_seen(numbers: Numbers) -> Numbers:
    """Return for each number how many distinct ones were seen before its first place."""
    _, first, inverse = np.unique(numbers, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[inverse]


def _owners(batch: Batch, main: pa.RecordBatch, owner: str, starts: Numbers) -> pa.RecordBatch:
    """Return what the items at *starts* refer to."""
    return batch.tables[f"{owner}s"].take(main.column(owner).take(pa.array(starts)))


def _cut(held: pa.Array, starts: Numbers, holder_starts: Numbers) -> pa.ListArray:
    """Return what each holder holds; both are given by the rows of items at which they start."""
    return lists(np.diff(np.searchsorted(starts, holder_starts), append=len(starts)), held)


def _holders(owner: str, owners: pa.RecordBatch, members: str, held: pa.ListArray) -> pa.StructArray:
    """Return messages of an *owner*, its schema URL and, as *members*, what is held."""
    columns = [struct(owners.drop_columns(["schema_url"])), held, owners.column("schema_url")]
    return pa.StructArray.from_arrays(columns, names=[owner, members, "schema_url"])
