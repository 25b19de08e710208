SELECT DISTINCT serviceName, name
FROM signoz_traces.distributed_top_level_operations
WHERE serviceName IN ('shop', 'chat-svc')
ORDER BY serviceName, name
