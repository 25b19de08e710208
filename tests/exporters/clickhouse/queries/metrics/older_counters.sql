SELECT name, sum(value) AS total
FROM
(
    SELECT metric_name AS name, fingerprint, argMax(value, unix_milli) AS value
    FROM signoz_metrics.distributed_samples_v4
    WHERE metric_name IN ('llm.openai.chat_completions.choices', 'llm.openai.chat_completions.tokens',
        'llm.openai.chat_completions.duration.count', 'llm.openai.embeddings.vector_size')
        AND temporality = 'Cumulative'
    GROUP BY name, fingerprint
)
GROUP BY name
ORDER BY name
