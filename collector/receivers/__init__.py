"""Ways in: what takes telemetry from elsewhere."""
