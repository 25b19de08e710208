"""The bounded memory of calls: columns in blocks, found again by keys, and a log that takes the last batch back.

    rows      0 ............ 4095 | 4096 ......... 8191 | 8192 ....      numbered as they came, never again
    blocks    forgotten whole       oldest kept           growing
    tables    key -> row, key -> parent's key, id -> rows, ...

Whatever changes in a batch goes through `Table` and `Ledger.write`, so that `rollback` restores all of it.
"""

from collections import deque
from collections.abc import Container, Iterable, Sequence
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from processors.rollup.once.facts import FACTS, KEY, RESPONSE, WORDS, Fact, Facts, fact_of, used_words

ABOVE, LEAVES, LEAF_SUM, STATE, WAITS = range(FACTS, FACTS + 5)
"""Lines that change: the row of the next call above, -1 if there is none; how many innermost calls there are below,
and the sum of their rows; what the row counts for; the key of the span that is waited for above it."""
NEW, NOTHING, ITSELF, MERGED = range(-1, 3)
"""What a row may count for: not known yet, nothing, what its span said, or what several spans said together."""

_LINES = FACTS + 5
_BITS = 12
_SIZE = 1 << _BITS
_NONE = object()

K = TypeVar("K")
V = TypeVar("V")


class Table(dict[K, V]):
    """Is a dictionary whose changes can be taken back."""

    __slots__ = ("_log",)

    def __init__(self, log: list[Any]) -> None:
        super().__init__()
        self._log = log

    def put(self, key: K, value: V) -> None:
        """Set one value."""
        self._log.append((self, key, self.get(key, _NONE)))
        self[key] = value

    def drop(self, key: K) -> None:
        """Remove one value, if it is there."""
        if key in self:
            self._log.append((self, key, self.pop(key)))

    def fill(self, keys: Sequence[K], values: Sequence[V]) -> None:
        """Set many values; of keys that are there already the old value stays."""
        if not self.keys().isdisjoint(keys):
            pairs = [(key, value) for key, value in zip(keys, values, strict=True) if key not in self]
            keys, values = [key for key, _ in pairs], [value for _, value in pairs]
        self.fill_new(keys, values)

    def fill_new(self, keys: Sequence[K], values: Sequence[V]) -> None:
        """Set many values of keys that are not there."""
        self._log.append((self, keys))
        self.update(zip(keys, values, strict=True))


class _Block:
    def __init__(self, arrived: float) -> None:
        self.matrix = np.zeros((_LINES, _SIZE), dtype=np.int64)
        self.words: list[str] = []
        self.codes: dict[str, int] = {}
        self.arrived = arrived

    def code_of(self, word: str) -> int:
        code = self.codes.setdefault(word, len(self.words))
        if code == len(self.words):
            self.words.append(word)
        return code


class Ledger:
    """Holds what is known of calls, from row *first* up to *next*, and the tables to find it by."""

    def __init__(self) -> None:
        self.first = self.next = 0
        self._log: list[Any] = []
        self._blocks: dict[int, _Block] = {}
        self._arrivals: deque[tuple[float, Sequence[int]]] = deque()
        self.calls: Table[int, int] = Table(self._log)
        self.links: Table[int, int] = Table(self._log)
        self.responses: Table[int, tuple[int, ...]] = Table(self._log)
        self.waiting: Table[int, tuple[int, ...]] = Table(self._log)

    def table(self) -> Table[Any, Any]:
        """Return a new table whose changes are taken back with all others."""
        return Table(self._log)

    def begin(self) -> None:
        """Make all changes up to now lasting."""
        self._log.clear()

    def rollback(self) -> None:
        """Take back every change since `begin`."""
        for entry in reversed(self._log):
            if len(entry) == 2:
                table, keys = entry
                for key in keys:
                    table.pop(key, None)
            elif isinstance(entry[0], dict):
                table, key, old = entry
                if old is _NONE:
                    table.pop(key, None)
                else:
                    table[key] = old
            else:
                self._take_back(*entry)
        self._log.clear()

    def _take_back(self, line: int, row: int, old: int) -> None:
        if line < 0:
            self.next = row
        else:
            self._blocks[row >> _BITS].matrix[line, row & _SIZE - 1] = old

    def append(self, facts: Facts, state: npt.NDArray[np.int64], now: float) -> None:
        """Remember calls and what is known of them; *state* are the lines that change."""
        self._log.append((-1, self.next, 0))
        done, count = 0, facts.matrix.shape[1]
        used = used_words(facts)
        while done < count:
            number, place = divmod(self.next, _SIZE)
            block = self._blocks.get(number) or self._blocks.setdefault(number, _Block(now))
            block.arrived = now
            size = min(count - done, _SIZE - place)
            target = block.matrix[:, place : place + size]
            target[:WORDS] = facts.matrix[:WORDS, done : done + size]
            codes = np.zeros(len(facts.words), dtype=np.int64)
            codes[used] = [block.code_of(facts.words[word]) for word in used.tolist()]
            target[WORDS:FACTS] = codes[facts.matrix[WORDS:FACTS, done : done + size]]
            target[FACTS:] = state[:, done : done + size]
            self.next, done = self.next + size, done + size

    def link(self, keys: Sequence[int], parents: Sequence[int], now: float) -> None:
        """Remember the parents of spans that are no calls."""
        self.links.fill(keys, parents)
        self._arrivals.append((now, keys))

    def alive(self, row: int) -> bool:
        """Tell whether *row* is a call that is remembered."""
        return row >= self.first

    def read(self, line: int, row: int) -> int:
        """Return one number of a call."""
        return int(self._blocks[row >> _BITS].matrix[line, row & _SIZE - 1])

    def write(self, line: int, row: int, value: int) -> None:
        """Change one number of a call."""
        matrix, place = self._blocks[row >> _BITS].matrix, row & _SIZE - 1
        self._log.append((line, row, int(matrix[line, place])))
        matrix[line, place] = value

    def fact(self, row: int) -> Fact:
        """Return what the span in *row* said."""
        block = self._blocks[row >> _BITS]
        return fact_of(row, block.matrix[:FACTS, row & _SIZE - 1].tolist(), block.words)

    def lines(self, lines: Sequence[int], start: int | None = None) -> tuple[npt.NDArray[np.int64], ...]:
        """Return the numbers of all calls from row *start* on, an array for each of *lines*."""
        first = self.first if start is None else start
        pieces = []
        for number in range(first >> _BITS, (self.next + _SIZE - 1) >> _BITS):
            base = number << _BITS
            part = slice(max(first - base, 0), min(self.next - base, _SIZE))
            pieces.append(self._blocks[number].matrix[list(lines), part])
        return tuple(np.concatenate(pieces, axis=1)) if pieces else tuple(np.zeros((len(lines), 0), dtype=np.int64))

    def fill_states(self, first: int, states: npt.NDArray[np.int64]) -> None:
        """Write what the newest calls, from row *first* on, count for."""
        done = 0
        while done < len(states):
            number, place = divmod(first + done, _SIZE)
            size = min(len(states) - done, _SIZE - place)
            self._blocks[number].matrix[STATE, place : place + size] = states[done : done + size]
            done += size

    def expire(self, oldest: float, most_calls: int, most_links: int) -> range:
        """Forget what came before *oldest* or is too much, and return the rows that are gone."""
        first = self.first
        while self.first >> _BITS < self.next >> _BITS and (
            self.next - self.first > most_calls or self._blocks[self.first >> _BITS].arrived < oldest
        ):
            self._forget(self.first >> _BITS)
        if self.first < self.next and self._blocks[self.first >> _BITS].arrived < oldest:
            self._forget(self.first >> _BITS)
        while self._arrivals and (self._arrivals[0][0] < oldest or len(self.links) > most_links):
            for key in self._arrivals.popleft()[1]:
                self.links.pop(key, None)
        return range(first, self.first)

    def _forget(self, number: int) -> None:
        """Forget a block; the one that grows ends where the next begins."""
        base = number << _BITS
        rows = range(max(self.first, base), min(self.next, base + _SIZE))
        keys, responses, waits = self._blocks[number].matrix[
            [KEY, RESPONSE, WAITS], rows.start - base : rows.stop - base
        ]
        for key in keys.tolist():
            self.calls.pop(key, None)
        forget_members(self.responses, responses.tolist(), range(rows.stop))
        forget_members(self.waiting, waits.tolist(), range(rows.stop))
        self.first = rows.stop
        if rows.stop == base + _SIZE:
            del self._blocks[number]


def forget_rows(tables: Iterable[dict[int, Any]], rows: range) -> None:
    """Forget what *tables* hold under *rows*."""
    for table in tables:
        for row in table.keys() & set(rows):
            del table[row]


def forget_members(table: dict[K, tuple[int, ...]], keys: Iterable[K], gone: Container[int]) -> None:
    """Forget who is *gone* among those that *table* holds under *keys*, and the keys under which nobody is left."""
    for key in keys:
        kept = tuple(member for member in table.pop(key, ()) if member not in gone)
        if kept:
            table[key] = kept
