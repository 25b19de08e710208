"""Shows what passes: a line per delivery, a line per item, or everything, as the Collector's debug exporter does."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from time import monotonic
from typing import Any, Literal

from opentelemetry.proto.common.v1.common_pb2 import ArrayValue, KeyValueList
from pydantic import NonNegativeInt

from collector.batch import Batch, Signal
from collector.component import Exporter, ExporterConfig, Host, SendingQueueConfig

_INTERVAL = 1.0
"""Seconds that a sample is counted for."""

_KINDS = ("Unspecified", "Internal", "Server", "Client", "Producer", "Consumer")
_STATUS_CODES = ("Unset", "Ok", "Error")
_NOTHING_TO_TELL: tuple[object, ...] = ("", b"", 0, [], {}, None)


class DebugQueueConfig(SendingQueueConfig):
    """Is a queue whose items may be lost: they were only to be looked at."""

    storage: Literal["disk", "memory"] = "memory"
    """``disk`` keeps them through a crash all the same."""


class DebugConfig(ExporterConfig):
    """Says how much is shown."""

    verbosity: Literal["basic", "normal", "detailed"] = "basic"
    """``basic`` shows counts, ``normal`` a line per item, ``detailed`` every field and attribute."""
    sampling_initial: NonNegativeInt = 2
    """Deliveries shown whole in each second."""
    sampling_thereafter: NonNegativeInt = 1
    """After those, every how many-th delivery of the second is shown; 0 shows no more of them."""
    use_internal_logger: bool = True
    """Write into the collector's own log; otherwise to standard output."""
    sending_queue: DebugQueueConfig = DebugQueueConfig()


class DebugExporter(Exporter):
    """Writes what it is given to the log or to standard output."""

    Config = DebugConfig

    def __init__(self, config: Any, host: Host) -> None:
        super().__init__(config, host)
        self._sample = _Sample(config.sampling_initial, config.sampling_thereafter)

    def export(self, batch: Batch) -> None:
        """Show the batch, if it is this one's turn."""
        if not self._sample.takes(monotonic()):
            return
        counts = {name: table.num_rows for name, table in batch.tables.items()}
        details = "\n".join(_lines(batch, self.config.verbosity))
        if self.config.use_internal_logger:
            self.host.log.info(batch.signal.capitalize(), **counts)
            if details:
                self.host.log.info(details)
        else:
            head = " ".join([batch.signal.capitalize(), *(f"{name}={count}" for name, count in counts.items())])
            sys.stdout.write("\n".join(filter(None, (head, details))) + "\n")
            sys.stdout.flush()


class _Sample:
    """Chooses the first few of each second, and then every n-th."""

    def __init__(self, initial: int, thereafter: int) -> None:
        self._initial = initial
        self._thereafter = thereafter
        self._end = 0.0
        self._seen = 0

    def takes(self, now: float) -> bool:
        if now >= self._end:
            self._end, self._seen = now + _INTERVAL, 0
        self._seen += 1
        late = self._seen - self._initial
        return late <= 0 or (self._thereafter > 0 and late % self._thereafter == 0)


def _lines(batch: Batch, verbosity: str) -> Iterator[str]:
    if verbosity == "basic":
        return
    if batch.signal is Signal.TRACES:
        yield from _detailed_spans(batch) if verbosity == "detailed" else _normal_spans(batch)
        return
    for number, row in enumerate(batch.main.to_pylist(maps_as_pydicts="strict")):
        if verbosity == "normal":
            yield " ".join(f"{name}={_text(value)}" for name, value in row.items() if value not in _NOTHING_TO_TELL)
        else:
            yield f"{batch.signal.capitalize()} #{number}"
            yield from (f"    {name:<28}: {_text(value)}" for name, value in row.items())


def _normal_spans(batch: Batch) -> Iterator[str]:
    for span in batch.main.to_pylist():
        told = " ".join(f"{key}={value}" for key, value in _attributes(span["attributes"]))
        yield f"{span['name']} {span['trace_id'].hex()} {span['span_id'].hex()} {told}".rstrip()


def _detailed_spans(batch: Batch) -> Iterator[str]:
    resources, scopes = (batch.tables[name].to_pylist() for name in ("resources", "scopes"))
    previous: tuple[int, int] | None = None
    number = 0
    for span in batch.main.to_pylist():
        place = (span["resource"], span["scope"])
        if previous is None or place[0] != previous[0]:
            yield f"ResourceSpans #{place[0]}"
            yield f"Resource SchemaURL: {resources[place[0]]['schema_url']}"
            yield from _attribute_lines("Resource attributes:", resources[place[0]]["attributes"])
        if place != previous:
            number = 0
            yield f"ScopeSpans #{place[1]}"
            yield f"ScopeSpans SchemaURL: {scopes[place[1]]['schema_url']}"
            yield f"InstrumentationScope {scopes[place[1]]['name']} {scopes[place[1]]['version']}"
            yield from _attribute_lines("InstrumentationScope attributes:", scopes[place[1]]["attributes"])
        yield f"Span #{number}"
        yield from _span_lines(span)
        previous, number = place, number + 1


def _span_lines(span: Mapping[str, Any]) -> Iterator[str]:
    fields = {
        "Trace ID": span["trace_id"].hex(),
        "Parent ID": span["parent_span_id"].hex(),
        "ID": span["span_id"].hex(),
        "Name": span["name"],
        "Kind": _name(_KINDS, span["kind"]),
        "TraceState": span["trace_state"] or None,
        "Start time": _time(span["start_time_unix_nano"]),
        "End time": _time(span["end_time_unix_nano"]),
        "Status code": _name(_STATUS_CODES, span["status_code"]),
        "Status message": span["status_message"],
        **{
            f"Dropped {what} count": span[f"dropped_{what}_count"] or None for what in ("attributes", "events", "links")
        },
        "Flags": span["flags"] or None,
    }
    for name, value in fields.items():
        if value is not None:
            yield f"    {name:<15}: {value}"
    yield from _attribute_lines("Attributes:", span["attributes"])
    yield from _part_lines("Events:", "SpanEvent", span["events"])
    yield from _part_lines("Links:", "SpanLink", span["links"])


def _part_lines(head: str, title: str, parts: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    if parts:
        yield head
    for number, part in enumerate(parts):
        yield f"{title} #{number}"
        for name, value in part.items():
            if name != "attributes":
                shown = _time(value) if name == "time_unix_nano" else _text(value)
                yield f"     -> {name.replace('_', ' ').capitalize()}: {shown}"
        yield from _attribute_lines("     -> Attributes::", part["attributes"], "         ")


def _attribute_lines(head: str, attributes: Sequence[Mapping[str, Any]], indent: str = "     ") -> Iterator[str]:
    if attributes:
        yield head
    for attribute in attributes:
        kind, value = _value(attribute["value"])
        yield f"{indent}-> {attribute['key']}: {kind}({value})"


def _attributes(attributes: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    return ((attribute["key"], _value(attribute["value"])[1]) for attribute in attributes)


def _value(value: Mapping[str, Any] | None) -> tuple[str, str]:
    """Return the name of a value's type and its text."""
    for name, found in (value or {}).items():
        if found is not None:
            parse = _NESTED.get(name)
            return _TYPES[name], _text(_plain(parse(found)) if parse else found)
    return "Empty", ""


def _plain(value: Any) -> object:
    """Return a parsed nested value as JSON has it."""
    if isinstance(value, ArrayValue):
        return [_plain(item) for item in value.values]
    if isinstance(value, KeyValueList):
        return {item.key: _plain(item.value) for item in value.values}
    kind = value.WhichOneof("value")
    found = getattr(value, kind) if kind else None
    return _plain(found) if kind in _NESTED else found


_NESTED = {"array_value": ArrayValue.FromString, "kvlist_value": KeyValueList.FromString}
_TYPES = {
    "string_value": "Str",
    "bool_value": "Bool",
    "int_value": "Int",
    "double_value": "Double",
    "array_value": "Slice",
    "kvlist_value": "Map",
    "bytes_value": "Bytes",
}


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, default=_unknown_to_json, ensure_ascii=False).strip('"')


def _unknown_to_json(value: Any) -> str:
    return value.hex() if isinstance(value, bytes) else f"{value:%Y-%m-%d %H:%M:%S}"


def _time(nanoseconds: int) -> str:
    seconds, rest = divmod(nanoseconds, 10**9)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}.{rest:09d} +0000 UTC"


def _name(names: Sequence[str], number: int) -> str:
    return names[number] if 0 <= number < len(names) else str(number)
