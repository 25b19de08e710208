SELECT count()
FROM signoz_traces.distributed_signoz_index_v3
WHERE has(JSONExtract(attributes_string['gen_ai.response.finish_reasons'], 'Array(String)'), 'tool_calls')
    AND timestamp >= '1795289400000000000' AND timestamp < '1795293000000000000' AND ts_bucket_start >= 1795287600 AND ts_bucket_start <= 1795293000
