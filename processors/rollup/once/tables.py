"""Dictionaries whose changes can be taken back: each writes into a log how to undo what it did."""

from collections.abc import Callable, Container, Iterable, Iterator
from functools import partial
from typing import Any, TypeVar

K = TypeVar("K")
V = TypeVar("V")

Log = list[Callable[[], Any]]


class Table(dict[K, V]):
    """Is a dictionary whose changes can be taken back."""

    __slots__ = ("_log",)

    def __init__(self, log: Log) -> None:
        super().__init__()
        self._log = log

    def put(self, key: K, value: V) -> None:
        """Set one value."""
        self._log.append(partial(self.__setitem__, key, self[key]) if key in self else partial(self.pop, key, None))
        self[key] = value

    def drop(self, key: K) -> None:
        """Remove one value, if it is there."""
        if key in self:
            self._log.append(partial(self.__setitem__, key, self.pop(key)))


class Groups(Iterable[K]):
    """Holds rows in groups, each row once in a group; to add or to take out one costs the same in a large group.

    A group of one, as most are, is held as that row.
    """

    def __init__(self, log: Log) -> None:
        self._log = log
        self._groups: dict[K, int | dict[int, None]] = {}

    def add(self, key: K, row: int) -> None:
        """Put *row* into the group *key*."""
        if self._insert(key, row):
            self._log.append(partial(self._remove, key, row))

    def discard(self, key: K, row: int) -> None:
        """Take *row* out of the group *key*, if it is there."""
        if self._remove(key, row):
            self._log.append(partial(self._insert, key, row))

    def drop(self, key: K) -> None:
        """Take out all rows of the group *key*."""
        for row in tuple(self.of(key)):
            self.discard(key, row)

    def of(self, key: K) -> Iterable[int]:
        """Return the rows of the group *key*, in the order in which they came."""
        group = self._groups.get(key, ())
        return (group,) if isinstance(group, int) else group

    def size(self, key: K) -> int:
        """Return how many rows are in the group *key*."""
        group = self._groups.get(key, ())
        return 1 if isinstance(group, int) else len(group)

    def near(self, keys: Iterable[K], most: int) -> set[int]:
        """Return the rows of the groups *keys*, but of none that holds more than *most*."""
        found: set[int] = set()
        for key in keys:
            group = self._groups.get(key)  # most keys have none: this is asked for more often than all else
            if isinstance(group, int):
                found.add(group)
            elif group is not None and len(group) <= most:
                found.update(group)
        return found

    def forget(self, keys: Iterable[K], gone: Container[int]) -> None:
        """Forget the rows that are *gone* in the groups *keys*, for good."""
        for key in keys:
            for row in [row for row in self.of(key) if row in gone]:
                self._remove(key, row)

    def __iter__(self) -> Iterator[K]:
        return iter(self._groups)

    def __contains__(self, key: K) -> bool:
        return key in self._groups

    def __len__(self) -> int:
        return len(self._groups)

    def _insert(self, key: K, row: int) -> bool:
        group = self._groups.get(key)
        if group is None:
            self._groups[key] = row
        elif isinstance(group, int):
            if group == row:
                return False
            self._groups[key] = {group: None, row: None}
        elif row in group:
            return False
        else:
            group[row] = None
        return True

    def _remove(self, key: K, row: int) -> bool:
        group = self._groups.get(key)
        if group == row:
            del self._groups[key]
            return True
        if not isinstance(group, dict) or row not in group:
            return False
        del group[row]
        if len(group) == 1:
            self._groups[key] = next(iter(group))
        return True


def forget_rows(tables: Iterable[dict[int, Any]], rows: range) -> None:
    """Forget what *tables* hold under *rows*."""
    for table in tables:
        for row in table.keys() & rows:
            del table[row]
