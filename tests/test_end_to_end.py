"""A real application, a real collector, a real kill: views and metrics say what the model endpoint served."""

import os
import subprocess
import sys

import numpy as np
import pytest

from tests.apps.endpoint import endpoint
from tests.running import CONFIG, ROOT, Collector

CALLS = 40
ALL_SIGNALS = f"{CONFIG}    metrics: {{{{receivers: [otlp], exporters: [clickhouse]}}}}\n"

TOKENS = """
SELECT JSONExtractString(labels, 'gen_ai.token.type') AS kind, sum(reached) AS tokens, sum(calls) AS calls
FROM
(
    SELECT fingerprint, argMaxIf(value, unix_milli, endsWith(metric_name, '.sum')) AS reached,
        argMaxIf(value, unix_milli, endsWith(metric_name, '.count')) AS calls
    FROM signoz_metrics.distributed_samples_v4
    WHERE metric_name IN ('gen_ai.client.token.usage.sum', 'gen_ai.client.token.usage.count')
    GROUP BY fingerprint
) AS points
INNER JOIN (SELECT DISTINCT fingerprint, labels FROM signoz_metrics.time_series_v4) AS series USING (fingerprint)
GROUP BY kind
ORDER BY kind
"""


def run_app(instrumentation: str, protocol: str, collector: Collector, url: str, run: int) -> list[int]:
    """Run the application to its end and return the durations of its spans in nanoseconds."""
    port = collector.grpc_port if protocol == "grpc" else collector.http_port
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "OPENAI_BASE_URL": url,
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://localhost:{port}",
        "OTEL_SERVICE_NAME": "shop",
        "OTEL_RESOURCE_ATTRIBUTES": f"service.instance.id={run}",
        "OTEL_SEMCONV_STABILITY_OPT_IN": "gen_ai_latest_experimental",
    }
    command = [sys.executable, "-m", "tests.apps.chat", instrumentation, protocol, str(CALLS)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [int(line) for line in done.stdout.split()]


@pytest.mark.parametrize("protocol", ["grpc", "http"])
@pytest.mark.parametrize("instrumentation", ["openai", "openai_v2"])
def test_the_views_return_what_was_served(tmp_path, instrumentation, protocol):
    collector = Collector(tmp_path, config=ALL_SIGNALS)
    collector.start()
    with endpoint(seed=5) as (url, served):
        durations = run_app(instrumentation, protocol, collector, url, 1)
        collector.kill()
        collector.start()
        durations += run_app(instrumentation, protocol, collector, url, 2)
    assert collector.stop() == 0, collector.text

    [[found], tokens] = collector.query(
        "SELECT * FROM signoz_genai.summary("
        "start = '2000-01-01 00:00:00', end = '2100-01-01 00:00:00', step = 0, by = ['service_name', 'language'])",
        TOKENS,
    )
    counted = {"input": served.input_tokens, "output": served.output_tokens}
    assert {row["kind"]: row["tokens"] for row in tokens} == counted
    assert [row["calls"] for row in tokens] == [served.calls - served.errors] * 2
    assert (found["service_name"], found["language"]) == ("shop", "python")
    assert int(found["calls"]) == served.calls == 2 * CALLS
    assert int(found["errors"]) == served.errors > 0
    assert found["error_rate"] == pytest.approx(served.errors / served.calls)
    assert int(found["input_tokens"]) == served.input_tokens
    assert int(found["output_tokens"]) == served.output_tokens
    if instrumentation == "openai":
        assert int(found["cache_read_tokens"]) == served.cached_tokens
        assert found["cache_utilization"] == pytest.approx(served.cached_tokens / served.input_tokens)
        assert found["cache_coverage"] == 1
    else:  # it leaves cache tokens out of its spans, so they are unknown, which is not 0
        assert [found["cache_read_tokens"], found["cache_utilization"], found["cache_coverage"]] == [None, None, 0]
    exact = np.percentile(np.array(durations) / 1e9, [50, 95, 99])
    assert [found[f"duration_p{percent}_seconds"] for percent in (50, 95, 99)] == pytest.approx(exact, rel=0.01)
