SELECT attr_name, attr_type, attr_datatype
FROM signoz_metrics.distributed_metadata
WHERE metric_name = 'gen_ai.client.token.usage.sum' AND NOT startsWith(attr_name, '__')
GROUP BY attr_name, attr_type, attr_datatype
ORDER BY attr_name, attr_type
