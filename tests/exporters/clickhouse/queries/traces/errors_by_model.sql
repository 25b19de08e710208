SELECT attributes_string['gen_ai.request.model'] AS model, countIf(has_error), countIf(has_error) * 100 / count()
FROM signoz_traces.distributed_signoz_index_v3
WHERE mapContains(attributes_string, 'gen_ai.request.model') = true AND kind_string = 'Client'
    AND timestamp >= '1795289400000000000' AND timestamp < '1795293000000000000' AND ts_bucket_start >= 1795287600 AND ts_bucket_start <= 1795293000
GROUP BY model
ORDER BY model
