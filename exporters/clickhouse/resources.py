"""Resources and scopes as SigNoz's tables show them: texts made once per distinct resource or scope."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from collector.attributes import Attributes, resource_attributes_of
from collector.batch import Batch, Signal
from exporters.clickhouse.columns import Ints, coded, compact, map_rows
from exporters.clickhouse.distinct import distinct_attributes, distinct_pairs
from exporters.clickhouse.fingerprint import resource_fingerprint
from exporters.clickhouse.insert import Insert
from exporters.clickhouse.texts import as_string, go_text, json_object, plain_quoted, quoted
from exporters.clickhouse.values import Value, flatten

_BUCKET_SECONDS = 1800  # items and resources are joined within half hours of the span's start or the record's time


@dataclass(frozen=True, slots=True)
class Resource:
    """What the tables hold of one resource; *strings* are its attributes as texts."""

    fingerprint: str
    labels: str
    strings: dict[str, str]
    service_name: str | None

    @classmethod
    def of(cls, attributes: Mapping[str, Value], *, flat: bool) -> "Resource":
        """Return the texts of a resource with these attributes; *flat* gives the members of maps keys of their own."""
        # SigNoz escapes <, > and & in labels, and then its own search cannot find them: leave them as they are.
        labels = {key: plain_quoted(as_string(value)) for key, value in attributes.items()}
        strings = _flat_strings(attributes) if flat else {key: as_string(value) for key, value in attributes.items()}
        name = as_string(attributes["service.name"]) if "service.name" in attributes else None
        return cls(resource_fingerprint(attributes), json_object(labels, plain_quoted), strings, name)

    @property
    def json(self) -> str:
        """The value of the JSON column."""
        return json_object({key: quoted(text) for key, text in self.strings.items()})


@dataclass(frozen=True, slots=True)
class Resources:
    """The distinct resources of a batch's items: ``distinct[numbers[row]]`` is the resource of an item."""

    distinct: list[Resource]
    numbers: Ints


@dataclass(frozen=True, slots=True)
class Scope:
    """What the tables hold of one instrumentation scope; *attributes* are its own as texts."""

    name: str
    version: str
    attributes: dict[str, str]

    @property
    def json(self) -> str:
        """The value of the JSON column: always all three members, in this order."""
        attributes = json_object({key: quoted(text) for key, text in self.attributes.items()})
        return f'{{"name":{quoted(self.name)},"version":{quoted(self.version)},"attributes":{attributes}}}'

    @property
    def strings(self) -> dict[str, str]:
        """The scope's keys as a user searches for them."""
        named = {"scope.name": self.name, "scope.version": self.version}
        return {key: text for key, text in named.items() if text} | self.attributes


@dataclass(frozen=True, slots=True)
class Scopes:
    """The distinct scopes of a batch's items: ``distinct[numbers[row]]`` is the scope of an item."""

    distinct: list[Scope]
    numbers: Ints


def resources_of(batch: Batch) -> Resources:
    """Return the resources that the batch's items refer to, worked out once per batch."""
    return batch.memo(_resources)


def scopes_of(batch: Batch) -> Scopes:
    """Return the scopes that the batch's items refer to, worked out once per batch."""
    return batch.memo(_scopes)


def bucket_seconds(nanoseconds: npt.NDArray[Any]) -> Ints:
    """Return the half hour of each time, in Unix seconds."""
    return (nanoseconds // (_BUCKET_SECONDS * 10**9)).astype(np.int64) * _BUCKET_SECONDS


def resource_columns(batch: Batch) -> dict[str, pa.Array]:
    """Return the columns of SigNoz's tables that hold the resource of each of the batch's items."""
    resources = resources_of(batch)
    return {
        "resources_string": map_rows([one.strings for one in resources.distinct], resources.numbers),
        "resource": coded(resources.numbers, [one.json for one in resources.distinct]),
    }


def resource_insert(batch: Batch, table: str, buckets: Ints) -> Insert:
    """Return one row for *table* per resource and half hour; *buckets* are those of the items, in Unix seconds."""
    resources = resources_of(batch)
    seen, numbers = distinct_pairs(buckets, resources.numbers)
    found = {
        (resources.distinct[number].labels, resources.distinct[number].fingerprint, bucket): None
        for bucket, number in zip(seen.tolist(), numbers.tolist(), strict=True)
    }
    labels, fingerprints, times = zip(*found, strict=True)
    rows = pa.RecordBatch.from_arrays(
        [pa.array(labels, pa.string()), pa.array(fingerprints, pa.string()), pa.array(times, pa.int64())],
        ["labels", "fingerprint", "seen_at_ts_bucket_start"],
    )
    return Insert(table, rows, None, lasting=True)


def _resources(batch: Batch) -> Resources:
    found = distinct_attributes(resource_attributes_of(batch))
    used, numbers = compact(found.numbers[np.asarray(batch.main.column("resource"))])
    flat = batch.signal is Signal.TRACES
    return Resources([Resource.of(found.maps[number], flat=flat) for number in used], numbers)


def _scopes(batch: Batch) -> Scopes:
    table = batch.tables["scopes"]
    found = distinct_attributes(Attributes(table.column("attributes")))
    names = pc.dictionary_encode(table.column("name"))
    versions = pc.dictionary_encode(table.column("version"))
    codes = np.asarray(names.indices).astype(np.int64) * len(versions.dictionary) + np.asarray(versions.indices)
    rows = pc.dictionary_encode(pa.array(codes * max(len(found.maps), 1) + found.numbers))
    examples = np.empty(len(rows.dictionary), np.int64)
    examples[np.asarray(rows.indices)] = np.arange(len(rows))
    used, numbers = compact(np.asarray(rows.indices)[np.asarray(batch.main.column("scope"))])
    return Scopes([_scope(table, int(row), found.maps[found.numbers[row]]) for row in examples[used]], numbers)


def _scope(table: pa.RecordBatch, row: int, attributes: Mapping[str, Value]) -> Scope:
    texts = {key: as_string(value) for key, value in attributes.items()}
    return Scope(table.column("name")[row].as_py(), table.column("version")[row].as_py(), texts)


def _flat_strings(attributes: Mapping[str, Value]) -> dict[str, str]:
    """Return all attributes as texts, the members of maps under keys of their own."""
    strings = {}
    for key, value in attributes.items():
        if isinstance(value, dict):
            strings.update({name: go_text(leaf) for name, leaf in flatten(key, value)})
        else:
            strings[key] = as_string(value)
    return strings
