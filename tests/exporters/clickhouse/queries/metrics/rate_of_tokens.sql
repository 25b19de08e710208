WITH
    __temporal_aggregation_cte AS
    (
        SELECT ts, kind,
            multiIf(row_number() OVER rate_window = 1, nan,
                (per_series_value - lagInFrame(per_series_value, 1) OVER rate_window) < 0,
                per_series_value / (ts - lagInFrame(ts, 1) OVER rate_window),
                (per_series_value - lagInFrame(per_series_value, 1) OVER rate_window)
                    / (ts - lagInFrame(ts, 1) OVER rate_window)) AS per_series_value
        FROM
        (
            SELECT fingerprint, toStartOfInterval(toDateTime(intDiv(unix_milli, 1000)), toIntervalSecond(60)) AS ts, kind,
                max(value) AS per_series_value
            FROM signoz_metrics.distributed_samples_v4 AS points
            INNER JOIN
            (
                SELECT fingerprint, JSONExtractString(labels, 'gen_ai.token.type') AS kind
                FROM signoz_metrics.time_series_v4
                WHERE metric_name IN ('rate.gen_ai.client.token.usage.sum') AND LOWER(temporality) LIKE LOWER('cumulative')
                    AND __normalized = false AND simpleJSONExtractString(labels, 'service.name') = 'chat-svc'
                GROUP BY fingerprint, kind
            ) AS filtered_time_series ON points.fingerprint = filtered_time_series.fingerprint
            WHERE metric_name IN ('rate.gen_ai.client.token.usage.sum') AND bitAnd(flags, 1) = 0
            GROUP BY fingerprint, ts, kind
            ORDER BY fingerprint, ts
        )
        WINDOW rate_window AS (PARTITION BY fingerprint ORDER BY fingerprint, ts)
    )
SELECT toUnixTimestamp(ts) AS ts, kind, sum(per_series_value) AS value
FROM __temporal_aggregation_cte
WHERE isNaN(per_series_value) = 0
GROUP BY ts, kind
ORDER BY kind, ts
