"""Keeps out what no later step could place: items without a usable time."""

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collector.batch import Batch, Signal

_FIRST = pa.scalar(1, pa.uint64())
_END = 2**63
_LAST = pa.scalar(_END - 1, pa.uint64())


class Admitted(NamedTuple):
    """Tells what of a batch may go on: *batch* itself or less, how many items were *rejected*, and why."""

    batch: Batch
    rejected: int = 0
    reason: str = ""


def admit(batch: Batch) -> Admitted:
    """Return the batch without the spans whose start time, in nanoseconds since 1970, is 0 or does not fit int64."""
    if batch.signal is not Signal.TRACES or not batch.rows:
        return Admitted(batch)
    start = batch.main.column("start_time_unix_nano")
    bounds = pc.min_max(start)
    if bounds["min"].as_py() > 0 and bounds["max"].as_py() < _END:
        return Admitted(batch)
    placed = pc.and_(pc.greater_equal(start, _FIRST), pc.less_equal(start, _LAST))
    rows = np.flatnonzero(placed.to_numpy(zero_copy_only=False))
    rejected = batch.rows - len(rows)
    reason = f"{rejected} spans rejected: start_time_unix_nano is 0 or 2^63 and more; set it to nanoseconds since 1970"
    return Admitted(batch.take(rows.tolist()), rejected, reason)
