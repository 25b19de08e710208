"""Reading what a span's events say about it: when a streamed answer began, and what was said."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from collector.attributes import Attributes
from collector.rewrite import Rows
from processors.genai.messages import convert, of_event
from processors.genai.plan import FIRST_CHUNK, STREAM
from processors.genai.table import Dialects, EventRule
from processors.genai.translation import Translation

Numbers = npt.NDArray[np.int64]


class Events:
    """Holds the events of all spans, laid flat: their names, times, and the row of the span each is of."""

    def __init__(self, lists: pa.ListArray) -> None:
        offsets = np.asarray(lists.offsets)
        self.flat: pa.StructArray = lists.values.slice(offsets[0], offsets[-1] - offsets[0])
        self._ends = offsets[1:] - offsets[0]
        names = self.flat.field("name").dictionary_encode()
        self.names: list[str] = names.dictionary.to_pylist()
        self._codes = np.asarray(names.indices)

    def named(self, wanted: frozenset[str]) -> tuple[Numbers, Rows]:
        """Return which events have one of the *wanted* names, and the row of the span of each."""
        hits = np.flatnonzero(np.array([name in wanted for name in self.names], dtype=bool)[self._codes])
        return hits, np.searchsorted(self._ends, hits, side="right")

    def name(self, event: int) -> str:
        """Return the name of one event."""
        return self.names[int(self._codes[event])]


def read_events(translation: Translation, table: Dialects, *, messages: bool) -> None:
    """Add what events say that no attribute says."""
    lists: pa.ListArray = translation.batch.column("events")
    if not len(lists.values):
        return
    events = Events(lists)
    if not table.chunk_events.isdisjoint(events.names):
        _time_first_chunks(translation, events, table.chunk_events)
    rules = {name: table.events[name] for name in events.names if name in table.events}
    if messages and rules:
        _add_messages(translation, events, rules, table)


def _time_first_chunks(translation: Translation, events: Events, names: frozenset[str]) -> None:
    """Add how long a streamed answer was waited for, from the first event that marks a piece of it."""
    hits, owners = events.named(names)
    times = np.asarray(events.flat.field("time_unix_nano"))[hits]
    rows, firsts = np.unique(owners, return_index=True)
    starts = np.asarray(translation.batch.column("start_time_unix_nano"))[rows]
    first = np.minimum.reduceat(times, firsts)
    late = first >= starts
    rows, seconds = rows[late], (first - starts)[late] / 1e9
    timed = translation.missing(FIRST_CHUNK)[rows]
    why = "the first event that marks a piece of the answer"
    translation.add_each(FIRST_CHUNK, "double_value", rows[timed], pa.array(seconds[timed]), why)
    streams = rows[translation.missing(STREAM)[rows]]
    translation.add_each(STREAM, "bool_value", streams, pa.repeat(True, len(streams)), why)


def _add_messages(
    translation: Translation, events: Events, rules: Mapping[str, Sequence[EventRule]], table: Dialects
) -> None:
    """Add the messages that events hold, whole or one by one."""
    attributes = Attributes(events.flat.field("attributes"))
    hits, owners = events.named(frozenset(rules))
    for target in dict.fromkeys(rule.target for told in rules.values() for rule in told):
        role = table.attributes[target].role
        missing = translation.missing(target)
        found: dict[int, list[str]] = {}
        for event, row in zip(hits.tolist(), owners.tolist(), strict=True):
            if missing[row]:
                keys = [rule.key for rule in rules[events.name(event)] if rule.target == target]
                text = _text(attributes, events.name(event), event, keys, role)
                if text:
                    found.setdefault(row, []).append(text)
        rows = np.array(list(found), dtype=np.int64)
        texts = pa.array([_joined(told) for told in found.values()], pa.string())
        translation.add_each(target, "string_value", rows, texts, "the events of the span")


def _text(attributes: Attributes, name: str, event: int, keys: Sequence[str], role: str) -> str | None:
    """Return the messages of one event as JSON, None where it holds none."""
    at = np.array([event])
    for key in keys:
        if key == "*":
            first, length = int(attributes.starts[event]), int(attributes.lengths[event])
            told = attributes.flat.slice(first, length).to_pylist()
            return of_event(name, {pair["key"]: (pair["value"] or {}).get("string_value") for pair in told}, role)
        text = attributes.strings(attributes.locate_in(at, key))[0].as_py()
        if text:
            return convert(text, role)
    return None


def _joined(texts: Sequence[str]) -> str:
    """Return several JSON lists as one."""
    return texts[0] if len(texts) == 1 else f"[{','.join(text[1:-1] for text in texts if len(text) > 2)}]"
