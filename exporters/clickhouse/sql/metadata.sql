-- Tells SigNoz which columns hold resource attributes, and since when.

CREATE DATABASE IF NOT EXISTS signoz_metadata;

-- unfilled
CREATE TABLE IF NOT EXISTS signoz_metadata.column_evolution_metadata
(
    signal String CODEC(ZSTD(1)),
    column_name String CODEC(ZSTD(1)),
    column_type String CODEC(ZSTD(1)),
    field_context String CODEC(ZSTD(1)),
    field_name String CODEC(ZSTD(1)),
    version UInt32 CODEC(DoubleDelta, ZSTD(1)),
    release_time SimpleAggregateFunction(min, Float64) CODEC(ZSTD(1))
)
ENGINE = AggregatingMergeTree
PARTITION BY toDate(release_time / 1000000000)
ORDER BY (signal, column_name, column_type, field_context, field_name, version)
SETTINGS non_replicated_deduplication_window = 10000;

-- SigNoz reads the newest column released before the asked time. Both columns are there from the first row on;
-- one nanosecond makes the JSON column the newer one.
INSERT INTO signoz_metadata.column_evolution_metadata
SELECT signal, column_name, column_type, 'resource', '__all__', version, version
FROM values(
    'signal String, column_name String, column_type String, version UInt32',
    ('traces', 'resources_string', 'Map(LowCardinality(String), Float64)', 0),
    ('traces', 'resource', 'JSON()', 1),
    ('logs', 'resources_string', 'Map(LowCardinality(String), Float64)', 0),
    ('logs', 'resource', 'JSON()', 1))
WHERE signal NOT IN (SELECT signal FROM signoz_metadata.column_evolution_metadata);
