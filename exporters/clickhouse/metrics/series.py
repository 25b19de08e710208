"""The series of a batch, one per resource, scope, metric, part of it, attributes and label, and SigNoz's numbers.

Attributes become texts once per owner, and hashes are made once per series.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collector.attributes import Attributes, attributes_of, resource_attributes_of
from collector.batch import Batch
from exporters.clickhouse.columns import Ints, coded
from exporters.clickhouse.metrics.definitions import Definitions, definitions, numbered
from exporters.clickhouse.metrics.fingerprints import OFFSET, Hashes, fnv
from exporters.clickhouse.metrics.labels import Entries, Keys, Labels
from exporters.clickhouse.metrics.parts import NO_LABEL, PARTS, samples_of

NAME = "__name__"
TEMPORALITY = "__temporality__"
ENVIRONMENT = "deployment.environment"

_SCOPE = {f"__scope.{name}__": name for name in ("name", "version", "schema_url")}
_PART_LABELS = tuple(part.label for part in PARTS)
_BLOCK_BYTES = 2**24
"""So much text is made at once."""
_BYTES_BESIDE = 200
"""About what a series adds to the text of its attributes."""


@dataclass(frozen=True, slots=True)
class Owners:
    """The distinct lists of labels of some rows: ``numbers[row]`` is the one of a row; *pairs* is what is hashed."""

    labels: Labels
    numbers: Ints
    pairs: pa.BinaryArray


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """All that the series of a batch are made of."""

    keys: Keys
    resources: Owners
    scopes: Owners
    points: Owners
    definitions: Definitions
    label_texts: pa.StringArray


@dataclass(frozen=True, slots=True)
class Series:
    """Some series, a number for each of what they are made of; *label* is `NO_LABEL` where there is none."""

    of: Vocabulary
    resource: Ints
    scope: Ints
    definition: Ints
    attributes: Ints
    label: Ints

    def take(self, chosen: Ints | slice) -> "Series":
        """Return the chosen series."""
        numbers = (self.resource, self.scope, self.definition, self.attributes, self.label)
        return Series(self.of, *(column[chosen] for column in numbers))

    def blocks(self) -> Iterator[slice]:
        """Yield the series in blocks whose texts need no more memory than there should be."""
        lengths = [np.diff(_bounds(owners.pairs)) for owners in (self.of.resources, self.of.scopes, self.of.points)]
        numbers = (self.resource, self.scope, self.attributes)
        sizes = sum(size[number] for size, number in zip(lengths, numbers, strict=True)) + _BYTES_BESIDE
        block = np.cumsum(sizes, dtype=np.int64) // _BLOCK_BYTES
        edges = np.flatnonzero(np.diff(block, prepend=-1, append=-1)).tolist()
        yield from (slice(start, end) for start, end in pairwise(edges))

    @property
    def labels(self) -> Labels:
        """The labels beside those of resource and scope."""
        keys, everyone = self.of.keys, np.arange(len(self.label))
        temporality = self.of.definitions.column("temporality", self.definition).cast(pa.string())
        entries = [self.of.points.labels.entries_of(self.attributes), keys.constant(TEMPORALITY, everyone, temporality)]
        return keys.labels(len(self.label), [*entries, *self.part_labels()])

    def part_labels(self) -> Iterator[Entries]:
        """Yield the labels that tell several series of one point apart."""
        parts = self.definition % len(PARTS)
        for number in np.unique(parts[self.label != NO_LABEL]).tolist():
            owners = np.flatnonzero(parts == number)
            texts = self.of.label_texts.take(pa.array(self.label[owners]))
            yield self.of.keys.constant(_PART_LABELS[number], owners, texts)

    def environments(self) -> pa.DictionaryArray:
        """Return the column that tells where the program ran."""
        found = self.of.resources.labels.texts_of(self.of.keys.code[ENVIRONMENT])
        return coded(self.resource, [found.get(number, "") for number in range(len(self.of.resources.pairs))])


@dataclass(frozen=True, slots=True)
class SeriesOfSamples:
    """The distinct series of a batch and their hashes: ``numbers[row]`` is the series of a sample."""

    distinct: Series
    fingerprints: Hashes
    numbers: Ints


def series_of(batch: Batch) -> SeriesOfSamples:
    """Return the series that the batch's samples belong to, worked out once per batch."""
    return batch.memo(_series)


def milliseconds(points: pa.RecordBatch) -> Ints:
    """Return the time of each point in Unix milliseconds."""
    times: Ints = (points.column("time_unix_nano").to_numpy() // np.uint64(1_000_000)).astype(np.int64)
    return times


def times_of(batch: Batch) -> Ints:
    """Return the time of each sample in Unix milliseconds."""
    return milliseconds(batch.main)[samples_of(batch).points]


def identity_columns(series: Series, fingerprints: Hashes) -> dict[str, pa.Array]:
    """Return the columns that join samples and series, which stand first in every table."""
    return {
        "env": series.environments(),
        "temporality": series.of.definitions.column("temporality", series.definition),
        "metric_name": series.of.definitions.column("name", series.definition),
        "fingerprint": pa.array(fingerprints),
    }


def _series(batch: Batch) -> SeriesOfSamples:
    samples, vocabulary = samples_of(batch), _vocabulary(batch)
    numbers = [
        owners[np.asarray(batch.main.column(name))][samples.points]
        for name, owners in (
            ("resource", vocabulary.resources.numbers),
            ("scope", vocabulary.scopes.numbers),
            ("metric", vocabulary.definitions.numbers * len(PARTS)),
        )
    ]
    resource, scope, metric = numbers
    every = Series(
        vocabulary,
        resource,
        scope,
        metric + samples.parts,
        vocabulary.points.numbers[samples.points],
        samples.labels,
    )
    found, first = numbered(resource, scope, every.definition, every.attributes, samples.labels - NO_LABEL)
    distinct = every.take(first)
    return SeriesOfSamples(distinct, _fingerprints(distinct), found)


def _fingerprints(series: Series) -> Hashes:
    result = np.empty(len(series.label), np.uint64)
    for block in series.blocks():
        part = series.take(block)
        names = part.of.definitions.column("name", part.definition).cast(pa.string()).cast(pa.binary())
        pairs = part.of.keys.pairs(part.labels)
        texts = pc.binary_join_element_wise(pairs, pa.scalar(NAME.encode() + b"\xff"), names, pa.scalar(b""))
        result[block] = fnv(_beginnings(part), texts)
    return result


def _beginnings(series: Series) -> Hashes:
    """Return the hash over resource and scope of each series."""
    resources, scopes = series.of.resources.pairs, series.of.scopes.pairs
    found, first = numbered(series.resource, series.scope)
    of_resources = fnv(np.full(len(resources), OFFSET, np.uint64), resources)
    hashes = fnv(of_resources[series.resource[first]], scopes.take(pa.array(series.scope[first])))
    return hashes[found]


def _vocabulary(batch: Batch) -> Vocabulary:
    scopes = batch.tables["scopes"]
    attributes = (resource_attributes_of(batch), Attributes(scopes.column("attributes")), attributes_of(batch))
    names = (name for one in attributes for name in one.names)
    keys = Keys([*names, NAME, TEMPORALITY, ENVIRONMENT, *_SCOPE, *filter(None, _PART_LABELS)])
    everyone = np.arange(scopes.num_rows)
    of_scope = [keys.constant(key, everyone, scopes.column(name)) for key, name in _SCOPE.items()]
    resources, scope, points = (
        _owners(keys, one, beside) for one, beside in zip(attributes, ([], of_scope, []), strict=True)
    )
    texts = samples_of(batch).label_texts
    return Vocabulary(keys, resources, scope, points, definitions(batch.tables["metrics"]), texts)


def _owners(keys: Keys, attributes: Attributes, beside: list[Entries]) -> Owners:
    labels = keys.labels(attributes.count, [keys.entries_of(attributes), *beside])
    pairs = pc.dictionary_encode(keys.pairs(labels))
    numbers, first = numbered(np.asarray(pairs.indices).astype(np.int64))
    return Owners(labels.take(first), numbers, pairs.dictionary)


def _bounds(texts: pa.BinaryArray) -> Ints:
    return np.frombuffer(texts.buffers()[1], np.int32)[texts.offset :][: len(texts) + 1].astype(np.int64)
