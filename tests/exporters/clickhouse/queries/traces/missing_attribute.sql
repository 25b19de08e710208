SELECT name, count()
FROM signoz_traces.distributed_signoz_index_v3
WHERE mapContains(attributes_string, 'gen_ai.response.model') <> true AND kind_string = 'Client'
    AND timestamp >= '1795289400000000000' AND timestamp < '1795293000000000000' AND ts_bucket_start >= 1795287600 AND ts_bucket_start <= 1795293000
GROUP BY name
ORDER BY name
