SELECT DISTINCT ON (span_id) span_id, parent_span_id, name, serviceName, has_error, duration_nano, references, http_method, db_name, `attribute_string_http$$route`
FROM signoz_traces.distributed_signoz_index_v3
WHERE trace_id = '0000000000000000000000000000000a' AND ts_bucket_start >= 1795287600 AND ts_bucket_start <= 1795293000
ORDER BY timestamp, name
