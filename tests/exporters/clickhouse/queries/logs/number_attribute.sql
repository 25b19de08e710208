SELECT attributes_string['gen_ai.request.model'] AS model, sum(attributes_number['gen_ai.usage.input_tokens']), avg(attributes_number['gen_ai.usage.output_tokens'])
FROM signoz_logs.distributed_logs_v2
WHERE mapContains(attributes_number, 'gen_ai.usage.input_tokens') = true
    AND timestamp >= 1795289400000000000 AND timestamp < 1795293000000000000 AND ts_bucket_start >= 1795287600 AND ts_bucket_start <= 1795293000
GROUP BY model
ORDER BY model
