SELECT severity_text, severity_number, count()
FROM signoz_logs.distributed_logs_v2
WHERE timestamp >= 1795289400000000000 AND timestamp < 1795293000000000000 AND ts_bucket_start >= 1795287600 AND ts_bucket_start <= 1795293000
GROUP BY severity_text, severity_number
ORDER BY severity_text, severity_number
