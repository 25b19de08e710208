SELECT kind_string, status_code_string, statusCode, hasError, count()
FROM signoz_traces.distributed_signoz_index_v3
WHERE timestamp >= '1795289400000000000' AND timestamp < '1795293000000000000' AND ts_bucket_start >= 1795287600 AND ts_bucket_start <= 1795293000
GROUP BY ALL
ORDER BY kind_string, status_code_string
