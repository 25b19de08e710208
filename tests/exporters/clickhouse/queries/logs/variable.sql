SELECT DISTINCT string_value
FROM signoz_logs.distributed_tag_attributes_v2
WHERE tag_key = 'service.name' AND tag_type = 'resource'
ORDER BY string_value
