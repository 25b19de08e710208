"""The engine of genai-collector: pipelines, outbox and OTLP; it knows no component by name."""
