"""The bounded memory of calls: columns in blocks, found again by keys, and a log that takes the last batch back.

    rows      0 ............ 4095 | 4096 ......... 8191 | 8192 ....      numbered as they came, never again
    blocks    forgotten whole       oldest kept           growing
    indices   key -> row, id -> newest row
    tables    id -> rows, ...

Whatever changes in a batch goes through `Index`, `Table` and `Ledger.write`, so that `rollback` restores all of it.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from processors.rollup.once.blocks import STATE, WAITS, Block
from processors.rollup.once.facts import RESPONSE, Fact, Facts
from processors.rollup.once.index import Index
from processors.rollup.once.links import Links
from processors.rollup.once.tables import Groups, Table

_BITS = 12
_SIZE = 1 << _BITS


class Ledger:
    """Holds what is known of calls, from row *first* up to *next*, and the tables to find it by."""

    def __init__(self) -> None:
        self.first = self.next = 0
        self._log: list[Any] = []
        self._blocks: dict[int, Block] = {}
        self._narrow = 0
        self.calls = Index(self._log)
        self.links = Links(self._log)
        self._responses = Index(self._log)
        self._shared: Groups[int] = Groups(self._log)
        self.waiting: Groups[int] = Groups(self._log)

    def table(self) -> Table[Any, Any]:
        """Return a new table whose changes are taken back with all others."""
        return Table(self._log)

    def groups(self) -> Groups[Any]:
        """Return new groups of rows whose changes are taken back with all others."""
        return Groups(self._log)

    def begin(self) -> None:
        """Make all changes up to now lasting."""
        self._log.clear()
        for number in range(max(self._narrow, self.first >> _BITS), self.next >> _BITS):
            self._blocks[number].narrow()
        self._narrow = self.next >> _BITS

    def rollback(self) -> None:
        """Take back every change since `begin`."""
        for entry in reversed(self._log):
            if callable(entry):
                entry()
            else:
                self._take_back(*entry)
        self._log.clear()

    def _take_back(self, line: int, row: int, old: int) -> None:
        if line < 0:
            self.next = row
        else:
            self._blocks[row >> _BITS].write(line, row & _SIZE - 1, old)

    def append(self, facts: Facts, state: npt.NDArray[np.int64], now: float) -> None:
        """Remember calls and what is known of them; *state* are the lines that change."""
        self._log.append((-1, self.next, 0))
        done, count = 0, facts.matrix.shape[1]
        while done < count:
            number, place = divmod(self.next, _SIZE)
            block = self._blocks.get(number) or self._blocks.setdefault(number, Block(_SIZE, now))
            block.arrived = now
            size = min(count - done, _SIZE - place)
            block.put(place, facts, slice(done, done + size), state)
            self.next, done = self.next + size, done + size

    def alive(self, row: int) -> bool:
        """Tell whether *row* is a call that is remembered."""
        return row >= self.first

    def read(self, line: int, row: int) -> int:
        """Return one number of a call."""
        return self._blocks[row >> _BITS].read(line, row & _SIZE - 1)

    def write(self, line: int, row: int, value: int) -> None:
        """Change one number of a call."""
        block, place = self._blocks[row >> _BITS], row & _SIZE - 1
        self._log.append((line, row, block.read(line, place)))
        block.write(line, place, value)

    def fact(self, row: int) -> Fact:
        """Return what the span in *row* said."""
        return self._blocks[row >> _BITS].fact(row, row & _SIZE - 1)

    def lines(self, lines: Sequence[int], start: int | None = None) -> tuple[npt.NDArray[np.int64], ...]:
        """Return the numbers of all calls from row *start* on, an array for each of *lines*."""
        first = self.first if start is None else start
        pieces = [
            (self._blocks[number], slice(max(first - (number << _BITS), 0), min(self.next - (number << _BITS), _SIZE)))
            for number in range(first >> _BITS, (self.next + _SIZE - 1) >> _BITS)
        ]
        none = np.zeros(0, dtype=np.int64)
        return tuple(
            np.concatenate([none, *(block.line(line, part) for block, part in pieces)], dtype=np.int64)
            for line in lines
        )

    def share(self, responses: npt.NDArray[np.int64], rows: npt.NDArray[np.int64], most: int) -> set[int]:
        """Remember the *responses* of *rows*, at most some more than *most* rows of each; return who shares one."""
        owners = self._responses.claim(responses, rows)
        touched: set[int] = set()
        later = owners != rows
        if not later.any():
            return touched
        taken = np.isin(responses, responses[later])
        for response, row, owner in zip(*(line[taken].tolist() for line in (responses, rows, owners)), strict=True):
            if owner < rows[0] and response not in self._shared:
                self._shared.add(response, owner)
            if self._shared.size(response) <= most:
                self._shared.add(response, row)
                self._responses.move(response, row)
                touched.update(self._shared.of(response) if self._shared.size(response) > 1 else ())
        return touched

    def sharing(self, response: int) -> tuple[int, ...]:
        """Return the rows that have this response."""
        row = self._responses.get(response)
        return () if row is None else tuple(self._shared.of(response)) or (row,)

    def fill_states(self, first: int, states: npt.NDArray[np.int64]) -> None:
        """Write what the newest calls, from row *first* on, count for."""
        done = 0
        while done < len(states):
            number, place = divmod(first + done, _SIZE)
            size = min(len(states) - done, _SIZE - place)
            self._blocks[number].fill(STATE, place, states[done : done + size])
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
        self.links.expire(oldest, most_links)
        return range(first, self.first)

    def _forget(self, number: int) -> None:
        """Forget a block; the one that grows ends where the next begins."""
        base = number << _BITS
        rows = range(max(self.first, base), min(self.next, base + _SIZE))
        part, block = slice(rows.start - base, rows.stop - base), self._blocks[number]
        if self._shared:
            self._shared.forget(block.line(RESPONSE, part).tolist(), range(rows.stop))
        if self.waiting:
            self.waiting.forget(block.line(WAITS, part).tolist(), range(rows.stop))
        self.calls.forget(rows.stop)
        self._responses.forget(rows.stop)
        self.first = rows.stop
        if rows.stop == base + _SIZE:
            del self._blocks[number]
