"""SigNoz's autocomplete tables: which keys spans carry, and with which values.

Both hold each thing once per batch: a key per type; a value per key, type and hour of the span's start.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collector.batch import Batch
from exporters.clickhouse.columns import Ints, coded, compact, timestamps
from exporters.clickhouse.distinct import distinct_pairs
from exporters.clickhouse.insert import Insert
from exporters.clickhouse.kinds import KINDS, STATUS_CODES, kinds_of, status_codes_of
from exporters.clickhouse.resources import Resource, Scope, resources_of, scopes_of
from exporters.clickhouse.typed_attributes import Entries, typed_attributes_of

_LONGEST_VALUE = 256  # bytes; SigNoz offers no longer ones
_HOUR_NANOSECONDS = 3_600_000_000_000
_HOUR_MILLISECONDS = 3_600_000


@dataclass(frozen=True, slots=True)
class _Values:
    """Distinct values of one kind of tag, each with the hour since 1970 in which it was seen."""

    tag_type: str
    data_type: str
    hours: Ints
    keys: pa.StringArray
    values: pa.Array | None = None


def keys_insert(batch: Batch) -> Insert:
    """Return every key of the batch's spans, resources and scopes with its types."""
    attributes = typed_attributes_of(batch)
    found = [
        (attributes.names[code], "tag", data_type)
        for data_type, entries in attributes.by_data_type()
        for code in compact(entries.codes)[0].tolist()
    ]
    for tag_type, distinct, _ in _owners(batch):
        keys = dict.fromkeys(key for owner in distinct for key in owner.strings)
        found += [(key, tag_type, "string") for key in keys]
    columns = [pa.array([row[index] for row in found], pa.string()) for index in range(3)]
    columns.append(pa.array(np.zeros(len(found), np.bool_)))
    rows = pa.RecordBatch.from_arrays(columns, ["tagKey", "tagType", "dataType", "isColumn"])
    return Insert("signoz_traces.distributed_span_attributes_keys", rows, None)


def values_insert(batch: Batch) -> Insert:
    """Return the distinct values of the attributes of the batch's spans, resources and scopes, and of span fields."""
    hours = timestamps(batch.main.column("start_time_unix_nano").to_numpy()) // _HOUR_NANOSECONDS
    found = [*_attribute_values(batch, hours), *_owner_values(batch, hours), *_field_values(batch, hours)]
    return Insert("signoz_traces.distributed_tag_attributes_v2", _rows(found), None)


def _rows(found: Sequence[_Values]) -> pa.RecordBatch:
    lengths = [len(one.hours) for one in found]
    columns = {
        "unix_milli": pa.array(np.concatenate([one.hours for one in found]) * _HOUR_MILLISECONDS),
        "tag_key": pa.concat_arrays([one.keys for one in found]),
        "tag_type": coded(np.repeat(np.arange(len(found)), lengths), [one.tag_type for one in found]),
        "tag_data_type": coded(np.repeat(np.arange(len(found)), lengths), [one.data_type for one in found]),
        "string_value": pa.concat_arrays([_column(one, "string", "") for one in found]),
        "number_value": pa.concat_arrays([_column(one, "float64", None) for one in found]),
    }
    return pa.RecordBatch.from_arrays(list(columns.values()), list(columns))


def _column(found: _Values, data_type: str, missing: str | None) -> pa.Array:
    if found.data_type == data_type and found.values is not None:
        return found.values
    kind = pa.string() if data_type == "string" else pa.float64()
    return pa.repeat(pa.scalar(missing, kind), len(found.hours))


def _attribute_values(batch: Batch, hours: Ints) -> Iterator[_Values]:
    attributes = typed_attributes_of(batch)
    names = pa.array(attributes.names, pa.string())
    for data_type, entries in attributes.by_data_type():
        if data_type == "bool":
            seen, codes = distinct_pairs(hours[entries.rows], entries.codes)
            yield _Values("tag", data_type, seen, names.take(pa.array(codes)))
        else:
            yield _distinct_values(data_type, _short(entries) if data_type == "string" else entries, names, hours)


def _distinct_values(data_type: str, entries: Entries, names: pa.StringArray, hours: Ints) -> _Values:
    values = pc.dictionary_encode(entries.values)
    places, numbers = distinct_pairs(hours[entries.rows] * len(names) + entries.codes, np.asarray(values.indices))
    keys = names.take(pa.array(places % max(len(names), 1)))
    return _Values("tag", data_type, places // max(len(names), 1), keys, values.dictionary.take(pa.array(numbers)))


def _short(entries: Entries) -> Entries:
    """Return the entries whose text is not too long to be offered."""
    short = pc.less_equal(pc.binary_length(entries.values), _LONGEST_VALUE)
    if pc.all(short).as_py() in (True, None):
        return entries
    mask = np.asarray(short)
    return Entries(entries.rows[mask], entries.codes[mask], entries.values.filter(short))


def _owners(batch: Batch) -> Iterator[tuple[str, Sequence[Resource | Scope], Ints]]:
    """Yield resources and scopes: the tag type, the distinct ones, and the number of each span's."""
    resources, scopes = resources_of(batch), scopes_of(batch)
    yield "resource", resources.distinct, resources.numbers
    yield "scope", scopes.distinct, scopes.numbers


def _owner_values(batch: Batch, hours: Ints) -> Iterator[_Values]:
    for tag_type, distinct, numbers in _owners(batch):
        seen, which = distinct_pairs(hours, numbers)
        found = {
            (hour, key, text): None
            for hour, number in zip(seen.tolist(), which.tolist(), strict=True)
            for key, text in distinct[number].strings.items()
            if len(text.encode()) <= _LONGEST_VALUE
        }
        columns = [[row[index] for row in found] for index in range(3)]
        keys, texts = pa.array(columns[1], pa.string()), pa.array(columns[2], pa.string())
        yield _Values(tag_type, "string", np.array(columns[0], np.int64), keys, texts)


def _field_values(batch: Batch, hours: Ints) -> Iterator[_Values]:
    names = pc.dictionary_encode(batch.main.column("name"))
    seen, codes = distinct_pairs(hours, np.asarray(names.indices))
    yield _field("name", "string", seen, names.dictionary.take(pa.array(codes)))
    for key, words, numbers in (
        ("kind", KINDS, kinds_of(batch)),
        ("status_code", STATUS_CODES, status_codes_of(batch)),
    ):
        seen, codes = distinct_pairs(hours, numbers)
        yield _field(f"{key}_string", "string", seen, pa.array(words).take(pa.array(codes)))
        yield _field(key, "float64", seen, pa.array(codes.astype(np.float64)))


def _field(key: str, data_type: str, hours: Ints, values: pa.Array) -> _Values:
    if data_type == "string":
        short = np.asarray(pc.less_equal(pc.binary_length(values), _LONGEST_VALUE))
        hours, values = hours[short], values.filter(pa.array(short))
    return _Values("spanfield", data_type, hours, pa.repeat(key, len(hours)), values)
