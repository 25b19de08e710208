SELECT DISTINCT tag_key, string_value, number_value
FROM signoz_logs.distributed_tag_attributes_v2
WHERE tag_type = 'logfield'
ORDER BY tag_key, string_value, number_value
