-- The numbers that follow from the sums, right for any range and grouping: ratios and percentiles are taken after
-- adding up. Unknown is NULL, never 0. Where all that was counted was taken back, there is no row. What stands in braces
-- without a type is filled in by exporters.clickhouse.views.

CREATE OR REPLACE VIEW signoz_genai.summary AS
{functions}
SELECT time, {dimension_names},
    {numbers}
FROM
(
    SELECT
        toDateTime(if({step:UInt32} = 0, toUnixTimestamp({start:DateTime('UTC')}),
            intDiv(toUnixTimestamp(r.time), greatest({step:UInt32}, 1)) * greatest({step:UInt32}, 1)), 'UTC') AS time,
        {grouped_dimensions},
        {sums}
    FROM ({rows}) AS r
    WHERE r.time >= {start:DateTime('UTC')} AND r.time < {end:DateTime('UTC')}
        AND NOT throwIf(NOT hasAll([{quoted_dimensions}], {by:Array(String)}), 'by: every name must be one of {dimension_names}')
    GROUP BY ALL
    HAVING {something}
)
COMMENT 'Every number, as summary(start, end, step, by): rows whose minute is in [start, end), per step seconds (0: the whole range), grouped by the named columns; the others are empty';

CREATE OR REPLACE VIEW signoz_genai.error_rate AS
SELECT time, {dimension_names}, calls, errors, error_rate, errors_by_class
FROM signoz_genai.summary({arguments}, by = {by:Array(String)})
COMMENT 'Failed calls over calls (0 to 1), as error_rate(start, end, step, by); see summary';

CREATE OR REPLACE VIEW signoz_genai.cache_utilization AS
SELECT time, {dimension_names}, calls, cache_utilization, cache_coverage, cache_read_tokens, cache_write_tokens, input_tokens
FROM signoz_genai.summary({arguments}, by = {by:Array(String)})
COMMENT 'Input tokens read from cache over input tokens (0 to 1) where calls report both, and the share of successful calls, embeddings excluded, that do (cache_coverage), as cache_utilization(start, end, step, by); see summary';

CREATE OR REPLACE VIEW signoz_genai.latency AS
SELECT time, {dimension_names}, calls, duration_mean_seconds, {percentile_names}
FROM signoz_genai.summary({arguments}, by = {by:Array(String)})
COMMENT 'Percentiles of call duration, failed calls included, of successful calls only, and of the time to the first token, as latency(start, end, step, by); see summary';

CREATE OR REPLACE VIEW signoz_genai.tokens_by_model AS
SELECT time, {dimension_names}, calls, {token_names}
FROM signoz_genai.summary({arguments}, by = arrayDistinct(arrayConcat(['model'], {by:Array(String)})))
COMMENT 'Tokens per model, as tokens_by_model(start, end, step, by); see summary';

CREATE OR REPLACE VIEW signoz_genai.calls_by_model AS
SELECT time, {dimension_names}, calls, errors, error_rate
FROM signoz_genai.summary({arguments}, by = arrayDistinct(arrayConcat(['model'], {by:Array(String)})))
COMMENT 'Calls per model, as calls_by_model(start, end, step, by); see summary';

CREATE OR REPLACE VIEW signoz_genai.cost AS
SELECT time, {dimension_names}, calls, cost_usd, cost_nano_usd, cost_coverage, {token_names}
FROM signoz_genai.summary({arguments}, by = {by:Array(String)})
COMMENT 'Cost in USD where it is known, the share of calls with tokens of which it is (cost_coverage), and the tokens, as cost(start, end, step, by); see summary';

CREATE OR REPLACE VIEW signoz_genai.unpriced_models AS
SELECT r.provider AS provider, r.model AS model, r.service_tier AS service_tier,
    sum(r.usage_calls) - sum(r.priced_calls) AS unpriced_calls,
    sum(r.calls) AS calls, sum(r.input_tokens) AS input_tokens, sum(r.output_tokens) AS output_tokens,
    minIf(r.time, r.usage_calls > 0) AS first_seen,
    maxIf(r.time, r.usage_calls > 0) AS last_seen
FROM ({rows}) AS r
GROUP BY ALL
HAVING unpriced_calls > 0
ORDER BY input_tokens DESC
COMMENT 'Models whose calls reported tokens but have no cost: add their price to a file of prices';

CREATE OR REPLACE VIEW signoz_genai.services_and_languages AS
SELECT time, {dimension_names}, calls, errors, error_rate, duration_p95_seconds, input_tokens, output_tokens
FROM signoz_genai.summary({arguments}, by = arrayDistinct(arrayConcat(['service_name', 'language'], {by:Array(String)})))
COMMENT 'Which services call models from which programming language, as services_and_languages(start, end, step, by); see summary';

CREATE OR REPLACE VIEW signoz_genai.calls_by_minute AS
{functions}
SELECT time, {dimension_names},
    {numbers}
FROM (SELECT r.time AS time, {plain_dimensions}, {sums} FROM ({rows}) AS r GROUP BY ALL HAVING {something})
COMMENT 'Every number of every minute and combination of dimensions that is kept';

CREATE OR REPLACE VIEW signoz_genai.models AS
{functions}
SELECT provider, model,
    {numbers}
FROM (SELECT r.provider AS provider, r.model AS model, {sums} FROM ({rows}) AS r GROUP BY ALL HAVING {something})
ORDER BY calls DESC
COMMENT 'Every number per provider and model, over all time that is kept';

CREATE OR REPLACE VIEW signoz_genai.services AS
{functions}
SELECT service_name, language,
    {numbers}
FROM (SELECT r.service_name AS service_name, r.language AS language, {sums} FROM ({rows}) AS r GROUP BY ALL HAVING {something})
ORDER BY calls DESC
COMMENT 'Every number per service and programming language, over all time that is kept';

CREATE OR REPLACE VIEW signoz_genai.totals AS
{functions}
SELECT {numbers}
FROM (SELECT {sums} FROM ({rows}) AS r)
COMMENT 'Every number over all calls that are kept';

CREATE OR REPLACE VIEW signoz_genai.report_card AS
WITH
    ['chat', 'generate_content', 'text_completion', 'embeddings'] AS operations,
    findings AS
    (
        SELECT service_name, language, library, library_version, conventions, calls,
            arrayJoin(arrayFilter(each -> each.2 > 0, [
                ('none', 1, 'nothing to do'),
                ('usage missing on streams', streams_without_usage, 'ask for it where the app calls the model: stream_options={"include_usage": true}; or upgrade the library'),
                ('usage missing', calls_without_usage, 'upgrade the library: it does not report tokens of all its calls'),
                ('cache tokens never reported', if(cache_reports = 0, cacheable, 0), 'upgrade the library, or use another that reports gen_ai.usage.cache_read.input_tokens; until then cache utilization is unknown'),
                ('errors may be invisible', if(errors = 0 AND calls >= 50, calls, 0), 'no call failed, which is rare: make one fail, and if it does not show, upgrade the library'),
                ('instrumented twice', doubled, 'another library reports the same calls: remove one of them; meanwhile they are counted once'),
                ('model without a price', unpriced, 'put the processor cost into the pipeline, and the models of signoz_genai.unpriced_models into a file of prices'),
                ('model unknown', unnamed, 'upgrade the library: it does not name the model of all its calls'),
                ('service unnamed', if(service_name IN ('', 'unknown_service') OR startsWith(service_name, 'unknown_service:'), calls, 0), 'set OTEL_SERVICE_NAME where the app starts')
            ])) AS told_of
        FROM
        (
            SELECT service_name, language, library, library_version,
                arraySort(groupUniqArray(convention)) AS conventions,
                countIf(counted) AS calls,
                countIf(counted AND failed) AS errors,
                countIf(counted AND NOT failed AND streamed AND NOT told) AS streams_without_usage,
                countIf(counted AND NOT failed AND NOT streamed AND NOT told) AS calls_without_usage,
                countIf(counted AND told AND operation != 'embeddings') AS cacheable,
                countIf(counted AND cached) AS cache_reports,
                countIf(counted AND told AND NOT priced) AS unpriced,
                countIf(operation IN (operations) AND kind != 2 AND reason = '' AND NOT named) AS unnamed,
                countIf(reason NOT IN ('', 'wrapper', 'server_view', 'stream_part')) AS doubled
            FROM
            (
                SELECT
                    resources_string['service.name'] AS service_name,
                    if(resources_string['telemetry.sdk.language'] != '', resources_string['telemetry.sdk.language'],
                        transform(lower(resources_string['process.runtime.name']),
                            ['.net', '.net core', '.net framework', 'cpython', 'go', 'node', 'nodejs', 'openjdk runtime environment', 'pypy', 'ruby'],
                            ['dotnet', 'dotnet', 'dotnet', 'python', 'go', 'nodejs', 'nodejs', 'java', 'python', 'ruby'], 'unknown')) AS language,
                    scope.name AS library,
                    scope.version AS library_version,
                    kind,
                    attributes_string['gen_ai.operation.name'] AS operation,
                    attributes_string['genai_collector.uncounted.reason'] AS reason,
                    mapContains(attributes_string, 'gen_ai.request.model') OR mapContains(attributes_string, 'gen_ai.response.model') AS named,
                    operation IN (operations) AND kind != 2 AND reason = '' AND named AS counted,
                    has_error OR attributes_string['error.type'] != '' AS failed,
                    attributes_bool['gen_ai.request.stream'] AS streamed,
                    mapContains(attributes_number, 'gen_ai.usage.input_tokens') AS told,
                    mapContains(attributes_number, 'gen_ai.usage.cache_read.input_tokens') AS cached,
                    mapContains(attributes_number, 'genai_collector.cost.nano_usd') AS priced,
                    multiIf(
                        mapContains(attributes_string, 'openinference.span.kind'), 'OpenInference',
                        mapContains(attributes_string, 'ai.operationId'), 'Vercel AI SDK',
                        mapContains(attributes_string, 'langfuse.observation.type'), 'Langfuse',
                        mapContains(attributes_string, 'llm.request.type') OR mapContains(attributes_string, 'traceloop.span.kind'), 'OpenLLMetry',
                        mapContains(attributes_number, 'gen_ai.usage.prompt_tokens') OR mapContains(attributes_number, 'gen_ai.usage.completion_tokens'), 'OpenTelemetry 1.26',
                        mapContains(attributes_string, 'gen_ai.system'), 'OpenTelemetry 1.27 to 1.36',
                        'OpenTelemetry 1.37 or later') AS convention
                FROM signoz_traces.distributed_signoz_index_v3
                WHERE ts_bucket_start >= toUnixTimestamp({start:DateTime('UTC')}) - 1800
                    AND ts_bucket_start <= toUnixTimestamp({end:DateTime('UTC')})
                    AND timestamp >= {start:DateTime('UTC')} AND timestamp < {end:DateTime('UTC')}
                    AND mapContains(attributes_string, 'gen_ai.operation.name')
            )
            GROUP BY ALL
            HAVING calls > 0 OR doubled > 0 OR unnamed > 0
        )
    )
SELECT service_name, language, library, library_version, conventions, calls,
    told_of.1 AS finding, told_of.2 AS affected_calls, told_of.3 AS advice
FROM findings
WHERE told_of.1 != 'none' OR (service_name, language, library, library_version) NOT IN
    (SELECT service_name, language, library, library_version FROM findings WHERE told_of.1 != 'none')
ORDER BY service_name, library, library_version, affected_calls DESC
COMMENT 'What is missing or suspicious in what each service and library reports, and what to do, as report_card(start, end)';
