SELECT JSON_VALUE(body, '$."message"."role"') AS role, JSON_VALUE(body, '$."finish_reason"') AS reason, count()
FROM signoz_logs.distributed_logs_v2
WHERE JSON_EXISTS(body, '$."finish_reason"')
    AND timestamp >= 1795289400000000000 AND timestamp < 1795293000000000000 AND ts_bucket_start >= 1795287600 AND ts_bucket_start <= 1795293000
GROUP BY role, reason
ORDER BY role, reason
