SELECT DISTINCT metric_name, temporality, type, is_monotonic
FROM signoz_metrics.distributed_time_series_v4
WHERE metric_name IN ('gen_ai.client.operation.duration.bucket', 'gen_ai.client.token.usage.max',
    'gen_ai.client.generation.choices')
    AND (temporality, metric_name) NOT IN (SELECT temporality, metric_name FROM signoz_meter.distributed_samples_agg_1d)
    AND (metric_name) NOT IN (SELECT metric_name FROM signoz_metrics.distributed_updated_metadata)
ORDER BY metric_name, temporality
