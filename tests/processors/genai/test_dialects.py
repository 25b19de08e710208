"""One span of each dialect, in the words of those who write it, and what it says today."""

import json

import pytest

from collector.batch import Signal
from collector.component import Host
from collector.otlp.decode import decode
from collector.otlp.json import from_json
from processors.genai import GenaiConfig, GenaiProcessor
from tests.processors.spans import START, attributes_of_spans, batch_from

NAN = float("nan")
INPUT, OUTPUT = "gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens"
REASONING, REPORTED = "gen_ai.usage.reasoning.output_tokens", "genai_collector.reported.output_tokens"
READ, WRITE = "gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cache_write.input_tokens"
HOUR, MINUTES = (f"anthropic.usage.cache_creation.ephemeral_{time}_input_tokens" for time in ("1h", "5m"))
OWN_ERROR = "genai_collector.instrumentation_error"
ABSENT = object()


def told(span, scope, **config):
    [result] = GenaiProcessor(GenaiConfig(**config), Host("genai")).process(batch_from(span, scope=scope))
    [attributes] = attributes_of_spans(result)
    return attributes


def vercel(operation, **more):
    return {"ai.operationId": operation, "ai.model.id": "claude-x", "ai.model.provider": "anthropic.messages", **more}


LITELLM_USAGE = "{'prompt_tokens': 9, 'completion_tokens': 2, 'prompt_tokens_details': {'cached_tokens': 4}, 'x': None}"
CASES = {
    "litellm": (
        "litellm",
        {"llm.request.type": "completion", "llm.is_streaming": "True", "gen_ai.request.model": "gpt-4o",
         "gen_ai.system": "openai", "gen_ai.usage.prompt_tokens": 9, "metadata.usage_object": LITELLM_USAGE,
         "gen_ai.response.finish_reasons": '["tool_calls"]', "gen_ai.cost.total_cost": 0.25},
        {"gen_ai.operation.name": "chat", INPUT: 9, OUTPUT: 2, READ: 4, "gen_ai.request.stream": True,
         "gen_ai.response.finish_reasons": ["tool_call"], "genai_collector.reported.cost_usd": 0.25},
    ),
    "litellm's proxy": (
        "litellm",
        {"gen_ai.operation.name": "acompletion", "llm.request.type": "acompletion", "gen_ai.request.model": "gpt-4o",
         INPUT: 9, "metadata.usage_object": LITELLM_USAGE},
        {"gen_ai.operation.name": "chat", INPUT: 9, READ: 4},
    ),
    "litellm's raw request is no call": (
        "litellm", {"llm.openai.model": "gpt-4o", "llm.openai.messages": "[]"}, {"gen_ai.operation.name": ABSENT},
    ),
    "logfire": (
        "logfire.openai",
        {"gen_ai.request.model": "gpt-4o", "gen_ai.system": "openai", "gen_ai.operation.name": "chat",
         "gen_ai.usage.input_tokens": 2000, "gen_ai.usage.raw": '{"prompt_tokens_details": {"cached_tokens": 1500}}',
         "session.id": "[Scrubbed due to 'session']", "operation.cost": 0.5,
         "request_data": '{"stream": true, "messages": [{"role": "user", "content": "Hi"}]}'},
        {INPUT: 2000, READ: 1500, "gen_ai.conversation.id": ABSENT, "genai_collector.reported.cost_usd": 0.5,
         "gen_ai.request.stream": True,
         "gen_ai.input.messages": '[{"role":"user","parts":[{"type":"text","content":"Hi"}]}]'},
    ),
    "logfire announces a call": (
        "logfire.openai",
        {"logfire.span_type": "pending_span", "gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o"},
        {"gen_ai.operation.name": "pending"},
    ),
    "logfire announces other spans": (
        "logfire", {"logfire.span_type": "pending_span", "http.route": "/"}, {"gen_ai.operation.name": ABSENT},
    ),
    "logfire announces a call that is known by its name": (
        "logfire.openai",
        {"logfire.pending_parent_id": "0", "logfire.span_type": "pending_span", "request_data": '{"model": "gpt-4o"}'},
        {"gen_ai.operation.name": "pending", "gen_ai.request.model": ABSENT},
    ),
    "logfire's first versions": (
        "logfire.openai",
        {"request_data": '{"model": "gpt-4o"}',
         "response_data": '{"usage": {"prompt_tokens": 9, "completion_tokens": 2}}'},
        {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o", INPUT: 9, OUTPUT: 2},
        "Chat Completion with {request_data[model]!r}",
    ),
    "logfire's stream that was read": (
        "logfire.openai",
        {"gen_ai.request.model": "gpt-4o", "response_data": '{"usage": {"prompt_tokens": 9, "completion_tokens": 2}}'},
        {"gen_ai.operation.name": "chat", INPUT: 9, OUTPUT: 2},
        "streaming response from {request_data[model]!r} took {duration:.2f}s",
    ),
    "other spans of logfire are no calls": (
        "logfire.openai", {"request_data": '{"model": "gpt-4o"}'}, {"gen_ai.operation.name": ABSENT}, "GET /",
    ),
    "google's agent kit": (
        "gcp.vertex.agent",
        {"gen_ai.system": "gcp.vertex.agent", "gen_ai.request.model": "gemini-2.5-flash", INPUT: 9, OUTPUT: 2,
         "gcp.vertex.agent.session_id": "s"},
        {"gen_ai.operation.name": "generate_content", "gen_ai.provider.name": "gcp.gemini",
         "gen_ai.conversation.id": "s"},
        "call_llm",
    ),
    "google's agent kit is around its calls": (
        "gcp.vertex.agent", {"gen_ai.system": "gcp.vertex.agent"}, {"gen_ai.operation.name": ABSENT}, "invocation",
    ),
    "logfire counts Anthropic's cache in": (
        "logfire.anthropic",
        {"gen_ai.request.model": "claude-x", "gen_ai.system": "anthropic", "gen_ai.operation.name": "chat", INPUT: 2000,
         "gen_ai.usage.raw": '{"input_tokens": 500, "cache_read_input_tokens": 1500}'},
        {INPUT: 2000, READ: 1500},
    ),
    "strands": (
        "strands-agents",
        {"gen_ai.operation.name": "chat", "gen_ai.system": "strands-agents", "gen_ai.request.model": "claude-x",
         "gen_ai.usage.prompt_tokens": 100, "gen_ai.usage.cache_write_input_tokens": 30,
         "gen_ai.server.time_to_first_token": 500, "session.id": "s"},
        {INPUT: 100, WRITE: 30, "gen_ai.response.time_to_first_chunk": 0.5, "gen_ai.conversation.id": "s",
         "gen_ai.provider.name": "anthropic"},
    ),
    "langtrace": (
        "langtrace_python_sdk.instrumentation.openai",
        {"gen_ai.operation.name": "embed", "langtrace.service.name": "OpenAI", "gen_ai.request.model": "e",
         "gen_ai.usage.input_tokens": 7},
        {"gen_ai.operation.name": "embeddings", "gen_ai.provider.name": "openai",
         "genai_collector.reported.operation.name": "embed"},
    ),
    "langsmith's retriever is no embedding": (
        "langsmith", {"langsmith.span.kind": "retriever", "gen_ai.operation.name": "embeddings"},
        {"gen_ai.operation.name": "retrieval", "genai_collector.reported.operation.name": "embeddings"},
    ),
    "langsmith": (
        "langsmith",
        {"langsmith.span.kind": "llm", "gen_ai.request.model": "gpt-4o", "gen_ai.usage.input_tokens": 5,
         "gen_ai.usage.input_token_details": '{"cache_read": 3}', "gen_ai.completion": '{"messages": []}'},
        {"gen_ai.operation.name": "chat", READ: 3, "gen_ai.provider.name": "openai"},
    ),
    "langsmith tells cache writes by how long they are kept": (
        "langsmith",
        {"langsmith.span.kind": "llm", "gen_ai.request.model": "claude-x", INPUT: 179,
         "gen_ai.usage.input_token_details": '{"ephemeral_5m_input_tokens": 30, "ephemeral_1hr_input_tokens": 7,'
                                             ' "cache_creation": 0, "cache_read": 41}'},
        {INPUT: 179, READ: 41, WRITE: 37, "genai_collector.usage.cache_write_1h.input_tokens": 7},
    ),
    "cache writes told by how long they are kept": (
        "x",
        {"gen_ai.operation.name": "chat", INPUT: 1000, HOUR: 400, MINUTES: 100},
        {INPUT: 1000, WRITE: 500, "genai_collector.usage.cache_write_1h.input_tokens": 400,
         "genai_collector.usage.cache_write_5m.input_tokens": 100},
    ),
    "more cache writes for an hour than in all": (
        "x", {"gen_ai.operation.name": "chat", INPUT: 1000, WRITE: 300, HOUR: 400}, {INPUT: 1000, WRITE: 400},
    ),
    "cache writes told as a whole and in parts": (
        "x", {"gen_ai.operation.name": "chat", INPUT: 1000, WRITE: 600, HOUR: 400, MINUTES: 100}, {WRITE: 600},
    ),
    "no cache writes": ("x", {"gen_ai.operation.name": "chat", INPUT: 1000, HOUR: 0, MINUTES: 0}, {WRITE: 0}),
    "cache writes beside an input that leaves them out": (
        "x", {"gen_ai.operation.name": "chat", INPUT: 10, HOUR: 400, MINUTES: 100}, {INPUT: 510, WRITE: 500},
    ),
    "cache writes around a call": ("x", {"gen_ai.operation.name": "invoke_agent", HOUR: 400}, {WRITE: ABSENT}),
    "langfuse takes the kinds of input apart": (
        "langfuse-sdk",
        {"langfuse.observation.type": "generation", "langfuse.observation.model.name": "gpt-4o",
         "langfuse.observation.usage_details": '{"input": 66, "input_cached_tokens": 41, "input_audio_tokens": 2,'
                                               ' "output": 18, "output_reasoning_tokens": 5, "total": 132}'},
        {"gen_ai.operation.name": "chat", INPUT: 109, OUTPUT: 23, READ: 41,
         "genai_collector.reported.input_tokens": ABSENT},
    ),
    "langfuse with Anthropic's names": (
        "langfuse-sdk",
        {"langfuse.observation.type": "generation", "langfuse.observation.model.name": "claude-x",
         "langfuse.observation.usage_details": '{"input": 66, "cache_read_input_tokens": 41, "output": 18}'},
        {INPUT: 107, OUTPUT: 18, READ: 41, "genai_collector.reported.input_tokens": 66},
    ),
    "langfuse calls embeddings generations too": (
        "langfuse-sdk",
        {"langfuse.observation.type": "generation", "langfuse.observation.model.name": "text-embedding-3-small"},
        {"gen_ai.operation.name": "embeddings"},
    ),
    "vercel 4 without usage": (
        "ai", vercel("ai.streamText.doStream", **{"ai.usage.promptTokens": NAN, "gen_ai.usage.input_tokens": NAN}),
        {"gen_ai.operation.name": "chat", "gen_ai.request.stream": True, "gen_ai.provider.name": "anthropic",
         INPUT: ABSENT},
    ),
    "counts of other types": (
        "x", {"gen_ai.operation.name": "chat", INPUT: 60.0, OUTPUT: "7", READ: -1, WRITE: 0},
        {INPUT: 60, OUTPUT: 7, READ: ABSENT, WRITE: 0},
    ),
    "vercel 5 leaves the cache out": (
        "ai",
        vercel("ai.generateText.doGenerate", **{
            "ai.usage.inputTokens": 500, "ai.usage.cachedInputTokens": 300,
            "ai.response.providerMetadata": '{"anthropic": {"usage": {"input_tokens": 500}}}'}),
        {INPUT: 800, READ: 300, "genai_collector.reported.input_tokens": 500},
    ),
    "vercel 6 counts it in, also where it says less": (
        "ai",
        vercel("ai.generateObject.doGenerate", **{
            "ai.usage.promptTokens": 800, "ai.usage.cachedInputTokens": 300,
            "ai.response.providerMetadata": '{"anthropic": {"usage": {"input_tokens": 500}}}'}),
        {INPUT: 800, READ: 300},
    ),
    "openai always counts it in": (
        "ai",
        {"ai.operationId": "ai.generateText.doGenerate", "ai.model.provider": "openai.chat",
         "ai.usage.promptTokens": 800, "ai.response.providerMetadata": '{"openai": {"cachedPromptTokens": 300}}'},
        {INPUT: 800, READ: 300},
    ),
    "vercel 7": (
        "ai",
        {"gen_ai.operation.name": "invoke_agent", "gen_ai.usage.input_tokens": 5, "ai.usage.inputTokens": 9},
        {"gen_ai.operation.name": "invoke_agent", INPUT: 5},
    ),
    "what is around calls gets no usage": (
        "ai", vercel("ai.generateText", **{"ai.usage.inputTokens": 500}),
        {"gen_ai.operation.name": "invoke_agent", INPUT: ABSENT, "gen_ai.request.model": ABSENT},
    ),
    "bedrock": (
        "opentelemetry.instrumentation.botocore.bedrock-runtime",
        {"gen_ai.operation.name": "chat", "gen_ai.system": "aws.bedrock", INPUT: 500, READ: 100},
        {INPUT: 600},
    ),
    "bedrock by its host": (
        "x", {"gen_ai.operation.name": "chat", "gen_ai.system": "anthropic",
              "server.address": "bedrock-runtime.us-east-1.amazonaws.com"},
        {"gen_ai.provider.name": "aws.bedrock"},
    ),
    "azure by its host": (
        "x",
        {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "server.address": "me.openai.azure.com"},
        {"gen_ai.provider.name": "azure.ai.openai", "genai_collector.reported.provider.name": "openai"},
    ),
    "a host that nobody knows says nothing": (
        "x", {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "server.address": "localhost"},
        {"gen_ai.provider.name": "openai"},
    ),
    "host and port in one": (
        "mistralai_sdk_tracer", {"gen_ai.request.model": "m", "server.address": "api.mistral.ai:443"},
        {"server.address": "api.mistral.ai", "gen_ai.operation.name": "chat", "gen_ai.provider.name": "mistral_ai"},
    ),
    "other telemetry keeps to itself": (
        "http", {"server.address": "api.openai.com:443", "session.id": "s", "input.value": "x", "agent.name": "a"},
        {"server.address": "api.openai.com:443", "gen_ai.provider.name": ABSENT, "gen_ai.conversation.id": ABSENT},
    ),
    "arms": (
        "x", {"gen_ai.span.kind": "LLM", "gen_ai.request.model": "qwen"}, {"gen_ai.operation.name": "chat"},
    ),
    "genkit": (
        "genkit-tracer",
        {"genkit:metadata:subtype": "model", "genkit:name": "openai/gpt-4o", "genkit:output":
             '{"finishReason": "stop", "usage": {"inputTokens": 9, "outputTokens": 2, "totalTokens": 11},'
             '"raw": {"id": "c1", "model": "gpt-4o-2024-08-06",'
             '"usage": {"prompt_tokens_details": {"cached_tokens": 4}}}}'},
        {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "openai/gpt-4o",
         "gen_ai.response.model": "gpt-4o-2024-08-06", "gen_ai.response.id": "c1", INPUT: 9, OUTPUT: 2, READ: 4},
    ),
    "genkit's Gemini leaves thoughts out": (
        "genkit-tracer",
        {"genkit:metadata:subtype": "model", "genkit:name": "googleai/gemini-2.5-flash", "genkit:output":
             '{"usage": {"inputTokens": 9, "outputTokens": 2, "thoughtsTokens": 5, "totalTokens": 16},'
             '"custom": {"modelVersion": "gemini-2.5-flash-001"}}'},
        {"gen_ai.provider.name": "gcp.gemini", "gen_ai.response.model": "gemini-2.5-flash-001", OUTPUT: 7,
         REASONING: 5},
    ),
    "genkit's tool": (
        "genkit-tracer", {"genkit:metadata:subtype": "tool", "genkit:name": "x"},
        {"gen_ai.operation.name": "execute_tool"},
    ),
    "claude code": (
        "com.anthropic.claude_code.tracing",
        {"span.type": "llm_request", "gen_ai.system": "anthropic", "gen_ai.request.model": "claude-sonnet-4-5",
         "input_tokens": 1500, "output_tokens": 40, "cache_read_tokens": 1200, "cache_creation_tokens": 500,
         "ttft_ms": 20, "llm_request.context": "interaction", "status_code": 200},
        {"gen_ai.operation.name": "chat", INPUT: 3200, OUTPUT: 40, READ: 1200, WRITE: 500,
         "gen_ai.request.stream": True, "gen_ai.response.time_to_first_chunk": 0.02,
         "http.response.status_code": 200},
    ),
    "claude code around calls": (
        "com.anthropic.claude_code.tracing", {"span.type": "interaction"}, {"gen_ai.operation.name": "invoke_agent"},
    ),
    "an offspring of openllmetry's openai": (
        "netra.instrumentation.openai", {"gen_ai.request.model": "gpt-4o"}, {"gen_ai.operation.name": "chat"},
        "openai.response",
    ),
    "genkit around a call": (
        "genkit-tracer", {"genkit:type": "util", "genkit:output": '{"usage": {"inputTokens": 9}}'},
        {"gen_ai.operation.name": "invoke_workflow", INPUT: ABSENT},
    ),
    "langwatch": (
        "langwatch", {"langwatch.span.type": "llm", "gen_ai.request.model": "openai/gpt-4o",
                      "langwatch.metrics": '{"prompt_tokens": 9, "completion_tokens": 7, "reasoning_tokens": 5}'},
        {"gen_ai.operation.name": "chat", INPUT: 9, OUTPUT: 7, REASONING: 5},
    ),
    "laminar": (
        "lmnr.tracer", {"lmnr.span.type": "LLM", "gen_ai.request.model": "gpt-4o", "error.type": "RateLimitError"},
        {"gen_ai.operation.name": "chat"},
    ),
    "laminar's embeddings": (
        "lmnr.tracer", {"lmnr.span.type": "LLM", "gen_ai.request.model": "text-embedding-3-small"},
        {"gen_ai.operation.name": "embeddings"},
    ),
    "agentops": (
        "openai", {"gen_ai.request.type": "embedding", "gen_ai.request.model": "x", "gen_ai.usage.prompt_tokens": 30},
        {"gen_ai.operation.name": "embeddings", INPUT: 30},
    ),
    "mastra": (
        "@mastra/otel", {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o",
                         "gen_ai.usage.input_tokens": 9, "gen_ai.usage.cached_input_tokens": 4},
        {INPUT: 9, READ: 4},
    ),
    "mirascope": (
        "mirascope.llm",
        {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "anthropic", INPUT: 2000, OUTPUT: 40,
         "gen_ai.request.model": "anthropic/claude-sonnet-4-5", "mirascope.response.usage":
             '{"input_tokens":2000,"output_tokens":40,"cache_read_tokens":1200,"cache_write_tokens":500,'
             '"reasoning_tokens":30,"total_tokens":2040}'},
        {INPUT: 2000, OUTPUT: 40, READ: 1200, WRITE: 500, REASONING: 30},
    ),
    "mlflow": (
        "mlflow",
        {"mlflow.spanType": '"CHAT_MODEL"', "mlflow.chat.tokenUsage": '{"input_tokens": 3, "output_tokens": 4}',
         "mlflow.llm.model": '"gpt-4o"'},
        {"gen_ai.operation.name": "chat", INPUT: 3, OUTPUT: 4, "gen_ai.request.model": "gpt-4o"},
    ),
    "a raw answer of OpenAI's": (
        "x",
        {"openinference.span.kind": "LLM", "llm.token_count.prompt": 9,
         "output.value": '{"usage": {"prompt_tokens": 8, "completion_tokens": 6, "prompt_tokens_details":'
                         ' {"cached_tokens": 4}, "completion_tokens_details": {"reasoning_tokens": 2}}}'},
        {INPUT: 9, OUTPUT: 6, READ: 4, REASONING: 2},
    ),
    "a raw answer of OpenAI's newer interface": (
        "x",
        {"mlflow.spanType": '"CHAT_MODEL"',
         "mlflow.spanOutputs": '{"usage": {"input_tokens": 8, "output_tokens": 6, "input_tokens_details":'
                               ' {"cached_tokens": 4}, "output_tokens_details": {"reasoning_tokens": 2}}}'},
        {INPUT: 8, OUTPUT: 6, READ: 4, REASONING: 2},
    ),
    "a raw answer of Anthropic's leaves the cache out": (
        "logfire.anthropic",
        {"gen_ai.operation.name": "chat", "gen_ai.system": "anthropic",
         "response_data": '{"usage": {"input_tokens": 8, "output_tokens": 6, "cache_read_input_tokens": 4,'
                          ' "cache_creation_input_tokens": 3}}'},
        {INPUT: 15, OUTPUT: 6, READ: 4, WRITE: 3, "genai_collector.reported.input_tokens": 8},
    ),
    "who completed the raw answer of Anthropic's": (
        "x",
        {"openinference.span.kind": "LLM", "llm.provider": "anthropic", "llm.token_count.prompt": 15,
         "output.value": '{"usage": {"input_tokens": 8, "cache_read_input_tokens": 7}}'},
        {INPUT: 15, READ: 7},
    ),
    "a raw answer of Google's leaves thoughts out": (
        "x",
        {"openinference.span.kind": "LLM", "llm.model_name": "gemini-x",
         "output.value": '{"usageMetadata": {"promptTokenCount": 8, "candidatesTokenCount": 6,'
                         ' "thoughtsTokenCount": 5, "cachedContentTokenCount": 4, "totalTokenCount": 19}}'},
        {INPUT: 8, OUTPUT: 11, READ: 4, REASONING: 5, REPORTED: 6},
    ),
    "a raw answer of Google's in Python's words": (
        "gcp.vertex.agent",
        {"gen_ai.request.model": "gemini-x", INPUT: 8, OUTPUT: 6,
         "gcp.vertex.agent.llm_response": '{"usage_metadata": {"thoughts_token_count": 5, "total_token_count": 19,'
                                          ' "cached_content_token_count": 4}}'},
        {INPUT: 8, OUTPUT: 11, READ: 4, REASONING: 5},
        "call_llm",
    ),
    "more reasoning than output": (
        "openlit", {"gen_ai.operation.name": "chat", OUTPUT: 50, REASONING: 250}, {OUTPUT: 300, REPORTED: 50},
    ),
    "a total with reasoning in the output": (
        "x", {"gen_ai.operation.name": "chat", INPUT: 8, OUTPUT: 11, REASONING: 5, "gen_ai.usage.total_tokens": 19},
        {OUTPUT: 11, REPORTED: ABSENT},
    ),
    "a total with reasoning on top of the output": (
        "x", {"gen_ai.operation.name": "chat", INPUT: 8, OUTPUT: 6, REASONING: 5, "llm.usage.total_tokens": 19},
        {OUTPUT: 11, REPORTED: 6},
    ),
    "a total that has the input without the cache": (
        "x",
        {"gen_ai.operation.name": "chat", INPUT: 8, READ: 20, OUTPUT: 6, REASONING: 5, "gen_ai.usage.total_tokens": 19},
        {INPUT: 28, OUTPUT: 11},
    ),
    "thoughts that the total alone tells of": (
        "x", {"gen_ai.operation.name": "chat", "gen_ai.request.model": "models/gemini-x", INPUT: 8, OUTPUT: 6,
              "gen_ai.usage.total_tokens": 19},
        {OUTPUT: 11, REASONING: 5, REPORTED: 6},
    ),
    "a total of who does not think": (
        "x", {"gen_ai.operation.name": "chat", "gen_ai.request.model": "claude-x", INPUT: 8, OUTPUT: 6,
              "gen_ai.usage.total_tokens": 19},
        {OUTPUT: 6, REASONING: ABSENT},
    ),
    "thoughts among pydantic's details": (
        "pydantic-ai",
        {"gen_ai.operation.name": "chat", OUTPUT: 50, "gen_ai.usage.details.thoughts_tokens": 250,
         "gen_ai.usage.details.cached_content_tokens": 4},
        {OUTPUT: 300, REASONING: 250, READ: 4},
    ),
    "langfuse adds reasoning up": (
        "langfuse-sdk",
        {"langfuse.observation.type": "generation", "langfuse.observation.model.name": "gpt-5",
         "langfuse.observation.usage_details": '{"input": 8, "output": 50, "output_reasoning": 250, "total": 308}'},
        {OUTPUT: 300, REASONING: 250, REPORTED: ABSENT},
    ),
    "mlflow's autolog": (
        "mlflow.tracing.provider",
        {"mlflow.spanType": '"CHAT_MODEL"', "model": '"gpt-4o"', "mlflow.llm.model": '"gpt-4o-2024-08-06"',
         "mlflow.chat.tokenUsage": '{"input_tokens": 9, "cache_read_input_tokens": 4, "cache_creation_input_tokens": 3,'
                                   ' "cache_creation_input_tokens_above_1hr": 2}',
         "mlflow.spanOutputs": '{"id": "c1", "model": "gpt-4o-2024-08-06"}'},
        {INPUT: 9, READ: 4, WRITE: 3, "genai_collector.usage.cache_write_1h.input_tokens": 2,
         "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o",
         "gen_ai.response.model": "gpt-4o-2024-08-06", "gen_ai.response.id": "c1"},
    ),
    "mlflow's autolog says whose model it is": (
        "mlflow.tracing.provider",
        {"mlflow.spanType": '"CHAT_MODEL"', "mlflow.llm.model": '"my-own"', "mlflow.llm.provider": '"anthropic"'},
        {"gen_ai.provider.name": "anthropic", "gen_ai.request.model": "my-own"},
    ),
    "what others call model": (
        "shop", {"gen_ai.operation.name": "chat", "model": '"T"'}, {"gen_ai.request.model": ABSENT},
    ),
    "traceai": (
        "traceai_openai",
        {"gen_ai.span.kind": "LLM", "gen_ai.request.parameters": '{"model": "gpt-4o"}', INPUT: 9,
         "gen_ai.usage.input_tokens.cache_read": 4, "gen_ai.usage.output_tokens.reasoning": 2},
        {"gen_ai.request.model": "gpt-4o", "gen_ai.provider.name": "openai", READ: 4, REASONING: 2},
    ),
    "beeai": (
        "openinference.instrumentation.beeai",
        {"openinference.span.kind": "LLM", "llm.model_name": "gpt-4o", "metadata.usage.cached_prompt_tokens": "4",
         "metadata.usage.cached_creation_tokens": "3"},
        {READ: 4, WRITE: 3, "gen_ai.provider.name": "openai"},
    ),
    "a piece of a call": (
        "openinference.instrumentation.beeai", {"openinference.span.kind": "LLM", "input.value": "{}"},
        {"genai_collector.call": ABSENT},
    ),
    "an answer of who knows which model": (
        "x", {"openinference.span.kind": "LLM", "output.value": "Hi"}, {"genai_collector.call": True},
    ),
    "the model of a call that failed tells who served it": (
        "openlit.instrumentation.anthropic", {}, {"gen_ai.provider.name": "anthropic"}, "chat claude-sonnet-4-5",
    ),
    "who writes of a call tells who served it": (
        "openlit.instrumentation.groq", {}, {"gen_ai.provider.name": "groq"}, "chat llama-3.3-70b-versatile",
    ),
    "what is around calls has no provider of the scope": (
        "openinference.instrumentation.groq", {"openinference.span.kind": "CHAIN"}, {"gen_ai.provider.name": ABSENT},
    ),
    "which of google's services": (
        "x", {"openinference.span.kind": "LLM", "llm.provider": "google", "llm.system": "vertexai"},
        {"gen_ai.provider.name": "gcp.vertex_ai"},
    ),
    "bedrock invokes a model for embeddings": (
        "opentelemetry.instrumentation.botocore.bedrock-runtime",
        {"gen_ai.operation.name": "text_completion", "gen_ai.request.model": "amazon.titan-embed-text-v2:0"},
        {"gen_ai.operation.name": "embeddings"},
    ),
    "a cost of nothing is unknown": (
        "openlit", {"gen_ai.operation.name": "chat", "gen_ai.usage.cost": 0},
        {"genai_collector.reported.cost_usd": ABSENT},
    ),
    "no wait where nothing streams": (
        "openlit",
        {"gen_ai.operation.name": "chat", "gen_ai.request.is_stream": False, "gen_ai.server.time_to_first_token": 0.5},
        {"gen_ai.response.time_to_first_chunk": ABSENT, "gen_ai.request.stream": False},
    ),
    "traceloop's tool": (
        "x", {"traceloop.span.kind": "tool", "traceloop.entity.name": "get_weather", "traceloop.entity.input": "{}"},
        {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "get_weather",
         "gen_ai.tool.call.arguments": "{}"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_attributes(name):
    scope, attributes, expected, *named = CASES[name]
    found = told({"attributes": attributes, **({"name": named[0]} if named else {})}, scope)

    assert {key: found.get(key, ABSENT) for key in expected} == expected


@pytest.mark.parametrize(
    ("spelled", "operation"),
    [
        ("Chat", "chat"),
        ("CHAT", "chat"),
        ("chat_completions", "chat"),
        ("converse", "chat"),
        ("InvokeModel", "chat"),
        ("completions", "text_completion"),
        ("generateContent", "generate_content"),
        ("Embeddings", "embeddings"),
        ("Chatter", "Chatter"),
    ],
)
def test_operations_spelled_otherwise(spelled, operation):
    found = told({"attributes": {"gen_ai.operation.name": spelled, "gen_ai.request.model": "m"}}, "x")

    assert found["gen_ai.operation.name"] == operation
    assert found.get("genai_collector.reported.operation.name") == (spelled if spelled != operation else None)


@pytest.mark.parametrize(
    ("spelled", "provider"),
    [
        ("ollama_chat", "ollama"),
        ("amazon_bedrock", "aws.bedrock"),
        ("cohere_chat", "cohere"),
        ("vertex_ai_beta", "gcp.vertex_ai"),
        ("vertex_ai-anthropic_models", "gcp.vertex_ai"),
        ("text-completion-openai", "openai"),
        ("text-completion-codestral", "mistral_ai"),
        ("azure_text", "azure.ai.openai"),
        ("gcp.vertex.agent", None),
    ],
)
def test_providers_spelled_otherwise(spelled, provider):
    found = told({"attributes": {"gen_ai.operation.name": "chat", "gen_ai.system": spelled}}, "x")

    assert found.get("gen_ai.provider.name") == provider


def exception(path, kind="AttributeError"):
    stack = f'Traceback:\n  File "/app/chat.py", line 1, in ask\n  File "{path}", line 7, in wrapper\n{kind}: "x"'
    facts = {"exception.type": kind, "exception.stacktrace": stack}
    pairs = [{"key": key, "value": {"stringValue": value}} for key, value in facts.items()]
    return {"name": "exception", "timeUnixNano": str(START), "attributes": pairs}


@pytest.mark.parametrize(
    ("error", "message", "excused"),
    [
        ("_OTHER", "abandoned stream", True),
        ("GeneratorExit", "", True),
        (None, "GeneratorExit: ", True),
        ("_OTHER", "the server abandoned stream 7", None),
    ],
)
def test_a_reader_that_left_is_no_failure(error, message, excused):
    attributes = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o", "error.type": error}
    span = {"attributes": attributes, "status": {"code": 2, "message": message}}

    assert told(span, "opentelemetry.instrumentation.genai.openai").get(OWN_ERROR) is excused


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/site-packages/openlit/instrumentation/openai/utils.py", (True, None)),
        ("/site-packages/openai/_base_client.py", (None, "AttributeError")),
    ],
)
def test_who_watched_the_call_failed_not_the_call(path, expected):
    span = {"name": "chat gpt-4o", "status": {"code": 2}, "events": [exception(path)]}
    found = told(span, "openlit.instrumentation.openai")

    assert (found.get(OWN_ERROR), found.get("error.type")) == expected
    assert found["gen_ai.request.model"] == "gpt-4o"


@pytest.mark.parametrize(
    ("message", "expected"),
    [("Error code: 429 - {...}", "429"), ("Request timed out.", "timeout"), ("no idea", "_OTHER")],
)
def test_langfuse_tells_failures_in_words(message, expected):
    attributes = {
        "langfuse.observation.type": "generation",
        "langfuse.observation.level": "ERROR",
        "langfuse.observation.status_message": message,
        "langfuse.observation.model.name": "gpt-4o",
    }
    found = told({"attributes": attributes}, "langfuse-sdk")

    assert (found["error.type"], found["gen_ai.request.model"]) == (expected, "gpt-4o")
    assert "gen_ai.response.model" not in found


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"status": {"code": 2, "message": "Error code: 503 - overloaded"}}, "503"),
        ({"events": [exception("/site-packages/openai/_base_client.py")]}, "AttributeError"),
        ({"status": {"code": 0, "message": "Error code: 503 - overloaded"}}, ""),
    ],
)
def test_an_empty_type_is_as_good_as_none(columns, expected):
    attributes = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o", "error.type": ""}
    found = told({**columns, "attributes": attributes}, "library")

    assert found["error.type"] == expected


def test_a_failure_without_a_type_has_that_of_its_text():
    span = {
        "status": {"code": 2, "message": "Error code: 503 - overloaded"},
        "attributes": {"openinference.span.kind": "LLM"},
    }
    found = told(span, "openinference.instrumentation.openai_agents")

    assert (found["error.type"], found["genai_collector.call"]) == ("503", True)


def test_the_first_piece_of_an_answer_as_a_time_of_day():
    attributes = {
        "langfuse.observation.type": "generation",
        "langfuse.observation.completion_start_time": '"2023-11-14T22:13:20.250Z"',
    }
    found = told({"attributes": attributes}, "langfuse-sdk")

    assert found["gen_ai.response.time_to_first_chunk"] == pytest.approx(0.25)
    assert found["gen_ai.request.stream"] is True


def event(name, **attributes):
    pairs = [{"key": key.replace("__", "."), "value": {"stringValue": value}} for key, value in attributes.items()]
    return {"name": name, "timeUnixNano": str(START), "attributes": pairs}


def test_messages_from_events():
    span = {
        "attributes": {"gen_ai.operation.name": "chat"},
        "events": [
            event("gen_ai.system.message", content="Be short."),
            event("gen_ai.user.message", content='[{"type": "text", "text": "Hi"}]'),
            event("gen_ai.choice", finish_reason="stop", message='{"content": "Hello"}'),
        ],
    }
    found = told(span, "strands-agents")

    assert [message["role"] for message in json.loads(found["gen_ai.input.messages"])] == ["system", "user"]
    assert json.loads(found["gen_ai.output.messages"]) == [
        {"role": "assistant", "parts": [{"type": "text", "content": "Hello"}], "finish_reason": "stop"}
    ]


def test_whole_prompts_from_events():
    span = {
        "attributes": {"gen_ai.operation.name": "chat"},
        "events": [
            event("gen_ai.content.prompt", gen_ai__prompt="user: Hi"),
            event("gen_ai.content.completion", gen_ai__completion="Hello"),
        ],
    }
    found = told(span, "openlit.otel.tracing")

    assert json.loads(found["gen_ai.input.messages"])[0]["parts"] == [{"type": "text", "content": "user: Hi"}]
    assert json.loads(found["gen_ai.output.messages"])[0]["role"] == "assistant"


def test_openinference_tool_calls_and_parts():
    attributes = {
        "openinference.span.kind": "LLM",
        "llm.input_messages.0.message.role": "user",
        "llm.input_messages.0.message.contents.0.message_content.type": "text",
        "llm.input_messages.0.message.contents.0.message_content.text": "Hi",
        "llm.output_messages.0.message.tool_calls.0.tool_call.function.name": "get",
        "llm.output_messages.0.message.tool_calls.0.tool_call.function.arguments": '{"a": 1}',
        "input.value": '{"messages": [{"role": "user", "content": "not this"}]}',
    }
    found = told({"attributes": attributes}, "openinference.instrumentation.openai")

    assert json.loads(found["gen_ai.input.messages"]) == [
        {"role": "user", "parts": [{"type": "text", "content": "Hi"}]}
    ]
    [part] = json.loads(found["gen_ai.output.messages"])[0]["parts"]
    assert (part["name"], part["arguments"]) == ("get", {"a": 1})


def test_log_records_and_metric_points():
    pair = {"key": "gen_ai.system", "value": {"stringValue": "az.ai.openai"}}
    token = {"key": "llm.usage.token_type", "value": {"stringValue": "prompt"}}
    scope = {"name": "x"}
    logs = {
        "resourceLogs": [
            {"scopeLogs": [{"scope": scope, "logRecords": [{"timeUnixNano": str(START), "attributes": [pair]}]}]}
        ]
    }
    point = {"timeUnixNano": str(START), "asInt": "3", "attributes": [pair, token]}
    metric = {"name": "t", "sum": {"dataPoints": [point], "aggregationTemporality": 1}}
    metrics = {"resourceMetrics": [{"scopeMetrics": [{"scope": scope, "metrics": [metric]}]}]}
    genai = GenaiProcessor(GenaiConfig(), Host("genai"))
    for signal, request in ((Signal.LOGS, logs), (Signal.METRICS, metrics)):
        [result] = genai.process(decode(signal, from_json(signal, json.dumps(request).encode())))
        [found] = attributes_of_spans(result)

        assert found["gen_ai.provider.name"] == "azure.ai.openai"
        assert found.get("gen_ai.token.type") == ("input" if signal is Signal.METRICS else None)
