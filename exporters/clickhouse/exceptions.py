"""SigNoz's exception table: one row per event that tells of an exception."""

import hashlib

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collector.batch import Batch, content_id
from exporters.clickhouse.columns import Ints, coded, map_rows, timestamps
from exporters.clickhouse.events import Events, events_of
from exporters.clickhouse.insert import Insert
from exporters.clickhouse.resources import resources_of
from exporters.clickhouse.texts import as_string

_NO_SERVICE = "<nil-service-name>"


def exceptions_insert(batch: Batch, trace_ids: pa.StringArray, span_ids: pa.StringArray) -> Insert | None:
    """Return a row for each exception of the batch's spans; the same batch always gives the same ids."""
    events = events_of(batch)
    chosen = np.flatnonzero(events.exceptions)
    if not len(chosen):
        return None
    spans = events.rows[chosen]
    resources = resources_of(batch)
    numbers = resources.numbers[spans]
    services = [_NO_SERVICE if one.service_name is None else one.service_name for one in resources.distinct]
    service_names = coded(numbers, services)
    kinds = _texts(events, chosen, "exception.type")
    messages = _texts(events, chosen, "exception.message")
    traces, ids = trace_ids.take(pa.array(spans)), span_ids.take(pa.array(spans))
    columns = {
        "timestamp": pa.array(timestamps(events.times[chosen]), pa.timestamp("ns")),
        "errorID": _error_ids(events, chosen, traces, ids),
        "groupID": _group_ids(service_names, kinds, messages),
        "traceID": traces,
        "spanID": ids,
        "serviceName": service_names,
        "exceptionType": kinds,
        "exceptionMessage": messages,
        "exceptionStacktrace": _texts(events, chosen, "exception.stacktrace"),
        "exceptionEscaped": pc.equal(pc.utf8_lower(_texts(events, chosen, "exception.escaped")), "true"),
        "resourceTagsMap": map_rows([one.strings for one in resources.distinct], numbers),
    }
    rows = pa.RecordBatch.from_arrays(list(columns.values()), list(columns))
    return Insert("signoz_traces.distributed_signoz_error_index_v2", rows, spans)


def _texts(events: Events, chosen: Ints, key: str) -> pa.StringArray:
    """Return the texts of one attribute of the chosen events, '' where they lack it."""
    texts = [as_string(one.get(key)) for one in events.attributes.maps]
    return pa.array(texts, pa.string()).take(pa.array(events.attributes.numbers[chosen]))


def _error_ids(events: Events, chosen: Ints, trace_ids: pa.StringArray, span_ids: pa.StringArray) -> pa.StringArray:
    """Return 32 hex digits made of the span's ids and the event's number and text, so that a replay repeats them."""
    offsets = np.asarray(events.lists.offsets)
    within = chosen + offsets[0] - offsets[events.rows[chosen]]
    texts = pc.binary_join_element_wise(
        trace_ids, span_ids, pa.array(within).cast(pa.string()), events.texts.take(pa.array(chosen)), "/"
    )
    return pa.array([content_id(text.encode()) for text in texts.to_pylist()], pa.string())


def _group_ids(*parts: pa.Array) -> pa.StringArray:
    """Return what SigNoz groups exceptions by: the MD5 of service name, type and message."""
    texts = pc.binary_join_element_wise(*(part.cast(pa.string()) for part in parts), "")
    return pa.array(
        [hashlib.md5(t.encode(), usedforsecurity=False).hexdigest() for t in texts.to_pylist()], pa.string()
    )
