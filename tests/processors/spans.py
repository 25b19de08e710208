"""Batches of spans from OTLP/JSON or a few words, and their attributes as plain Python values."""

import json
from collections.abc import Mapping, Sequence
from math import isnan
from typing import Any

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue

from collector.batch import Batch, Signal
from collector.otlp.decode import decode
from collector.otlp.json import from_json

START = 1_700_000_000_000_000_000
_NAMES = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}
SCOPE = "opentelemetry.instrumentation.openai.v1"


def batch_of(text: bytes) -> Batch:
    """Return the batch of an OTLP/JSON export request."""
    return decode(Signal.TRACES, from_json(Signal.TRACES, text))


def batch_from(*spans: Mapping[str, Any], scope: str = SCOPE, resource: Mapping[str, Any] | None = None) -> Batch:
    """Return a batch of spans; each is OTLP/JSON whose attributes may be a mapping, with made ids and times."""
    whole = [span_of(number, span) for number, span in enumerate(spans)]
    told = {"attributes": _attributes(resource or {})}
    request = {"resourceSpans": [{"resource": told, "scopeSpans": [{"scope": {"name": scope}, "spans": whole}]}]}
    return batch_of(json.dumps(request).encode())


def attributes_of_spans(batch: Batch) -> list[dict[str, Any]]:
    """Return each span's attributes; a key that occurs twice fails."""
    result = []
    for attributes in batch.main.column("attributes").to_pylist():
        plain = [(attribute["key"], _plain(attribute["value"])) for attribute in attributes]
        assert len(dict(plain)) == len(plain), plain
        result.append(dict(plain))
    return result


def span_of(number: int, span: Mapping[str, Any]) -> dict[str, Any]:
    """Return a span as OTLP/JSON, what it does not say made from its *number*."""
    made = {
        "traceId": f"{number + 1:032x}",
        "spanId": f"{number + 1:016x}",
        "kind": 3,
        "startTimeUnixNano": str(START),
        "endTimeUnixNano": str(START + 1_500_000_000),
    }
    return {**made, **span, "attributes": _attributes(span.get("attributes", {}))}


def _attributes(values: Mapping[str, Any] | Sequence[Any]) -> list[Any]:
    if not isinstance(values, Mapping):
        return list(values)
    return [{"key": key, "value": _any(value)} for key, value in values.items()]


def _any(value: Any) -> dict[str, Any]:
    match value:
        case None:
            return {}
        case bool():
            return {"boolValue": value}
        case int():
            return {"intValue": str(value)}
        case float():
            return {"doubleValue": _NAMES.get(str(value), value)}
        case list():
            return {"arrayValue": {"values": [_any(item) for item in value]}}
    return {"stringValue": value}


def _plain(value: Mapping[str, Any] | None) -> Any:
    members = {name: member for name, member in (value or {}).items() if member is not None}
    if not members:
        return None
    [(name, member)] = members.items()
    if name == "array_value":
        return [getattr(item, item.WhichOneof("value")) for item in _items(ArrayValue.FromString(member))]
    return "NaN" if isinstance(member, float) and isnan(member) else member


def _items(array: ArrayValue) -> Sequence[AnyValue]:
    return array.values
