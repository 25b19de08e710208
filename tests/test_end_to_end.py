"""A real application, a real collector, a real kill: the views say what the model endpoint served."""

import os
import subprocess
import sys

import numpy as np
import pytest

from tests.apps.endpoint import endpoint
from tests.running import ROOT, Collector

CALLS = 40


def run_app(instrumentation: str, protocol: str, collector: Collector, url: str) -> list[int]:
    """Run the application to its end and return the durations of its spans in nanoseconds."""
    port = collector.grpc_port if protocol == "grpc" else collector.http_port
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "OPENAI_BASE_URL": url,
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://localhost:{port}",
        "OTEL_SERVICE_NAME": "shop",
        "OTEL_METRICS_EXPORTER": "none",
        "OTEL_SEMCONV_STABILITY_OPT_IN": "gen_ai_latest_experimental",
    }
    command = [sys.executable, "-m", "tests.apps.chat", instrumentation, protocol, str(CALLS)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [int(line) for line in done.stdout.split()]


@pytest.mark.parametrize("protocol", ["grpc", "http"])
@pytest.mark.parametrize("instrumentation", ["openai", "openai_v2"])
def test_the_views_return_what_was_served(tmp_path, instrumentation, protocol):
    collector = Collector(tmp_path)
    collector.start()
    with endpoint(seed=5) as (url, served):
        durations = run_app(instrumentation, protocol, collector, url)
        collector.kill()
        collector.start()
        durations += run_app(instrumentation, protocol, collector, url)
    assert collector.stop() == 0, collector.text

    [[found]] = collector.query(
        "SELECT * FROM signoz_genai.summary("
        "start = '2000-01-01 00:00:00', end = '2100-01-01 00:00:00', step = 0, by = ['service_name', 'language'])"
    )
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
