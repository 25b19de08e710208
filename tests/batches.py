"""Small batches for tests that care about the flow, not about what is in a span."""

import pyarrow as pa

from collector.batch import Batch, Signal, content_id
from collector.schema import RESOURCES, SCOPES, SPANS


def spans(*names: str, batch_id: str | None = None) -> Batch:
    """Return a batch with one span per name, of one resource and one scope."""
    count = len(names)
    columns = {
        "resource": [0] * count,
        "scope": [0] * count,
        "trace_id": [bytes(16)] * count,
        "span_id": [name.encode().ljust(8, b"\0")[:8] for name in names],
        "trace_state": [""] * count,
        "parent_span_id": [b""] * count,
        "flags": [0] * count,
        "name": list(names),
        "kind": [3] * count,
        "start_time_unix_nano": [1_795_284_060_000_000_000 + n for n in range(count)],
        "end_time_unix_nano": [1_795_284_061_000_000_000 + n for n in range(count)],
        "attributes": [[] for _ in names],
        "dropped_attributes_count": [0] * count,
        "events": [[] for _ in names],
        "dropped_events_count": [0] * count,
        "links": [[] for _ in names],
        "dropped_links_count": [0] * count,
        "status_code": [0] * count,
        "status_message": [""] * count,
    }
    resource = {"attributes": [[]], "dropped_attributes_count": [0], "entity_refs": [[]], "schema_url": [""]}
    scope = {
        "name": ["test"],
        "version": [""],
        "attributes": [[]],
        "dropped_attributes_count": [0],
        "schema_url": [""],
    }
    return Batch(
        batch_id or content_id("\n".join(names).encode()),
        Signal.TRACES,
        {
            "spans": pa.RecordBatch.from_pydict(columns, schema=SPANS),
            "resources": pa.RecordBatch.from_pydict(resource, schema=RESOURCES),
            "scopes": pa.RecordBatch.from_pydict(scope, schema=SCOPES),
        },
    )


def names_of(batch: Batch) -> list[str]:
    """Return the names of the spans, in order."""
    names: list[str] = batch.main.column("name").to_pylist()
    return names
