-- The metric tables of SigNoz: same names, columns, keys and views, so that its query service and dashboards read them.
-- The retention is in seconds. As with traces, every table remembers the tokens of its last 10000 inserts, so that a
-- batch is stored once however often it is sent, in the targets of views too.

CREATE DATABASE IF NOT EXISTS signoz_metrics;

-- essential
-- may lack: inserted_at_unix_milli
-- shard: cityHash64(env, temporality, metric_name, fingerprint)
CREATE TABLE IF NOT EXISTS signoz_metrics.samples_v4
(
    env LowCardinality(String) DEFAULT 'default',
    temporality LowCardinality(String) DEFAULT 'Unspecified',
    metric_name LowCardinality(String),
    fingerprint UInt64 CODEC(Delta(8), ZSTD(1)),
    unix_milli Int64 CODEC(DoubleDelta, ZSTD(1)),
    value Float64 CODEC(Gorilla(8), ZSTD(1)),
    flags UInt32 DEFAULT 0 CODEC(ZSTD(1)),
    inserted_at_unix_milli Int64 CODEC(ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY toDate(unix_milli / 1000)
ORDER BY (env, temporality, metric_name, fingerprint, unix_milli)
TTL toDateTime(unix_milli / 1000) + toIntervalSecond({metrics_retention})
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000;

-- essential
-- may lack: inserted_at_unix_milli
-- shard: cityHash64(env, temporality, metric_name, fingerprint)
CREATE TABLE IF NOT EXISTS signoz_metrics.time_series_v4
(
    env LowCardinality(String) DEFAULT 'default',
    temporality LowCardinality(String) DEFAULT 'Unspecified',
    metric_name LowCardinality(String),
    description LowCardinality(String) DEFAULT '' CODEC(ZSTD(1)),
    unit LowCardinality(String) DEFAULT '' CODEC(ZSTD(1)),
    type LowCardinality(String) DEFAULT '' CODEC(ZSTD(1)),
    is_monotonic Bool DEFAULT false CODEC(ZSTD(1)),
    fingerprint UInt64 CODEC(Delta(8), ZSTD(1)),
    unix_milli Int64 CODEC(Delta(8), ZSTD(1)),
    labels String CODEC(ZSTD(5)),
    attrs Map(LowCardinality(String), String) DEFAULT map() CODEC(ZSTD(1)),
    scope_attrs Map(LowCardinality(String), String) DEFAULT map() CODEC(ZSTD(1)),
    resource_attrs Map(LowCardinality(String), String) DEFAULT map() CODEC(ZSTD(1)),
    __normalized Bool DEFAULT true CODEC(ZSTD(1)),
    inserted_at_unix_milli Int64 CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree
PARTITION BY toDate(unix_milli / 1000)
ORDER BY (env, temporality, metric_name, fingerprint, unix_milli)
TTL toDateTime(unix_milli / 1000) + toIntervalSecond({metrics_retention})
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000;

-- essential
-- shard: cityHash64(env, temporality, metric_name, fingerprint)
CREATE TABLE IF NOT EXISTS signoz_metrics.time_series_v4_6hrs
(
    env LowCardinality(String) DEFAULT 'default',
    temporality LowCardinality(String) DEFAULT 'Unspecified',
    metric_name LowCardinality(String),
    description LowCardinality(String) DEFAULT '' CODEC(ZSTD(1)),
    unit LowCardinality(String) DEFAULT '' CODEC(ZSTD(1)),
    type LowCardinality(String) DEFAULT '' CODEC(ZSTD(1)),
    is_monotonic Bool DEFAULT false CODEC(ZSTD(1)),
    fingerprint UInt64 CODEC(Delta(8), ZSTD(1)),
    unix_milli Int64 CODEC(Delta(8), ZSTD(1)),
    labels String CODEC(ZSTD(5)),
    attrs Map(LowCardinality(String), String) DEFAULT map() CODEC(ZSTD(1)),
    scope_attrs Map(LowCardinality(String), String) DEFAULT map() CODEC(ZSTD(1)),
    resource_attrs Map(LowCardinality(String), String) DEFAULT map() CODEC(ZSTD(1)),
    __normalized Bool DEFAULT true CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree
PARTITION BY toDate(unix_milli / 1000)
ORDER BY (env, temporality, metric_name, fingerprint, unix_milli)
TTL toDateTime(unix_milli / 1000) + toIntervalSecond({metrics_retention})
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000;

-- essential
-- shard: cityHash64(env, temporality, metric_name, fingerprint)
CREATE TABLE IF NOT EXISTS signoz_metrics.time_series_v4_1day
(
    env LowCardinality(String) DEFAULT 'default',
    temporality LowCardinality(String) DEFAULT 'Unspecified',
    metric_name LowCardinality(String),
    description LowCardinality(String) DEFAULT '' CODEC(ZSTD(1)),
    unit LowCardinality(String) DEFAULT '' CODEC(ZSTD(1)),
    type LowCardinality(String) DEFAULT '' CODEC(ZSTD(1)),
    is_monotonic Bool DEFAULT false CODEC(ZSTD(1)),
    fingerprint UInt64 CODEC(Delta(8), ZSTD(1)),
    unix_milli Int64 CODEC(Delta(8), ZSTD(1)),
    labels String CODEC(ZSTD(5)),
    attrs Map(LowCardinality(String), String) DEFAULT map() CODEC(ZSTD(1)),
    scope_attrs Map(LowCardinality(String), String) DEFAULT map() CODEC(ZSTD(1)),
    resource_attrs Map(LowCardinality(String), String) DEFAULT map() CODEC(ZSTD(1)),
    __normalized Bool DEFAULT true CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree
PARTITION BY toDate(unix_milli / 1000)
ORDER BY (env, temporality, metric_name, fingerprint, unix_milli)
TTL toDateTime(unix_milli / 1000) + toIntervalSecond({metrics_retention})
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000;

-- essential
-- shard: cityHash64(env, temporality, metric_name, fingerprint)
CREATE TABLE IF NOT EXISTS signoz_metrics.time_series_v4_1week
(
    env LowCardinality(String) DEFAULT 'default',
    temporality LowCardinality(String) DEFAULT 'Unspecified',
    metric_name LowCardinality(String),
    description LowCardinality(String) DEFAULT '' CODEC(ZSTD(1)),
    unit LowCardinality(String) DEFAULT '' CODEC(ZSTD(1)),
    type LowCardinality(String) DEFAULT '' CODEC(ZSTD(1)),
    is_monotonic Bool DEFAULT false CODEC(ZSTD(1)),
    fingerprint UInt64 CODEC(Delta(8), ZSTD(1)),
    unix_milli Int64 CODEC(Delta(8), ZSTD(1)),
    labels String CODEC(ZSTD(5)),
    attrs Map(LowCardinality(String), String) DEFAULT map() CODEC(ZSTD(1)),
    scope_attrs Map(LowCardinality(String), String) DEFAULT map() CODEC(ZSTD(1)),
    resource_attrs Map(LowCardinality(String), String) DEFAULT map() CODEC(ZSTD(1)),
    __normalized Bool DEFAULT true CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree
PARTITION BY toDate(unix_milli / 1000)
ORDER BY (env, temporality, metric_name, fingerprint, unix_milli)
TTL toDateTime(unix_milli / 1000) + toIntervalSecond({metrics_retention})
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000;

-- essential
-- shard: cityHash64(env, temporality, metric_name, fingerprint)
CREATE TABLE IF NOT EXISTS signoz_metrics.samples_v4_agg_5m
(
    env LowCardinality(String) DEFAULT 'default',
    temporality LowCardinality(String) DEFAULT 'Unspecified',
    metric_name LowCardinality(String),
    fingerprint UInt64 CODEC(ZSTD(1)),
    unix_milli Int64 CODEC(Delta(8), ZSTD(1)),
    last SimpleAggregateFunction(anyLast, Float64) CODEC(ZSTD(1)),
    min SimpleAggregateFunction(min, Float64) CODEC(ZSTD(1)),
    max SimpleAggregateFunction(max, Float64) CODEC(ZSTD(1)),
    sum SimpleAggregateFunction(sum, Float64) CODEC(ZSTD(1)),
    count SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1))
)
ENGINE = AggregatingMergeTree
PARTITION BY toDate(unix_milli / 1000)
ORDER BY (env, temporality, metric_name, fingerprint, unix_milli)
TTL toDateTime(unix_milli / 1000) + toIntervalSecond({metrics_retention})
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000;

-- essential
-- shard: cityHash64(env, temporality, metric_name, fingerprint)
CREATE TABLE IF NOT EXISTS signoz_metrics.samples_v4_agg_30m
(
    env LowCardinality(String) DEFAULT 'default',
    temporality LowCardinality(String) DEFAULT 'Unspecified',
    metric_name LowCardinality(String),
    fingerprint UInt64 CODEC(ZSTD(1)),
    unix_milli Int64 CODEC(Delta(8), ZSTD(1)),
    last SimpleAggregateFunction(anyLast, Float64) CODEC(ZSTD(1)),
    min SimpleAggregateFunction(min, Float64) CODEC(ZSTD(1)),
    max SimpleAggregateFunction(max, Float64) CODEC(ZSTD(1)),
    sum SimpleAggregateFunction(sum, Float64) CODEC(ZSTD(1)),
    count SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1))
)
ENGINE = AggregatingMergeTree
PARTITION BY toDate(unix_milli / 1000)
ORDER BY (env, temporality, metric_name, fingerprint, unix_milli)
TTL toDateTime(unix_milli / 1000) + toIntervalSecond({metrics_retention})
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000;

-- may lack: inserted_at_unix_milli
-- shard: cityHash64(env, temporality, metric_name, fingerprint)
CREATE TABLE IF NOT EXISTS signoz_metrics.exp_hist
(
    env LowCardinality(String) DEFAULT 'default',
    temporality LowCardinality(String) DEFAULT 'Unspecified',
    metric_name LowCardinality(String),
    fingerprint UInt64 CODEC(Delta(8), ZSTD(1)),
    unix_milli Int64 CODEC(DoubleDelta, ZSTD(1)),
    count UInt64 CODEC(ZSTD(1)),
    sum Float64 CODEC(Gorilla(8), ZSTD(1)),
    min Float64 CODEC(Gorilla(8), ZSTD(1)),
    max Float64 CODEC(Gorilla(8), ZSTD(1)),
    sketch AggregateFunction(quantilesDD(0.01, 0.5, 0.75, 0.9, 0.95, 0.99), UInt64) CODEC(ZSTD(1)),
    flags UInt32 DEFAULT 0 CODEC(ZSTD(1)),
    inserted_at_unix_milli Int64 CODEC(ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY toDate(unix_milli / 1000)
ORDER BY (env, temporality, metric_name, fingerprint, unix_milli)
TTL toDateTime(unix_milli / 1000) + toIntervalSecond({metrics_retention})
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000;

-- Newer servers refuse columns like description here unless they are told that rows of one key have the same.
-- essential
CREATE TABLE IF NOT EXISTS signoz_metrics.metadata
(
    temporality LowCardinality(String) CODEC(ZSTD(1)),
    metric_name LowCardinality(String) CODEC(ZSTD(1)),
    description String CODEC(ZSTD(1)),
    unit LowCardinality(String) CODEC(ZSTD(1)),
    type LowCardinality(String) CODEC(ZSTD(1)),
    is_monotonic Bool CODEC(ZSTD(1)),
    attr_name LowCardinality(String) CODEC(ZSTD(1)),
    attr_type LowCardinality(String) CODEC(ZSTD(1)),
    attr_datatype LowCardinality(String) CODEC(ZSTD(1)),
    attr_string_value String CODEC(ZSTD(1)),
    first_reported_unix_milli SimpleAggregateFunction(min, UInt64) CODEC(ZSTD(1)),
    last_reported_unix_milli SimpleAggregateFunction(max, UInt64) CODEC(ZSTD(1))
)
ENGINE = AggregatingMergeTree
PARTITION BY toDate(last_reported_unix_milli / 1000)
ORDER BY (temporality, metric_name, attr_name, attr_type, attr_datatype, attr_string_value)
TTL toDateTime(last_reported_unix_milli / 1000) + toIntervalSecond({metrics_retention})
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000, allow_dimensions_outside_sorting_key = 1;

-- Written by SigNoz's query service, when users edit what a metric means.
-- unfilled
CREATE TABLE IF NOT EXISTS signoz_metrics.updated_metadata
(
    metric_name LowCardinality(String) CODEC(ZSTD(1)),
    temporality LowCardinality(String) CODEC(ZSTD(1)),
    is_monotonic Bool CODEC(ZSTD(1)),
    type LowCardinality(String) CODEC(ZSTD(1)),
    description LowCardinality(String) CODEC(ZSTD(1)),
    unit LowCardinality(String) CODEC(ZSTD(1)),
    created_at Int64 CODEC(ZSTD(1))
)
ENGINE = MergeTree
ORDER BY metric_name
SETTINGS non_replicated_deduplication_window = 10000;

CREATE MATERIALIZED VIEW IF NOT EXISTS signoz_metrics.samples_v4_agg_5m_mv TO signoz_metrics.samples_v4_agg_5m AS
SELECT env, temporality, metric_name, fingerprint, intDiv(unix_milli, 300000) * 300000 AS unix_milli, anyLast(value) AS last, min(value) AS min, max(value) AS max, sum(value) AS sum, count(*) AS count
FROM signoz_metrics.samples_v4
WHERE bitAnd(flags, 1) = 0
GROUP BY env, temporality, metric_name, fingerprint, unix_milli;

CREATE MATERIALIZED VIEW IF NOT EXISTS signoz_metrics.samples_v4_agg_30m_mv TO signoz_metrics.samples_v4_agg_30m AS
SELECT env, temporality, metric_name, fingerprint, intDiv(unix_milli, 1800000) * 1800000 AS unix_milli, anyLast(last) AS last, min(min) AS min, max(max) AS max, sum(sum) AS sum, sum(count) AS count
FROM signoz_metrics.samples_v4_agg_5m
GROUP BY env, temporality, metric_name, fingerprint, unix_milli;

CREATE MATERIALIZED VIEW IF NOT EXISTS signoz_metrics.time_series_v4_6hrs_mv TO signoz_metrics.time_series_v4_6hrs AS
SELECT env, temporality, metric_name, description, unit, type, is_monotonic, fingerprint, floor(unix_milli / 21600000) * 21600000 AS unix_milli, labels, attrs, scope_attrs, resource_attrs, __normalized
FROM signoz_metrics.time_series_v4;

CREATE MATERIALIZED VIEW IF NOT EXISTS signoz_metrics.time_series_v4_1day_mv TO signoz_metrics.time_series_v4_1day AS
SELECT env, temporality, metric_name, description, unit, type, is_monotonic, fingerprint, floor(unix_milli / 86400000) * 86400000 AS unix_milli, labels, attrs, scope_attrs, resource_attrs, __normalized
FROM signoz_metrics.time_series_v4_6hrs;

CREATE MATERIALIZED VIEW IF NOT EXISTS signoz_metrics.time_series_v4_1week_mv TO signoz_metrics.time_series_v4_1week AS
SELECT env, temporality, metric_name, description, unit, type, is_monotonic, fingerprint, floor(unix_milli / 604800000) * 604800000 AS unix_milli, labels, attrs, scope_attrs, resource_attrs, __normalized
FROM signoz_metrics.time_series_v4_1day;

-- SigNoz looks here for the type of a metric before every query. It stays empty: it is for SigNoz's own billing.
CREATE DATABASE IF NOT EXISTS signoz_meter;

-- unfilled
CREATE TABLE IF NOT EXISTS signoz_meter.samples_agg_1d
(
    temporality LowCardinality(String) DEFAULT 'Unspecified',
    metric_name LowCardinality(String),
    description LowCardinality(String) DEFAULT 'default',
    unit LowCardinality(String) DEFAULT 'default',
    type LowCardinality(String) DEFAULT 'default',
    is_monotonic Bool DEFAULT false,
    labels String CODEC(ZSTD(5)),
    fingerprint UInt64 CODEC(Delta(8), ZSTD(1)),
    unix_milli Int64 CODEC(DoubleDelta, ZSTD(1)),
    last SimpleAggregateFunction(anyLast, Float64) CODEC(ZSTD(1)),
    min SimpleAggregateFunction(min, Float64) CODEC(ZSTD(1)),
    max SimpleAggregateFunction(max, Float64) CODEC(ZSTD(1)),
    sum SimpleAggregateFunction(sum, Float64) CODEC(ZSTD(1)),
    count SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1))
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(toDateTime(intDiv(unix_milli, 1000)))
ORDER BY (temporality, metric_name, fingerprint, toDayOfMonth(toDateTime(intDiv(unix_milli, 1000))))
TTL toDateTime(intDiv(unix_milli, 1000)) + toIntervalYear(1)
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000, allow_dimensions_outside_sorting_key = 1;
