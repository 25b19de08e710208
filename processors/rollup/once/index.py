"""Finding rows by 64-bit keys: a hash table in two arrays, asked and filled for many keys at once.

    slots    keys  | k7 |    | k2 | k9 | ...     a key's first slot is a hash of it; where another key is,
             rows  |  5 | -1 |  0 |  8 | ...     it goes on to the slots 1, 3, 6, 10, ... farther

Nothing is taken out: an entry whose row is forgotten counts for nothing, and goes when the table is made anew.
"""

import os
from collections.abc import Callable
from functools import partial

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.int64]
Narrow = npt.NDArray[np.int32]

_EMPTY = -1
_SMALLEST = 10  # bits
_ROOM = 2.2  # slots an entry when a table is made
_FULLEST = 0.6  # of its slots are taken when it is made anew
_FARTHEST = 2**31 - 1  # from the first row: this is what 32 bits hold
_FEW = 12  # keys that are faster done one by one


class Index:
    """Tells which row each key stands for; *log* gets what takes a change back."""

    def __init__(self, log: list[Callable[[], None]]) -> None:
        self._log = log
        # Nobody can foresee the slots: who could might send keys that all have one slot.
        self._odd = int.from_bytes(os.urandom(8), "little") | 1
        self._first = self._base = self._used = 0
        self._make(_SMALLEST)

    def forget(self, first: int) -> None:
        """Forget all rows before *first*."""
        self._first = first

    def get(self, key: int) -> int | None:
        """Return the row that *key* stands for."""
        held: int = self._rows.item(self._slot_of(key))
        return None if held == _EMPTY else held + self._base

    def find(self, keys: Numbers) -> Numbers:
        """Return the row that each of *keys* stands for, -1 where there is none."""
        found = np.full(len(keys), _EMPTY, dtype=np.int64)
        asked, slots, step = np.arange(len(keys)), self._slots_of(keys), 0
        while len(asked) > _FEW:
            held = self._rows[slots]
            mine = self._stands(slots, keys, held)
            found[asked[mine]] = held[mine] + np.int64(self._base)
            step += 1
            on = (~mine & (held != _EMPTY)).nonzero()[0]
            asked, slots, keys = asked[on], slots[on] + step & self._mask, keys[on]
        for place, key in zip(asked.tolist(), keys.tolist(), strict=True):
            row = self.get(key)
            found[place] = _EMPTY if row is None else row
        return found

    def claim(self, keys: Numbers, rows: Numbers) -> Numbers:
        """Let *keys* stand for *rows*, except those that stand for some already; return what each stands for.

        No two of *rows* are the same, and no other key stands for one. Of equal keys any one gets its row.
        """
        if not len(keys):
            return rows
        self._make_room(len(keys), int(rows.max()))
        return self._fill(keys, (rows - self._base).astype(np.int32), self._log)

    def move(self, key: int, row: int) -> None:
        """Let *key*, which stands for another row, stand for *row*."""
        slot = self._slot_of(key)
        self._log.append(partial(self._rows.__setitem__, slot, self._rows[slot]))
        self._rows[slot] = row - self._base

    def _slot_of(self, key: int) -> int:
        """Return the slot where *key* stands for something, else the empty one where it would be."""
        slot, step = (key * self._odd & 2**64 - 1) >> self._shift, 0
        while (row := self._rows.item(slot)) != _EMPTY:
            if self._keys.item(slot) == key and row + self._base >= self._first:
                break
            step += 1
            slot = slot + step & self._mask
        return slot

    def _slots_of(self, keys: Numbers) -> Numbers:
        return (keys.view(np.uint64) * np.uint64(self._odd) >> np.uint64(self._shift)).view(np.int64)

    def _stands(self, slots: Numbers, keys: Numbers, rows: Narrow) -> npt.NDArray[np.bool_]:
        """Tell where *slots* with these *rows* in them hold *keys* that stand for something."""
        mine: npt.NDArray[np.bool_] = self._keys[slots] == keys
        mine &= rows >= self._first - self._base
        return mine

    def _fill(self, keys: Numbers, rows: Narrow, log: list[Callable[[], None]] | None) -> Numbers:
        owners = np.empty(len(keys), dtype=np.int64)
        asked, slots, step = np.arange(len(keys)), self._slots_of(keys), 0
        while len(asked) > _FEW:
            free = self._rows[slots] == _EMPTY
            self._take(slots[free], keys[free], rows[free], log)
            held = self._rows[slots]
            owners[asked] = held
            on = (~self._stands(slots, keys, held)).nonzero()[0]
            step += 1
            asked, slots, keys, rows = asked[on], slots[on] + step & self._mask, keys[on], rows[on]
        for place, key, row in zip(asked.tolist(), keys, rows, strict=True):
            slot = self._slot_of(int(key))
            if self._rows[slot] == _EMPTY:
                self._take(np.array([slot]), key, row, log)
            owners[place] = self._rows[slot]
        owners += self._base
        return owners

    def _take(self, slots: Numbers, keys: Numbers, rows: Narrow, log: list[Callable[[], None]] | None) -> None:
        """Write entries into free *slots*; of several for one slot any one gets it."""
        self._rows[slots] = rows
        won = self._rows[slots] == rows
        if not won.all():
            slots, keys = slots[won], keys[won]
        self._keys[slots] = keys
        self._used += len(slots)
        if log is not None:
            log.append(partial(self._clear, slots))

    def _clear(self, slots: Numbers) -> None:
        self._rows[slots] = _EMPTY
        self._used -= len(slots)

    def _make(self, bits: int) -> None:
        self._shift, self._mask = 64 - bits, (1 << bits) - 1
        self._keys = np.zeros(1 << bits, dtype=np.int64)
        self._rows = np.full(1 << bits, _EMPTY, dtype=np.int32)

    def _make_room(self, more: int, last: int) -> None:
        """Make the table anew, without what is forgotten, if it has no room for *more* entries up to the row *last*."""
        if self._used + more <= _FULLEST * len(self._keys) and last - self._base <= _FARTHEST:
            return
        keys, rows, base = self._keys, self._rows, self._base
        self._log.append(partial(self._restore, keys, rows, base, self._used, self._shift))
        alive = (rows != _EMPTY) & (rows >= self._first - base)
        keys, kept = keys[alive], (rows[alive] - np.int64(self._first - base)).astype(np.int32)
        self._make(max(_SMALLEST, int(_ROOM * (len(keys) + more)).bit_length()))
        self._base, self._used = self._first, 0
        self._fill(keys, kept, None)

    def _restore(self, keys: Numbers, rows: Narrow, base: int, used: int, shift: int) -> None:
        self._keys, self._rows, self._base, self._used = keys, rows, base, used
        self._shift, self._mask = shift, len(keys) - 1
