SELECT l.trace_id, s.name, count()
FROM signoz_logs.distributed_logs_v2 AS l
INNER JOIN (SELECT trace_id, span_id, name FROM signoz_traces.distributed_signoz_index_v3) AS s
ON l.trace_id = s.trace_id AND l.span_id = s.span_id
WHERE timestamp >= 1795289400000000000 AND timestamp < 1795293000000000000 AND ts_bucket_start >= 1795287600 AND ts_bucket_start <= 1795293000
GROUP BY l.trace_id, s.name
ORDER BY l.trace_id
