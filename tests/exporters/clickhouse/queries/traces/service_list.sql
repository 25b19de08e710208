SELECT `resource_string_service$$name` AS serviceName, quantile(0.99)(duration_nano), count(), countIf(statusCode = 2)
FROM signoz_traces.distributed_signoz_index_v3
WHERE (name, `resource_string_service$$name`) GLOBAL IN (
        SELECT name, serviceName FROM signoz_traces.distributed_top_level_operations WHERE time >= toDateTime(1795200000)
    )
    AND timestamp >= '1795289400000000000' AND timestamp < '1795293000000000000' AND ts_bucket_start >= 1795287600 AND ts_bucket_start <= 1795293000
GROUP BY serviceName
ORDER BY serviceName
