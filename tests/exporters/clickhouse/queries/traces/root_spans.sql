SELECT toString(multiIf(resource.`service.name` IS NOT NULL, resource.`service.name`::String, mapContains(resources_string, 'service.name'), resources_string['service.name'], NULL)) AS `service.name`, count(), count(DISTINCT trace_id)
FROM signoz_traces.distributed_signoz_index_v3
WHERE parent_span_id = ''
    AND timestamp >= '1795289400000000000' AND timestamp < '1795293000000000000' AND ts_bucket_start >= 1795287600 AND ts_bucket_start <= 1795293000
GROUP BY `service.name`
ORDER BY `service.name`
