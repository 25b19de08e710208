SELECT DISTINCT string_value
FROM signoz_logs.distributed_tag_attributes_v2
WHERE tag_key = 'event.name' AND tag_type = 'tag' AND tag_data_type = 'string'
ORDER BY string_value
