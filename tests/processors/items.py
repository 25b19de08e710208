"""Batches of any signal written in a few words, and golden cases made of them.

An item is a mapping of the columns of its table (`collector.schema`) that differ from `_BLANK`; attributes are
mappings, ids hex, `resource`, `scope` and `metric` the owner itself. A golden case is a YAML file with a `signal`, a
`config`, the `input` items and the `expected` ones. A new file is a new case.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import yaml
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from collector.batch import MAIN_TABLE, Batch, Signal, content_id
from collector.component import Host, Processor
from collector.schema import ANY_VALUE, TABLES
from collector.values import MESSAGES, to_python, typed

OWNERS = {
    Signal.TRACES: ("resource", "scope"),
    Signal.METRICS: ("resource", "scope", "metric"),
    Signal.LOGS: ("resource", "scope"),
}
START = 1_700_000_000_000_000_000
_BLANK: dict[str, dict[str, Any]] = {
    "spans": {
        "trace_id": "01" * 16,
        "span_id": "01" * 8,
        "name": "span",
        "kind": 3,
        "start_time_unix_nano": START,
        "end_time_unix_nano": START + 1_000_000_000,
    },
    "points": {"time_unix_nano": START},
    "records": {"time_unix_nano": START},
    "metrics": {"name": "metric", "type": "sum"},
    "events": {"name": "event", "time_unix_nano": START},
}
_IDS = {"trace_id", "span_id", "parent_span_id"}
_LISTS = {"attributes", "metadata", "filtered_attributes"}


def batch_of_items(signal: Signal, items: Sequence[Mapping[str, Any]]) -> Batch:
    """Return the items as a batch; equal owners are one row."""
    owners: dict[str, list[Any]] = {name: [] for name in OWNERS[signal]}
    rows = []
    for item in items:
        row = _row(MAIN_TABLE[signal], item)
        for name, known in owners.items():
            owner = _row(f"{name}s", _attributes_only(name, item.get(name, {})))
            if owner not in known:
                known.append(owner)
            row[name] = known.index(owner)
        rows.append(row)
    tables = {f"{name}s": _table(f"{name}s", known) for name, known in owners.items()}
    batch_id = content_id(repr(items).encode())
    return Batch(batch_id, signal, {MAIN_TABLE[signal]: _table(MAIN_TABLE[signal], rows), **tables})


def items_of(batch: Batch) -> list[dict[str, Any]]:
    """Return the items of a batch as `batch_of_items` takes them."""
    items = []
    owners = {name: batch.tables[f"{name}s"].to_pylist() for name in OWNERS[batch.signal]}
    for row in batch.main.to_pylist():
        item = _short(MAIN_TABLE[batch.signal], row)
        for name, known in owners.items():
            owner = _short(f"{name}s", known[row[name]])
            item.pop(name, None)
            if owner:
                item[name] = owner["attributes"] if name == "resource" and set(owner) == {"attributes"} else owner
        items.append(item)
    return items


def cases(test: str) -> list[Any]:
    """Return the golden cases beside the test file *test*."""
    return sorted((Path(test).parent / "cases").glob("*.yaml"))


def run_case(case: Path, cls: type[Processor]) -> tuple[Any, Any]:
    """Return what became of the input of a case, and what was expected."""
    told = yaml.safe_load(case.read_text("utf-8"))
    signal = Signal(told["signal"])
    results = list(made(cls, told["config"]).process(batch_of_items(signal, told["input"])))
    for result in results:
        assert result.main.schema.equals(TABLES[MAIN_TABLE[signal]])
        for table in result.tables.values():
            table.validate(full=True)
    return [item for result in results for item in items_of(result)], told["expected"]


def made(cls: type[Processor], config: Mapping[str, Any], **host: Any) -> Processor:
    return cls(cls.Config.model_validate(config), Host("test", **host))


def _attributes_only(name: str, owner: Mapping[str, Any]) -> Mapping[str, Any]:
    """Take the short form of a resource: only its attributes."""
    known = set(TABLES[f"{name}s"].names)
    return owner if set(owner) <= known or name != "resource" else {"attributes": owner}


def _table(name: str, rows: list[Any]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist(rows, schema=TABLES[name])


def _row(table: str, item: Mapping[str, Any]) -> dict[str, Any]:
    schema = TABLES[table]
    unknown = set(item) - set(schema.names)
    assert not unknown, unknown
    return _whole(table, schema, item)


def _whole(name: str, fields: Any, item: Mapping[str, Any]) -> dict[str, Any]:
    told = {**_BLANK.get(name, {}), **item}
    return {field.name: _long(field, told.get(field.name)) for field in fields}


def _long(field: pa.Field, value: Any) -> Any:
    if value is None:
        return None if field.nullable else _zero(field.type)
    if field.name in _IDS:
        return bytes.fromhex(value)
    if field.type == ANY_VALUE:
        return _any(value)
    if field.name in _LISTS:
        pairs = value.items() if isinstance(value, Mapping) else [tuple(pair) for pair in value]
        return [{"key": key, "value": _any(one)} for key, one in pairs]
    if pa.types.is_list(field.type) and pa.types.is_struct(field.type.value_type):
        return [_whole(field.name, field.type.value_type, one) for one in value]
    return value


def _zero(kind: pa.DataType) -> Any:
    return [] if pa.types.is_list(kind) else {"string": "", "binary": b"", "bool": False}.get(str(kind), 0)


def _any(value: Any) -> dict[str, Any]:
    if value is None:
        return {}
    if isinstance(value, bytes):
        return {"bytes_value": value}
    member, plain = typed(value)
    return {member: plain}


def _short(name: str, row: Mapping[str, Any]) -> dict[str, Any]:
    kind = TABLES.get(name)
    fields = kind if kind is not None else TABLES["spans"].field(name).type.value_type
    blank = _whole(name, fields, {})
    return {key: _brief(fields.field(key), value) for key, value in row.items() if value != blank[key]}


def _brief(field: pa.Field, value: Any) -> Any:
    if field.name in _IDS:
        return value.hex()
    if field.type == ANY_VALUE:
        return plain(value)
    if field.name in _LISTS:
        pairs = [(one["key"], plain(one["value"])) for one in value]
        return dict(pairs) if len(dict(pairs)) == len(pairs) else [list(pair) for pair in pairs]
    if field.name == "events":
        return [_short("events", one) for one in value]
    return value


def plain(value: Mapping[str, Any] | None) -> Any:
    """Return an attribute value as plain Python."""
    members = {name: member for name, member in (value or {}).items() if member is not None}
    if not members:
        return None
    [(name, member)] = members.items()
    if name in MESSAGES:
        return to_python(AnyValue(**{name: MESSAGES[name].FromString(member)}))
    return member
