"""OTLP/JSON to OTLP protobuf and back: protobuf's JSON mapping, with ids in hex instead of base64."""

import base64
import json
from collections.abc import Iterator
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import Message

from collector.batch import Batch, Signal
from collector.errors import Permanent
from collector.otlp.encode import encode
from collector.otlp.protocol import PROTOCOLS, Protocol, protocol_of
from collector.otlp.tree import TreeError, message_of

_IDS = ("traceId", "spanId", "parentSpanId")

_EXEMPLAR_TYPES = ("gauge", "sum", "histogram", "exponentialHistogram")
_BELOW_ITEMS: dict[Signal, tuple[tuple[str, ...], ...]] = {
    Signal.TRACES: ((), ("links",)),
    Signal.METRICS: tuple((kind, "dataPoints", "exemplars") for kind in _EXEMPLAR_TYPES),
    Signal.LOGS: ((),),
}
"""The ways from an item to what has ids."""


def from_json(signal: Signal, text: bytes) -> bytes:
    """Return the protobuf bytes of an export request given as OTLP/JSON; raise Permanent where it is not that.

    Enums may be numbers or names, 64-bit integers numbers or strings; unknown fields are ignored, and half of a sign
    (a cut emoji) becomes U+FFFD.
    """
    protocol = protocol_of(signal)
    try:
        return message_of(protocol.request, json.loads(text)).SerializeToString()
    except RecursionError as problem:
        raise _malformed(protocol, "nested too deep") from problem
    except (ValueError, TreeError) as problem:
        raise _malformed(protocol, str(problem)) from problem


def encode_json(batch: Batch) -> bytes:
    """Return the batch as an export request in OTLP/JSON, on one line; raise Permanent as `encode` does."""
    request = protocol_of(batch.signal).request.FromString(encode(batch))
    tree = json_format.MessageToDict(request, use_integers_for_enums=True)
    _put_hex_ids(batch.signal, tree)
    return json.dumps(tree, ensure_ascii=False, separators=(",", ":")).encode()


def to_json(message: Message) -> bytes:
    """Return an answer (a response or a status) as JSON."""
    return json_format.MessageToJson(message, indent=None).encode()


def _malformed(protocol: Protocol, reason: str) -> Permanent:
    return Permanent(f"not a valid {protocol.request.DESCRIPTOR.name} in JSON: {reason:.300}; send OTLP/JSON")


def _put_hex_ids(signal: Signal, request: dict[str, Any]) -> None:
    """Write every id of a *request* in hex instead of base64."""
    protocol = PROTOCOLS[signal]
    around = [_camel(name) for name in (protocol.resources, protocol.scopes, protocol.items)]
    for below in _BELOW_ITEMS[signal]:
        for holder in _reach(request, (*around, *below)):
            for name in _IDS:
                if name in holder:
                    holder[name] = base64.b64decode(holder[name]).hex()


def _reach(holder: dict[str, Any], path: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    """Yield the objects at the end of *path*."""
    if not path:
        yield holder
        return
    found = holder.get(path[0], [])
    for item in found if isinstance(found, list) else [found]:
        yield from _reach(item, path[1:])


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(map(str.capitalize, rest))
