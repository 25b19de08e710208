"""What requests of every signal are made of: attributes, resources, texts, and marks that are replaced later."""

import random
from collections.abc import Mapping
from itertools import product

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

Value = str | bool | int | float | list[str] | Mapping[str, "Value"]

MODELS = {
    "gpt-4o": "gpt-4o-2024-08-06",
    "gpt-4o-mini": "gpt-4o-mini-2024-07-18",
    "gpt-4.1": "gpt-4.1-2025-04-14",
    "o4-mini": "o4-mini-2025-04-16",
}
_SERVICES = ("chat-api", "support-bot", "search", "summaries", "agents", "batch-jobs", "eval", "playground")
_SYLLABLES = (
    "an",
    "ber",
    "co",
    "dis",
    "en",
    "for",
    "gra",
    "ing",
    "la",
    "mo",
    "ne",
    "ob",
    "per",
    "re",
    "sta",
    "ti",
    "un",
    "ver",
)
_WORDS = ["".join(parts) for size in (1, 2, 3) for parts in product(_SYLLABLES, repeat=size)]


def mark(what: str, number: int) -> bytes:
    """Return the eight bytes that stand for an id, a time or a number until they are replaced."""
    return what.encode().ljust(4, b"!") + number.to_bytes(4, "big")


def marked(what: str, number: int) -> int:
    """Return the number that is written as `mark` where protobuf writes eight bytes."""
    return int.from_bytes(mark(what, number), "little")


def text(least: int, most: int, chance: random.Random) -> str:
    """Return some words."""
    return " ".join(chance.choices(_WORDS, k=most // 5))[: chance.randint(least, most)]


def resource(chance: random.Random) -> Resource:
    """Return the resource of one of a few services."""
    name = chance.choice(_SERVICES)
    facts: dict[str, Value] = {
        "telemetry.sdk.language": "python",
        "telemetry.sdk.name": "opentelemetry",
        "telemetry.sdk.version": "1.45.2",
        "deployment.environment.name": chance.choice(("production", "staging")),
        "service.version": "1.4.2",
        "service.name": name,
    }
    return Resource(attributes=pairs(facts))


def pairs(facts: Mapping[str, Value]) -> list[KeyValue]:
    """Return attributes."""
    return [KeyValue(key=key, value=any_value(value)) for key, value in facts.items()]


def any_value(value: Value) -> AnyValue:
    """Return a value as OTLP writes it."""
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, int):
        return AnyValue(int_value=value)
    if isinstance(value, float):
        return AnyValue(double_value=value)
    if isinstance(value, list):
        return AnyValue(array_value=ArrayValue(values=[any_value(item) for item in value]))
    if isinstance(value, Mapping):
        return AnyValue(kvlist_value=KeyValueList(values=pairs(value)))
    return AnyValue(string_value=value)
