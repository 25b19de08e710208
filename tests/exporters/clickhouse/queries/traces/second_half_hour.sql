SELECT ts_bucket_start, count(), uniqExact(resource_fingerprint)
FROM signoz_traces.distributed_signoz_index_v3
WHERE timestamp >= '1795291200000000000' AND timestamp < '1795293000000000000' AND ts_bucket_start >= 1795289400 AND ts_bucket_start <= 1795293000
GROUP BY ts_bucket_start
