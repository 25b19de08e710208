"""Turns a batch of spans into the rows of SigNoz's trace tables.

    Batch ── spans ──> signoz_index_v3            one row per span
          ── events ─> signoz_error_index_v2      one row per exception
          ── seen ───> traces_v3_resource, span_attributes_keys, tag_attributes_v2

Everything but ``inserted_at`` follows from the batch alone, so that a batch sent again gives the same rows.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collector.batch import Batch
from exporters.clickhouse.calculated import calculated_columns
from exporters.clickhouse.columns import Ints, coded, hex_ids, timestamps
from exporters.clickhouse.events import events_column, links_column
from exporters.clickhouse.exceptions import exceptions_insert
from exporters.clickhouse.insert import Insert
from exporters.clickhouse.kinds import KINDS, STATUS_CODES, kinds_of, status_codes_of
from exporters.clickhouse.resources import (
    bucket_seconds,
    resource_columns,
    resource_insert,
    resources_of,
    scopes_of,
)
from exporters.clickhouse.span_tags import keys_insert, span_values_insert
from exporters.clickhouse.typed_attributes import attribute_maps

_FLAGS_KNOW_REMOTE = 0x100
_FLAGS_REMOTE = 0x200
_REMOTE = ("unknown", "no", "yes")
_ERROR = STATUS_CODES.index("Error")
_TRACE_ID_DIGITS = 32  # FixedString(32): ClickHouse refuses more


def trace_inserts(batch: Batch, now: float) -> list[Insert]:
    """Return the rows of a batch of spans, table by table in the order in which they should be inserted.

    What readers look spans up by comes first, the spans themselves last. *now* is the Unix time in seconds.
    """
    if not batch.rows:
        return []
    ids = {name: hex_ids(batch.main.column(name)) for name in ("trace_id", "span_id", "parent_span_id")}
    ids["trace_id"] = pc.utf8_slice_codeunits(ids["trace_id"], 0, _TRACE_ID_DIGITS)
    inserts = [
        keys_insert(batch),
        span_values_insert(batch),
        resource_insert(batch, "signoz_traces.distributed_traces_v3_resource", _buckets(batch)),
        exceptions_insert(batch, ids["trace_id"], ids["span_id"]),
        Insert("signoz_traces.distributed_signoz_index_v3", _spans(batch, ids, now), np.arange(batch.rows)),
    ]
    return [insert for insert in inserts if insert is not None and insert.rows.num_rows]


def _spans(batch: Batch, ids: dict[str, pa.StringArray], now: float) -> pa.RecordBatch:
    columns = {
        **_identity_columns(batch, ids),
        **_kind_columns(batch),
        **_attribute_columns(batch),
        "events": events_column(batch),
        "links": links_column(batch, ids["trace_id"], ids["parent_span_id"]),
        **calculated_columns(batch),
        **_outcome_columns(batch),
        "inserted_at": pa.repeat(pa.scalar(int(now * 1000), pa.timestamp("ms")), batch.rows),
    }
    return pa.RecordBatch.from_arrays(list(columns.values()), list(columns))


def _identity_columns(batch: Batch, ids: dict[str, pa.StringArray]) -> dict[str, pa.Array]:
    spans, resources = batch.main, resources_of(batch)
    return {
        "ts_bucket_start": pa.array(_buckets(batch).astype(np.uint64)),
        "resource_fingerprint": coded(resources.numbers, [one.fingerprint for one in resources.distinct]),
        "timestamp": pa.array(_starts(batch), pa.timestamp("ns")),
        "trace_id": ids["trace_id"],
        "span_id": ids["span_id"],
        "trace_state": spans.column("trace_state"),
        "parent_span_id": ids["parent_span_id"],
        "flags": spans.column("flags"),
        "name": pc.dictionary_encode(spans.column("name")),
    }


def _kind_columns(batch: Batch) -> dict[str, pa.Array]:
    spans = batch.main
    kinds, codes = kinds_of(batch), status_codes_of(batch)
    start, end = (spans.column(f"{edge}_time_unix_nano").to_numpy() for edge in ("start", "end"))
    return {
        "kind": pa.array(kinds),
        "kind_string": coded(kinds, KINDS),
        "duration_nano": pa.array(np.where(end > start, end - start, np.uint64(0))),
        "status_code": pa.array(codes),
        "status_message": spans.column("status_message"),
        "status_code_string": coded(codes, STATUS_CODES),
    }


def _attribute_columns(batch: Batch) -> dict[str, pa.Array]:
    scopes = scopes_of(batch)
    return {
        **attribute_maps(batch),
        **resource_columns(batch),
        "scope": coded(scopes.numbers, [one.json for one in scopes.distinct]),
    }


def _outcome_columns(batch: Batch) -> dict[str, pa.Array]:
    flags = np.asarray(batch.main.column("flags"))
    remote = np.where(flags & _FLAGS_KNOW_REMOTE, np.where(flags & _FLAGS_REMOTE, 2, 1), 0)
    return {
        "has_error": pa.array(status_codes_of(batch) == _ERROR),
        "is_remote": coded(remote, _REMOTE),
    }


def _starts(batch: Batch) -> Ints:
    return timestamps(batch.main.column("start_time_unix_nano").to_numpy())


def _buckets(batch: Batch) -> Ints:
    """Return the half hour in which each span started, in Unix seconds."""
    return bucket_seconds(_starts(batch))
