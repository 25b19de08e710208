"""Messages and finish reasons from attributes numbered per message, row by row.

Many rows have the same numbered keys in the same order; what such a sequence says is worked out once, as a `_Form`.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from itertools import pairwise
from json.encoder import encode_basestring
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from collector.attributes import Attributes
from collector.jsontext import dumped
from processors.genai.messages import Draft
from processors.genai.table import Piece

OUTPUT_MESSAGES = "gen_ai.output.messages"
FINISH_REASON = "finish_reason"

_SIMPLE = frozenset({"role", "content", FINISH_REASON})
_NEWLINE, _QUOTE, _BACKSLASH, _FIRST_VISIBLE = 10, 34, 92, 32
_PLAIN, _COMMON, _RARE = range(3)
"""What a text holds that JSON escapes: nothing; quotes, backslashes and newlines; other control characters too."""

Word = Callable[[str], str | None]
"""Gives today's word for a finish reason."""


class _Sketch(NamedTuple):
    """Says where the pieces of one message are among the texts of a row; *last* is by part, of *simple* ones all."""

    pieces: Sequence[tuple[Piece, int]]
    last: Mapping[str, int]
    simple: bool


class _Form(NamedTuple):
    """Says what a sequence of numbered keys holds: messages by attribute, in order, and where answers' ends are."""

    messages: Mapping[str, Sequence[_Sketch]]
    ends: Sequence[tuple[int, int]]
    speaks: bool


class Numbered:
    """Holds the texts of a batch's numbered attributes; *pieces* are what they hold, by the number of the key."""

    def __init__(self, attributes: Attributes, pieces: Mapping[int, Piece]) -> None:
        wanted = np.zeros(len(attributes.names), dtype=bool)
        wanted[list(pieces)] = True
        hits = np.flatnonzero(wanted[attributes.codes])
        strings = attributes.strings(hits)
        if strings.null_count:
            hits, strings = hits[np.asarray(strings.is_valid())], strings.drop_null()
        owners, codes = attributes.rows[hits], attributes.codes[hits]
        starts = np.flatnonzero(np.diff(owners, prepend=-1))
        self._positions = hits
        self._strings = strings
        self._rows = owners[starts]
        self._bounds = np.append(starts, len(hits))
        self._codes = codes
        self._pieces = pieces
        self._texts: list[str] = strings.to_pylist()
        self._forms = self._formed()

    def reasons(self, word: Word, missing: npt.NDArray[np.bool_]) -> dict[int, tuple[str, ...]]:
        """Return why the answers of each completion ended, by row, for the *missing* rows."""
        texts, found = self._texts, {}
        wanted = missing[self._rows].tolist()
        starts = self._bounds.tolist()
        for row, form, start, asked in zip(self._rows.tolist(), self._forms, starts, wanted, strict=False):
            if asked and form.ends:
                told = {message: reason for message, at in form.ends if (reason := word(texts[start + at]))}
                if told:
                    found[row] = tuple(reason for _, reason in sorted(told.items()))
        return found

    def messages(self, name: str, role: str, word: Word, missing: npt.NDArray[np.bool_]) -> dict[int, str]:
        """Return the messages of the attribute *name* as JSON, by row, for the *missing* rows."""
        writer = _Writer(self._texts, self._care, role, word)
        wanted = missing[self._rows].tolist()
        starts = self._bounds.tolist()
        return {
            row: writer.messages(form.messages[name], start)
            for row, form, start, asked in zip(self._rows.tolist(), self._forms, starts, wanted, strict=False)
            if asked and form.speaks and name in form.messages
        }

    def positions(self, *, messages: bool) -> npt.NDArray[np.int64]:
        """Return where the attributes are that `reasons`, and `messages` where they are wanted, translate."""
        ends = [piece.target == OUTPUT_MESSAGES and piece.part == FINISH_REASON for piece in self._pieces.values()]
        used = np.isin(self._codes, np.array(list(self._pieces))[ends])
        if messages:
            speaks = np.array([form.speaks for form in self._forms], dtype=bool)
            used |= np.repeat(speaks, np.diff(self._bounds))
        return self._positions[used]

    @cached_property
    def _care(self) -> list[int]:
        return _care_of(self._strings)

    def _formed(self) -> list[_Form]:
        """Return the form of every row."""
        forms: dict[bytes, _Form] = {}
        formed = []
        for first, last in pairwise(self._bounds.tolist()):
            codes = self._codes[first:last]
            key = codes.tobytes()
            if key not in forms:
                forms[key] = _form([self._pieces[code] for code in codes.tolist()])
            formed.append(forms[key])
        return formed


class _Writer:
    """Writes messages of one role as JSON from texts, of which *care* says what is to be escaped."""

    def __init__(self, texts: Sequence[str], care: Sequence[int], role: str, word: Word) -> None:
        self._texts = texts
        self._care = care
        self._role = role
        self._word = word

    def messages(self, sketches: Sequence[_Sketch], start: int) -> str:
        """Return the messages whose row's texts begin at *start*."""
        return f"[{','.join([self._message(sketch, start) for sketch in sketches])}]"

    def _message(self, sketch: _Sketch, start: int) -> str:
        last = sketch.last
        if not sketch.simple or self._texts[start + last["content"]].startswith("[{"):
            return self._drafted(sketch, start)
        content = start + last["content"]
        role = start + last["role"] if "role" in last else -1
        who = self._quoted(role) if role >= 0 and self._texts[role] else encode_basestring(self._role)
        text = f'{{"type":"text","content":{self._quoted(content)}}}' if self._texts[content] else ""
        end = ""
        if FINISH_REASON in last:
            reason = self._texts[start + last[FINISH_REASON]]
            end = f',"finish_reason":{encode_basestring(self._word(reason) or reason)}'
        return f'{{"role":{who},"parts":[{text}]{end}}}'

    def _drafted(self, sketch: _Sketch, start: int) -> str:
        draft = Draft()
        for piece, at in sketch.pieces:
            text = self._texts[start + at]
            draft.put(piece, (self._word(text) or text) if piece.part == FINISH_REASON else text)
        return dumped([draft.message(self._role)])[1:-1]

    def _quoted(self, at: int) -> str:
        text, care = self._texts[at], self._care[at]
        if care == _RARE:
            return str(encode_basestring(text))
        if care == _COMMON:
            text = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        return f'"{text}"'


def _form(pieces: Sequence[Piece]) -> _Form:
    drafts: defaultdict[str, defaultdict[int, list[tuple[Piece, int]]]] = defaultdict(lambda: defaultdict(list))
    ranks = _ranks(pieces)
    for at, piece in enumerate(pieces):
        if piece.rank == ranks[piece.target]:
            drafts[piece.target][piece.message].append((piece, at))
    messages = {name: [_sketch(found) for _, found in sorted(numbered.items())] for name, numbered in drafts.items()}
    ends = [
        (piece.message, at)
        for at, piece in enumerate(pieces)
        if piece.target == OUTPUT_MESSAGES and piece.part == FINISH_REASON
    ]
    return _Form(messages, ends, any(piece.part != FINISH_REASON for piece in pieces))


def _ranks(pieces: Sequence[Piece]) -> Mapping[str, int]:
    """Return the form that speaks for each attribute: the first that says more than why an answer ended."""
    silent = {(piece.target, piece.rank) for piece in pieces} - {
        (piece.target, piece.rank) for piece in pieces if piece.part != FINISH_REASON
    }
    ordered = sorted(pieces, key=lambda piece: ((piece.target, piece.rank) in silent, piece.rank), reverse=True)
    return {piece.target: piece.rank for piece in ordered}


def _sketch(pieces: Sequence[tuple[Piece, int]]) -> _Sketch:
    last = {piece.part: at for piece, at in pieces}
    return _Sketch(pieces, last, "content" in last and last.keys() <= _SIMPLE)


def _care_of(texts: pa.StringArray) -> list[int]:
    """Return for each text what it holds that JSON escapes."""
    _, bounds, data = texts.buffers()
    care = np.full(len(texts), _PLAIN, dtype=np.int8)
    if data is not None and len(texts):
        offsets = np.frombuffer(bounds, np.int32)[texts.offset :][: len(texts) + 1]
        characters = np.frombuffer(data, np.uint8)[offsets[0] : offsets[-1]]
        special = np.flatnonzero((characters < _FIRST_VISIBLE) | (characters == _QUOTE) | (characters == _BACKSLASH))
        owners = np.searchsorted(offsets[1:] - offsets[0], special, side="right")
        found = characters[special]
        care[owners] = _COMMON
        care[owners[(found < _FIRST_VISIBLE) & (found != _NEWLINE)]] = _RARE
    levels: list[int] = care.tolist()
    return levels
