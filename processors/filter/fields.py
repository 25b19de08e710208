"""The properties that a condition may speak of, and where they stand in a batch."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from collector.attributes import Attributes
from collector.batch import MAIN_TABLE, Batch, Signal
from collector.places import EVERYWHERE
from collector.values import as_texts
from processors.filter.operand import KINDS, Operand, from_members

Rows = npt.NDArray[np.int64]

CONTEXTS: Mapping[Signal, Sequence[str]] = MappingProxyType(
    {
        Signal.TRACES: ("resource", "scope", "span", "spanevent"),
        Signal.METRICS: ("resource", "scope", "metric", "datapoint"),
        Signal.LOGS: ("resource", "scope", "log"),
    }
)
"""What a signal's conditions may be about, from what holds much to what holds little."""

OTHER_NAMES: Mapping[str, str] = MappingProxyType({"instrumentation_scope": "scope"})

_TABLES: Mapping[str, str] = MappingProxyType({"resource": "resources", "scope": "scopes", "metric": "metrics"})


class Frame:
    """Is the rows that a condition is asked about: the items of a batch, or the events of its spans."""

    def __init__(self, batch: Batch, *, events: bool = False) -> None:
        self.batch = batch
        self._columns: dict[tuple[str, str], pa.Array] = {}
        self._attributes: dict[str, Attributes] = {}
        main = batch.main
        self._tables: dict[str, pa.RecordBatch] = {
            context: batch.tables[_TABLES.get(context, MAIN_TABLE[batch.signal])]
            for context in CONTEXTS[batch.signal]
            if context != "spanevent"
        }
        self._rows: dict[str, Rows | None] = {
            context: np.asarray(main.column(context)) if context in main.schema.names else None
            for context in self._tables
        }
        self.count = int(main.num_rows)
        if events:
            structs = EVERYWHERE[Signal.TRACES][1].structs(batch)
            owners = np.repeat(np.arange(self.count), np.diff(np.asarray(main.column("events").offsets)))
            self._tables["spanevent"] = pa.RecordBatch.from_struct_array(structs)
            self._rows = {name: owners if rows is None else rows[owners] for name, rows in self._rows.items()}
            self._rows["spanevent"] = None
            self.count = len(structs)

    def column(self, context: str, name: str) -> pa.Array:
        """Return a column as it concerns each row."""
        key = (context, name)
        if key not in self._columns:
            self._columns[key] = self._of_rows(context, self._tables[context].column(name))
        return self._columns[key]

    def attribute(self, context: str, key: str) -> Operand:
        """Return the values of an attribute."""
        if context not in self._attributes:
            self._attributes[context] = Attributes(self._tables[context].column("attributes"))
        attributes = self._attributes[context]
        [places] = attributes.locate([key])
        rows = self._rows[context]
        places = places if rows is None else places[rows]
        if not (places >= 0).any():
            return {}
        return from_members({name: attributes.member(name, places) for name in attributes.members})

    def _of_rows(self, context: str, column: pa.Array) -> pa.Array:
        rows = self._rows[context]
        return column if rows is None else column.take(pa.array(rows))


class Field(NamedTuple):
    """Says how a property is read: from a *column*, as a *kind*, through *read*."""

    column: str
    kind: str
    read: Callable[[pa.Array], pa.Array] | None = None

    def of(self, frame: Frame, context: str) -> Operand:
        """Return the property of each row."""
        column = frame.column(context, self.column)
        if self.kind == "any":
            return from_members(dict(zip(column.type.names, column.flatten(), strict=True)))
        found = column if self.read is None else self.read(column)
        return {self.kind: found if found.type == KINDS[self.kind] else found.cast(KINDS[self.kind], safe=False)}


def _hex(column: pa.Array) -> pa.Array:
    encoded = column.dictionary_encode()
    return pa.array([data.hex() for data in encoded.dictionary.to_pylist()], pa.string()).take(encoded.indices)


def _words(*words: str) -> Callable[[pa.Array], pa.Array]:
    def read(column: pa.Array) -> pa.Array:
        numbers = np.asarray(column)
        known = (numbers >= 0) & (numbers < len(words))
        return pa.array([*words, ""]).take(pa.array(np.where(known, numbers, len(words))))

    return read


def _text(column: pa.Array) -> pa.Array:
    return as_texts(dict(zip(column.type.names, column.flatten(), strict=True)))


METRIC_TYPES = ("", "gauge", "sum", "histogram", "exponential_histogram", "summary")


def _type_number(column: pa.Array) -> pa.Array:
    return pc.index_in(column, pa.array(METRIC_TYPES)).fill_null(0)


_KINDS = ("unspecified", "internal", "server", "client", "producer", "consumer")


def _ids(*names: str) -> dict[str, Field]:
    return {name: Field(name, "bytes") for name in names} | {
        f"{name}.string": Field(name, "string", _hex) for name in names
    }


def _times(*names: str) -> dict[str, Field]:
    plain = {f"{name}_unix_nano": Field(f"{name}_unix_nano", "int") for name in names}
    return plain | {name: Field(f"{name}_unix_nano", "time") for name in names}


def _same(kind: str, *names: str) -> dict[str, Field]:
    return {name: Field(name, kind) for name in names}


FIELDS: Mapping[str, Mapping[str, Field]] = MappingProxyType(
    {
        "resource": {**_same("int", "dropped_attributes_count"), **_same("string", "schema_url")},
        "scope": {**_same("string", "name", "version", "schema_url"), **_same("int", "dropped_attributes_count")},
        "span": {
            **_same("string", "name", "trace_state"),
            **_ids("trace_id", "span_id", "parent_span_id"),
            **_same("int", "kind", "dropped_attributes_count", "dropped_events_count", "dropped_links_count"),
            **_times("start_time", "end_time"),
            "kind.string": Field("kind", "string", _words(*(word.capitalize() for word in _KINDS))),
            "kind.deprecated_string": Field(
                "kind", "string", _words(*(f"SPAN_KIND_{word.upper()}" for word in _KINDS))
            ),
            "status.code": Field("status_code", "int"),
            "status.message": Field("status_message", "string"),
        },
        "spanevent": {
            **_same("string", "name"),
            **_times("time"),
            **_same("int", "dropped_attributes_count"),
        },
        "metric": {
            **_same("string", "name", "description", "unit"),
            **_same("int", "aggregation_temporality"),
            **_same("bool", "is_monotonic"),
            "type": Field("type", "int", _type_number),
        },
        "datapoint": {
            **_times("start_time", "time"),
            **_same("int", "flags", "count"),
            **_same("double", "sum", "min", "max"),
            "value_double": Field("as_double", "double"),
            "value_int": Field("as_int", "int"),
        },
        "log": {
            **_times("time", "observed_time"),
            **_same("int", "severity_number", "flags", "dropped_attributes_count"),
            **_same("string", "severity_text", "event_name"),
            **_ids("trace_id", "span_id"),
            "body": Field("body", "any"),
            "body.string": Field("body", "string", _text),
        },
    }
)
"""Each context's properties besides ``attributes``."""

ENUMS: Mapping[str, int] = MappingProxyType(
    {f"SPAN_KIND_{word.upper()}": number for number, word in enumerate(_KINDS)}
    | {"STATUS_CODE_UNSET": 0, "STATUS_CODE_OK": 1, "STATUS_CODE_ERROR": 2}
    | {f"METRIC_DATA_TYPE_{word.upper() or 'NONE'}": number for number, word in enumerate(METRIC_TYPES)}
    | {"AGGREGATION_TEMPORALITY_UNSPECIFIED": 0, "AGGREGATION_TEMPORALITY_DELTA": 1}
    | {"AGGREGATION_TEMPORALITY_CUMULATIVE": 2, "SEVERITY_NUMBER_UNSPECIFIED": 0}
    | {
        f"SEVERITY_NUMBER_{word}{number or ''}": 1 + 4 * step + max(number - 1, 0)
        for step, word in enumerate(("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"))
        for number in (0, 2, 3, 4)
    }
)
"""The names of numbers."""
