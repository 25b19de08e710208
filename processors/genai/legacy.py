"""Writing today's attributes under the names that OpenLLMetry gave them, for dashboards that read those."""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from collector.attributes import Attributes, Positions, attributes_of
from collector.batch import Batch
from collector.pool import are_valid
from collector.rewrite import Addition, with_rewritten
from processors.genai.documents import parsed
from processors.genai.grammar import Target
from processors.genai.plan import INPUT, OPERATION
from processors.genai.table import Dialects

_OUTPUT = "gen_ai.usage.output_tokens"
_TOTAL = "llm.usage.total_tokens"
_PREFIXES: Mapping[str, str] = {
    "gen_ai.input.messages": "gen_ai.prompt",
    "gen_ai.output.messages": "gen_ai.completion",
}
_MOST_MESSAGES = 128
"""Messages of one span that get attributes of their own: each is a key that the store has to know."""


class _Writing(NamedTuple):
    attributes: Attributes
    found: Mapping[str, Positions]
    additions: list[Addition]

    def lacking(self, key: str, positions: Positions) -> Positions:
        """Return the rows that have something at *positions* and no *key*."""
        here = self.found.get(key)
        return np.flatnonzero(positions >= 0 if here is None else (positions >= 0) & (here < 0))


def write_legacy(batch: Batch, table: Dialects, *, alone: bool) -> Batch:
    """Return the batch with the older names beside today's, or *alone*, without those of today they stand for.

    Only what has an operation is written of.
    """
    attributes = attributes_of(batch)
    targets = {name: target for name, target in table.attributes.items() if target.legacy and name in attributes.names}
    messages = [name for name in _PREFIXES if name in attributes.names]
    names = [
        OPERATION,
        *targets,
        *messages,
        *(key for target in targets.values() for key in target.legacy),
        INPUT,
        _OUTPUT,
        _TOTAL,
    ]
    keys = list(
        dict.fromkeys([*names, *(key for key in attributes.names if key.startswith(tuple(_PREFIXES.values())))])
    )
    places = attributes.locate(keys)
    found = dict(zip(keys, np.where(places[0] >= 0, places, -1), strict=True))
    writing = _Writing(attributes, found, [])
    for name, target in targets.items():
        for key in target.legacy:
            _copy(writing, found[name], key, target)
    _total(writing)
    for name in messages:
        _spread(writing, found[name], _PREFIXES[name], table)
    dropped = [found[name] for name in (*targets, *messages)] if alone else []
    gone = np.unique(np.concatenate(dropped)) if dropped else np.array([], dtype=np.int64)
    gone = gone[gone >= 0]
    if not writing.additions and not len(gone):
        return batch
    return with_rewritten(batch, additions=writing.additions, dropped=gone)


def _copy(writing: _Writing, positions: Positions, key: str, target: Target) -> None:
    """Write the values at *positions* as *key*, in the older words where there are such."""
    rows = writing.lacking(key, positions)
    for member in ("string_value", "int_value", "double_value", "bool_value"):
        values = writing.attributes.member(member, positions[rows])
        told = rows[are_valid(values)]
        if not len(told):
            continue
        if target.legacy_values and member == "string_value":
            encoded = values.drop_null().dictionary_encode()
            words = [target.legacy_values.get(word, word) for word in encoded.dictionary.to_pylist()]
            choice = np.asarray(encoded.indices).astype(np.int64)
            writing.additions.append(Addition(key, told, member, words, choice))
        else:
            writing.additions.append(Addition(key, told, member, None, positions[told]))


def _total(writing: _Writing) -> None:
    """Write the sum of the tokens, which older dashboards add up."""
    rows = writing.lacking(_TOTAL, np.minimum(writing.found[INPUT], writing.found[_OUTPUT]))
    counts = writing.attributes.naturals(np.array([writing.found[INPUT][rows], writing.found[_OUTPUT][rows]]))
    known = ((counts >= 0) & (counts < 2**60)).all(axis=0)
    if known.any():
        total = pa.array(counts.sum(axis=0)[known])
        writing.additions.append(Addition(_TOTAL, rows[known], "int_value", total, np.arange(len(total))))


def _spread(writing: _Writing, positions: Positions, prefix: str, table: Dialects) -> None:
    """Write messages as numbered attributes, on rows that have no piece of any; what filters found is none."""
    free = positions.copy()
    for key, present in writing.found.items():
        if key.startswith(f"{prefix}.") and table.piece_of(key):
            free[present >= 0] = -1
    rows = np.flatnonzero(free >= 0)
    texts = writing.attributes.strings(free[rows]).to_pylist()
    spread: defaultdict[str, list[tuple[int, str]]] = defaultdict(list)
    for row, text in zip(rows.tolist(), texts, strict=True):
        for key, value in _numbered(parsed(text or "")):
            spread[f"{prefix}.{key}"].append((row, value))
    for key, told in spread.items():
        at = np.array([row for row, _ in told], dtype=np.int64)
        values = pa.array([value for _, value in told], pa.string())
        writing.additions.append(Addition(key, at, "string_value", values, np.arange(len(told))))


def _numbered(messages: Any) -> Iterator[tuple[str, str]]:
    """Yield what OpenLLMetry writes of messages: the number and field of each attribute, and its value."""
    for number, message in enumerate(messages[:_MOST_MESSAGES] if isinstance(messages, list) else []):
        if isinstance(message, dict):
            for field in ("role", "finish_reason"):
                if isinstance(message.get(field), str):
                    yield f"{number}.{field}", message[field]
            parts = message.get("parts")
            told = [part for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []
            yield from ((f"{number}.{field}", text) for field, text in _of_parts(told))


def _of_parts(parts: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    answers = [part for part in parts if part.get("type") == "tool_call_response"]
    texts = [part["content"] for part in parts if part.get("type") == "text" and isinstance(part.get("content"), str)]
    texts += [_text(answer.get("response")) for answer in answers]
    if texts:
        yield "content", "\n".join(texts)
    for answer in answers[:1]:
        if isinstance(answer.get("id"), str):
            yield "tool_call_id", answer["id"]
    for place, call in enumerate(part for part in parts if part.get("type") == "tool_call"):
        for field in ("id", "name", "arguments"):
            if call.get(field) is not None:
                yield f"tool_calls.{place}.{field}", _text(call[field])


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
