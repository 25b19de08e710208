"""Rollup rows as OTLP metrics, for whoever charts metrics instead of asking tables.

row   service a, chat, gpt-4o: calls 3, errors 1, input_tokens 70, ...
   ─> resource   service.name=a ...
      points     gen_ai.client.operation.duration  [succeeded] count 2, [error.type=timeout] count 1
                 gen_ai.client.token.usage         [input] count 3 sum 70, [output] ...

Temporality is delta: a point says what one batch added. All names get a prefix, so that nothing adds up with, or takes
the temporality of, what applications send under the same names.
"""

from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from collector.otlp.columns import lists
from collector.schema import ANY_VALUE, ATTRIBUTE, METRICS, POINTS, RESOURCES, SCOPES
from collector.sketch import middle_of

SCOPE = "genai_collector.rollup"
BOUNDS = tuple(0.01 * 2**step for step in range(17))
"""Seconds: those of the semantic conventions up to 82, and on to 11 minutes."""

_DELTA = 1
_RESOURCE = {
    "service_name": "service.name",
    "language": "telemetry.sdk.language",
    "environment": "deployment.environment.name",
}
_POINT = {
    "provider": "gen_ai.provider.name",
    "operation": "gen_ai.operation.name",
    "request_model": "gen_ai.request.model",
    "response_model": "gen_ai.response.model",
    "service_tier": "openai.response.service_tier",
}
_OTHER = "_OTHER"

Numbers = npt.NDArray[np.int64]


class _Metric(NamedTuple):
    name: str
    type: str
    unit: str
    description: str


_DURATION = _Metric("gen_ai.client.operation.duration", "histogram", "s", "Duration of model calls.")
_TOKENS = _Metric("gen_ai.client.token.usage", "histogram", "{token}", "Tokens of model calls that report them.")
_ERRORS = _Metric("gen_ai.client.operation.errors", "sum", "{call}", "Model calls that failed, by class of error.")
_SUMS = {
    "calls": _Metric("gen_ai.client.operation.calls", "sum", "{call}", "Model calls, failed ones included."),
    "cache_read_tokens": _Metric(
        "gen_ai.client.inference.usage.cache_read.input_tokens", "sum", "{token}", "Input tokens read from a cache."
    ),
    "cache_write_tokens": _Metric(
        "gen_ai.client.inference.usage.cache_write.input_tokens", "sum", "{token}", "Input tokens written to a cache."
    ),
    "reasoning_tokens": _Metric(
        "gen_ai.client.inference.usage.reasoning.output_tokens", "sum", "{token}", "Output tokens spent on reasoning."
    ),
    "cost_nano_usd": _Metric("gen_ai.client.operation.cost", "sum", "USD", "Cost of model calls whose price is known."),
}
_ALL = (_DURATION, _TOKENS, _ERRORS, *_SUMS.values())


class _Points(NamedTuple):
    """Is some points of one metric: the *rows* of the rollup that they tell of, and what they say.

    *more* are attributes besides those of the row; *columns* are columns of POINTS.
    """

    metric: _Metric
    rows: Numbers
    more: Mapping[str, Sequence[str]]
    columns: Mapping[str, pa.Array]


def metrics_of(rollups: pa.RecordBatch, moment: int, prefix: str) -> Mapping[str, pa.RecordBatch]:
    """Return the tables of a METRICS batch that says what these rows say.

    Points begin with their row's slot and end *moment* nanoseconds later: another moment for every batch, so that
    points of one series differ in time. Rows that take back what was counted before are left out: there are no
    negative calls in a histogram.
    """
    rollups = rollups.filter(pc.greater(rollups.column("calls"), 0))
    found = [one for one in _points(rollups) if len(one.rows)]
    texts = {name: rollups.column(name).dictionary_encode() for name in (*_RESOURCE, *_POINT)}
    resources, resource = _resources(texts, rollups.num_rows)
    points = pa.concat_batches([_table(rollups, one, resource, texts, moment) for one in found] or [_none()])
    return {"metrics": _metrics(prefix), "points": points, "resources": resources, "scopes": _scopes()}


def _points(rollups: pa.RecordBatch) -> Iterable[_Points]:
    yield from _durations(rollups)
    for kind in ("input", "output"):
        known = rollups.column(f"{kind}_tokens_calls")
        rows = np.flatnonzero(np.asarray(known) > 0)
        count = known.take(pa.array(rows)).cast(pa.uint64())
        columns = {
            "count": count,
            "sum": rollups.column(f"{kind}_tokens").take(pa.array(rows)).cast(pa.float64()),
            "bucket_counts": lists(np.ones(len(rows), np.int64), count),
            "explicit_bounds": _repeated([], pa.float64(), len(rows)),
        }
        yield _Points(_TOKENS, rows, {"gen_ai.token.type": [kind] * len(rows)}, columns)
    classes: pa.MapArray = rollups.column("errors_by_class")
    owners = np.repeat(np.arange(len(classes)), np.diff(classes.offsets))
    items = classes.items.slice(classes.offsets[0].as_py(), len(owners))
    keys = classes.keys.slice(classes.offsets[0].as_py(), len(owners))
    yield _Points(_ERRORS, owners, {"error.type": keys.to_pylist()}, {"as_int": items})
    for name, metric in _SUMS.items():
        told = rollups.column(f"{name}_calls" if name != "calls" else "calls")
        rows = np.flatnonzero(np.asarray(told) > 0)
        values = rollups.column(name).take(pa.array(rows))
        dollars = {"as_double": pc.divide(values.cast(pa.float64()), 1e9)}
        yield _Points(metric, rows, {}, dollars if metric.unit == "USD" else {"as_int": values})


def _durations(rollups: pa.RecordBatch) -> Iterable[_Points]:
    """Yield the durations of the calls that succeeded and of those that failed."""
    every, failed = _counts(rollups.column("duration_buckets")), _counts(rollups.column("error_duration_buckets"))
    classes: list[list[tuple[str, int]]] = rollups.column("errors_by_class").to_pylist()
    names = [one[0][0] if len(one) == 1 else _OTHER for one in classes]
    for (counts, sums), types in (
        ((every[0] - failed[0], every[1] - failed[1]), None),
        (failed, names),
    ):
        rows = np.flatnonzero(counts.sum(axis=1) > 0)
        more = {} if types is None else {"error.type": [types[row] for row in rows.tolist()]}
        columns = {
            "count": pa.array(counts[rows].sum(axis=1).astype(np.uint64)),
            "sum": pa.array(sums[rows]),
            "bucket_counts": _rows_of(counts[rows].astype(np.uint64)),
            "explicit_bounds": _repeated(BOUNDS, pa.float64(), len(rows)),
        }
        yield _Points(_DURATION, rows, more, columns)


def _counts(buckets: pa.MapArray) -> tuple[Numbers, npt.NDArray[np.float64]]:
    """Return the calls of each row by `BOUNDS`, shape (rows, bounds + 1), and the sum of their seconds.

    A sketch's bucket goes where its middle is: within half a percent of a bound it may be the neighbour.
    """
    offsets = np.asarray(buckets.offsets)
    rows = np.repeat(np.arange(len(buckets)), np.diff(offsets))
    keys = np.asarray(buckets.keys)[offsets[0] : offsets[-1]]
    calls = np.asarray(buckets.items)[offsets[0] : offsets[-1]]
    seconds = middle_of(keys)
    width = len(BOUNDS) + 1
    slots = rows * width + np.searchsorted(BOUNDS, seconds, side="left")
    counts = np.bincount(slots, weights=calls, minlength=len(buckets) * width).astype(np.int64)
    sums = np.bincount(rows, weights=seconds * calls, minlength=len(buckets)).astype(np.float64)
    return counts.reshape(-1, width), sums


def _table(
    rollups: pa.RecordBatch, found: _Points, resource: Numbers, texts: Mapping[str, pa.DictionaryArray], moment: int
) -> pa.RecordBatch:
    rows, count = found.rows, len(found.rows)
    start = np.asarray(rollups.column("time").view(pa.int64()))[rows].astype(np.uint64) * np.uint64(10**9)
    given = {
        "resource": pa.array(resource[rows].astype(np.int32)),
        "scope": pa.array(np.zeros(count, np.int32)),
        "metric": pa.array(np.full(count, _ALL.index(found.metric), np.int32)),
        "attributes": _attributes(texts, rows, found.more),
        "start_time_unix_nano": pa.array(start),
        "time_unix_nano": pa.array(start + np.uint64(moment)),
        "flags": pa.array(np.zeros(count, np.uint32)),
        "exemplars": _repeated([], POINTS.field("exemplars").type.value_type, count),
        **found.columns,
    }
    columns = [
        given[field.name].cast(field.type) if field.name in given else pa.nulls(count, field.type) for field in POINTS
    ]
    return pa.RecordBatch.from_arrays(columns, schema=POINTS)


def _attributes(
    texts: Mapping[str, pa.DictionaryArray], rows: Numbers, more: Mapping[str, Sequence[str]]
) -> pa.ListArray:
    """Return the attributes of the points; what a row does not say is left out."""
    columns = [(key, texts[name].take(pa.array(rows)).cast(pa.string())) for name, key in _POINT.items()]
    columns += [(key, pa.array(list(values), pa.string())) for key, values in more.items()]
    told = np.stack([np.asarray(pc.not_equal(values, "")) for _, values in columns], axis=1)
    numbers = np.arange(told.size).reshape(told.shape)[told]
    width = len(columns)
    keys = pa.array([key for key, _ in columns], pa.string()).take(pa.array(numbers % width))
    order = (numbers % width) * len(rows) + numbers // width
    values = pa.concat_arrays([values for _, values in columns]).take(pa.array(order))
    return _attribute_lists(keys, values, told.sum(axis=1))


def _attribute_lists(keys: pa.StringArray, values: pa.StringArray, lengths: npt.NDArray[Any]) -> pa.ListArray:
    members = [values if field.name == "string_value" else pa.nulls(len(values), field.type) for field in ANY_VALUE]
    pairs = pa.StructArray.from_arrays(
        [keys, pa.StructArray.from_arrays(members, fields=list(ANY_VALUE))], fields=list(ATTRIBUTE)
    )
    return lists(lengths, pairs)


def _resources(texts: Mapping[str, pa.DictionaryArray], count: int) -> tuple[pa.RecordBatch, Numbers]:
    """Return the distinct resources, and which one each row has."""
    lines = [texts[name].cast(pa.string()).to_pylist() for name in _RESOURCE]
    numbers: dict[tuple[str, ...], int] = {}
    which = [numbers.setdefault(each, len(numbers)) for each in zip(*lines, strict=True)]
    pairs = [[(key, text) for key, text in zip(_RESOURCE.values(), each, strict=True) if text] for each in numbers]
    keys, values = (pa.array([pair[side] for one in pairs for pair in one], pa.string()) for side in (0, 1))
    size = len(pairs)
    given = {
        "attributes": _attribute_lists(keys, values, np.array([len(one) for one in pairs], np.int64)),
        "dropped_attributes_count": pa.array(np.zeros(size, np.uint32)),
        "entity_refs": _repeated([], pa.binary(), size),
        "schema_url": pa.repeat("", size),
    }
    columns = [given[field.name].cast(field.type) for field in RESOURCES]
    return pa.RecordBatch.from_arrays(columns, schema=RESOURCES), np.array(which, np.int64).reshape(count)


def _scopes() -> pa.RecordBatch:
    row = {"name": SCOPE, "version": version("genai-collector"), "attributes": [], "schema_url": ""}
    return pa.RecordBatch.from_pylist([{**row, "dropped_attributes_count": 0}], schema=SCOPES)


def _metrics(prefix: str) -> pa.RecordBatch:
    rows = [
        {
            **metric._asdict(),
            "name": prefix + metric.name,
            "aggregation_temporality": _DELTA,
            "is_monotonic": metric.type == "sum",
            "metadata": [],
        }
        for metric in _ALL
    ]
    return pa.RecordBatch.from_pylist(rows, schema=METRICS)


def _none() -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist([], schema=POINTS)


def _rows_of(table: npt.NDArray[Any]) -> pa.ListArray:
    return lists(np.full(len(table), table.shape[1]), pa.array(table.ravel()))


def _repeated(values: Sequence[Any], kind: pa.DataType, count: int) -> pa.ListArray:
    """Return the same list *count* times."""
    return lists(np.full(count, len(values)), pa.array(list(values) * count, kind))
