SELECT DISTINCT tagKey, dataType
FROM signoz_traces.distributed_span_attributes_keys
WHERE tagType = 'resource'
ORDER BY tagKey
