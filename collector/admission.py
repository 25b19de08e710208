"""Keeps out what no later step could place: items without a usable time."""

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collector.batch import UNITS, Batch, Signal

_END = 2**63
_ZERO = pa.scalar(0, pa.uint64())
_TIMES = {
    Signal.TRACES: "start_time_unix_nano",
    Signal.METRICS: "time_unix_nano",
    Signal.LOGS: "time_unix_nano",
}
"""The column that says when an item happened."""


class Admitted(NamedTuple):
    """Tells what of a batch may go on: *batch* itself or less, how many items were *rejected*, and why."""

    batch: Batch
    rejected: int = 0
    reason: str = ""


def admit(batch: Batch) -> Admitted:
    """Return the batch without the items whose time, in nanoseconds since 1970, does not fit int64 or is 0.

    That of a span is its start, that of a log record when it was observed if it has no other; a record without
    either goes on, because a time of 0 means unknown there and the time of arrival can stand for it.
    """
    if not batch.rows or batch.signal not in _TIMES:
        return Admitted(batch)
    time, name = _time_of(batch), _TIMES[batch.signal]
    least = 0 if batch.signal is Signal.LOGS else 1
    bounds = pc.min_max(time)
    if bounds["min"].as_py() >= least and bounds["max"].as_py() < _END:
        return Admitted(batch)
    times = np.asarray(time)
    rows = np.flatnonzero((times >= least) & (times < _END))
    rejected = batch.rows - len(rows)
    wrong = "is 2^63 or more" if least == 0 else "is 0 or 2^63 and more"
    items = UNITS[batch.signal].replace("_", " ")
    reason = f"{rejected} {items} rejected: {name} {wrong}; set it to nanoseconds since 1970"
    return Admitted(batch.take(rows.tolist()), rejected, reason)


def _time_of(batch: Batch) -> pa.UInt64Array:
    time = batch.column(_TIMES[batch.signal])
    if batch.signal is Signal.LOGS:
        return pc.if_else(pc.equal(time, _ZERO), batch.column("observed_time_unix_nano"), time)
    return time
