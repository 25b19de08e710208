WITH
    __temporal_aggregation_cte AS
    (
        SELECT fingerprint, toStartOfInterval(toDateTime(intDiv(unix_milli, 1000)), toIntervalSecond(3600)) AS ts, model, `le`,
            sum(value) / 3600 AS per_series_value
        FROM signoz_metrics.distributed_samples_v4 AS points
        INNER JOIN
        (
            SELECT fingerprint, JSONExtractString(labels, 'gen_ai.response.model') AS model,
                JSONExtractString(labels, 'le') AS `le`
            FROM signoz_metrics.time_series_v4_6hrs
            WHERE metric_name IN ('gen_ai.client.operation.duration.bucket') AND unix_milli >= 1795284000000 - 21600000
                AND unix_milli < 1795295000000 AND LOWER(temporality) LIKE LOWER('delta') AND __normalized = false
            GROUP BY fingerprint, model, `le`
        ) AS filtered_time_series ON points.fingerprint = filtered_time_series.fingerprint
        WHERE metric_name IN ('gen_ai.client.operation.duration.bucket') AND bitAnd(flags, 1) = 0
        GROUP BY fingerprint, ts, model, `le`
    ),
    __spatial_aggregation_cte AS
    (
        SELECT ts, model, `le`, sum(per_series_value) AS value
        FROM __temporal_aggregation_cte
        WHERE isNaN(per_series_value) = 0
        GROUP BY ts, model, `le`
    )
SELECT model, quantilePrometheusHistogram(0.95)(if(`le` = '+Inf', inf, toFloat64(`le`)), value) AS value
FROM __spatial_aggregation_cte
GROUP BY ts, model
ORDER BY model
