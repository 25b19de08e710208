"""The wire: what OTLP requests look like as bytes and as JSON, and how they become columns and back."""
