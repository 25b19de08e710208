-- The numbers that follow from the sums, right for any range and grouping: ratios and percentiles are taken after
-- adding up. Unknown is NULL, never 0. What stands in braces without a type is filled in by exporters.clickhouse.views.

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
)
COMMENT 'Every number, as summary(start, end, step, by): rows whose minute is in [start, end), per step seconds (0: the whole range), grouped by the named columns; the others are empty';

CREATE OR REPLACE VIEW signoz_genai.error_rate AS
SELECT time, {dimension_names}, calls, errors, error_rate, errors_by_class
FROM signoz_genai.summary({arguments}, by = {by:Array(String)})
COMMENT 'Failed calls over calls (0 to 1), as error_rate(start, end, step, by); see summary';

CREATE OR REPLACE VIEW signoz_genai.cache_utilization AS
SELECT time, {dimension_names}, calls, cache_utilization, cache_coverage, cache_read_tokens, cache_write_tokens, input_tokens
FROM signoz_genai.summary({arguments}, by = {by:Array(String)})
COMMENT 'Input tokens read from cache over input tokens (0 to 1) where calls report both, and the share of calls that do (cache_coverage), as cache_utilization(start, end, step, by); see summary';

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
    greatest(sum(r.input_tokens_calls), sum(r.output_tokens_calls)) - sum(r.cost_nano_usd_calls) AS unpriced_calls,
    sum(r.calls) AS calls, sum(r.input_tokens) AS input_tokens, sum(r.output_tokens) AS output_tokens,
    minIf(r.time, r.calls > 0) AS first_seen,
    maxIf(r.time, r.calls > 0) AS last_seen
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
FROM (SELECT r.time AS time, {plain_dimensions}, {sums} FROM ({rows}) AS r GROUP BY ALL)
COMMENT 'Every number of every minute and combination of dimensions that is kept';

CREATE OR REPLACE VIEW signoz_genai.models AS
{functions}
SELECT provider, model,
    {numbers}
FROM (SELECT r.provider AS provider, r.model AS model, {sums} FROM ({rows}) AS r GROUP BY ALL)
ORDER BY calls DESC
COMMENT 'Every number per provider and model, over all time that is kept';

CREATE OR REPLACE VIEW signoz_genai.services AS
{functions}
SELECT service_name, language,
    {numbers}
FROM (SELECT r.service_name AS service_name, r.language AS language, {sums} FROM ({rows}) AS r GROUP BY ALL)
ORDER BY calls DESC
COMMENT 'Every number per service and programming language, over all time that is kept';

CREATE OR REPLACE VIEW signoz_genai.totals AS
{functions}
SELECT {numbers}
FROM (SELECT {sums} FROM ({rows}) AS r)
COMMENT 'Every number over all calls that are kept';
