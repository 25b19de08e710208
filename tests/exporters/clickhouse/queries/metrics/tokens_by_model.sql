-- What the counters stand at, added up: every series counts from its own start.
SELECT model, kind, sum(value) AS tokens
FROM
(
    SELECT fingerprint, argMax(value, unix_milli) AS value
    FROM signoz_metrics.distributed_samples_v4
    WHERE metric_name = 'gen_ai.client.token.usage.sum' AND temporality = 'Cumulative'
        AND unix_milli >= 1795288000000 AND unix_milli < 1795295000000
    GROUP BY fingerprint
) AS points
INNER JOIN
(
    SELECT fingerprint, JSONExtractString(labels, 'gen_ai.response.model') AS model,
        JSONExtractString(labels, 'gen_ai.token.type') AS kind
    FROM signoz_metrics.distributed_time_series_v4
    WHERE metric_name IN ('gen_ai.client.token.usage.sum') AND unix_milli >= 1795284000000 AND unix_milli < 1795295000000
        AND LOWER(temporality) LIKE LOWER('cumulative') AND __normalized = false
    GROUP BY fingerprint, model, kind
) AS filtered_time_series ON points.fingerprint = filtered_time_series.fingerprint
GROUP BY model, kind
ORDER BY model, kind
