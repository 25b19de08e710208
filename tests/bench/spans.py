"""Realistic GenAI spans: what instrumentations of an OpenAI client send.

    call   call   call       three of four spans ask a model for something
       └──── agent ────┘     the fourth stands around them and comes last, as spans do in the order of their ends

*slim* spans have 15 to 25 attributes and no content, as when an application forbids it: OpenLLMetry then leaves out
every ``gen_ai.prompt.N.*`` and ``gen_ai.completion.N.*``, OpenInference says that it hides them. *content* calls also
carry 1 to 4 KiB of messages. Both are two in three in OpenTelemetry's words and one in three in OpenLLMetry's, which
are the words of another service; the other payloads are slim spans of one dialect.
"""

import json
import random
from collections.abc import Callable, Mapping
from typing import NamedTuple

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from tests.bench.marks import MODELS, Value, mark, marked, pairs, resource, text

SMALLEST_TOKENS, MOST_TOKENS = 128, 16_383
"""The bounds of the numbers of tokens: two bytes each on the wire, so that they can be replaced in place."""
RESPONSE_ID = "chatcmpl-" + "0" * 24
SPANS_A_TRACE = 4

_ERRORS = ("RateLimitError", "APITimeoutError", "BadRequestError", "APIConnectionError")


class _Dialect(NamedTuple):
    """Is who writes spans; *told* gives the name and the attributes of a call, *around* those of an agent's span.

    The first is asked with the model, whether the call failed, whether content is wanted.
    """

    scope: str
    version: str
    schema_url: str
    told: Callable[[str, bool, bool, random.Random], tuple[str, dict[str, Value]]]
    around: Callable[[random.Random], tuple[str, dict[str, Value]]]


def request(payload: str, count: int, chance: random.Random) -> ExportTraceServiceRequest:
    """Return a request with *count* spans, of one service for each dialect.

    Ids, times and numbers are marks that `tests.bench.payload` finds and replaces.
    """
    mix = PAYLOADS[payload]
    owners = {dialect: _owner(dialect, chance) for dialect in dict.fromkeys(mix)}
    for number in range(count):
        dialect = mix[number // SPANS_A_TRACE % len(mix)]
        agent = min(number // SPANS_A_TRACE * SPANS_A_TRACE + SPANS_A_TRACE - 1, count)
        span = owners[dialect].scope_spans[0].spans.add()
        _place(span, number, agent if agent < count else number)
        if number == agent:
            span.name, attributes = dialect.around(chance)
            span.kind = Span.SPAN_KIND_INTERNAL
            span.attributes.extend(pairs(attributes | _application(chance)))
        else:
            _call(span, dialect, payload, number, chance)
    return ExportTraceServiceRequest(resource_spans=[owner for owner in owners.values() if owner.scope_spans[0].spans])


def _owner(dialect: _Dialect, chance: random.Random) -> ResourceSpans:
    scope = ScopeSpans(schema_url=dialect.schema_url)
    scope.scope.name, scope.scope.version = dialect.scope, dialect.version
    return ResourceSpans(resource=resource(chance), scope_spans=[scope])


def _place(span: Span, number: int, parent: int) -> None:
    """Write who the span is; one that is its own *parent* has none."""
    span.trace_id = mark("trac", number // SPANS_A_TRACE) * 2
    span.span_id = mark("span", number)
    if parent != number:
        span.parent_span_id = mark("span", parent)
    span.flags = 256
    span.start_time_unix_nano = marked("strt", number)
    span.end_time_unix_nano = marked("endt", number)


def _call(span: Span, dialect: _Dialect, payload: str, number: int, chance: random.Random) -> None:
    failed = chance.random() < 0.03
    span.name, attributes = dialect.told(chance.choice(list(MODELS)), failed, payload == "content", chance)
    span.kind = Span.SPAN_KIND_CLIENT
    span.attributes.extend(pairs(attributes))
    if failed:
        _fail(span, str(attributes.get("error.type", _ERRORS[0])), number)


def _fail(span: Span, error: str, number: int) -> None:
    message = f"Error code: 429 - {error}: rate limit reached for requests"
    span.status.code, span.status.message = span.status.STATUS_CODE_ERROR, message
    stack = "".join(f'  File "/app/site-packages/openai/_base_client.py", line {1200 + n}, in post\n' for n in range(8))
    event = span.events.add(name="exception", time_unix_nano=marked("evnt", number))
    facts = {"type": f"openai.{error}", "message": message, "stacktrace": stack, "escaped": "False"}
    event.attributes.extend(pairs({f"exception.{key}": value for key, value in facts.items()}))


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
            "gen_ai.response.model": MODELS[model],
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
            "gen_ai.response.model": MODELS[model],
            "gen_ai.response.id": RESPONSE_ID,
            "llm.usage.total_tokens": chance.randint(SMALLEST_TOKENS, MOST_TOKENS),
            "gen_ai.usage.completion_tokens": chance.randint(SMALLEST_TOKENS, 2000),
            "gen_ai.usage.prompt_tokens": chance.randint(SMALLEST_TOKENS, MOST_TOKENS),
            "gen_ai.openai.response.system_fingerprint": "fp_44709d6fcb",
        }
    if content:
        found["gen_ai.prompt.0.role"] = "user"
        found["gen_ai.prompt.0.content"] = text(512, 3000, chance)
        found["gen_ai.completion.0.role"] = "assistant"
        found["gen_ai.completion.0.finish_reason"] = "stop"
        found["gen_ai.completion.0.content"] = text(512, 1000, chance)
    return "openai.chat", found


def _message(role: str, least: int, most: int, chance: random.Random) -> str:
    return json.dumps([{"role": role, "parts": [{"type": "text", "content": text(least, most, chance)}]}])


def _openinference(model: str, failed: bool, _: bool, chance: random.Random) -> tuple[str, dict[str, Value]]:
    settings = {"model": model, "temperature": chance.choice((0.0, 0.2, 0.7, 1.0)), "max_tokens": 1024}
    found: dict[str, Value] = {
        "openinference.span.kind": "LLM",
        "llm.provider": "openai",
        "llm.system": "openai",
        "llm.model_name": model if failed else MODELS[model],
        "llm.invocation_parameters": json.dumps(settings),
        "input.value": "__REDACTED__",
        "input.mime_type": "application/json",
        "user.id": f"user-{chance.randrange(500):04}",
        "session.id": f"session-{chance.randrange(2000):06}",
        "metadata": json.dumps({"feature": chance.choice(("answer", "rewrite", "plan"))}),
        "app.tenant": f"tenant-{chance.randrange(20):02}",
    }
    if not failed:
        found |= {
            "output.value": "__REDACTED__",
            "output.mime_type": "application/json",
            "llm.token_count.prompt": chance.randint(SMALLEST_TOKENS, MOST_TOKENS),
            "llm.token_count.completion": chance.randint(SMALLEST_TOKENS, 2000),
            "llm.token_count.total": chance.randint(SMALLEST_TOKENS, MOST_TOKENS),
            "llm.token_count.prompt_details.cache_read": chance.choice((0, 0, 64, 100)),
            "llm.token_count.prompt_details.audio": 0,
            "llm.token_count.completion_details.reasoning": 0,
            "llm.token_count.completion_details.audio": 0,
            "llm.finish_reason": "stop",
        }
    return "ChatCompletion", found


def _application(chance: random.Random) -> dict[str, Value]:
    """Return what applications put on the spans of their agents."""
    return {
        "user.id": f"user-{chance.randrange(500):04}",
        "session.id": f"session-{chance.randrange(2000):06}",
        "app.feature": chance.choice(("answer", "rewrite", "plan")),
        "app.tenant": f"tenant-{chance.randrange(20):02}",
        "app.release": "2026.11.2",
        "app.region": "eu-central",
        "thread.id": 140_234_866_534_080,
        "thread.name": "asyncio_0",
    }


def _invoke_agent(chance: random.Random) -> tuple[str, dict[str, Value]]:
    found: dict[str, Value] = {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.provider.name": "openai",
        "gen_ai.agent.name": "assistant",
        "gen_ai.agent.id": "asst_5j66UpCpwteGg4YSxUnt7lPY",
        "gen_ai.agent.description": "Answers questions about orders",
        "gen_ai.conversation.id": f"conversation-{chance.randrange(2000):06}",
        "gen_ai.output.type": "text",
    }
    return "invoke_agent assistant", found


def _workflow(chance: random.Random) -> tuple[str, dict[str, Value]]:
    found: dict[str, Value] = {
        "traceloop.span.kind": "workflow",
        "traceloop.workflow.name": "answer",
        "traceloop.entity.name": "answer",
        "traceloop.entity.path": "",
        "traceloop.association.properties.session_id": f"session-{chance.randrange(2000):06}",
        "traceloop.association.properties.tenant": f"tenant-{chance.randrange(20):02}",
        "gen_ai.task.status": "success",
    }
    return "answer.workflow", found


def _agent(chance: random.Random) -> tuple[str, dict[str, Value]]:
    found: dict[str, Value] = {
        "openinference.span.kind": "AGENT",
        "graph.node.id": "assistant",
        "agent.name": "assistant",
        "input.value": "__REDACTED__",
        "input.mime_type": "application/json",
        "output.value": "__REDACTED__",
        "output.mime_type": "application/json",
    }
    return "assistant", found


_CURRENT = _Dialect(
    "opentelemetry.util.genai.handler", "0.4b0", "https://opentelemetry.io/schemas/1.37.0", _current, _invoke_agent
)
_OPENLLMETRY = _Dialect("opentelemetry.instrumentation.openai.v1", "0.30.0", "", _openllmetry, _workflow)
_OPENINFERENCE = _Dialect("openinference.instrumentation.openai", "0.1.66", "", _openinference, _agent)
PAYLOADS: Mapping[str, tuple[_Dialect, ...]] = {
    "slim": (_CURRENT, _CURRENT, _OPENLLMETRY),
    "content": (_CURRENT, _CURRENT, _OPENLLMETRY),
    "current": (_CURRENT,),
    "openllmetry": (_OPENLLMETRY,),
    "openinference": (_OPENINFERENCE,),
}
"""Who writes the spans of each payload, in turn."""
