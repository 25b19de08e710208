"""Telling beside the attributes what was done to them, as the OpenTelemetry Collector's `redaction` does."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from collector.attributes import Attributes
from collector.rewrite import Addition, Replacement, rewritten
from processors.redaction.keys import SUMMARY
from processors.redaction.redactor import Redacted

Positions = npt.NDArray[np.int64]
_SEPARATOR = ","


def of_attributes(done: Redacted, summary: str) -> pa.ListArray:
    """Return the redacted lists with what was done to them told in each row."""
    if summary == "silent":
        return done.lists
    told = {"redacted": done.deleted, "masked": done.masked, "allowed": done.allowed}
    words = {kind: _words(done.attributes, positions) for kind, positions in told.items()}
    return _put(done.lists, "", words, summary)


def of_bodies(lists: pa.ListArray, rows: Positions, summary: str) -> pa.ListArray:
    """Return the attributes of log records with what was done to the bodies told in the *rows* that changed."""
    return (
        lists
        if summary == "silent"
        else _put(lists, "body.", {"masked": {row: ["body"] for row in rows.tolist()}}, summary)
    )


def _words(attributes: Attributes, positions: Positions) -> dict[int, list[str]]:
    """Return the names at *positions*, by row."""
    words: dict[int, list[str]] = {}
    names = attributes.names
    for row, code in zip(attributes.rows[positions].tolist(), attributes.codes[positions].tolist(), strict=True):
        words.setdefault(row, []).append(names[code])
    return words


def _put(lists: pa.ListArray, scope: str, told: Mapping[str, Mapping[int, list[str]]], summary: str) -> pa.ListArray:
    """Return the lists with names and counts written, added to what an earlier pass wrote."""
    attributes = Attributes(lists)
    for kind, words in told.items():
        if not words:
            continue
        rows = np.array(sorted(words), dtype=np.int64)
        keys = [f"{SUMMARY}{scope}{kind}.keys", f"{SUMMARY}{scope}{kind}.count"]
        places = attributes.locate(keys)[:, rows]
        before = attributes.strings(places[0]).fill_null("").to_pylist()
        counts = [max(one, 0) for one in attributes.naturals(places[1]).tolist()]
        new = [words[row] for row in rows.tolist()]
        merged = [
            _SEPARATOR.join(sorted([*own, *filter(None, old.split(_SEPARATOR))]))
            for own, old in zip(new, before, strict=True)
        ]
        total = [len(own) + old for own, old in zip(new, counts, strict=True)]
        values = [(keys[0], places[0], "string_value", merged)] if summary == "debug" else []
        values.append((keys[1], places[1], "int_value", total))
        attributes = rewritten(
            attributes,
            additions=[
                Addition(key, rows[at < 0], member, pa.array(value), np.flatnonzero(at < 0))
                for key, at, member, value in values
            ],
            replacements=[
                Replacement(at[at >= 0], member, pa.array(value), np.flatnonzero(at >= 0))
                for _, at, member, value in values
            ],
        )
    return attributes.lists
