"""SigNoz's autocomplete tables: which keys spans and log records carry, and with which values.

Both hold each thing once per batch: a key per type; a value per key, type and hour.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collector.batch import Batch
from exporters.clickhouse.columns import Ints, coded, compact
from exporters.clickhouse.distinct import distinct_pairs
from exporters.clickhouse.insert import Insert
from exporters.clickhouse.resources import resources_of
from exporters.clickhouse.typed_attributes import Entries, typed_attributes_of

HOUR_NANOSECONDS = 3_600_000_000_000
"""Values are offered by the hour in which they were seen."""

_LONGEST_VALUE = 256  # bytes; SigNoz offers no longer ones
_HOUR_MILLISECONDS = 3_600_000

Owners: TypeAlias = tuple[str, Sequence[Mapping[str, str]], Ints]
"""Resources or scopes: the tag type, the keys and texts of the distinct ones, and the number of each item's."""


@dataclass(frozen=True, slots=True)
class Values:
    """Distinct values of one kind of tag, each with the hour since 1970 in which it was seen."""

    tag_type: str
    data_type: str
    hours: Ints
    keys: pa.StringArray
    values: pa.Array | None = None


def attribute_keys(batch: Batch) -> Iterator[tuple[str, str]]:
    """Yield every key of the items' attributes with each of its types."""
    attributes = typed_attributes_of(batch)
    for data_type, entries in attributes.by_data_type():
        for code in compact(entries.codes)[0].tolist():
            yield attributes.names[code], data_type


def resource_owners(batch: Batch) -> Owners:
    """Return the resources of the batch's items."""
    resources = resources_of(batch)
    return "resource", [one.strings for one in resources.distinct], resources.numbers


def owner_keys(owners: Owners) -> Iterable[str]:
    """Return every key of some resources or scopes."""
    return dict.fromkeys(key for strings in owners[1] for key in strings)


def values_insert(table: str, found: Sequence[Values]) -> Insert:
    """Return the row for *table* of each value that was found."""
    lengths = [len(one.hours) for one in found]
    columns = {
        "unix_milli": pa.array(np.concatenate([one.hours for one in found]) * _HOUR_MILLISECONDS),
        "tag_key": pa.concat_arrays([one.keys for one in found]),
        "tag_type": coded(np.repeat(np.arange(len(found)), lengths), [one.tag_type for one in found]),
        "tag_data_type": coded(np.repeat(np.arange(len(found)), lengths), [one.data_type for one in found]),
        "string_value": pa.concat_arrays([_column(one, "string", "") for one in found]),
        "number_value": pa.concat_arrays([_column(one, "float64", None) for one in found]),
    }
    return Insert(table, pa.RecordBatch.from_arrays(list(columns.values()), list(columns)), None, lasting=True)


def _column(found: Values, data_type: str, missing: str | None) -> pa.Array:
    if found.data_type == data_type and found.values is not None:
        return found.values
    kind = pa.string() if data_type == "string" else pa.float64()
    return pa.repeat(pa.scalar(missing, kind), len(found.hours))


def attribute_values(batch: Batch, hours: Ints) -> Iterator[Values]:
    """Yield the distinct values of the items' attributes; *hours* are those of the items."""
    attributes = typed_attributes_of(batch)
    names = pa.array(attributes.names, pa.string())
    for data_type, entries in attributes.by_data_type():
        if data_type == "bool":
            seen, codes = distinct_pairs(hours[entries.rows], entries.codes)
            yield Values("tag", data_type, seen, names.take(pa.array(codes)))
        else:
            yield _distinct_values(data_type, _short(entries) if data_type == "string" else entries, names, hours)


def _distinct_values(data_type: str, entries: Entries, names: pa.StringArray, hours: Ints) -> Values:
    values = pc.dictionary_encode(entries.values)
    places, numbers = distinct_pairs(hours[entries.rows] * len(names) + entries.codes, np.asarray(values.indices))
    keys = names.take(pa.array(places % max(len(names), 1)))
    return Values("tag", data_type, places // max(len(names), 1), keys, values.dictionary.take(pa.array(numbers)))


def _short(entries: Entries) -> Entries:
    """Return the entries whose text is not too long to be offered."""
    short = pc.less_equal(pc.binary_length(entries.values), _LONGEST_VALUE)
    if pc.all(short).as_py() in (True, None):
        return entries
    mask = np.asarray(short)
    return Entries(entries.rows[mask], entries.codes[mask], entries.values.filter(short))


def owner_values(owners: Owners, hours: Ints) -> Values:
    """Return the distinct texts of some resources or scopes; *hours* are those of the items."""
    tag_type, distinct, numbers = owners
    seen, which = distinct_pairs(hours, numbers)
    found = {
        (hour, key, text): None
        for hour, number in zip(seen.tolist(), which.tolist(), strict=True)
        for key, text in distinct[number].items()
        if len(text.encode()) <= _LONGEST_VALUE
    }
    columns = [[row[index] for row in found] for index in range(3)]
    keys, texts = pa.array(columns[1], pa.string()), pa.array(columns[2], pa.string())
    return Values(tag_type, "string", np.array(columns[0], np.int64), keys, texts)


def field_values(tag_type: str, key: str, field: pa.DictionaryArray, hours: Ints) -> Values:
    """Return the distinct values of a field that each item has; its dictionary holds texts or doubles."""
    seen, codes = distinct_pairs(hours, np.asarray(field.indices))
    values = field.dictionary.take(pa.array(codes))
    if not pa.types.is_string(values.type):
        return Values(tag_type, "float64", seen, pa.repeat(key, len(seen)), values)
    short = np.asarray(pc.less_equal(pc.binary_length(values), _LONGEST_VALUE))
    seen, values = seen[short], values.filter(pa.array(short))
    return Values(tag_type, "string", seen, pa.repeat(key, len(seen)), values)
