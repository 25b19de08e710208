"""What is shown of a batch: a line per item, or everything under the resource and the scope that it belongs to."""

from collections.abc import Iterator

from collector.batch import Batch, Signal
from exporters.debug.points import metric_lines, point_line, point_lines
from exporters.debug.records import record_line, record_lines
from exporters.debug.spans import span_line, span_lines
from exporters.debug.text import Row, attribute_lines, text_of

_NOTHING_TO_TELL: tuple[object, ...] = ("", b"", 0, [], {}, None)
_TITLES = {Signal.TRACES: ("Spans", "Span"), Signal.METRICS: ("Metrics", "Metric"), Signal.LOGS: ("Logs", "LogRecord")}
_SHORT = {Signal.TRACES: span_line, Signal.LOGS: record_line}
_LONG = {Signal.TRACES: span_lines, Signal.LOGS: record_lines}


def short_lines(batch: Batch) -> Iterator[str]:
    """Yield a line for each item."""
    rows = batch.main.to_pylist(maps_as_pydicts="strict")
    if batch.signal is Signal.METRICS:
        metrics = batch.tables["metrics"].to_pylist()
        yield from (point_line(metrics[point["metric"]], point) for point in rows)
    elif batch.signal in _SHORT:
        yield from map(_SHORT[batch.signal], rows)
    else:
        for row in rows:
            yield " ".join(f"{name}={text_of(value)}" for name, value in row.items() if value not in _NOTHING_TO_TELL)


def long_lines(batch: Batch) -> Iterator[str]:
    """Yield everything about every item."""
    rows = batch.main.to_pylist(maps_as_pydicts="strict")
    if batch.signal not in _TITLES:
        for number, row in enumerate(rows):
            yield f"{batch.signal.capitalize()} #{number}"
            yield from (f"    {name:<28}: {text_of(value)}" for name, value in row.items())
        return
    tables = {name: table.to_pylist() for name, table in batch.tables.items() if table is not batch.main}
    holders, title = _TITLES[batch.signal]
    previous: Row = {}
    number = 0
    for row in rows:
        yield from _owner_lines(holders, tables, row, previous)
        same = previous and all(row[name] == previous[name] for name in _owners(batch))
        number = number + 1 if same else 0
        if batch.signal is Signal.METRICS:
            metric = tables["metrics"][row["metric"]]
            yield from () if same else metric_lines(metric, row["metric"])
            yield from point_lines(metric, row, number)
        else:
            yield f"{title} #{number}"
            yield from _LONG[batch.signal](row)
        previous = row


def _owners(batch: Batch) -> Iterator[str]:
    """Yield the columns that say what an item belongs to."""
    return (name.removesuffix("s") for name, table in batch.tables.items() if table is not batch.main)


def _owner_lines(holders: str, tables: dict[str, list[Row]], row: Row, previous: Row) -> Iterator[str]:
    """Yield what the item's resource and scope are, where they are others than those of the item before."""
    resource, scope = tables["resources"][row["resource"]], tables["scopes"][row["scope"]]
    if row["resource"] != previous.get("resource"):
        yield f"Resource{holders} #{row['resource']}"
        yield f"Resource SchemaURL: {resource['schema_url']}"
        yield from attribute_lines("Resource attributes:", resource["attributes"])
    if (row["resource"], row["scope"]) != (previous.get("resource"), previous.get("scope")):
        yield f"Scope{holders} #{row['scope']}"
        yield f"Scope{holders} SchemaURL: {scope['schema_url']}"
        yield f"InstrumentationScope {scope['name']} {scope['version']}"
        yield from attribute_lines("InstrumentationScope attributes:", scope["attributes"])
