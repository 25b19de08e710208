"""Realistic GenAI spans: what OpenTelemetry's and OpenLLMetry's instrumentations of an OpenAI client send.

*slim* spans have 15 to 25 attributes and no content, as when an application forbids it: OpenLLMetry then leaves out
every ``gen_ai.prompt.N.*`` and ``gen_ai.completion.N.*``. *content* spans also carry 1 to 4 KiB of messages.
"""

import json
import random
from collections.abc import Callable, Mapping
from itertools import product

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

Value = str | bool | int | float | list[str]
Dialect = Callable[[str, bool, bool, random.Random], tuple[str, dict[str, Value]]]
"""Gives the name and the attributes of a call: of which model, whether it failed, whether with content."""

PAYLOADS = ("slim", "content")
SMALLEST_TOKENS, MOST_TOKENS = 128, 16_383
"""The bounds of the numbers of tokens: two bytes each on the wire, so that they can be replaced in place."""
RESPONSE_ID = "chatcmpl-" + "0" * 24
SPANS_A_TRACE = 4

_MODELS = {
    "gpt-4o": "gpt-4o-2024-08-06",
    "gpt-4o-mini": "gpt-4o-mini-2024-07-18",
    "gpt-4.1": "gpt-4.1-2025-04-14",
    "o4-mini": "o4-mini-2025-04-16",
}
_SERVICES = ("chat-api", "support-bot", "search", "summaries", "agents", "batch-jobs", "eval", "playground")
_ERRORS = ("RateLimitError", "APITimeoutError", "BadRequestError", "APIConnectionError")
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


def resource_spans(payload: str, count: int, chance: random.Random) -> ResourceSpans:
    """Return *count* spans of one service: two in three in OpenTelemetry's words, one in three in OpenLLMetry's.

    Ids and times are marks that `tests.bench.payload` finds and replaces.
    """
    current = ScopeSpans(schema_url="https://opentelemetry.io/schemas/1.37.0")
    current.scope.name, current.scope.version = "opentelemetry.util.genai.handler", "0.4b0"
    openllmetry = ScopeSpans()
    openllmetry.scope.name, openllmetry.scope.version = "opentelemetry.instrumentation.openai.v1", "0.30.0"
    for number in range(count):
        old = number % 3 == 2
        scope = openllmetry if old else current
        _span(scope.spans.add(), _openllmetry if old else _current, payload, number, chance)
    scopes = [scope for scope in (current, openllmetry) if scope.spans]
    return ResourceSpans(resource=_resource(chance), scope_spans=scopes)


def mark(what: str, number: int) -> bytes:
    """Return the eight bytes that stand for a span id or a time until they are replaced."""
    return what.encode().ljust(4, b"!") + number.to_bytes(4, "big")


def _span(span: Span, dialect: Dialect, payload: str, number: int, chance: random.Random) -> None:
    trace, place = divmod(number, SPANS_A_TRACE)
    failed = chance.random() < 0.03
    model = chance.choice(list(_MODELS))
    name, attributes = dialect(model, failed, payload == "content", chance)
    span.trace_id = mark("trac", trace) * 2
    span.span_id = mark("span", number)
    if place:
        span.parent_span_id = mark("span", trace * SPANS_A_TRACE)
    span.name, span.kind, span.flags = name, Span.SPAN_KIND_CLIENT, 256
    span.start_time_unix_nano = int.from_bytes(mark("strt", number), "little")
    span.end_time_unix_nano = int.from_bytes(mark("endt", number), "little")
    span.attributes.extend(_pairs(attributes))
    if failed:
        _fail(span, str(attributes["error.type"]), number)


def _fail(span: Span, error: str, number: int) -> None:
    message = f"Error code: 429 - {error}: rate limit reached for requests"
    span.status.code, span.status.message = span.status.STATUS_CODE_ERROR, message
    stack = "".join(f'  File "/app/site-packages/openai/_base_client.py", line {1200 + n}, in post\n' for n in range(8))
    event = span.events.add(name="exception", time_unix_nano=int.from_bytes(mark("evnt", number), "little"))
    facts = {"type": f"openai.{error}", "message": message, "stacktrace": stack, "escaped": "False"}
    event.attributes.extend(_pairs({f"exception.{key}": value for key, value in facts.items()}))


def _current(model: str, failed: bool, content: bool, chance: random.Random) -> tuple[str, dict[str, Value]]:
    found: dict[str, Value] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": model,
        "gen_ai.request.temperature": chance.choice((0.0, 0.2, 0.7, 1.0)),
        "gen_ai.request.top_p": 0.9,
        "gen_ai.request.max_tokens": chance.choice((200, 1024, 4096)),
        "gen_ai.request.seed": chance.randrange(100),
        "gen_ai.conversation.id": f"conversation-{chance.randrange(2000):06}",
        "server.address": "api.openai.com",
        "server.port": 443,
        "user.id": f"user-{chance.randrange(500):04}",
        "session.id": f"session-{chance.randrange(2000):06}",
        "app.feature": chance.choice(("answer", "rewrite", "plan")),
        "app.tenant": f"tenant-{chance.randrange(20):02}",
    }
    if failed:
        found["error.type"] = chance.choice(_ERRORS)
    else:
        found |= {
            "gen_ai.response.model": _MODELS[model],
            "gen_ai.response.id": RESPONSE_ID,
            "gen_ai.response.finish_reasons": ["stop"] if chance.random() < 0.8 else ["tool_call"],
            "gen_ai.usage.input_tokens": chance.randint(SMALLEST_TOKENS, MOST_TOKENS),
            "gen_ai.usage.output_tokens": chance.randint(SMALLEST_TOKENS, 2000),
            "gen_ai.usage.cache_read.input_tokens": chance.choice((0, 0, 64, 100)),
            "openai.response.service_tier": "default",
            "openai.response.system_fingerprint": "fp_44709d6fcb",
        }
    if content:
        found["gen_ai.input.messages"] = _message("user", 512, 3000, chance)
        found["gen_ai.output.messages"] = _message("assistant", 512, 1000, chance)
    return f"chat {model}", found


def _openllmetry(model: str, failed: bool, content: bool, chance: random.Random) -> tuple[str, dict[str, Value]]:
    found: dict[str, Value] = {
        "llm.request.type": "chat",
        "gen_ai.system": "OpenAI",
        "gen_ai.request.model": model,
        "gen_ai.request.max_tokens": chance.choice((200, 1024, 4096)),
        "gen_ai.request.temperature": chance.choice((0.0, 0.2, 0.7, 1.0)),
        "llm.headers": "None",
        "llm.is_streaming": chance.random() < 0.3,
        "openai.api_base": "https://api.openai.com/v1/",
        "llm.user": f"user-{chance.randrange(500):04}",
        "traceloop.workflow.name": chance.choice(("answer", "rewrite", "plan")),
        "traceloop.entity.path": chance.choice(("retrieve", "generate", "judge")),
        "traceloop.association.properties.session_id": f"session-{chance.randrange(2000):06}",
        "traceloop.association.properties.tenant": f"tenant-{chance.randrange(20):02}",
        "gen_ai.request.top_p": 0.9,
    }
    if failed:
        found["error.type"] = chance.choice(_ERRORS)
    else:
        found |= {
            "gen_ai.response.model": _MODELS[model],
            "gen_ai.response.id": RESPONSE_ID,
            "llm.usage.total_tokens": chance.randint(SMALLEST_TOKENS, MOST_TOKENS),
            "gen_ai.usage.completion_tokens": chance.randint(SMALLEST_TOKENS, 2000),
            "gen_ai.usage.prompt_tokens": chance.randint(SMALLEST_TOKENS, MOST_TOKENS),
            "gen_ai.openai.response.system_fingerprint": "fp_44709d6fcb",
        }
    if content:
        found["gen_ai.prompt.0.role"] = "user"
        found["gen_ai.prompt.0.content"] = _text(512, 3000, chance)
        found["gen_ai.completion.0.role"] = "assistant"
        found["gen_ai.completion.0.finish_reason"] = "stop"
        found["gen_ai.completion.0.content"] = _text(512, 1000, chance)
    return "openai.chat", found


def _message(role: str, least: int, most: int, chance: random.Random) -> str:
    return json.dumps([{"role": role, "parts": [{"type": "text", "content": _text(least, most, chance)}]}])


def _text(least: int, most: int, chance: random.Random) -> str:
    return " ".join(chance.choices(_WORDS, k=most // 5))[: chance.randint(least, most)]


def _resource(chance: random.Random) -> Resource:
    name = chance.choice(_SERVICES)
    facts: dict[str, Value] = {
        "telemetry.sdk.language": "python",
        "telemetry.sdk.name": "opentelemetry",
        "telemetry.sdk.version": "1.45.2",
        "deployment.environment.name": chance.choice(("production", "staging")),
        "service.version": "1.4.2",
        "service.name": name,
    }
    return Resource(attributes=_pairs(facts))


def _pairs(facts: Mapping[str, Value]) -> list[KeyValue]:
    return [KeyValue(key=key, value=_any(value)) for key, value in facts.items()]


def _any(value: Value) -> AnyValue:
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, int):
        return AnyValue(int_value=value)
    if isinstance(value, float):
        return AnyValue(double_value=value)
    if isinstance(value, list):
        return AnyValue(array_value=ArrayValue(values=[_any(item) for item in value]))
    return AnyValue(string_value=value)
