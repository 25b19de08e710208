SELECT tagKey, tagType, dataType
FROM signoz_traces.distributed_span_attributes_keys
WHERE tagKey ILIKE '%gen_ai%' AND isColumn = false
GROUP BY tagKey, tagType, dataType
ORDER BY tagKey, toString(tagType), toString(dataType)
LIMIT 1000
