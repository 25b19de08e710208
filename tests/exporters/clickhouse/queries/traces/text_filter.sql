SELECT DISTINCT attributes_string['gen_ai.response.model'] AS model
FROM signoz_traces.distributed_signoz_index_v3
WHERE (LOWER(attributes_string['gen_ai.response.model']) LIKE LOWER('%MINI%') AND mapContains(attributes_string, 'gen_ai.response.model') = true)
    AND timestamp >= '1795289400000000000' AND timestamp < '1795293000000000000' AND ts_bucket_start >= 1795287600 AND ts_bucket_start <= 1795293000
ORDER BY model
