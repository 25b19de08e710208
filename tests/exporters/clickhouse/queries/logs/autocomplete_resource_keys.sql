SELECT DISTINCT name, lower(datatype)
FROM signoz_logs.distributed_logs_resource_keys
ORDER BY name
