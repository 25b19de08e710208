"""What is in OTLP requests, however they are cut and joined: each item with its resource and scope."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from google.protobuf.message import Message
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.batch import Signal

REQUESTS: dict[Signal, type[Message]] = {Signal.TRACES: ExportTraceServiceRequest}


def contents(signal: Signal, requests: Iterable[bytes]) -> Counter[bytes]:
    """Return how often each item is in the requests, as bytes that say all of it."""
    found: Counter[bytes] = Counter()
    for data in requests:
        for by_resource in _only_list(REQUESTS[signal].FromString(data)):
            for by_scope in _only_list(by_resource):
                around = _bytes(by_resource, "resource"), _bytes(by_scope, "scope")
                urls = by_resource.schema_url.encode(), by_scope.schema_url.encode()
                found.update(b"|".join([*around, *urls, _bytes(_plain(item))]) for item in _only_list(by_scope))
    return found


def _only_list(message: Any) -> Any:
    [name] = [field.name for field in message.DESCRIPTOR.fields if field.is_repeated]
    return getattr(message, name)


def _plain(item: Any) -> Any:
    """Return the item without an empty status, which says the same as none."""
    if "status" in item.DESCRIPTOR.fields_by_name and not item.status.ByteSize():
        item.ClearField("status")
    return item


def _bytes(message: Any, member: str = "") -> bytes:
    part = getattr(message, member) if member else message
    data: bytes = part.SerializeToString(deterministic=True)
    return data
