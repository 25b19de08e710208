WITH __resource_filter AS (
    SELECT fingerprint FROM signoz_traces.distributed_traces_v3_resource
    WHERE (simpleJSONExtractString(labels, 'service.name') = 'nobody' AND labels LIKE '%service.name%' AND labels LIKE '%service.name":"nobody%')
        AND seen_at_ts_bucket_start >= 1795287600 AND seen_at_ts_bucket_start <= 1795293000
)
SELECT span_id
FROM signoz_traces.distributed_signoz_index_v3
WHERE resource_fingerprint GLOBAL IN (SELECT fingerprint FROM __resource_filter)
    AND timestamp >= '1795289400000000000' AND timestamp < '1795293000000000000' AND ts_bucket_start >= 1795287600 AND ts_bucket_start <= 1795293000
