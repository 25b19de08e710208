SELECT attributes_bool['gen_ai.request.stream'] AS streaming, count()
FROM signoz_traces.distributed_signoz_index_v3
WHERE mapContains(attributes_bool, 'gen_ai.request.stream') = true
    AND timestamp >= '1795289400000000000' AND timestamp < '1795293000000000000' AND ts_bucket_start >= 1795287600 AND ts_bucket_start <= 1795293000
GROUP BY streaming
ORDER BY streaming
