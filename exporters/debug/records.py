"""How log records look."""

from collections.abc import Iterator

from exporters.debug.text import Row, attribute_lines, field_lines, pairs, time_of, value_of

_LEVELS = ("Trace", "Debug", "Info", "Warn", "Error", "Fatal")


def record_line(record: Row) -> str:
    """Return a log record on one line."""
    return f"{value_of(record['body'])[1]} {pairs(record['attributes'])}".strip()


def record_lines(record: Row) -> Iterator[str]:
    """Yield everything about a log record."""
    kind, body = value_of(record["body"])
    before = {
        "ObservedTimestamp": time_of(record["observed_time_unix_nano"]),
        "Timestamp": time_of(record["time_unix_nano"]),
        "SeverityText": record["severity_text"],
        "SeverityNumber": f"{_severity(record['severity_number'])}({record['severity_number']})",
        "EventName": record["event_name"] or None,
        "Body": f"{kind}({body})",
    }
    after = {
        "Dropped attributes count": record["dropped_attributes_count"] or None,
        "Trace ID": record["trace_id"].hex(),
        "Span ID": record["span_id"].hex(),
        "Flags": record["flags"],
    }
    yield from field_lines(before)
    yield from attribute_lines("Attributes:", record["attributes"])
    yield from field_lines(after)


def _severity(number: int) -> str:
    """Return the name of a severity: each level has four steps, the first without a number."""
    if not 1 <= number <= 4 * len(_LEVELS):
        return "Unspecified"
    level, step = divmod(number - 1, 4)
    return f"{_LEVELS[level]}{step + 1 if step else ''}"
