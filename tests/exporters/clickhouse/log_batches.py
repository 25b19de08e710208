"""Batches of log records for tests, from plain Python or from the vectors of SigNoz's own conversion."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from google.protobuf import json_format
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from collector.batch import Batch, Signal
from collector.otlp.decode import decode
from exporters.clickhouse.logs import log_inserts
from tests.exporters.clickhouse.trace_batches import VECTORS, Pairs, any_value, ids_to_base64, key_values

EXPECTED: dict[str, Any] = json.loads((VECTORS / "expected_logs.json").read_text())
NOW = 1_795_284_070.1234
TIME = 1_795_284_060_000_000_000


def record(attributes: Pairs = (), body: Any = "hello", **fields: Any) -> LogRecord:
    defaults = {"time_unix_nano": TIME, "observed_time_unix_nano": TIME + 1, "severity_text": "INFO"}
    made = LogRecord(attributes=key_values(attributes), **{**defaults, **fields})
    if body is not None:
        made.body.CopyFrom(any_value(body))
    return made


def batch_of(*records: LogRecord, resource: Pairs = (), scope: Mapping[str, Any] | None = None) -> Batch:
    request = ExportLogsServiceRequest()
    add_records(request, records, resource, scope)
    return decode(Signal.LOGS, request.SerializeToString())


def add_records(
    request: ExportLogsServiceRequest,
    records: Iterable[LogRecord],
    resource: Pairs = (),
    scope: Mapping[str, Any] | None = None,
) -> None:
    holder = request.resource_logs.add()
    holder.resource.attributes.extend(key_values(resource))
    scoped = holder.scope_logs.add(log_records=records)
    named = {"attributes": {}, **(scope or {})}
    scoped.scope.attributes.extend(key_values(named.pop("attributes")))
    for name, text in named.items():
        setattr(scoped.scope, name, text)


def vector_batch() -> Batch:
    """Return the records whose rows `EXPECTED` holds."""
    document = json.loads((VECTORS / "logs.json").read_text())
    for holder in document["resourceLogs"]:
        for scoped in holder["scopeLogs"]:
            for one in scoped["logRecords"]:
                ids_to_base64(one)
    return decode(Signal.LOGS, json_format.ParseDict(document, ExportLogsServiceRequest()).SerializeToString())


def rows_of(batch: Batch, table: str = "logs_v2", now: float = NOW) -> list[dict[str, Any]]:
    """Return the rows for one table, maps as dicts; a map that holds a key twice is an error."""
    for insert in log_inserts(batch, now):
        if insert.table == f"signoz_logs.distributed_{table}":
            rows: list[dict[str, Any]] = insert.rows.to_pylist(maps_as_pydicts="strict")
            return rows
    return []
