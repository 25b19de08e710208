SELECT attr_string_value, max(last_reported_unix_milli) AS last
FROM signoz_metrics.distributed_metadata
WHERE metric_name = 'gen_ai.client.token.usage.sum' AND attr_name = 'gen_ai.response.model' AND attr_type = 'point'
GROUP BY attr_string_value
ORDER BY attr_string_value
