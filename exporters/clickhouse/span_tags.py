"""What SigNoz offers while somebody types a query over spans; see `exporters.clickhouse.tags`."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collector.batch import Batch
from exporters.clickhouse.columns import Ints, coded, timestamps
from exporters.clickhouse.insert import Insert
from exporters.clickhouse.kinds import KINDS, STATUS_CODES, kinds_of, status_codes_of
from exporters.clickhouse.resources import scopes_of
from exporters.clickhouse.tags import (
    HOUR_NANOSECONDS,
    Owners,
    Values,
    attribute_keys,
    attribute_values,
    field_values,
    owner_keys,
    owner_values,
    resource_owners,
    values_insert,
)

_FIELD = "spanfield"


def keys_insert(batch: Batch) -> Insert:
    """Return every key of the batch's spans, resources and scopes with its types."""
    found = [(key, "tag", data_type) for key, data_type in attribute_keys(batch)]
    for owners in _owners(batch):
        found += [(key, owners[0], "string") for key in owner_keys(owners)]
    columns = [pa.array([row[index] for row in found], pa.string()) for index in range(3)]
    columns.append(pa.array(np.zeros(len(found), np.bool_)))
    rows = pa.RecordBatch.from_arrays(columns, ["tagKey", "tagType", "dataType", "isColumn"])
    return Insert("signoz_traces.distributed_span_attributes_keys", rows, None, lasting=True)


def span_values_insert(batch: Batch) -> Insert:
    """Return the distinct values of the batch's spans, resources, scopes and span fields, by the hour of the start."""
    hours = timestamps(batch.main.column("start_time_unix_nano").to_numpy()) // HOUR_NANOSECONDS
    found = [
        *attribute_values(batch, hours),
        *(owner_values(owners, hours) for owners in _owners(batch)),
        *_fields(batch, hours),
    ]
    return values_insert("signoz_traces.distributed_tag_attributes_v2", found)


def _owners(batch: Batch) -> Iterator[Owners]:
    scopes = scopes_of(batch)
    yield resource_owners(batch)
    yield "scope", [one.strings for one in scopes.distinct], scopes.numbers


def _fields(batch: Batch, hours: Ints) -> Iterator[Values]:
    yield field_values(_FIELD, "name", pc.dictionary_encode(batch.main.column("name")), hours)
    for key, words, codes in (
        ("kind", KINDS, kinds_of(batch)),
        ("status_code", STATUS_CODES, status_codes_of(batch)),
    ):
        yield field_values(_FIELD, f"{key}_string", coded(codes, words), hours)
        numbers = pa.array(np.arange(len(words), dtype=np.float64))
        yield field_values(_FIELD, key, pa.DictionaryArray.from_arrays(pa.array(codes), numbers), hours)
