-- Tells SigNoz which columns hold resource attributes, and since when.

CREATE DATABASE IF NOT EXISTS signoz_metadata;

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

-- SigNoz reads the newest column released before the asked time. Both columns are there from the first span on;
-- one nanosecond makes the JSON column the newer one.
INSERT INTO signoz_metadata.column_evolution_metadata
SELECT * FROM values(
    'signal String, column_name String, column_type String, field_context String, field_name String, version UInt32, release_time Float64',
    ('traces', 'resources_string', 'Map(LowCardinality(String), Float64)', 'resource', '__all__', 0, 0),
    ('traces', 'resource', 'JSON()', 'resource', '__all__', 1, 1))
WHERE (SELECT count() FROM signoz_metadata.column_evolution_metadata WHERE signal = 'traces') = 0;
