SELECT DISTINCT name, datatype
FROM signoz_logs.distributed_logs_attribute_keys
WHERE name ILIKE '%gen_ai%'
ORDER BY name, datatype
