"""A real application, a real collector, a real kill: views and metrics say what the model endpoint served."""

import ctypes
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from tests.apps.endpoint import endpoint
from tests.requests import request
from tests.running import CONFIG, ROOT, Collector

CALLS = 40
ALL_SIGNALS = f"""{CONFIG}    metrics: {{{{receivers: [otlp], processors: [genai, rollup], exporters: [clickhouse]}}}}
    logs: {{{{receivers: [otlp], exporters: [clickhouse]}}}}
"""

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


def say_something(collector: Collector, number: int) -> None:
    """Send a span, a log record of it and a measurement by the SDK's own exporters."""
    target = {"endpoint": f"http://localhost:{collector.grpc_port}", "insecure": True}
    resource = Resource({"service.name": "shop"})
    spans, logs = TracerProvider(resource=resource), LoggerProvider(resource=resource)
    spans.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(**target)))
    logs.add_log_record_processor(SimpleLogRecordProcessor(OTLPLogExporter(**target)))
    metrics = MeterProvider([PeriodicExportingMetricReader(OTLPMetricExporter(**target))], resource)
    with spans.get_tracer("app").start_as_current_span("ask"):
        metrics.get_meter("app").create_counter("questions").add(number)
        body = {"content": f"question {number}"}
        severity = SeverityNumber.INFO
        logs.get_logger("app").emit(LogRecord(body=body, event_name="gen_ai.user.message", severity_number=severity))
    for provider in (spans, logs, metrics):
        provider.shutdown()


def test_every_signal_lands_in_its_database(tmp_path):
    collector = Collector(tmp_path, config=ALL_SIGNALS)
    collector.start()
    say_something(collector, 1)
    collector.kill()
    collector.start()
    say_something(collector, 2)
    assert collector.stop() == 0, collector.text

    logs, metrics, columns = collector.query(
        "SELECT l.body AS body, l.attributes_string AS attributes, s.name AS span FROM signoz_logs.logs_v2 AS l"
        " INNER JOIN signoz_traces.signoz_index_v3 AS s ON l.trace_id = s.trace_id AND l.span_id = s.span_id"
        " ORDER BY body",
        "SELECT metric_name, sum(value) AS value FROM signoz_metrics.samples_v4 GROUP BY metric_name",
        "SELECT DISTINCT column_name FROM signoz_metadata.column_evolution_metadata ORDER BY column_name",
    )
    event = {"event.name": "gen_ai.user.message"}
    assert logs == [
        {"body": f'{{"content":"question {number}"}}', "attributes": event, "span": "ask"} for number in (1, 2)
    ]
    assert metrics == [{"metric_name": "questions", "value": 3}]
    assert [row["column_name"] for row in columns] == ["resource", "resources_string"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_either_signal_delivers_what_waits_and_ends_well(tmp_path, number):
    collector = Collector(tmp_path, config=CONFIG.replace("flush_timeout: 100ms", "flush_timeout: 10m"))
    collector.start()
    with collector.exporting() as export:
        export(request(7, random.Random(1))[0])
    waiting = collector.waiting()

    assert collector.stop(number) == 0, collector.text
    assert (waiting > 0, collector.waiting()) == (True, 0)
    assert collector.query("SELECT count() AS spans FROM signoz_traces.signoz_index_v3") == [[{"spans": 7}]]
    assert "Shutdown complete." in collector.text


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux, to give a signal to one thread")
def test_a_signal_that_does_not_wake_the_main_thread_ends_the_process_too(tmp_path):
    collector = Collector(tmp_path)
    collector.start()
    collector.until_logged("Everything is ready")
    time.sleep(0.5)  # until it waits
    process = collector.process.pid
    others = [task for task in Path(f"/proc/{process}/task").iterdir() if task.name != str(process)]
    [*_, thread] = (int(task.name) for task in others if takes(task, signal.SIGTERM))

    assert ctypes.CDLL(None).tgkill(process, thread, signal.SIGTERM) == 0

    assert collector.process.wait(30) == 0, collector.text


def takes(task: Path, number: int) -> bool:
    """Tell whether a thread does not block the signal."""
    [blocked] = re.findall(r"^SigBlk:\s+(\w+)$", (task / "status").read_text(), re.MULTILINE)
    return not int(blocked, 16) >> (number - 1) & 1
