-- The numbers about model calls. Rows of one minute and equal dimensions add up; ClickHouse merges them when it likes,
-- so every query sums. Columns are those of collector.schema.ROLLUPS. The retention is in seconds.
-- Sums with a DEFAULT came later than their table: it says what rows without them hold, as well as they tell it.

CREATE DATABASE IF NOT EXISTS signoz_genai;

CREATE TABLE IF NOT EXISTS signoz_genai.rollup_1m
(
    time DateTime('UTC') COMMENT 'Start of the minute in which the call started' CODEC(DoubleDelta, LZ4),
    service_name LowCardinality(String) COMMENT 'Resource attribute service.name; empty where unknown',
    language LowCardinality(String) COMMENT 'Programming language of the caller: telemetry.sdk.language, else that of process.runtime.name, else unknown',
    environment LowCardinality(String) COMMENT 'Resource attribute deployment.environment.name; empty where unknown',
    provider LowCardinality(String) COMMENT 'Who serves the model, gen_ai.provider.name; empty where unknown',
    operation LowCardinality(String) COMMENT 'Kind of call, gen_ai.operation.name: chat, embeddings, ...; empty where unknown',
    request_model LowCardinality(String) COMMENT 'Model asked for, gen_ai.request.model; empty where unknown',
    response_model LowCardinality(String) COMMENT 'Model that answered, gen_ai.response.model; empty where unknown',
    service_tier LowCardinality(String) COMMENT 'Service tier: batch, flex, priority, ...; empty for the standard one',
    context_band LowCardinality(String) COMMENT 'The call has more input tokens than this; empty for a shorter one',
    model LowCardinality(String) COMMENT 'One name of the model that answered, else of the one asked for: without vendor, date and version',
    calls SimpleAggregateFunction(sum, Int64) COMMENT 'Model calls, failed ones included',
    errors SimpleAggregateFunction(sum, Int64) COMMENT 'Model calls that failed',
    input_tokens SimpleAggregateFunction(sum, Int64) COMMENT 'Input (prompt) tokens, cached ones included; unknown where input_tokens_calls is 0',
    input_tokens_calls SimpleAggregateFunction(sum, Int64) COMMENT 'Calls that reported input tokens',
    output_tokens SimpleAggregateFunction(sum, Int64) COMMENT 'Output (completion) tokens, reasoning included; unknown where output_tokens_calls is 0',
    output_tokens_calls SimpleAggregateFunction(sum, Int64) COMMENT 'Calls that reported output tokens',
    cache_read_tokens SimpleAggregateFunction(sum, Int64) COMMENT 'Input tokens read from the provider''s cache; unknown where cache_read_tokens_calls is 0',
    cache_read_tokens_calls SimpleAggregateFunction(sum, Int64) COMMENT 'Calls that reported cache reads',
    cache_write_tokens SimpleAggregateFunction(sum, Int64) COMMENT 'Input tokens written to the provider''s cache; unknown where cache_write_tokens_calls is 0',
    cache_write_tokens_calls SimpleAggregateFunction(sum, Int64) COMMENT 'Calls that reported cache writes',
    cache_write_1h_tokens SimpleAggregateFunction(sum, Int64) COMMENT 'Those of them kept for an hour; unknown where cache_write_1h_tokens_calls is 0',
    cache_write_1h_tokens_calls SimpleAggregateFunction(sum, Int64) COMMENT 'Calls that reported cache writes for an hour',
    reasoning_tokens SimpleAggregateFunction(sum, Int64) COMMENT 'Output tokens spent on reasoning; unknown where reasoning_tokens_calls is 0',
    reasoning_tokens_calls SimpleAggregateFunction(sum, Int64) COMMENT 'Calls that reported reasoning tokens',
    cost_nano_usd SimpleAggregateFunction(sum, Int64) COMMENT 'Cost, 10^-9 USD; unknown where cost_nano_usd_calls is 0',
    cost_nano_usd_calls SimpleAggregateFunction(sum, Int64) COMMENT 'Calls whose cost is known',
    usage_calls SimpleAggregateFunction(sum, Int64) DEFAULT if(input_tokens_calls < 0 OR output_tokens_calls < 0, least(input_tokens_calls, output_tokens_calls), greatest(input_tokens_calls, output_tokens_calls)) COMMENT 'Calls that reported input or output tokens',
    priced_calls SimpleAggregateFunction(sum, Int64) DEFAULT cost_nano_usd_calls COMMENT 'Those of them whose cost is known',
    cache_covered_calls SimpleAggregateFunction(sum, Int64) COMMENT 'Successful calls that reported cache reads and a positive input, embeddings excluded',
    cache_covered_read_tokens SimpleAggregateFunction(sum, Int64) COMMENT 'Cache read tokens of calls that reported them and a positive input, failed ones included, embeddings excluded',
    cache_covered_input_tokens SimpleAggregateFunction(sum, Int64) COMMENT 'Input tokens of the same calls',
    duration_nano SimpleAggregateFunction(sum, Int64) COMMENT 'Sum of call durations, nanoseconds; unknown where timed_calls is 0',
    timed_calls SimpleAggregateFunction(sum, Int64) DEFAULT if(empty(duration_buckets) AND duration_nano != 0, calls, arraySum(mapValues(duration_buckets))) COMMENT 'Calls whose duration is known',
    errors_by_class SimpleAggregateFunction(sumMap, Map(String, Int64)) COMMENT 'Failed calls by kind of error',
    duration_buckets SimpleAggregateFunction(sumMap, Map(Int16, Int64)) COMMENT 'Calls by duration: bucket i holds (g^(i-1), g^i] seconds with g = 1.005/0.995, bucket -32768 holds 0',
    error_duration_buckets SimpleAggregateFunction(sumMap, Map(Int16, Int64)) COMMENT 'The same of failed calls only',
    time_to_first_token_buckets SimpleAggregateFunction(sumMap, Map(Int16, Int64)) COMMENT 'The same of the time to the first token of streamed answers'
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(time)
ORDER BY (time, service_name, language, environment, provider, operation, request_model, response_model, service_tier, context_band, model)
TTL time + toIntervalSecond({rollup_retention})
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000
COMMENT 'Sums over model calls per minute; read them through the views of this database';

CREATE TABLE IF NOT EXISTS signoz_genai.schema_versions
(
    version UInt32 COMMENT 'Version of the tables that genai-collector made here',
    created_at DateTime('UTC') DEFAULT now() COMMENT 'When it made them',
    fingerprint String COMMENT 'Of the views as they were made',
    number UInt32 COMMENT 'Counts how often something was made: the highest came last'
)
ENGINE = ReplacingMergeTree
ORDER BY version
SETTINGS non_replicated_deduplication_window = 10000;
