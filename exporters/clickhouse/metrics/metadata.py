"""SigNoz's table of what metrics carry: every value of every label, and when it was seen.

Point labels are told of the parts that points really had; labels of resource and scope of all parts that the type of
metric may have, and then with the unit of the whole metric: that is how SigNoz's collector has it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collector.attributes import elements_of
from collector.batch import Batch
from exporters.clickhouse.columns import Ints, coded
from exporters.clickhouse.insert import Insert
from exporters.clickhouse.metrics.definitions import Definitions, numbered
from exporters.clickhouse.metrics.labels import KINDS, Entries
from exporters.clickhouse.metrics.parts import NO_LABEL, PARTS, PARTS_OF
from exporters.clickhouse.metrics.series import Series, series_of, times_of

_POINT, _RESOURCE, _SCOPE = range(3)
_TYPES = ("point", "resource", "scope")


@dataclass(frozen=True, slots=True)
class _Span:
    """The first and the last time that something was seen, in Unix milliseconds, for many things."""

    first: Ints
    last: Ints

    def of(self, numbers: Ints) -> "_Span":
        """Return the times of the things that these are parts of; ``numbers[i]`` is that of part ``i``."""
        count = int(numbers.max(initial=-1)) + 1
        first, last = np.full(count, np.iinfo(np.int64).max), np.zeros(count, np.int64)
        np.minimum.at(first, numbers, self.first)
        np.maximum.at(last, numbers, self.last)
        return _Span(first, last)

    def take(self, chosen: Ints) -> "_Span":
        """Return the chosen ones."""
        return _Span(self.first[chosen], self.last[chosen])


@dataclass(frozen=True, slots=True)
class _Seen:
    """Labels: ``definition[owner]`` is what the owner of an entry means."""

    type: int
    definition: Ints
    times: _Span
    entries: Entries


def metadata_insert(batch: Batch) -> Insert:
    """Return every label of the batch's metrics once, with the times of its points."""
    known = series_of(batch).distinct.of
    found = [*_seen(batch)]
    entries = [one.entries for one in found]
    codes, kinds = (np.concatenate([getattr(one, name) for one in entries]) for name in ("codes", "kinds"))
    definition = np.concatenate([one.definition[one.entries.owners] for one in found])
    times = [one.times.take(one.entries.owners) for one in found]
    texts = pc.dictionary_encode(pa.concat_arrays([one.texts for one in entries]))
    types = np.repeat([one.type for one in found], [len(one.codes) for one in entries])
    names = _names(known.definitions)[definition]
    numbers, example = numbered(names, types, codes, kinds.astype(np.int64), np.asarray(texts.indices).astype(np.int64))
    span = _Span(*(np.concatenate([getattr(one, name) for one in times]) for name in ("first", "last"))).of(numbers)
    rows = {
        **_defined(known.definitions, definition[example], types[example]),
        "attr_name": coded(codes[example], known.keys.names),
        "attr_type": coded(types[example], _TYPES),
        "attr_datatype": coded(kinds[example], KINDS),
        "attr_string_value": texts.dictionary.take(texts.indices.take(pa.array(example))),
        "first_reported_unix_milli": pa.array(span.first.astype(np.uint64)),
        "last_reported_unix_milli": pa.array(span.last.astype(np.uint64)),
    }
    table = pa.RecordBatch.from_arrays(list(rows.values()), list(rows))
    return Insert("signoz_metrics.distributed_metadata", table, None)


def _seen(batch: Batch) -> Iterator[_Seen]:
    found = series_of(batch)
    series, moments = found.distinct, times_of(batch)
    times = _Span(moments, moments).of(found.numbers)
    yield from _of_points(series, times)
    for kind, owner, labels in (
        (_RESOURCE, series.resource, series.of.resources.labels),
        (_SCOPE, series.scope, series.of.scopes.labels),
    ):
        numbers, first = numbered(series.definition // len(PARTS), owner)
        metric = series.definition[first] // len(PARTS)
        definition, pairs = _all_parts(series.of.definitions, metric)
        yield _Seen(kind, definition, times.of(numbers).take(pairs), labels.entries_of(owner[first][pairs]))


def _of_points(series: Series, times: _Span) -> Iterator[_Seen]:
    numbers, first = numbered(series.definition, series.attributes)
    pairs = replace(series.take(first), label=np.full(len(first), NO_LABEL))
    yield _Seen(_POINT, pairs.definition, times.of(numbers), pairs.labels.entries_of(np.arange(len(first))))
    labelled = np.flatnonzero(series.label != NO_LABEL)
    numbers, first = numbered(series.definition[labelled], series.label[labelled])
    pairs = series.take(labelled[first])
    for entries in pairs.part_labels():
        yield _Seen(_POINT, pairs.definition, times.take(labelled).of(numbers), entries)


def _all_parts(definitions: Definitions, metrics: Ints) -> tuple[Ints, Ints]:
    """Return the definitions of all parts of these metrics, and for each the place of its metric."""
    parts = [PARTS_OF[kind] for kind in definitions.types]
    lengths = np.array([len(one) for one in parts], np.int64)
    flat = np.array([part for one in parts for part in one], np.int64)
    index = elements_of(metrics, lengths)
    places = np.repeat(np.arange(len(metrics)), lengths[metrics])
    return metrics[places] * len(PARTS) + flat[index], places


def _names(definitions: Definitions) -> Ints:
    """Return a number for the name and temporality of each definition; others may share it."""
    numbers: dict[tuple[str, str], int] = {}
    return np.array([numbers.setdefault((one.temporality, one.name), len(numbers)) for one in definitions.all])


def _defined(definitions: Definitions, chosen: Ints, types: Ints) -> dict[str, pa.Array]:
    units = pc.if_else(
        pa.array(types == _POINT),
        definitions.column("unit", chosen).cast(pa.string()),
        definitions.column("metric_unit", chosen).cast(pa.string()),
    )
    return {
        "temporality": definitions.column("temporality", chosen),
        "metric_name": definitions.column("name", chosen),
        "description": definitions.column("description", chosen),
        "unit": pc.dictionary_encode(units),
        "type": definitions.column("type", chosen),
        "is_monotonic": definitions.monotonic(chosen),
    }
