-- The trace tables of SigNoz: same names, columns, keys and views, so that its query service and dashboards read them.
-- The retention is in seconds. A batch is stored once however often it is sent: every table, targets of views included,
-- remembers the tokens of its last 10000 inserts. Merges go column by column however few the rows: merging all columns
-- at once takes over 100 MiB.

CREATE DATABASE IF NOT EXISTS signoz_traces;

-- essential
-- may lack: attributes, resource, scope, inserted_at
-- shard: cityHash64(trace_id)
CREATE TABLE IF NOT EXISTS signoz_traces.signoz_index_v3
(
    ts_bucket_start UInt64 CODEC(DoubleDelta, LZ4),
    resource_fingerprint String CODEC(ZSTD(1)),
    timestamp DateTime64(9) CODEC(DoubleDelta, LZ4),
    trace_id FixedString(32) CODEC(ZSTD(1)),
    span_id String CODEC(ZSTD(1)),
    trace_state String CODEC(ZSTD(1)),
    parent_span_id String CODEC(ZSTD(1)),
    flags UInt32 CODEC(T64, ZSTD(1)),
    name LowCardinality(String) CODEC(ZSTD(1)),
    kind Int8 CODEC(T64, ZSTD(1)),
    kind_string String CODEC(ZSTD(1)),
    duration_nano UInt64 CODEC(T64, ZSTD(1)),
    status_code Int16 CODEC(T64, ZSTD(1)),
    status_message String CODEC(ZSTD(1)),
    status_code_string String CODEC(ZSTD(1)),
    attributes_string Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    attributes_number Map(LowCardinality(String), Float64) CODEC(ZSTD(1)),
    attributes_bool Map(LowCardinality(String), Bool) CODEC(ZSTD(1)),
    attributes JSON(max_dynamic_paths=0) CODEC(ZSTD(1)),
    resources_string Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    events Array(String) CODEC(ZSTD(2)),
    links String CODEC(ZSTD(1)),
    response_status_code LowCardinality(String) CODEC(ZSTD(1)),
    external_http_url LowCardinality(String) CODEC(ZSTD(1)),
    http_url LowCardinality(String) CODEC(ZSTD(1)),
    external_http_method LowCardinality(String) CODEC(ZSTD(1)),
    http_method LowCardinality(String) CODEC(ZSTD(1)),
    http_host LowCardinality(String) CODEC(ZSTD(1)),
    db_name LowCardinality(String) CODEC(ZSTD(1)),
    db_operation LowCardinality(String) CODEC(ZSTD(1)),
    has_error Bool CODEC(T64, ZSTD(1)),
    is_remote LowCardinality(String) CODEC(ZSTD(1)),
    `resource_string_service$$name` LowCardinality(String) DEFAULT resources_string['service.name'] CODEC(ZSTD(1)),
    `attribute_string_http$$route` LowCardinality(String) DEFAULT attributes_string['http.route'] CODEC(ZSTD(1)),
    `attribute_string_messaging$$system` LowCardinality(String) DEFAULT attributes_string['messaging.system'] CODEC(ZSTD(1)),
    `attribute_string_messaging$$operation` LowCardinality(String) DEFAULT attributes_string['messaging.operation'] CODEC(ZSTD(1)),
    `attribute_string_db$$system` LowCardinality(String) DEFAULT attributes_string['db.system'] CODEC(ZSTD(1)),
    `attribute_string_rpc$$system` LowCardinality(String) DEFAULT attributes_string['rpc.system'] CODEC(ZSTD(1)),
    `attribute_string_rpc$$service` LowCardinality(String) DEFAULT attributes_string['rpc.service'] CODEC(ZSTD(1)),
    `attribute_string_rpc$$method` LowCardinality(String) DEFAULT attributes_string['rpc.method'] CODEC(ZSTD(1)),
    `attribute_string_peer$$service` LowCardinality(String) DEFAULT attributes_string['peer.service'] CODEC(ZSTD(1)),
    traceID FixedString(32) ALIAS trace_id,
    spanID String ALIAS span_id,
    parentSpanID String ALIAS parent_span_id,
    spanKind String ALIAS kind_string,
    durationNano UInt64 ALIAS duration_nano,
    statusCode Int16 ALIAS status_code,
    statusMessage String ALIAS status_message,
    statusCodeString String ALIAS status_code_string,
    references String ALIAS links,
    responseStatusCode LowCardinality(String) ALIAS response_status_code,
    externalHttpUrl LowCardinality(String) ALIAS external_http_url,
    httpUrl LowCardinality(String) ALIAS http_url,
    externalHttpMethod LowCardinality(String) ALIAS external_http_method,
    httpMethod LowCardinality(String) ALIAS http_method,
    httpHost LowCardinality(String) ALIAS http_host,
    dbName LowCardinality(String) ALIAS db_name,
    dbOperation LowCardinality(String) ALIAS db_operation,
    hasError Bool ALIAS has_error,
    isRemote LowCardinality(String) ALIAS is_remote,
    serviceName LowCardinality(String) ALIAS `resource_string_service$$name`,
    httpRoute LowCardinality(String) ALIAS `attribute_string_http$$route`,
    msgSystem LowCardinality(String) ALIAS `attribute_string_messaging$$system`,
    msgOperation LowCardinality(String) ALIAS `attribute_string_messaging$$operation`,
    dbSystem LowCardinality(String) ALIAS `attribute_string_db$$system`,
    rpcSystem LowCardinality(String) ALIAS `attribute_string_rpc$$system`,
    rpcService LowCardinality(String) ALIAS `attribute_string_rpc$$service`,
    rpcMethod LowCardinality(String) ALIAS `attribute_string_rpc$$method`,
    peerService LowCardinality(String) ALIAS `attribute_string_peer$$service`,
    `resource_string_service$$name_exists` Bool DEFAULT if(mapContains(resources_string, 'service.name') != 0, true, false) CODEC(ZSTD(1)),
    `attribute_string_http$$route_exists` Bool DEFAULT if(mapContains(attributes_string, 'http.route') != 0, true, false) CODEC(ZSTD(1)),
    `attribute_string_messaging$$system_exists` Bool DEFAULT if(mapContains(attributes_string, 'messaging.system') != 0, true, false) CODEC(ZSTD(1)),
    `attribute_string_messaging$$operation_exists` Bool DEFAULT if(mapContains(attributes_string, 'messaging.operation') != 0, true, false) CODEC(ZSTD(1)),
    `attribute_string_db$$system_exists` Bool DEFAULT if(mapContains(attributes_string, 'db.system') != 0, true, false) CODEC(ZSTD(1)),
    `attribute_string_rpc$$system_exists` Bool DEFAULT if(mapContains(attributes_string, 'rpc.system') != 0, true, false) CODEC(ZSTD(1)),
    `attribute_string_rpc$$service_exists` Bool DEFAULT if(mapContains(attributes_string, 'rpc.service') != 0, true, false) CODEC(ZSTD(1)),
    `attribute_string_rpc$$method_exists` Bool DEFAULT if(mapContains(attributes_string, 'rpc.method') != 0, true, false) CODEC(ZSTD(1)),
    `attribute_string_peer$$service_exists` Bool DEFAULT if(mapContains(attributes_string, 'peer.service') != 0, true, false) CODEC(ZSTD(1)),
    resource JSON(max_dynamic_paths=100) CODEC(ZSTD(1)),
    scope JSON(max_dynamic_paths=0, attributes JSON(max_dynamic_paths=0), name String, version String) CODEC(ZSTD(1)),
    inserted_at DateTime64(3) CODEC(Delta(8), ZSTD(1)),
    created_at DateTime64(3) DEFAULT now64(3) CODEC(Delta(8), ZSTD(1)),
    INDEX idx_name name TYPE ngrambf_v1(4, 5000, 2, 0) GRANULARITY 1,
    INDEX attributes_string_idx_val mapValues(attributes_string) TYPE ngrambf_v1(4, 5000, 2, 0) GRANULARITY 1,
    INDEX resources_string_idx_val mapValues(resources_string) TYPE ngrambf_v1(4, 5000, 2, 0) GRANULARITY 1,
    INDEX idx_trace_id trace_id TYPE tokenbf_v1(10000, 5, 0) GRANULARITY 1,
    INDEX idx_span_id span_id TYPE tokenbf_v1(5000, 5, 0) GRANULARITY 1,
    INDEX idx_duration duration_nano TYPE minmax GRANULARITY 1,
    INDEX idx_kind kind TYPE minmax GRANULARITY 4,
    INDEX idx_http_route `attribute_string_http$$route` TYPE bloom_filter GRANULARITY 4,
    INDEX idx_http_url http_url TYPE bloom_filter GRANULARITY 4,
    INDEX idx_http_host http_host TYPE bloom_filter GRANULARITY 4,
    INDEX idx_http_method http_method TYPE bloom_filter GRANULARITY 4,
    INDEX idx_timestamp timestamp TYPE minmax GRANULARITY 1,
    INDEX idx_rpc_method `attribute_string_rpc$$method` TYPE bloom_filter GRANULARITY 4,
    INDEX idx_response_statusCode response_status_code TYPE set(0) GRANULARITY 1,
    INDEX idx_status_code_string status_code_string TYPE set(3) GRANULARITY 4,
    INDEX idx_kind_string kind_string TYPE set(5) GRANULARITY 4,
    INDEX attributes_string_idx_key mapKeys(attributes_string) TYPE tokenbf_v1(1024, 2, 0) GRANULARITY 1,
    INDEX attributes_number_idx_key mapKeys(attributes_number) TYPE tokenbf_v1(1024, 2, 0) GRANULARITY 1,
    INDEX attributes_number_idx_val mapValues(attributes_number) TYPE bloom_filter GRANULARITY 1,
    INDEX attributes_bool_idx_key mapKeys(attributes_bool) TYPE tokenbf_v1(1024, 2, 0) GRANULARITY 1,
    INDEX resources_string_idx_key mapKeys(resources_string) TYPE tokenbf_v1(1024, 2, 0) GRANULARITY 1,
    INDEX attributes_paths_tokenbf JSONAllPaths(attributes) TYPE tokenbf_v1(1024, 2, 0) GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toDate(timestamp)
ORDER BY (ts_bucket_start, resource_fingerprint, has_error, name, timestamp)
TTL toDateTime(timestamp) + toIntervalSecond({retention})
SETTINGS ttl_only_drop_parts = 1, vertical_merge_algorithm_min_rows_to_activate = 1, object_serialization_version = 'v3', object_shared_data_serialization_version = 'advanced', non_replicated_deduplication_window = 10000;

-- essential
-- shard: cityHash64(labels, fingerprint)
CREATE TABLE IF NOT EXISTS signoz_traces.traces_v3_resource
(
    labels String CODEC(ZSTD(5)),
    fingerprint String CODEC(ZSTD(1)),
    seen_at_ts_bucket_start Int64 CODEC(Delta(8), ZSTD(1)),
    INDEX idx_labels lower(labels) TYPE ngrambf_v1(4, 1024, 3, 0) GRANULARITY 1,
    INDEX idx_labels_v1 labels TYPE ngrambf_v1(4, 1024, 3, 0) GRANULARITY 1
)
ENGINE = ReplacingMergeTree
PARTITION BY toDate(seen_at_ts_bucket_start)
ORDER BY (labels, fingerprint, seen_at_ts_bucket_start)
TTL (toDateTime(seen_at_ts_bucket_start) + toIntervalSecond({retention})) + toIntervalSecond(1800)
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000;

-- essential
CREATE TABLE IF NOT EXISTS signoz_traces.trace_summary
(
    trace_id String CODEC(ZSTD(1)),
    start SimpleAggregateFunction(min, DateTime64(9)) CODEC(ZSTD(1)),
    `end` SimpleAggregateFunction(max, DateTime64(9)) CODEC(ZSTD(1)),
    num_spans SimpleAggregateFunction(sum, UInt64) CODEC(ZSTD(1))
)
ENGINE = AggregatingMergeTree
PARTITION BY toDate(end)
ORDER BY (trace_id)
TTL toDateTime(end) + toIntervalSecond({retention})
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000;

-- essential
CREATE TABLE IF NOT EXISTS signoz_traces.span_attributes_keys
(
    tagKey LowCardinality(String) CODEC(ZSTD(1)),
    tagType Enum8('tag' = 1, 'resource' = 2, 'scope' = 3) CODEC(ZSTD(1)),
    dataType Enum8('string' = 1, 'bool' = 2, 'float64' = 3) CODEC(ZSTD(1)),
    isColumn Bool CODEC(ZSTD(1)),
    timestamp DateTime DEFAULT toDateTime(now())
)
ENGINE = ReplacingMergeTree
ORDER BY (tagKey, tagType, dataType, isColumn)
TTL timestamp + toIntervalSecond({retention})
SETTINGS non_replicated_deduplication_window = 10000;

-- essential
CREATE TABLE IF NOT EXISTS signoz_traces.tag_attributes_v2
(
    unix_milli Int64 CODEC(Delta(8), ZSTD(1)),
    tag_key String CODEC(ZSTD(1)),
    tag_type LowCardinality(String) CODEC(ZSTD(1)),
    tag_data_type LowCardinality(String) CODEC(ZSTD(1)),
    string_value String CODEC(ZSTD(1)),
    number_value Nullable(Float64) CODEC(ZSTD(1)),
    INDEX string_value_index string_value TYPE ngrambf_v1(4, 1024, 3, 0) GRANULARITY 1,
    INDEX number_value_index number_value TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree
PARTITION BY toDate(unix_milli / 1000)
ORDER BY (tag_key, tag_type, tag_data_type, string_value, number_value)
TTL toDateTime(unix_milli / 1000) + toIntervalSecond({retention})
SETTINGS ttl_only_drop_parts = 1, allow_nullable_key = 1, non_replicated_deduplication_window = 10000;

CREATE TABLE IF NOT EXISTS signoz_traces.top_level_operations
(
    name LowCardinality(String) CODEC(ZSTD(1)),
    serviceName LowCardinality(String) CODEC(ZSTD(1)),
    time DateTime DEFAULT now() CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree
ORDER BY (serviceName, name)
TTL time + toIntervalMonth(1)
SETTINGS non_replicated_deduplication_window = 10000;

-- shard: cityHash64(groupID)
CREATE TABLE IF NOT EXISTS signoz_traces.signoz_error_index_v2
(
    timestamp DateTime64(9) CODEC(DoubleDelta, LZ4),
    errorID FixedString(32) CODEC(ZSTD(1)),
    groupID FixedString(32) CODEC(ZSTD(1)),
    traceID FixedString(32) CODEC(ZSTD(1)),
    spanID String CODEC(ZSTD(1)),
    serviceName LowCardinality(String) CODEC(ZSTD(1)),
    exceptionType LowCardinality(String) CODEC(ZSTD(1)),
    exceptionMessage String CODEC(ZSTD(1)),
    exceptionStacktrace String CODEC(ZSTD(1)),
    exceptionEscaped Bool CODEC(T64, ZSTD(1)),
    resourceTagsMap Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    INDEX idx_error_id errorID TYPE bloom_filter GRANULARITY 4,
    INDEX idx_resourceTagsMapKeys mapKeys(resourceTagsMap) TYPE bloom_filter(0.01) GRANULARITY 64,
    INDEX idx_resourceTagsMapValues mapValues(resourceTagsMap) TYPE bloom_filter(0.01) GRANULARITY 64
)
ENGINE = MergeTree
PARTITION BY toDate(timestamp)
ORDER BY (timestamp, groupID)
TTL toDateTime(timestamp) + toIntervalSecond({retention})
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000;

CREATE TABLE IF NOT EXISTS signoz_traces.dependency_graph_minutes_v2
(
    src LowCardinality(String) CODEC(ZSTD(1)),
    dest LowCardinality(String) CODEC(ZSTD(1)),
    duration_quantiles_state AggregateFunction(quantiles(0.5, 0.75, 0.9, 0.95, 0.99), Float64) CODEC(Default),
    error_count SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    total_count SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    timestamp DateTime CODEC(DoubleDelta, LZ4),
    deployment_environment LowCardinality(String) CODEC(ZSTD(1)),
    k8s_cluster_name LowCardinality(String) CODEC(ZSTD(1)),
    k8s_namespace_name LowCardinality(String) CODEC(ZSTD(1))
)
ENGINE = AggregatingMergeTree
PARTITION BY toDate(timestamp)
ORDER BY (timestamp, src, dest, deployment_environment, k8s_cluster_name, k8s_namespace_name)
TTL toDateTime(timestamp) + toIntervalSecond({retention})
SETTINGS non_replicated_deduplication_window = 10000;

CREATE MATERIALIZED VIEW IF NOT EXISTS signoz_traces.dependency_graph_minutes_db_calls_mv_v2 TO signoz_traces.dependency_graph_minutes_v2 AS
SELECT `resource_string_service$$name` AS src, `attribute_string_db$$system` AS dest, quantilesState(0.5, 0.75, 0.9, 0.95, 0.99)(toFloat64(duration_nano)) AS duration_quantiles_state, countIf(status_code = 2) AS error_count, count(*) AS total_count, toStartOfMinute(timestamp) AS timestamp, resources_string['deployment.environment'] AS deployment_environment, resources_string['k8s.cluster.name'] AS k8s_cluster_name, resources_string['k8s.namespace.name'] AS k8s_namespace_name
FROM signoz_traces.signoz_index_v3
WHERE (dest != '') AND (kind != 2)
GROUP BY timestamp, src, dest, deployment_environment, k8s_cluster_name, k8s_namespace_name;

CREATE MATERIALIZED VIEW IF NOT EXISTS signoz_traces.dependency_graph_minutes_messaging_calls_mv_v2 TO signoz_traces.dependency_graph_minutes_v2 AS
SELECT `resource_string_service$$name` AS src, `attribute_string_messaging$$system` AS dest, quantilesState(0.5, 0.75, 0.9, 0.95, 0.99)(toFloat64(duration_nano)) AS duration_quantiles_state, countIf(status_code = 2) AS error_count, count(*) AS total_count, toStartOfMinute(timestamp) AS timestamp, resources_string['deployment.environment'] AS deployment_environment, resources_string['k8s.cluster.name'] AS k8s_cluster_name, resources_string['k8s.namespace.name'] AS k8s_namespace_name
FROM signoz_traces.signoz_index_v3
WHERE (dest != '') AND (kind != 2)
GROUP BY timestamp, src, dest, deployment_environment, k8s_cluster_name, k8s_namespace_name;

CREATE MATERIALIZED VIEW IF NOT EXISTS signoz_traces.dependency_graph_minutes_service_calls_mv_v2 TO signoz_traces.dependency_graph_minutes_v2 AS
SELECT A.`resource_string_service$$name` AS src, B.`resource_string_service$$name` AS dest, quantilesState(0.5, 0.75, 0.9, 0.95, 0.99)(toFloat64(B.duration_nano)) AS duration_quantiles_state, countIf(B.status_code = 2) AS error_count, count(*) AS total_count, toStartOfMinute(B.timestamp) AS timestamp, B.resources_string['deployment.environment'] AS deployment_environment, B.resources_string['k8s.cluster.name'] AS k8s_cluster_name, B.resources_string['k8s.namespace.name'] AS k8s_namespace_name
FROM signoz_traces.signoz_index_v3 AS A, signoz_traces.signoz_index_v3 AS B
WHERE (A.`resource_string_service$$name` != B.`resource_string_service$$name`) AND (A.span_id = B.parent_span_id) AND (B.span_id != '') AND (A.span_id != '')
GROUP BY timestamp, src, dest, deployment_environment, k8s_cluster_name, k8s_namespace_name;

CREATE MATERIALIZED VIEW IF NOT EXISTS signoz_traces.root_operations TO signoz_traces.top_level_operations AS
SELECT DISTINCT name, `resource_string_service$$name` AS serviceName
FROM signoz_traces.signoz_index_v3
WHERE parent_span_id = '';

CREATE MATERIALIZED VIEW IF NOT EXISTS signoz_traces.sub_root_operations TO signoz_traces.top_level_operations AS
SELECT DISTINCT name, `resource_string_service$$name` AS serviceName
FROM signoz_traces.signoz_index_v3 AS A, signoz_traces.signoz_index_v3 AS B
WHERE (A.`resource_string_service$$name` != B.`resource_string_service$$name`) AND (A.parent_span_id = B.span_id) AND (B.span_id != '') AND (A.span_id != '');

CREATE MATERIALIZED VIEW IF NOT EXISTS signoz_traces.trace_summary_mv TO signoz_traces.trace_summary AS
SELECT trace_id, min(timestamp) AS start, max(timestamp) AS end, toUInt64(count()) AS num_spans
FROM signoz_traces.signoz_index_v3
GROUP BY trace_id;
