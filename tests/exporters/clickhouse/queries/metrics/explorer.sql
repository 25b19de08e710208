-- The list of the metrics explorer.
SELECT t.metric_name AS name, anyLast(t.description) AS description, anyLast(t.type) AS type, anyLast(t.unit) AS unit,
    uniq(t.fingerprint) AS timeseries
FROM signoz_metrics.distributed_time_series_v4_1week AS t
WHERE t.unix_milli BETWEEN 1795284000000 - 604800000 AND 1795295000000 AND startsWith(t.metric_name, 'llm.')
    AND NOT startsWith(t.metric_name, 'signoz_') AND __normalized = false
GROUP BY t.metric_name
ORDER BY name
