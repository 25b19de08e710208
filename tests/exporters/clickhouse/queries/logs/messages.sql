SELECT arrayJoin(arrayFlatten(arrayMap(message -> JSONExtractArrayRaw(message, 'parts'), JSONExtractArrayRaw(attributes_string['gen_ai.input.messages'])))) AS part, count()
FROM signoz_logs.distributed_logs_v2
WHERE attributes_string['event.name'] = 'gen_ai.client.inference.operation.details'
    AND timestamp >= 1795289400000000000 AND timestamp < 1795293000000000000 AND ts_bucket_start >= 1795287600 AND ts_bucket_start <= 1795293000
GROUP BY part
ORDER BY part
