"""OTLP requests for tests, each span a model call whose numbers are known."""

import random
from dataclasses import dataclass

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

START = 1_795_284_060_000_000_000


@dataclass(frozen=True)
class Call:
    """Is what one span says of one model call; *duration* in nanoseconds."""

    span_id: str
    model: str
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    duration: int
    error: bool


def attribute(key: str, value: str | int) -> KeyValue:
    kind = AnyValue(int_value=value) if isinstance(value, int) else AnyValue(string_value=value)
    return KeyValue(key=key, value=kind)


def request(count: int, chance: random.Random, start: int = START) -> tuple[bytes, list[Call]]:
    """Return a request of *count* spans that differ from all others, and what they say."""
    message = ExportTraceServiceRequest()
    spans = message.resource_spans.add()
    spans.resource.attributes.extend(
        [attribute("service.name", "chat-api"), attribute("telemetry.sdk.language", "python")]
    )
    scope = spans.scope_spans.add()
    scope.scope.name = "test"
    calls = []
    for number in range(count):
        error = chance.random() < 0.1
        tokens = 0 if error else chance.randrange(1, 5000)
        call = Call(
            span_id=chance.randbytes(8).hex(),
            model=chance.choice(["gpt-4o", "gpt-4o-mini"]),
            input_tokens=tokens,
            output_tokens=0 if error else chance.randrange(900),
            cached_tokens=0 if error else chance.randrange(tokens),
            duration=int(chance.lognormvariate(20, 1)),
            error=error,
        )
        calls.append(call)
        span = scope.spans.add(
            trace_id=chance.randbytes(16),
            span_id=bytes.fromhex(call.span_id),
            name=f"chat {call.model}",
            kind=3,
            start_time_unix_nano=start + number,
            end_time_unix_nano=start + number + call.duration,
            attributes=[
                attribute("gen_ai.operation.name", "chat"),
                attribute("gen_ai.provider.name", "openai"),
                attribute("gen_ai.request.model", call.model),
            ],
        )
        if call.error:
            span.status.code = 2
        else:
            span.attributes.extend(
                [
                    attribute("gen_ai.usage.input_tokens", call.input_tokens),
                    attribute("gen_ai.usage.output_tokens", call.output_tokens),
                    attribute("gen_ai.usage.cache_read.input_tokens", call.cached_tokens),
                ]
            )
    return message.SerializeToString(), calls
