WITH __resource_filter AS (
    SELECT fingerprint FROM signoz_traces.distributed_traces_v3_resource
    WHERE (NOT (simpleJSONHas(labels, 'deployment.environment.name') = 1 AND labels LIKE '%deployment.environment.name%'))
        AND seen_at_ts_bucket_start >= 1795287600 AND seen_at_ts_bucket_start <= 1795293000
)
SELECT multiIf(resource.`service.name` IS NOT NULL, resource.`service.name`::String, mapContains(resources_string, 'service.name'), resources_string['service.name'], NULL) AS `service.name`, count()
FROM signoz_traces.distributed_signoz_index_v3
WHERE resource_fingerprint GLOBAL IN (SELECT fingerprint FROM __resource_filter)
    AND timestamp >= '1795289400000000000' AND timestamp < '1795293000000000000' AND ts_bucket_start >= 1795287600 AND ts_bucket_start <= 1795293000
GROUP BY `service.name`
ORDER BY `service.name`
