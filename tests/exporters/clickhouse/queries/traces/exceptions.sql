SELECT exceptionType, exceptionMessage, serviceName, count(), uniqExact(groupID), toUnixTimestamp64Nano(max(timestamp))
FROM signoz_traces.distributed_signoz_error_index_v2
WHERE timestamp >= '1795289400000000000' AND timestamp <= '1795293000000000000' AND resourceTagsMap['service.name'] = serviceName
GROUP BY serviceName, exceptionType, exceptionMessage
ORDER BY serviceName, exceptionType, exceptionMessage
