SELECT DISTINCT string_value
FROM signoz_traces.distributed_tag_attributes_v2
WHERE tag_key = 'gen_ai.request.model' AND tag_type = 'tag' AND tag_data_type = 'string' AND string_value ILIKE '%gpt%'
    AND unix_milli >= 1795287600000
ORDER BY string_value
