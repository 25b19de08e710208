"""How spans look."""

from collections.abc import Iterator, Sequence

from exporters.debug.text import Row, attribute_lines, field_lines, name_of, pairs, text_of, time_of

_KINDS = ("Unspecified", "Internal", "Server", "Client", "Producer", "Consumer")
_STATUS_CODES = ("Unset", "Ok", "Error")


def span_line(span: Row) -> str:
    """Return a span on one line."""
    return f"{span['name']} {span['trace_id'].hex()} {span['span_id'].hex()} {pairs(span['attributes'])}".rstrip()


def span_lines(span: Row) -> Iterator[str]:
    """Yield everything about a span."""
    fields = {
        "Trace ID": span["trace_id"].hex(),
        "Parent ID": span["parent_span_id"].hex(),
        "ID": span["span_id"].hex(),
        "Name": span["name"],
        "Kind": name_of(_KINDS, span["kind"]),
        "TraceState": span["trace_state"] or None,
        "Start time": time_of(span["start_time_unix_nano"]),
        "End time": time_of(span["end_time_unix_nano"]),
        "Status code": name_of(_STATUS_CODES, span["status_code"]),
        "Status message": span["status_message"],
        **{
            f"Dropped {what} count": span[f"dropped_{what}_count"] or None for what in ("attributes", "events", "links")
        },
        "Flags": span["flags"] or None,
    }
    yield from field_lines(fields, 15)
    yield from attribute_lines("Attributes:", span["attributes"])
    yield from _part_lines("Events:", "SpanEvent", span["events"])
    yield from _part_lines("Links:", "SpanLink", span["links"])


def _part_lines(head: str, title: str, parts: Sequence[Row]) -> Iterator[str]:
    if parts:
        yield head
    for number, part in enumerate(parts):
        yield f"{title} #{number}"
        for name, value in part.items():
            if name != "attributes":
                shown = time_of(value) if name == "time_unix_nano" else text_of(value)
                yield f"     -> {name.replace('_', ' ').capitalize()}: {shown}"
        yield from attribute_lines("     -> Attributes::", part["attributes"], "         ")
