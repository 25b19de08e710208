"""Realistic log records of GenAI applications: the events that carry what was said.

Of three records two are the older events of a message each, said in their bodies, and one is today's event of a whole
call, said in its attributes.
"""

import json
import random

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import SEVERITY_NUMBER_INFO, LogRecord, ResourceLogs, ScopeLogs

from tests.bench.marks import MODELS, any_value, mark, marked, pairs, resource, text

PAYLOADS = ("logs",)


def request(_: str, count: int, chance: random.Random) -> ExportLogsServiceRequest:
    """Return a request with *count* records of one service.

    Ids and times are marks that `tests.bench.payload` finds and replaces.
    """
    scope = ScopeLogs(schema_url="https://opentelemetry.io/schemas/1.37.0")
    scope.scope.name, scope.scope.version = "opentelemetry.util.genai.handler", "0.4b0"
    for number in range(count):
        record = scope.log_records.add(
            time_unix_nano=marked("time", number),
            observed_time_unix_nano=marked("seen", number),
            severity_number=SEVERITY_NUMBER_INFO,
            trace_id=mark("trac", number) * 2,
            span_id=mark("span", number),
            flags=1,
        )
        _TURNS[number % len(_TURNS)](record, chance)
    owner = ResourceLogs(resource=resource(chance), scope_logs=[scope])
    return ExportLogsServiceRequest(resource_logs=[owner])


def _asked(record: LogRecord, chance: random.Random) -> None:
    record.event_name = "gen_ai.user.message"
    record.attributes.extend(pairs({"gen_ai.system": "openai", "event.name": record.event_name}))
    record.body.CopyFrom(any_value({"content": text(256, 2000, chance)}))


def _answered(record: LogRecord, chance: random.Random) -> None:
    record.event_name = "gen_ai.choice"
    record.attributes.extend(pairs({"gen_ai.system": "openai", "event.name": record.event_name}))
    message = {"role": "assistant", "content": text(128, 1000, chance)}
    record.body.CopyFrom(any_value({"index": 0, "finish_reason": "stop", "message": message}))


def _whole(record: LogRecord, chance: random.Random) -> None:
    record.event_name = "gen_ai.client.inference.operation.details"
    model = chance.choice(list(MODELS))
    asked = {"role": "user", "parts": [{"type": "text", "content": text(256, 2000, chance)}]}
    answered = {"role": "assistant", "parts": [{"type": "text", "content": text(128, 1000, chance)}]}
    told = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": model,
        "gen_ai.response.model": MODELS[model],
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.usage.input_tokens": chance.randint(128, 4000),
        "gen_ai.usage.output_tokens": chance.randint(128, 2000),
        "gen_ai.conversation.id": f"conversation-{chance.randrange(2000):06}",
        "gen_ai.input.messages": json.dumps([asked]),
        "gen_ai.output.messages": json.dumps([{**answered, "finish_reason": "stop"}]),
    }
    record.attributes.extend(pairs(told))


_TURNS = (_asked, _answered, _whole)
