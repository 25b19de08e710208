"""A real collector that hears of calls by all signals, and dies in between: each call counts once."""

import grpc
import pytest

from collector.batch import Signal
from tests.corpus.test_corpus import HERE
from tests.running import CONFIG, Collector

PIPELINES = "".join(
    f"    {signal}: {{{{receivers: [otlp], processors: [genai, rollup], exporters: [clickhouse]}}}}\n"
    for signal in (Signal.METRICS, Signal.LOGS)
)
SERVICES = {
    signal: f"/opentelemetry.proto.collector.{word}.v1.{word.title()}Service/Export"
    for signal, word in (("traces", "trace"), ("metrics", "metrics"), ("logs", "logs"))
}
TOTALS = """
SELECT sum(calls) AS calls, sum(errors) AS errors, sum(input_tokens) AS input_tokens
FROM signoz_genai.distributed_rollup_1m
"""
LOSSY = "opentelemetry-instrumentation-openai@0.17.0/mixed_200"
EVENTS = "opentelemetry-instrumentation-genai-openai@1.3b0+content/errors"


def send(collector: Collector, scenario: str, name: str) -> None:
    """Send a request of the corpus; return when it was accepted."""
    with grpc.insecure_channel(f"localhost:{collector.grpc_port}") as channel:
        export = channel.unary_unary(SERVICES[name.partition("-")[0]])
        export((HERE / scenario / f"{name}.pb").read_bytes(), timeout=60, wait_for_ready=True)


@pytest.mark.parametrize("spans_first", [True, False])
def test_a_call_counts_once_whoever_tells_of_it(tmp_path, spans_first):
    spans = [(LOSSY, f"traces-{number}") for number in range(1, 5)]
    others = [*((LOSSY, f"metrics-{number}") for number in range(1, 5)), (EVENTS, "logs-1"), (EVENTS, "metrics-1")]
    requests = [*spans, *others] if spans_first else [*others, *spans]
    collector = Collector(tmp_path, config=CONFIG + PIPELINES)
    collector.start()
    for number, (scenario, name) in enumerate(requests):
        send(collector, scenario, name)
        if number in (3, 7):
            collector.kill()
            collector.start()
            send(collector, scenario, name)
    assert collector.stop() == 0, collector.text

    [found] = collector.query(TOTALS)
    assert [{name: int(told) for name, told in row.items()} for row in found] == [
        {"calls": 200 + 11, "errors": 31 + 10, "input_tokens": 91085 + 70}
    ]
