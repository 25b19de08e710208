SELECT DISTINCT resources_string['service.name'] AS service, serviceName = service
FROM signoz_traces.distributed_signoz_index_v3
WHERE timestamp > '1795289400000000000'
ORDER BY service
