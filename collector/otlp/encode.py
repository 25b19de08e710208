"""From columns back to the bytes of an OTLP request: what the OTLP exporter sends and round trips are tested with.

spans, resources, scopes ──> nested Arrow ──ptars──> bytes
"""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from collector.batch import Batch, Signal
from collector.errors import Permanent
from collector.otlp import wire

Numbers = npt.NDArray[np.int64]


def encode(batch: Batch) -> bytes:
    """Return an ExportTraceServiceRequest equal to the one that the batch came from, as protobuf bytes.

    Spans are grouped by resource and scope, both in the order in which spans first name them, and keep their order
    within a group; resources and scopes without spans are left out. Raise Permanent for another signal than traces.
    """
    if batch.signal is not Signal.TRACES:
        raise Permanent(f"{batch.signal}: this signal cannot be written as OTLP yet; send traces")
    spans, resource, scope, spans_per_scope = _grouped(batch.main)
    scopes = batch.tables["scopes"].take(pa.array(scope))
    scope_spans = pa.StructArray.from_arrays(
        [
            _struct(scopes.drop_columns(["schema_url"])),
            _lists(spans_per_scope, _spans(spans)),
            scopes.column("schema_url"),
        ],
        names=["scope", "spans", "schema_url"],
    )
    starts = np.flatnonzero(np.diff(resource, prepend=-1))
    resources = batch.tables["resources"].take(pa.array(resource[starts]))
    resource_spans = pa.StructArray.from_arrays(
        [
            _struct(resources.drop_columns(["schema_url"])),
            _lists(np.diff(starts, append=len(resource)), scope_spans),
            resources.column("schema_url"),
        ],
        names=["resource", "scope_spans", "schema_url"],
    )
    request = pa.RecordBatch.from_arrays([_lists(np.array([len(starts)]), resource_spans)], names=["resource_spans"])
    encoded: bytes = wire.WRITER.record_batch_to_array(request)[0].as_py()
    return encoded


def _grouped(spans: pa.RecordBatch) -> tuple[pa.RecordBatch, Numbers, Numbers, Numbers]:
    """Return the spans in the order to write; for each group its resource, its scope and how many spans it has."""
    resource = np.asarray(spans.column("resource"), np.int64)
    scope = np.asarray(spans.column("scope"), np.int64)
    group = _first_seen(_first_seen(resource) * (len(spans) + 1) + _first_seen(scope))
    by_resource = np.lexsort((group, _first_seen(resource)))
    if not np.array_equal(by_resource, np.arange(len(spans))):
        spans = spans.take(pa.array(by_resource))
    ordered = group[by_resource]
    starts = np.flatnonzero(np.diff(ordered, prepend=-1))
    firsts = by_resource[starts]
    return spans, resource[firsts], scope[firsts], np.diff(starts, append=len(ordered))


def _first_seen(numbers: Numbers) -> Numbers:
    """Return for each number how many distinct ones were seen before its first place."""
    _, first, inverse = np.unique(numbers, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[inverse]


def _spans(spans: pa.RecordBatch) -> pa.StructArray:
    """Return the spans as in the protocol: a status of its own, present where it says something."""
    code, message = spans.column("status_code"), spans.column("status_message")
    unset = pc.and_(pc.equal(code, 0), pc.equal(message, ""))
    status = pa.StructArray.from_arrays([message, code], names=["message", "code"], mask=unset)
    return _struct(
        spans.drop_columns(["resource", "scope", "status_code", "status_message"]).append_column("status", status)
    )


def _struct(table: pa.RecordBatch) -> pa.StructArray:
    return pa.StructArray.from_arrays(table.columns, fields=list(table.schema))


def _lists(lengths: Numbers, values: pa.Array) -> pa.ListArray:
    """Return consecutive lists of these lengths over *values*."""
    return pa.ListArray.from_arrays(pa.array(np.cumsum(np.append(0, lengths)), pa.int32()), values)
