"""OTLP/JSON to OTLP protobuf and answers back: protobuf's JSON mapping, with ids in hex instead of base64."""

import base64
import binascii
import json
import re
from collections.abc import Iterator
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import Message
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.batch import Signal
from collector.errors import Permanent

_IDS = frozenset({"traceId", "spanId", "parentSpanId", "trace_id", "span_id", "parent_span_id"})
"""The fields in hex, in both spellings that protobuf's JSON mapping accepts."""

_OUTER_FIELDS = re.compile(r"^(Failed to parse \w+ field: )+(?=Failed to parse )")
"""What protobuf puts before a message for every level above the last."""


def from_json(signal: Signal, text: bytes) -> bytes:
    """Return the protobuf bytes of an export request given as OTLP/JSON; raise Permanent where it is not that.

    Enums may be numbers or names, 64-bit integers numbers or strings; unknown fields are ignored.
    """
    if signal is not Signal.TRACES:
        raise Permanent(f"{signal}: this signal is not supported yet; send traces")
    try:
        tree = json.loads(text)
        for where, holder in _id_holders(tree):
            _convert_ids(where, holder)
        request = json_format.ParseDict(tree, ExportTraceServiceRequest(), ignore_unknown_fields=True)
        return request.SerializeToString()
    except RecursionError as problem:
        raise _malformed("nested too deep") from problem
    except (ValueError, TypeError, AttributeError, json_format.ParseError) as problem:
        raise _malformed(str(problem)) from problem


def to_json(message: Message) -> bytes:
    """Return an answer (a response or a status) as JSON."""
    return json_format.MessageToJson(message, indent=None).encode()


def _malformed(reason: str) -> Permanent:
    text = _OUTER_FIELDS.sub("", reason)
    return Permanent(f"not a valid ExportTraceServiceRequest in JSON: {text:.300}; send OTLP/JSON")


def _id_holders(request: Any) -> Iterator[tuple[str, Any]]:
    """Yield every span and link with its path."""
    if not isinstance(request, dict):
        raise ValueError(f"expected an object, not {type(request).__name__}")  # noqa: TRY004 - it is data that is wrong
    for where, resource_spans in _members("", request, "resourceSpans", "resource_spans"):
        for inner, scope_spans in _members(where, resource_spans, "scopeSpans", "scope_spans"):
            for place, span in _members(inner, scope_spans, "spans"):
                yield place, span
                yield from _members(place, span, "links")


def _members(where: str, holder: dict[str, Any], *names: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the objects in a repeated field with their paths; what is of another form is left to protobuf to refuse."""
    for name in names:
        items = holder.get(name)
        for number, item in enumerate(items if isinstance(items, list) else ()):
            if isinstance(item, dict):
                yield f"{where}.{name}[{number}]".lstrip("."), item


def _convert_ids(where: str, holder: dict[str, Any]) -> None:
    for name in _IDS & holder.keys():
        value = holder[name]
        if value is None:
            continue
        try:
            holder[name] = base64.b64encode(binascii.unhexlify(value)).decode()
        except (TypeError, ValueError) as problem:
            raise ValueError(f"{where}.{name}: {value!r:.80} is not hexadecimal") from problem
