SELECT DISTINCT number_value
FROM signoz_traces.distributed_tag_attributes_v2
WHERE tag_key = 'http.response.status_code' AND tag_data_type = 'float64' AND unix_milli >= 1795287600000
ORDER BY number_value
