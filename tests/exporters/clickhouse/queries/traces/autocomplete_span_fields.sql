SELECT DISTINCT tag_key, string_value, number_value
FROM signoz_traces.distributed_tag_attributes_v2
WHERE tag_type = 'spanfield' AND tag_key != 'name'
ORDER BY tag_key, string_value, number_value
