"""Reading log events that tell of model calls, each as the span that would have told the same.

record at 12:00:01, duration_ms 900, input_tokens 70  ->  call from 12:00:00.1 to 12:00:01, gen_ai.usage.input_tokens
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from xxhash import xxh3_64_intdigest

from collector.attributes import Attributes, attributes_of
from collector.batch import Batch, Signal
from collector.bounds import MOST_NANODOLLARS, MOST_NANOSECONDS
from collector.rewrite import Addition, rewritten
from collector.rows import with_values
from collector.schema import SPANS
from processors.rollup.call_table import call_table
from processors.rollup.calls import COUNTS, ERROR, OPERATION, TEXTS, Calls, Numbers, Places, calls_of, places_of
from processors.rollup.series.sources import EventRule, sources

_MARK = "genai_collector.call"
_DOLLARS = len(COUNTS) - 1
_TOKENS = {
    "input_tokens": COUNTS.index("gen_ai.usage.input_tokens"),
    "output_tokens": COUNTS.index("gen_ai.usage.output_tokens"),
    "cache_read_tokens": COUNTS.index("gen_ai.usage.cache_read.input_tokens"),
    "cache_write_tokens": COUNTS.index("gen_ai.usage.cache_write.input_tokens"),
    "reasoning_tokens": COUNTS.index("gen_ai.usage.reasoning.output_tokens"),
}
_LEFT_OUT = {"tool_tokens": "tool_token_count"}
"""Tokens that no call of ours has, and the attribute that says how many they are."""

Rows = npt.NDArray[np.int64]


class Told(NamedTuple):
    """Is records of one rule and group: the batch's *rows*."""

    rule: EventRule
    group: str
    rows: Rows


class Events:
    """Is the records of a batch that tell of calls."""

    def __init__(self, batch: Batch) -> None:
        self.batch = batch
        self.attributes: Attributes = attributes_of(batch)
        names = pa.array(list(sources().events), pa.string())
        main = batch.main
        found = [main.column("event_name"), self._strings("event.name"), main.column("body").field("string_value")]
        lines = [pc.index_in(column, value_set=names).fill_null(-1) for column in found]
        self._rules: Rows = np.max([np.asarray(line) for line in lines], axis=0, initial=-1)

    def told(self) -> Iterator[Told]:
        """Yield the records by rule and group."""
        hits = np.flatnonzero(self._rules >= 0)
        if not len(hits):
            return
        scopes = self.batch.tables["scopes"].column("name").to_pylist()
        groups = [sources().group_of(scope) for scope in scopes]
        owners = np.asarray(self.batch.column("scope"))
        rules = list(sources().events.values())
        for number in np.unique(self._rules[hits]).tolist():
            rows = self._fitting(hits[self._rules[hits] == number], rules[number].when)
            rows = self._saying(rows, rules[number])
            names = [rules[number].group or groups[owner] for owner in owners[rows].tolist()]
            for group in sorted(set(names)):
                yield Told(rules[number], group, rows[[name == group for name in names]])

    @cached_property
    def places(self) -> Places:
        """Where the resources stand."""
        return self.batch.memo(places_of)

    @cached_property
    def times(self) -> npt.NDArray[np.uint64]:
        """When each record was written, in nanoseconds."""
        main = self.batch.main
        time, seen = (np.asarray(main.column(name)) for name in ("time_unix_nano", "observed_time_unix_nano"))
        return np.where(time == 0, seen, time)

    def keys(self, rows: Rows) -> list[int]:
        """Return hashes that tell records apart: one that comes again has the same."""
        columns = ["resource", "time_unix_nano", "attributes", "trace_id", "span_id"]
        records = self.batch.main.take(pa.array(rows)).select(columns).to_pylist()
        services = self.places.codes[0].tolist()
        for record in records:
            record["resource"] = self.places.words[services[record["resource"]]]
        return [xxh3_64_intdigest(repr(record).encode(errors="surrogatepass")) for record in records]

    def calls(self, told: Told) -> Calls | None:
        """Return the records as calls."""
        attributes, rule, rows = self.attributes, told.rule, told.rows
        length = self._numbers(sources().event_duration, rows, MOST_NANOSECONDS / 1e6)
        end = self.times[rows]
        lasted = np.where(np.isnan(length), 0, length * 1e6).astype(np.uint64)
        start = np.where(lasted < end, end - lasted, end)
        failed = np.zeros(len(rows), dtype=bool)
        failed[np.isin(rows, self._fitting(rows, rule.failed_when))] = bool(rule.failed_when)
        given = {
            "resource": self.batch.column("resource").take(pa.array(rows)),
            "scope": self.batch.column("scope").take(pa.array(rows)),
            "attributes": self._attributes(rule, rows),
            "start_time_unix_nano": pa.array(start),
            # A call that ended before it began is one of which nobody knows how long it took.
            "end_time_unix_nano": pa.array(np.where(np.isnan(length), start - np.uint64(1), end)),
            "status_code": pa.array(np.where(failed | rule.failed, ERROR, 0).astype(np.int32)),
        }
        columns = [given.get(field.name, _nothing(field.type, len(rows))) for field in SPANS]
        spans = pa.RecordBatch.from_arrays(columns, schema=SPANS)
        calls = calls_of(Batch(self.batch.id, Signal.TRACES, {**self.batch.tables, "spans": spans}), call_table())
        if calls is None:
            return None
        rows = rows[calls.rows]
        dollars = self._numbers(sources().event_cost, rows, MOST_NANODOLLARS / 1e9)
        tokens = _completed(calls.tokens, rule, attributes, rows)
        tokens[_DOLLARS] = np.where(dollars > 0, np.nan_to_num(dollars) * 1e9, tokens[_DOLLARS]).round()
        return replace(calls, tokens=tokens)

    def _strings(self, key: str) -> pa.StringArray:
        return self.attributes.strings(self.attributes.locate([key])[0])

    def _numbers(self, key: str, rows: Rows, most: float) -> npt.NDArray[np.float64]:
        """Return what *rows* say under *key*, NaN where that is nothing usable."""
        found = self.attributes.numbers(self.attributes.locate_in(rows, key)).fill_null(float("nan"))
        values = np.asarray(found).astype(np.float64)
        return np.where((values >= 0) & (values <= most), values, np.nan)

    def _fitting(self, rows: Rows, when: Mapping[str, Sequence[str]]) -> Rows:
        for key, values in when.items():
            told = self.attributes.strings(self.attributes.locate_in(rows, key))
            rows = rows[np.asarray(pc.is_in(told, value_set=pa.array(values, pa.string())), dtype=bool)]
        return rows

    def _saying(self, rows: Rows, rule: EventRule) -> Rows:
        """Return which of *rows* say what those that tell of a call say."""
        if not rule.says:
            return rows
        silent = rows[self.attributes.locate_in(rows, rule.says) < 0]
        return rows[~np.isin(rows, self._fitting(silent, rule.says_when))]

    def _attributes(self, rule: EventRule, rows: Rows) -> pa.ListArray:
        """Return the attributes of *rows* under today's names, with what holds where they do not say it."""
        lists: pa.ListArray = self.batch.column("attributes").take(pa.array(rows))
        plain = Attributes(lists)
        keys = plain.flat.field("key").dictionary_encode()
        names = [rule.attributes.get(name, name) for name in keys.dictionary.to_pylist()]
        renamed = pa.array(names, pa.string()).take(keys.indices)
        flat = pa.StructArray.from_arrays([renamed, plain.values], fields=list(plain.flat.type))
        lists = with_values(lists, flat)
        attributes = Attributes(lists)
        held = {TEXTS[0]: rule.provider, OPERATION: rule.operation, _MARK: "event"}
        additions = [
            Addition(key, missing, "string_value", [value], np.zeros(len(missing), dtype=np.int64))
            for line, (key, value) in zip(attributes.locate(tuple(held)), held.items(), strict=True)
            if value and len(missing := np.flatnonzero(line < 0))
        ]
        return rewritten(attributes, additions=additions).lists if additions else lists


def _completed(tokens: Numbers, rule: EventRule, attributes: Attributes, rows: Rows) -> Numbers:
    """Return the tokens of calls, with what the reported input and output leave out."""
    tokens = tokens.copy()
    for name, parts in (("input_tokens", rule.input_adds), ("output_tokens", rule.output_adds)):
        line = _TOKENS[name]
        known = tokens[line] >= 0
        for part in parts:
            if part in _TOKENS:
                more = tokens[_TOKENS[part]]
            else:
                more = attributes.naturals(attributes.locate_in(rows, _LEFT_OUT[part]))
            tokens[line] += np.where(known, np.maximum(more, 0), 0)
    return tokens


def _nothing(kind: pa.DataType, count: int) -> pa.Array:
    if pa.types.is_list(kind):
        offsets = pa.array(np.zeros(count + 1, dtype=np.int32))
        return pa.ListArray.from_arrays(offsets, pa.array([], kind.value_type), type=kind)
    empty: Any = b"" if pa.types.is_binary(kind) else "" if pa.types.is_string(kind) else 0
    return pa.repeat(pa.scalar(empty, kind), count)
