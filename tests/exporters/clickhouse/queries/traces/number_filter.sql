SELECT count(), min(attributes_number['gen_ai.usage.input_tokens'])
FROM signoz_traces.distributed_signoz_index_v3
WHERE (toFloat64(attributes_number['gen_ai.usage.input_tokens']) > 100 AND mapContains(attributes_number, 'gen_ai.usage.input_tokens') = true)
    AND timestamp >= '1795289400000000000' AND timestamp < '1795293000000000000' AND ts_bucket_start >= 1795287600 AND ts_bucket_start <= 1795293000
