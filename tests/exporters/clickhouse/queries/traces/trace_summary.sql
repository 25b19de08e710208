SELECT toUnixTimestamp64Nano(min(start)), toUnixTimestamp64Nano(max(end)), sum(num_spans)
FROM signoz_traces.distributed_trace_summary
WHERE trace_id = '0000000000000000000000000000000a'
GROUP BY trace_id
