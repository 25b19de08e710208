SELECT attributes_string['event.name'] AS event, count(), countIf(body = '')
FROM signoz_logs.distributed_logs_v2
WHERE mapContains(attributes_string, 'event.name') = true
    AND timestamp >= 1795289400000000000 AND timestamp < 1795293000000000000 AND ts_bucket_start >= 1795287600 AND ts_bucket_start <= 1795293000
GROUP BY event
ORDER BY event
