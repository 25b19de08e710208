"""Small batches made by hand, for tests of what is stored rather than of how it is computed."""

from collections.abc import Mapping, Sequence

import pyarrow as pa

from collector.batch import Batch, Signal, content_id
from collector.schema import RESOURCES, ROLLUP_DIMENSIONS, ROLLUP_MAPS, ROLLUP_SUMS, ROLLUPS, SCOPES, SPANS

SECOND = 1_000_000_000
START = 1_795_284_000
"""2026-11-21 18:00:00 UTC."""


def attributes(values: Mapping[str, str]) -> list[dict]:
    return [{"key": key, "value": {"string_value": value}} for key, value in values.items()]


def span(number: int, **other: object) -> dict:
    """Return span *number*: trace, parent and name follow from it."""
    return {
        "resource": 0, "scope": 0, "trace_id": (number // 2 + 1).to_bytes(16), "span_id": (number + 1).to_bytes(8),
        "trace_state": "", "parent_span_id": number.to_bytes(8) if number % 2 else b"", "flags": 0,
        "name": f"chat {number % 3}", "kind": 3,
        "start_time_unix_nano": (START + number) * SECOND, "end_time_unix_nano": (START + number + 1) * SECOND,
        "attributes": attributes({"gen_ai.request.model": "gpt-4o", "db.system": "redis"}),
        "dropped_attributes_count": 0, "events": [], "dropped_events_count": 0, "links": [],
        "dropped_links_count": 0, "status_code": 0, "status_message": "", **other,
    }  # fmt: skip


def spans_batch(spans: Sequence[Mapping], resource: Mapping[str, str] | None = None) -> Batch:
    labels = attributes(resource or {"service.name": "chat-svc", "released": "2026-11-21"})
    resources = [{"attributes": labels, "dropped_attributes_count": 0, "entity_refs": [], "schema_url": ""}]
    scopes = [{"name": "test", "version": "1", "attributes": [], "dropped_attributes_count": 0, "schema_url": ""}]
    tables = {
        "spans": pa.RecordBatch.from_pylist(list(spans), SPANS),
        "resources": pa.RecordBatch.from_pylist(resources, RESOURCES),
        "scopes": pa.RecordBatch.from_pylist(scopes, SCOPES),
    }
    return Batch(content_id(repr(spans).encode(), repr(resource).encode()), Signal.TRACES, tables)


def rollup(time: int = START, **columns: object) -> dict:
    return {
        "time": time,
        **dict.fromkeys(ROLLUP_DIMENSIONS, ""),
        **dict.fromkeys(ROLLUP_SUMS, 0),
        **{name: [] for name in ROLLUP_MAPS},
        **{name: list(value.items()) if isinstance(value, dict) else value for name, value in columns.items()},
    }


def rollups_batch(rows: Sequence[Mapping]) -> Batch:
    table = pa.RecordBatch.from_pylist(list(rows), ROLLUPS)
    return Batch(content_id(repr(rows).encode()), Signal.ROLLUPS, {"rollups": table})
