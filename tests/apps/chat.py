"""A chat application: ``python -m tests.apps.chat INSTRUMENTATION PROTOCOL CALLS``.

It reads the usual environment (OPENAI_BASE_URL, OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_SERVICE_NAME) and prints the
exact durations of its spans in nanoseconds, one a line.
"""

import sys

import openai
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor


class Durations(SpanProcessor):
    """Prints how long each span took."""

    def on_end(self, span: ReadableSpan) -> None:
        sys.stdout.write(f"{(span.end_time or 0) - (span.start_time or 0)}\n")


def main(instrumentation: str, protocol: str, calls: int) -> None:
    if protocol == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter  # noqa: PLC0415
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
    else:
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter  # noqa: PLC0415
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
    if instrumentation == "openai":
        from opentelemetry.instrumentation.openai import OpenAIInstrumentor  # noqa: PLC0415
    else:
        from opentelemetry.instrumentation.openai_v2 import OpenAIInstrumentor  # noqa: PLC0415
    provider = TracerProvider()
    provider.add_span_processor(Durations())
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(), schedule_delay_millis=100))
    trace.set_tracer_provider(provider)
    meters = MeterProvider([PeriodicExportingMetricReader(OTLPMetricExporter())])
    metrics.set_meter_provider(meters)
    OpenAIInstrumentor().instrument()
    client = openai.OpenAI(api_key="none", max_retries=0)
    for number in range(calls):
        try:
            client.chat.completions.create(
                model=["gpt-4o", "gpt-4o-mini"][number % 2], messages=[{"role": "user", "content": "Weather?"}]
            )
        except openai.RateLimitError:
            continue
    provider.shutdown()
    meters.shutdown()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
