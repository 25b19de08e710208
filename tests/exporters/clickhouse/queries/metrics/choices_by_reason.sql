SELECT reason, sum(value) AS choices
FROM signoz_metrics.distributed_samples_v4 AS points
INNER JOIN
(
    SELECT fingerprint, JSONExtractString(labels, 'llm.response.finish_reason') AS reason
    FROM signoz_metrics.distributed_time_series_v4
    WHERE metric_name IN ('gen_ai.client.generation.choices') AND LOWER(temporality) LIKE LOWER('delta')
        AND __normalized = false AND JSONExtractString(labels, 'service.name') = 'chat-api'
    GROUP BY fingerprint, reason
) AS filtered_time_series ON points.fingerprint = filtered_time_series.fingerprint
WHERE metric_name IN ('gen_ai.client.generation.choices')
GROUP BY reason
ORDER BY reason
