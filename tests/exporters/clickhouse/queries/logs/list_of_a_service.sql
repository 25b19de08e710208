WITH __resource_filter AS (
    SELECT fingerprint FROM signoz_logs.distributed_logs_v2_resource
    WHERE (simpleJSONExtractString(labels, 'service.name') = 'checkout-api' AND labels LIKE '%service.name%' AND labels LIKE '%service.name":"checkout-api%')
        AND seen_at_ts_bucket_start >= 1795287600 AND seen_at_ts_bucket_start <= 1795293000
)
SELECT timestamp, severity_text, severity_number, trace_id, span_id, trace_flags, body, scope_name, attributes_string['event.name']
FROM signoz_logs.distributed_logs_v2
WHERE resource_fingerprint GLOBAL IN (SELECT fingerprint FROM __resource_filter)
    AND timestamp >= 1795289400000000000 AND timestamp < 1795293000000000000 AND ts_bucket_start >= 1795287600 AND ts_bucket_start <= 1795293000
ORDER BY timestamp DESC, id DESC
LIMIT 20
