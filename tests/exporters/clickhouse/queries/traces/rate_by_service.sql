SELECT toUnixTimestamp(toStartOfInterval(timestamp, INTERVAL 60 SECOND)) AS ts, toString(multiIf(resource.`service.name` IS NOT NULL, resource.`service.name`::String, mapContains(resources_string, 'service.name'), resources_string['service.name'], NULL)) AS `service.name`, count() AS __result_0
FROM signoz_traces.distributed_signoz_index_v3
WHERE timestamp >= '1795289400000000000' AND timestamp < '1795293000000000000' AND ts_bucket_start >= 1795287600 AND ts_bucket_start <= 1795293000
GROUP BY ts, `service.name`
ORDER BY ts, `service.name`
