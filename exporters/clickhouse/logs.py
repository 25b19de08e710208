"""Turns a batch of log records into the rows of SigNoz's log tables.

    Batch ── records ──> logs_v2             one row per record
          ── seen ─────> logs_v2_resource, logs_attribute_keys, logs_resource_keys, tag_attributes_v2

A record's row follows from the batch alone, its id included, but for ``inserted_at`` and the time of a record that
has none.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from collector.batch import Batch
from exporters.clickhouse.columns import Ints, coded, hex_ids, map_rows
from exporters.clickhouse.event_names import with_event_names
from exporters.clickhouse.insert import Insert
from exporters.clickhouse.ksuid import record_ids
from exporters.clickhouse.record_tags import record_keys_inserts, record_values_insert
from exporters.clickhouse.resources import (
    bucket_seconds,
    resource_columns,
    resource_insert,
    resources_of,
    scopes_of,
)
from exporters.clickhouse.typed_attributes import attribute_maps, distinct_texts

_SECOND = np.uint64(10**9)
_LARGEST_SEVERITY = 255  # UInt8

_Nanoseconds: TypeAlias = npt.NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class _Times:
    """When each record happened and when it was seen, and the half hour of the former in Unix seconds."""

    event: _Nanoseconds
    observed: _Nanoseconds
    buckets: Ints


def log_inserts(batch: Batch, now: float) -> list[Insert]:
    """Return the rows of a batch of log records, table by table in the order in which they should be inserted.

    What readers look records up by comes first, the records themselves last. *now* is the Unix time in seconds.
    """
    if not batch.rows:
        return []
    batch = with_event_names(batch)
    times = _times(batch, now)
    inserts = [
        *record_keys_inserts(batch),
        record_values_insert(batch, now),
        resource_insert(batch, "signoz_logs.distributed_logs_v2_resource", times.buckets),
        Insert("signoz_logs.distributed_logs_v2", _records(batch, times, now), np.arange(batch.rows)),
    ]
    return [insert for insert in inserts if insert.rows.num_rows]


def _records(batch: Batch, times: _Times, now: float) -> pa.RecordBatch:
    columns = {
        **_identity_columns(batch, times),
        **_content_columns(batch),
        **_attribute_columns(batch),
        "inserted_at": pa.repeat(pa.scalar(int(now * 1000), pa.timestamp("ms")), batch.rows),
    }
    return pa.RecordBatch.from_arrays(list(columns.values()), list(columns))


def _identity_columns(batch: Batch, times: _Times) -> dict[str, pa.Array]:
    records, resources = batch.main, resources_of(batch)
    return {
        "ts_bucket_start": pa.array(times.buckets.astype(np.uint64)),
        "resource_fingerprint": coded(resources.numbers, [one.fingerprint for one in resources.distinct]),
        "timestamp": pa.array(times.event),
        "observed_timestamp": pa.array(times.observed),
        "id": record_ids(times.event // _SECOND, batch.id),
        "trace_id": hex_ids(records.column("trace_id")),
        "span_id": hex_ids(records.column("span_id")),
        "trace_flags": records.column("flags"),
    }


def _content_columns(batch: Batch) -> dict[str, pa.Array]:
    records = batch.main
    severities = np.asarray(records.column("severity_number"))
    known = (severities >= 0) & (severities <= _LARGEST_SEVERITY)
    return {
        "severity_text": pc.dictionary_encode(records.column("severity_text")),
        "severity_number": pa.array(np.where(known, severities, 0).astype(np.uint8)),
        "body": _texts(records.column("body")),
    }


def _attribute_columns(batch: Batch) -> dict[str, pa.Array]:
    scopes = scopes_of(batch)
    return {
        **attribute_maps(batch),
        **resource_columns(batch),
        "scope_name": coded(scopes.numbers, [one.name for one in scopes.distinct]),
        "scope_version": coded(scopes.numbers, [one.version for one in scopes.distinct]),
        "scope_string": map_rows([one.attributes for one in scopes.distinct], scopes.numbers),
    }


def _times(batch: Batch, now: float) -> _Times:
    time, observed = (batch.main.column(f"{which}time_unix_nano").to_numpy() for which in ("", "observed_"))
    observed = np.where(observed == 0, np.uint64(int(now * 10**9)), observed)
    event = np.where(time == 0, observed, time)
    return _Times(event, observed, bucket_seconds(event))


def _texts(bodies: pa.StructArray) -> pa.BinaryArray:
    """Return the text of each body; that of bytes is those bytes, whatever they mean."""
    members = dict(zip(bodies.type.names, bodies.flatten(), strict=True))
    texts = members.pop("string_value").cast(pa.binary())
    for name, member in members.items():
        if member.null_count < len(member):
            found = member.drop_null() if name == "bytes_value" else distinct_texts(name, member).cast(pa.binary())
            texts = pc.replace_with_mask(texts, member.is_valid(), found)
    return texts.fill_null(b"")
