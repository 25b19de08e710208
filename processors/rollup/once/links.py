"""The spans that are no calls: of each only the key and its parent's, to know which call stands around which.

numbers    0 ............ | first .......... next      as they came, never again
parents    a ring: number % its size
"""

from collections import deque
from collections.abc import Callable
from functools import partial

import numpy as np

from processors.rollup.once.index import Index, Numbers

_SMALLEST = 1024


class Links:
    """Tells what stands above a span that is no call; *log* gets what takes a change back."""

    def __init__(self, log: list[Callable[[], None]]) -> None:
        self._log = log
        self._index = Index(log)
        self._first = self._next = 0
        self._parents = np.zeros(_SMALLEST, dtype=np.int64)
        self._arrivals: deque[tuple[float, int]] = deque()

    def __len__(self) -> int:
        """Return how many spans are remembered."""
        return self._next - self._first

    def add(self, keys: Numbers, parents: Numbers, now: float) -> None:
        """Remember the *parents* of spans that came at the time *now*; of those that are known the old one stays."""
        if not len(keys):
            return
        self._log.append(partial(self._take_back, self._next))
        done = len(self._log)
        numbers = np.arange(self._next, self._next + len(keys))
        if (self._index.claim(keys, numbers) != numbers).any():
            while len(self._log) > done:
                self._log.pop()()
            unknown = np.unique(keys, return_index=True)[1]
            unknown = unknown[self._index.find(keys[unknown]) < 0]
            parents, numbers = parents[unknown], numbers[: len(unknown)]
            self._index.claim(keys[unknown], numbers)
        self._make_room(len(numbers))
        self._parents[numbers % len(self._parents)] = parents
        self._next += len(numbers)
        self._arrivals.append((now, self._next))

    def parents_of(self, keys: Numbers) -> Numbers:
        """Return the key above each of *keys*, 0 where it is not known."""
        numbers = self._index.find(keys)
        return np.where(numbers < 0, 0, self._parents[numbers % len(self._parents)])

    def expire(self, oldest: float, most: int) -> None:
        """Forget what came before *oldest* or is too much."""
        while self._arrivals and (self._arrivals[0][0] < oldest or len(self) > most):
            self._first = self._arrivals.popleft()[1]
        self._index.forget(self._first)

    def _take_back(self, number: int) -> None:
        self._next = number
        self._arrivals.pop()

    def _make_room(self, more: int) -> None:
        size = len(self._parents)
        if len(self) + more > size:
            numbers = np.arange(self._first, self._next)
            parents = self._parents[numbers % size]
            self._parents = np.zeros(max(2 * size, 1 << (len(self) + more).bit_length()), dtype=np.int64)
            self._parents[numbers % len(self._parents)] = parents
