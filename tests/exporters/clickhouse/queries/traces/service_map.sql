SELECT src, dest, sum(total_count), sum(error_count), quantilesMerge(0.5, 0.75, 0.9, 0.95, 0.99)(duration_quantiles_state)[1]
FROM signoz_traces.distributed_dependency_graph_minutes_v2
WHERE toUInt64(toDateTime(timestamp)) >= 1795289400 AND toUInt64(toDateTime(timestamp)) <= 1795293000
GROUP BY src, dest
ORDER BY src, dest
