"""The rows of ``time_series_v4``: what a series is, once an hour."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from collector.batch import Batch, content_id
from exporters.clickhouse.columns import Ints
from exporters.clickhouse.insert import Insert
from exporters.clickhouse.metrics.definitions import numbered
from exporters.clickhouse.metrics.fingerprints import Hashes
from exporters.clickhouse.metrics.series import NAME, Series, identity_columns, series_of, times_of
from exporters.clickhouse.metrics.written import Written

_HOUR_MILLISECONDS = 3_600_000


def time_series_inserts(batch: Batch, now: float, written: Written) -> Iterator[Insert]:
    """Yield the rows that *written* lacks, in blocks; whoever asks for the next block has stored the one before."""
    found = series_of(batch)
    hours = times_of(batch) // _HOUR_MILLISECONDS
    _, first = numbered(found.numbers, hours - hours.min(initial=0))
    series, hours = found.numbers[first], hours[first]
    missing = written.lacks(found.fingerprints[series], hours)
    series, hours = series[missing], hours[missing]
    for block in found.distinct.take(series).blocks():
        fingerprints = found.fingerprints[series[block]]
        rows = _rows(found.distinct.take(series[block]), fingerprints, hours[block], now)
        content = content_id(fingerprints.tobytes(), hours[block].tobytes())
        yield Insert("signoz_metrics.distributed_time_series_v4", rows, None, content=content)
        written.add(fingerprints, hours[block])


def _rows(series: Series, fingerprints: Hashes, hours: Ints, now: float) -> pa.RecordBatch:
    keys, count = series.of.keys, len(hours)
    everyone = np.arange(count)
    own = series.labels
    scopes, resources = series.of.scopes.labels.take(series.scope), series.of.resources.labels.take(series.resource)
    names = series.of.definitions.column("name", series.definition).cast(pa.string())
    entries = [one.entries_of(everyone) for one in (own, scopes, resources)]
    columns = {
        **identity_columns(series, fingerprints),
        **{name: series.of.definitions.column(name, series.definition) for name in ("description", "unit", "type")},
        "is_monotonic": series.of.definitions.monotonic(series.definition),
        "unix_milli": pa.array(hours * _HOUR_MILLISECONDS),
        "labels": keys.json(keys.labels(count, [*entries, keys.constant(NAME, everyone, names)])),
        "attrs": keys.map_column(own),
        "scope_attrs": keys.map_column(scopes),
        "resource_attrs": keys.map_column(resources),
        "__normalized": pa.array(np.zeros(count, np.bool_)),
        "inserted_at_unix_milli": pa.array(np.full(count, int(now * 1000))),
    }
    return pa.RecordBatch.from_arrays(list(columns.values()), list(columns))
