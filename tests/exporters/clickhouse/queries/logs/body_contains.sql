SELECT trace_id, body
FROM signoz_logs.distributed_logs_v2
WHERE LOWER(body) LIKE LOWER('%weather in PARIS%')
    AND timestamp >= 1795289400000000000 AND timestamp < 1795293000000000000 AND ts_bucket_start >= 1795287600 AND ts_bucket_start <= 1795293000
ORDER BY timestamp, id
