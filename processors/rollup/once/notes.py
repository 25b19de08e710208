"""What is written down about a batch, so that a process that starts knows what the one before it knew.

    length of the head | head: JSON | LZ4 of   facts: calls x lines | state of each call | links: keys, parents

The head holds the words, what calls of several spans count for, and what earlier calls count for since this batch.
Errors go by name, as their numbers may be others in another version.
"""

import json
import struct
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from processors.rollup.once.facts import ERROR, FACTS, WORDS, Facts, used_words
from processors.rollup.once.merging import Record

_HEADER = struct.Struct("<II")
_VERSION = [1, FACTS]
_JSON = json.JSONEncoder(separators=(",", ":"))

State = tuple[int, Record | None]
"""What a call counts for, and its record where that is not its own."""


class Note(NamedTuple):
    """Is what was learned from one batch at the time *now*.

    *states* are those of its calls, *merged* the records of some of them by place; *others* are earlier calls, by key.
    """

    now: float
    facts: Facts
    states: npt.NDArray[np.int8]
    merged: Mapping[int, Record]
    others: Mapping[int, State]


def dump(note: Note, classes: Sequence[str]) -> bytes:
    """Return *note* as bytes; *classes* are the names of errors."""
    matrix, links = note.facts.matrix, note.facts.links
    used = used_words(note.facts)
    codes = np.zeros(len(note.facts.words), dtype=np.int64)
    codes[used] = np.arange(len(used))
    parts = (matrix[:WORDS], codes[matrix[WORDS:]], note.states, *links)
    plain = b"".join(np.ascontiguousarray(part).data for part in parts)
    head = {
        "version": _VERSION,
        "now": note.now,
        "calls": matrix.shape[1],
        "links": len(links[0]),
        "words": [note.facts.words[code] for code in used.tolist()],
        "classes": classes,
        "merged": [(place, _packed(record)) for place, record in note.merged.items()],
        "others": [(key, state, record and _packed(record)) for key, (state, record) in note.others.items()],
    }
    text = _JSON.encode(head).encode(errors="surrogatepass")
    return _HEADER.pack(len(text), len(plain)) + text + bytes(pa.Codec("lz4_raw").compress(plain, asbytes=True))


def load(data: bytes, classes: Sequence[str]) -> Note | None:
    """Return what `dump` wrote, None if it is of another version."""
    size, plain_size = _HEADER.unpack_from(data)
    head = json.loads(data[_HEADER.size : _HEADER.size + size])
    if head["version"] != _VERSION:
        return None
    plain = pa.Codec("lz4_raw").decompress(data[_HEADER.size + size :], plain_size, asbytes=True)
    calls, links = head["calls"], head["links"]
    matrix = np.frombuffer(plain, np.int64, FACTS * calls).reshape(FACTS, calls).copy()
    numbers = _numbers(head["classes"], classes)
    matrix[ERROR] = np.array([*numbers, -1], dtype=np.int64)[matrix[ERROR]]
    end = FACTS * calls * 8
    states = np.frombuffer(plain, np.int8, calls, end)
    pairs = np.frombuffer(plain[end + calls :], np.int64).reshape(2, links)
    return Note(
        head["now"],
        Facts(matrix, head["words"], (pairs[0], pairs[1])),
        states,
        {place: _record(packed, numbers) for place, packed in head["merged"]},
        {key: (state, packed and _record(packed, numbers)) for key, state, packed in head["others"]},
    )


def _numbers(old: Sequence[str], new: Sequence[str]) -> list[int]:
    """Return today's number of each of the *old* classes; one that is no more is counted with the first."""
    place = {name: number for number, name in enumerate(new)}
    return [place.get(name, 0) for name in old]


def _packed(record: Record) -> list[Any]:
    return [record.texts, record.embeddings, *record[2:]]


def _record(packed: Sequence[Any], numbers: Sequence[int]) -> Record:
    texts, embeddings, start, duration, tokens, first_chunk, error = packed
    known = numbers[error] if error >= 0 else -1
    return Record(tuple(texts), embeddings, start, duration, tuple(tokens), first_chunk, known)
