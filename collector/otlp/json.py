"""OTLP/JSON to OTLP protobuf and back: protobuf's JSON mapping, with ids in hex instead of base64."""

import base64
import binascii
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import Message

from collector.batch import Batch, Signal
from collector.errors import Permanent
from collector.otlp.encode import encode
from collector.otlp.protocol import PROTOCOLS, Protocol, protocol_of

_IDS = frozenset({"traceId", "spanId", "parentSpanId", "trace_id", "span_id", "parent_span_id"})
"""The fields in hex, in both spellings that protobuf's JSON mapping accepts."""

_EXEMPLAR_TYPES = ("gauge", "sum", "histogram", "exponential_histogram")
_BELOW_ITEMS: dict[Signal, tuple[tuple[str, ...], ...]] = {
    Signal.TRACES: ((), ("links",)),
    Signal.METRICS: tuple((kind, "data_points", "exemplars") for kind in _EXEMPLAR_TYPES),
    Signal.LOGS: ((),),
}
"""The ways from an item to what has ids."""

_HALF_SIGN = re.compile("[\ud800-\udfff]")
"""A sign that JSON writes as two, of which only one is there: what a text cut after so many UTF-16 units ends with."""

_OUTER_FIELDS = re.compile(r"^(Failed to parse \w+ field: )+(?=Failed to parse )")
"""What protobuf puts before a message for every level above the last."""


def from_json(signal: Signal, text: bytes) -> bytes:
    """Return the protobuf bytes of an export request given as OTLP/JSON; raise Permanent where it is not that.

    Enums may be numbers or names, 64-bit integers numbers or strings; unknown fields are ignored, and half of a sign
    (a cut emoji) becomes U+FFFD.
    """
    protocol = protocol_of(signal)
    try:
        tree = json.loads(text)
        if not isinstance(tree, dict):
            raise ValueError(f"expected an object, not {type(tree).__name__}")  # noqa: TRY004, TRY301 - as below
        _convert_ids(signal, tree, _from_hex)
        return _request(protocol, tree).SerializeToString()
    except RecursionError as problem:
        raise _malformed(protocol, "nested too deep") from problem
    except (ValueError, TypeError, AttributeError, json_format.ParseError) as problem:
        raise _malformed(protocol, str(problem)) from problem


def encode_json(batch: Batch) -> bytes:
    """Return the batch as an export request in OTLP/JSON, on one line; raise Permanent as `encode` does."""
    request = protocol_of(batch.signal).request.FromString(encode(batch))
    tree = json_format.MessageToDict(request, use_integers_for_enums=True)
    _convert_ids(batch.signal, tree, lambda value: base64.b64decode(value).hex())
    return json.dumps(tree, ensure_ascii=False, separators=(",", ":")).encode()


def to_json(message: Message) -> bytes:
    """Return an answer (a response or a status) as JSON."""
    return json_format.MessageToJson(message, indent=None).encode()


def _request(protocol: Protocol, tree: dict[str, Any]) -> Message:
    try:
        return json_format.ParseDict(tree, protocol.request(), ignore_unknown_fields=True)
    except json_format.ParseError:
        text = json.dumps(tree, ensure_ascii=False)
        whole = _HALF_SIGN.sub("\ufffd", text)
        if whole == text:
            raise
        return json_format.ParseDict(json.loads(whole), protocol.request(), ignore_unknown_fields=True)


def _malformed(protocol: Protocol, reason: str) -> Permanent:
    text = _OUTER_FIELDS.sub("", reason)
    return Permanent(f"not a valid {protocol.request.DESCRIPTOR.name} in JSON: {text:.300}; send OTLP/JSON")


def _convert_ids(signal: Signal, request: dict[str, Any], convert: Callable[[Any], str]) -> None:
    """Replace every id of a *request* by what *convert* makes of it; raise ValueError with the place of a bad one."""
    protocol = PROTOCOLS[signal]
    for below in _BELOW_ITEMS[signal]:
        path = (protocol.resources, protocol.scopes, protocol.items, *below)
        for where, holder in _reach("", request, path):
            for name in _IDS & holder.keys():
                value = holder[name]
                try:
                    holder[name] = None if value is None else convert(value)
                except (TypeError, ValueError) as problem:
                    raise ValueError(f"{where}.{name}: {value!r:.80} is not hexadecimal") from problem


def _from_hex(value: Any) -> str:
    return base64.b64encode(binascii.unhexlify(value)).decode()


def _reach(where: str, holder: dict[str, Any], path: tuple[str, ...]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the objects at the end of *path* with their places; other forms are left to protobuf to refuse."""
    if not path:
        yield where, holder
        return
    for name in dict.fromkeys((_camel(path[0]), path[0])):
        found = holder.get(name)
        place = f"{where}.{name}".lstrip(".")
        if isinstance(found, dict):
            yield from _reach(place, found, path[1:])
        for number, item in enumerate(found if isinstance(found, list) else ()):
            if isinstance(item, dict):
                yield from _reach(f"{place}[{number}]", item, path[1:])


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(map(str.capitalize, rest))
